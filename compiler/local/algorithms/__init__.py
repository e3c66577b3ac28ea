"""Programs that stand for SageMaker's own algorithms. Each is run by the Python of its image, and imports nothing of
ours."""
