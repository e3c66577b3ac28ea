def model_fn(folder):
    return None
