"""What a training script sees in script mode: the variables, arguments and command of AWS's `sagemaker-training` 5.1.

`tests/e2e/test_local_training_toolkit.py` compares it with that package, job by job.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CODE = "/opt/ml/code"
GROUP = "homogeneousCluster"
PROGRAM, DIRECTORY = "sagemaker_program", "sagemaker_submit_directory"
_OWN = frozenset(
    {
        PROGRAM,
        DIRECTORY,
        "sagemaker_enable_cloudwatch_metrics",
        "sagemaker_region",
        "sagemaker_container_log_level",
        "sagemaker_job_name",
        "default_user_module_name",
        "_tuning_objective_metric",
        "sagemaker_s3_output",
    }
)
"""Hyperparameters that are no framework's and no script's."""
DISTRIBUTIONS = (
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
    "sagemaker_torch_distributed_enabled",
)
MODULES = {
    "sklearn": "sagemaker_sklearn_container.training:main",
    "xgboost": "sagemaker_xgboost_container.training:main",
    "pytorch": "sagemaker_pytorch_container.training:main",
    "tensorflow": "sagemaker_tensorflow_container.training:main",
    "mxnet": "sagemaker_mxnet_container.training:main",
}
"""By framework: SAGEMAKER_TRAINING_MODULE of its images."""
_SAFE = re.compile(r"[A-Za-z0-9._+][A-Za-z0-9._+/-]*")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The files of `/opt/ml/input/config`, and what else a job is told. `hyperparameters` are read, see `values`."""

    hyperparameters: Mapping[str, Any]
    channels: Mapping[str, Any]
    resources: Mapping[str, Any]
    module: str | None = None
    job: str | None = None
    program: str | None = None
    """Of SAGEMAKER_PROGRAM."""

    @property
    def entry(self) -> str | None:
        """The script."""
        return self.program or self.hyperparameters.get(PROGRAM)

    @property
    def source(self) -> str:
        """Where the code is fetched from."""
        return str(self.hyperparameters.get(DIRECTORY, CODE))


def values(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Each hyperparameter as JSON, or as it is where it is none."""
    return {name: _value(text) for name, text in hyperparameters.items()}


def _value(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text


def own(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """The script's hyperparameters."""
    return {k: v for k, v in hyperparameters.items() if k not in _OWN and not k.startswith("sagemaker_")}


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """The script's arguments."""
    given = own(hyperparameters)
    return [word for name in sorted(given) for word in (_flag(name), _argument(given[name]))]


def _flag(name: str) -> str:
    return f"--{name}" if len(name) > 1 else f"-{name}" if name else ""


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return "" if value is None else str(value)


def variables(given: Configuration) -> dict[str, str]:
    """The script's `SM_*` variables."""
    seen = _environment(given)
    hyperparameters = seen["hyperparameters"]
    made = {
        "hps": hyperparameters,
        "framework_params": seen["additional_framework_parameters"],
        "channels": sorted(given.channels),
        "training_env": seen,
        "user_args": arguments(given.hyperparameters),
        **{name: seen[name] for name in _SHOWN},
        **({"topology": seen["topology"]} if seen["topology"] else {}),
        **{f"channel_{name}": path for name, path in seen["channel_input_dirs"].items()},
        **{f"hp_{name}": value for name, value in hyperparameters.items()},
    }
    return {f"SM_{name.upper()}": _text(value) for name, value in made.items()}


def process_variables(given: Configuration, region: str) -> dict[str, str]:
    """What the toolkit itself sets besides."""
    return {
        "SAGEMAKER_JOB_NAME": str(given.hyperparameters.get("sagemaker_job_name", "")),
        "SAGEMAKER_REGION": str(given.hyperparameters.get("sagemaker_region") or region),
        "CURRENT_HOST": str(given.resources["current_host"]),
        "PYTHONPATH": CODE,
        **({"SAGEMAKER_TRAINING_MODULE": given.module} if given.module else {}),
    }


_SHOWN = (
    "hosts",
    "network_interface_name",
    "user_entry_point",
    "resource_config",
    "input_data_config",
    "output_data_dir",
    "current_host",
    "current_instance_type",
    "current_instance_group",
    "current_instance_group_hosts",
    "instance_groups",
    "instance_groups_dict",
    "distribution_instance_groups",
    "is_hetero",
    "module_name",
    "log_level",
    "framework_module",
    "input_dir",
    "input_config_dir",
    "output_dir",
    "num_cpus",
    "num_gpus",
    "num_neurons",
    "model_dir",
    "module_dir",
    "output_intermediate_dir",
)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _environment(given: Configuration) -> dict[str, Any]:
    """SM_TRAINING_ENV."""
    read, resources = given.hyperparameters, given.resources
    framework = {k: v for k, v in read.items() if k.startswith("sagemaker_") and k not in _OWN}
    groups = {group["instance_group_name"]: group for group in resources.get("instance_groups", [])}
    current = resources.get("current_group_name", GROUP)
    distributed = any(framework.get(name) for name in DISTRIBUTIONS)
    spread = framework.get("sagemaker_distribution_instance_groups", [current] if distributed else [])
    hosts: list[str] = resources["hosts"]
    spread_hosts = [host for name, group in groups.items() if name in spread for host in group["hosts"]]
    spread_hosts = spread_hosts if groups else list(hosts)
    entry = given.entry
    module = given.program or str(read.get(PROGRAM))
    return {
        "additional_framework_parameters": framework,
        "channel_input_dirs": {name: f"/opt/ml/input/data/{name}" for name in given.channels},
        "current_host": resources["current_host"],
        "current_instance_group": current,
        "current_instance_group_hosts": groups[current]["hosts"] if current in groups else [],
        "current_instance_type": resources.get("current_instance_type", "local"),
        "distribution_hosts": spread_hosts,
        "distribution_instance_groups": spread,
        "framework_module": given.module,
        "hosts": hosts,
        "hyperparameters": own(read),
        "input_config_dir": "/opt/ml/input/config",
        "input_data_config": given.channels,
        "input_dir": "/opt/ml/input",
        "instance_groups": list(groups),
        "instance_groups_dict": groups,
        "is_hetero": len(groups) > 1,
        "is_master": resources["current_host"] == (spread_hosts or hosts)[0],
        "is_modelparallel_enabled": None,
        "is_smddpmprun_installed": False,
        "is_smddprun_installed": False,
        "job_name": given.job,
        "log_level": read.get("sagemaker_container_log_level", 20),
        "master_hostname": (spread_hosts or hosts)[0],
        "model_dir": "/opt/ml/model",
        "module_dir": given.source,
        "module_name": module.removesuffix(".py"),
        "network_interface_name": resources.get("network_interface_name", "eth0"),
        "num_cpus": os.cpu_count(),
        "num_gpus": _gpus(),
        "num_neurons": 0,
        "output_data_dir": "/opt/ml/output/data",
        "output_dir": "/opt/ml/output",
        "output_intermediate_dir": "/opt/ml/output/intermediate",
        "resource_config": resources,
        "topology": resources.get("topology", []),
        "user_entry_point": entry,
    }


@cache
def _gpus() -> int:
    if shutil.which("nvidia-smi") is None:
        return 0
    done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines()) if done.returncode == 0 else 0


# -- the command ------------------------------------------------------------------------------------------------------


def is_safe(entry: str) -> bool:
    """Whether a script's name is one that the toolkit takes: a path within the code."""
    return bool(_SAFE.fullmatch(entry)) and not {".", ".."} & set(entry.split("/"))


def is_package(folder: Path, entry: str) -> bool:
    """Whether the code is installed, and its entry run as a module."""
    return not entry.endswith(".sh") and (folder / "setup.py").exists()


def command(folder: Path, entry: str, words: list[str]) -> list[str]:
    """What runs a script of the code in `folder`, in `/opt/ml/code`."""
    if is_package(folder, entry):
        return ["python", "-m", entry.removesuffix(".py"), *words]
    if entry.endswith(".py"):
        return ["python", "--", entry, *words]
    import shlex

    return ["/bin/sh", "-c", f"./{shlex.join([entry, *words])}"]
