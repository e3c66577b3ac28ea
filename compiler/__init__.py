"""The sagewright compiler: pipelines written in YAML to Amazon SageMaker Pipelines.

`compile_file` and `check_file` are the public API; everything else may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagewright.compiler.driver import check_file, compile_file

__all__ = ["check_file", "compile_file"]


def __getattr__(name: str) -> Any:
    """Import the driver only when it is asked for: `import sagewright.compiler` costs nothing."""
    if name in __all__:
        from sagewright.compiler import driver

        return getattr(driver, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
