"""Runs a Lambda function once, as Lambda's own runtime for Python does: `python lambda_runtime.py HANDLER FOLDER`.

The folder has `call.json`, with the event and what the context says; `result.json` is written beside it: `value`, or
`error` as Lambda reports errors. It stands alone, for a Python without sagewright.
"""

import importlib
import json
import os
import sys
import time
import traceback


class Context:
    """What the service tells a function about its invocation."""

    identity = client_context = None

    def __init__(self, said: "dict[str, str]", deadline: float) -> None:
        self.function_name, self.function_version = said["name"], "$LATEST"
        self.invoked_function_arn = said["arn"]
        self.memory_limit_in_mb = "128"
        self.aws_request_id = said["request"]
        self.log_group_name, self.log_stream_name = f"/aws/lambda/{said['name']}", said["request"]
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(1000 * (self._deadline - time.monotonic())))


class Failed(Exception):
    """An error of the runtime's, not of the function's."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def find(handler: str) -> "object":
    """The function that `module.name` means."""
    module, _, name = handler.rpartition(".")
    if not module:
        raise Failed("Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack")
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Failed("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from error
    except SyntaxError as error:
        message = f"Syntax error in module '{module}': {error}"
        raise Failed("Runtime.UserCodeSyntaxError", message) from error
    if not hasattr(loaded, name):
        raise Failed("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'")
    return getattr(loaded, name)


def call(handler: str, event: "object", context: Context) -> "dict[str, object]":
    try:
        function = find(handler)
        value = function(event, context)  # type: ignore[operator]
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise Failed("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
        return {"value": value}
    except BaseException as error:
        traceback.print_exc()
        kind = error.kind if isinstance(error, Failed) else type(error).__name__
        return {"error": {"errorMessage": str(error), "errorType": kind}}


def main(handler: str, folder: str) -> None:
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    with open(os.path.join(folder, "call.json"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
        said = json.load(file)
    result = call(handler, said["event"], Context(said, time.monotonic() + said["timeout"]))
    with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as file:  # noqa: PTH118, PTH123
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
