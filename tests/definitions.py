"""What tests compile: the cases below `cases/compile` and the ready-made pipelines, and what they are measured by."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import yaml

from sagewright.compiler.compilation import Compilation
from sagewright.compiler.driver import Result, compile_file
from sagewright.compiler.emit import to_text

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
NO_SHARED = "the folder `shared` with the oracles is not here"
CASES = {path.parent.name: path for path in sorted(ROOT.glob("tests/cases/compile/*/pipeline.yaml"))}
PIPELINES = {path.parent.name: path for path in sorted(ROOT.glob("pipelines/*/pipeline.yaml"))}
GOLDEN = "definition.golden.json"
"""The file beside a pipeline that holds what it compiles to."""


def compiled(path: Path, **options: Any) -> Result:
    """What a pipeline compiles to, which it must."""
    result = compile_file(path, **options)
    assert result.compilation is not None, result.diagnostics
    return result


def write_project(folder: Path, **files: str) -> Path:
    """A project like that of the cases, with these files of code; the place of a pipeline in it."""
    project = ROOT / "tests" / "cases" / "compile" / "sagewright.yaml"
    (folder / "sagewright.yaml").write_text(project.read_text())
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder / "pipeline.yaml"


def as_yaml(tree: Any) -> str:
    return yaml.dump(tree, Dumper=_Plain, sort_keys=False, allow_unicode=True)


class _Plain(yaml.CSafeDumper):
    """Writes the same value again where it stands twice, not an alias of it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def compilation_of(path: Path, **options: Any) -> Compilation:
    made = compiled(path, **options).compilation
    assert made is not None
    return made


def golden_text(result: Result) -> str:
    """A definition as `sagewright compile` writes it."""
    return to_text(definition_of(result), indent=1) + "\n"


def definition_of(result: Result) -> dict[str, Any]:
    assert result.definition is not None
    return result.definition


def oracle_of(path: Path) -> str | None:
    """What a case names in its first line, `# golden: <file in shared/golden>`."""
    found = re.match(r"# golden: (\S+)\n", path.read_text())
    return found[1] if found else None


def golden_of(case: str) -> Any:
    """What the oracle of a case emits for the same, with the case's names for the steps that the SDK names itself."""
    path = CASES[case]
    return renamed(path, json.loads((SHARED / "golden" / str(oracle_of(path))).read_text()))


def renamed(path: Path, theirs: Any) -> Any:
    """An oracle's definition with the names of a case, whose second line is `# names: <theirs>=<ours> ...`."""
    found = re.search(r"^# names: (.+)\n", path.read_text(), re.M)
    text = json.dumps(theirs)
    for pair in found[1].split() if found else ():
        their_name, _, our_name = pair.partition("=")
        text = re.sub(rf'(?<=["\.]){re.escape(their_name)}(?=["\.])', our_name, text)
    return json.loads(text)


def unexplained(found: Iterable[str], allowed: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The differences that no pattern of `allowed` (path → reason) covers, and the patterns that cover none.

    A path is what stands before the first `: ` of a line of `definition.differences`; `*` and `?` are wild in patterns.
    """
    lines = list(found)
    patterns = {pattern: re.sub(r"\[", "[[]", pattern) for pattern in allowed}
    paths = [line.partition(": ")[0] for line in lines]
    left = [
        line
        for line, path in zip(lines, paths, strict=True)
        if not any(fnmatchcase(path, p) for p in patterns.values())
    ]
    stale = [name for name, p in patterns.items() if not any(fnmatchcase(path, p) for path in paths)]
    return left, stale


@cache
def boto_oracle() -> ModuleType:
    """The oracle over botocore's own shapes: a script that checks the files of its command line, here none."""
    path = SHARED / "oracle" / "boto_oracle.py"
    spec = importlib.util.spec_from_file_location("boto_oracle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, "argv", [str(path)]), mock.patch.object(sys, "dont_write_bytecode", True):
        spec.loader.exec_module(module)
    return module


# -- where cases differ from their oracles ----------------------------------------------------------------------------

ON_REQUEST = "SDK 2.257 asks for Debugger and Profiler unasked; we do on request only: their paths are in the cache's key"
MODEL_DIR = (
    "TensorFlow's `model_dir` has the time of compiling in it, so that no run would ever come from the cache"
)
NO_CODE = (
    "without code SDK 3.27 sets SAGEMAKER_PROGRAM to nothing, on which XGBoost's server fails; we set nothing"
)
BY_NAME = "the job's name has the time of compiling in it, and the estimator is the SDK's own: no container reads them"
NO_ID = "`app-1` is no application's id: EMR Serverless has letters and digits in it"
BY_TIME = "the SDK's names have the time of compiling in them; ours are the step's, and the notebook's under its hash"

OWN_SCRIPT = "the step that repacks runs a script of ours, which is told other things, and its output has no time in its name"
KNOWN_IMAGE = (
    "the SDK's plain Model does not look at its image; a package of ours names the framework all the same"
)
OF_THE_SDK = "the SDK's driver is told times, versions and keys that are those of the moment"

_REPACK = "Steps[M-repack]"
_STATIC = "Steps[Tune].Arguments.TrainingJobDefinition.StaticHyperParameters"
ALLOWED: dict[str, dict[str, str]] = {
    "abalone": {
        "Steps[MseCond].Arguments.IfSteps[Register].Arguments.InferenceSpecification.Containers[0].Environment": NO_CODE
    },
    "v2-abalone": {
        "Steps[Train].Arguments.DebugHookConfig": ON_REQUEST,
        "Steps[Train].Arguments.ProfilerConfig": ON_REQUEST,
    },
    "scriptmode-*": {
        "Steps[Train].Arguments.DebugHookConfig": ON_REQUEST,
        "Steps[Train].Arguments.ProfilerConfig": ON_REQUEST,
    },
    "scriptmode-model-*": {
        f"{_REPACK}.Description": OWN_SCRIPT,
        f"{_REPACK}.Arguments.HyperParameters.*": OWN_SCRIPT,
        f"{_REPACK}.Arguments.InputDataConfig[*]": OWN_SCRIPT,
        f"{_REPACK}.Arguments.OutputDataConfig.S3OutputPath": OWN_SCRIPT,
        f"{_REPACK}.Arguments.DebugHookConfig": ON_REQUEST,
        f"{_REPACK}.Arguments.ProfilerConfig": ON_REQUEST,
    },
    "scriptmode-model-generic-register": {
        "Steps[M].Arguments.InferenceSpecification.Containers[0].Framework": KNOWN_IMAGE
    },
    "scriptmode-tuning-*": {
        f"{_STATIC}.sagemaker_{name}": BY_NAME
        for name in ("job_name", "estimator_class_name", "estimator_module")
    },
    "scriptmode-tuning-tensorflow": {f"{_STATIC}.model_dir": MODEL_DIR},
    "emr": {
        "Steps[EmrSls].Arguments.JobConfig.applicationId": NO_ID,
        "Steps[EmrSls].Arguments.ApplicationId": NO_ID,
    },
    "function-step": {
        f"Steps[{name}].Arguments.{path}": OF_THE_SDK
        for name in ("fn", "fn2")
        for path in (
            "OutputDataConfig.S3OutputPath",
            "AlgorithmSpecification.ContainerArguments*",
            "Environment.REMOTE_FUNCTION_SECRET_KEY",
        )
    },
    "notebook": {
        "Steps[Nb].Arguments.InputDataConfig[*].DataSource.S3DataSource.S3Uri": BY_TIME,
        "Steps[Nb].Arguments.Tags[sagemaker:name].Value": BY_TIME,
        "Steps[Nb].Arguments.Environment.SM_OUTPUT_NOTEBOOK_NAME": BY_TIME,
        "Steps[Nb].Arguments.TrainingJobName": BY_TIME,
    },
    "scriptmode-tensorflow*": {"Steps[Train].Arguments.HyperParameters.model_dir": MODEL_DIR},
}
"""Case → path in the definition → why it may differ from the oracle there, beyond what `definition.meaning` allows."""


def allowed(case: str) -> dict[str, str]:
    return {
        path: why for name, paths in ALLOWED.items() if fnmatchcase(case, name) for path, why in paths.items()
    }
