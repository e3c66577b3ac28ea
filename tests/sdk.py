"""Where tests that compare with the SageMaker SDK find it. It needs no credentials and reaches no network."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
NO_SDK = "the SageMaker SDK is not installed: set SAGEWRIGHT_SDK_PYTHON to an interpreter that has it, or make .venv-sdk"
NO_SDK2 = "SageMaker SDK 2.257 is not installed: set SAGEWRIGHT_SDK2_PYTHON to an interpreter that has it, or make .venv-sdk2"


def sdk_python() -> str | None:
    """An interpreter with SDK 3: SAGEWRIGHT_SDK_PYTHON, `.venv-sdk`'s, or this one; None where there is none."""
    named = os.environ.get("SAGEWRIGHT_SDK_PYTHON")
    if named:
        return named
    own = ROOT / ".venv-sdk" / "bin" / "python"
    if own.exists():
        return str(own)
    try:
        version("sagemaker-core")
    except PackageNotFoundError:
        return None
    return sys.executable


def sdk2_python() -> str | None:
    """An interpreter with SDK 2.257: SAGEWRIGHT_SDK2_PYTHON or `.venv-sdk2`'s; None where there is none."""
    own = ROOT / ".venv-sdk2" / "bin" / "python"
    return os.environ.get("SAGEWRIGHT_SDK2_PYTHON") or (str(own) if own.exists() else None)


def sdk_environment(region: str = "us-west-2") -> dict[str, str]:
    """The environment to run it in: a region, credentials that open nothing, no configuration of the user's."""
    made = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGEMAKER_"))}
    credentials = dict.fromkeys(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "testing"
    )
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return {**made, **credentials, **files, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true"}
