"""Distributed training: how the training toolkit is told to start a script on several instances and processors.

The hyperparameters are those of SageMaker SDK 2.257.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

from sagewright.compiler.kind import Context, present
from sagewright.compiler.source import Map, key_origin, own_origin
from sagewright.compiler.suggest import listing
from sagewright.steps._script_mode import Framework, expressions_in

_TORCH = ("pytorch", "huggingface")
_FRAMEWORKS = {
    "torch_distributed": _TORCH,
    "smddp": (*_TORCH, "tensorflow"),
    "smp": (*_TORCH, "tensorflow"),
    "mpi": (*_TORCH, "tensorflow", "mxnet"),
    "parameter_server": (*_TORCH, "tensorflow", "mxnet"),
    "mirrored": ("tensorflow", "huggingface"),
}
_LAUNCHERS = {"smddp": {"torch_distributed"}, "smp": {"torch_distributed", "mpi"}}
"""What may start a library's processes, and so stand beside it. Everything else stands alone."""

_FOR_SEVERAL = ("parameter_server", "mirrored")
"""They are about sharing work between instances."""

_P5 = re.compile(r"ml\.p([5-9]|[1-9][0-9])[a-z]*\.")
_SMDDP_BY_TORCHRUN = (2, 0, 1)
"""From this PyTorch on, and on P5 and newer instances, only torchrun starts SMDDP. Source: SDK 2.257 refuses the rest."""
_SMP_BY_TORCHRUN = (2, 0)
"""From this PyTorch on, the model parallelism library is the one that torchrun starts; before, it is MPI."""


def distribution(
    given: Map, instance: Any, types: list[Any], count: Any, framework: Framework | None, context: Context
) -> dict[str, Any]:
    """The hyperparameters for `distribution`, not yet encoded.

    `types` are all instance types, `instance` the one that all instances have (None where groups differ), `count` how
    many there are (None where that is not known).
    """
    _check(given, count, framework, context)
    chosen = {**given, **{name: Map() for name in _implied(given, types, framework)}}
    made: dict[str, Any] = {}
    for name, settings in _SETTINGS.items():
        if name in chosen:
            made |= settings(chosen[name], instance)
    return made


def is_smp_v2(given: Map, torch: tuple[int, ...]) -> bool:
    """Whether the second version of the model parallelism library is meant, which has images of its own."""
    return "smp" in given and (
        "torch_distributed" in given or ("mpi" not in given and torch >= _SMP_BY_TORCHRUN)
    )


def _check(given: Map, count: Any, framework: Framework | None, context: Context) -> None:
    for one, other in combinations(given, 2):
        if other not in _LAUNCHERS.get(one, ()) and one not in _LAUNCHERS.get(other, ()):
            message = f"`{other}` does not go together with `{one}`"
            context.error("SW208", message, key_origin(given, other))
    for name in given:
        if framework is not None and framework.name not in _FRAMEWORKS[name]:
            known = [other for other, frameworks in _FRAMEWORKS.items() if framework.name in frameworks]
            notes = (f"it has {listing(known)}",) if known else ()
            message = f"`{framework.name}` has no `{name}`"
            context.error("SW208", message, key_origin(given, name), notes=notes)
        elif name in _FOR_SEVERAL and count == 1:
            message = f"`{name}` shares the work between several instances, and there is one"
            help = "give `instance` a `count`, or leave `distribution` out"
            context.error("SW208", message, key_origin(given, name), help=help)
    for expression in expressions_in(given.get("smp")):
        context.error("SW209", "`smp` takes literals: they become one JSON text", own_origin(expression))


def _implied(given: Map, types: list[Any], framework: Framework | None) -> list[str]:
    """The launchers that are needed and not given."""
    torch = framework.torch if framework else ()
    if "smddp" in given and "torch_distributed" not in given:
        newer = any(isinstance(name, str) and _P5.match(name) for name in types)
        return ["torch_distributed"] if newer or torch >= _SMDDP_BY_TORCHRUN else []
    if "smp" in given and not _LAUNCHERS["smp"] & given.keys():
        return ["torch_distributed"] if is_smp_v2(given, torch) else ["mpi"]
    return []


# -- what each of them is told ----------------------------------------------------------------------------------------

_Settings = Callable[[Map, Any], dict[str, Any]]


def _flag(name: str) -> _Settings:
    return lambda options, instance: {name: True}


def _mpi(options: Map, instance: Any) -> dict[str, Any]:
    return present(
        sagemaker_mpi_enabled=True,
        sagemaker_mpi_num_of_processes_per_host=options.get("processes_per_host"),
        sagemaker_mpi_custom_mpi_options=options.get("options", ""),
    )


def _smddp(options: Map, instance: Any) -> dict[str, Any]:
    return present(
        sagemaker_distributed_dataparallel_enabled=True,
        sagemaker_instance_type=instance,
        sagemaker_distributed_dataparallel_custom_mpi_options=options.get("options", ""),
    )


def _smp(options: Map, instance: Any) -> dict[str, Any]:
    return present(
        mp_parameters=options or None,
        sagemaker_distributed_dataparallel_enabled=False,
        sagemaker_instance_type=instance,
    )


def _torch_distributed(options: Map, instance: Any) -> dict[str, Any]:
    return present(sagemaker_torch_distributed_enabled=True, sagemaker_instance_type=instance)


_SETTINGS: dict[str, _Settings] = {
    "parameter_server": _flag("sagemaker_parameter_server_enabled"),
    "mpi": _mpi,
    "smp": _smp,
    "smddp": _smddp,
    "torch_distributed": _torch_distributed,
    "mirrored": _flag("sagemaker_multi_worker_mirrored_strategy_enabled"),
}
"""In the order in which the SDK writes them."""
