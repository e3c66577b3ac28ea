"""What scikit-learn's container does where the module does not say. Source: sagemaker-scikit-learn-container."""

from __future__ import annotations

from typing import Any


def defaults(server: Any, _has_program: bool) -> dict[str, Any]:
    def input_fn(data: Any, content_type: Any) -> Any:
        made = server.decode(data, content_type)
        return made.astype("float32") if content_type in server.AS_TEXT else made

    def predict_fn(data: Any, model: Any) -> Any:
        return model.predict(data)

    return {
        "input_fn": input_fn,
        "predict_fn": predict_fn,
        "output_fn": server.encode,
        "content_type": server.JSON,
    }
