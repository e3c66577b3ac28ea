"""Distributed training: how the training toolkit is told to start a script on several instances and processors.

The hyperparameters are those of SageMaker SDK 2.257.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sagewright.compiler.kind import Context, present
from sagewright.compiler.source import Map, Seq, key_origin, own_origin
from sagewright.compiler.suggest import listing
from sagewright.steps._groups import check_names
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
_SMDDP_VERSIONS = {"pytorch": ((1, 6), (2, 3, 0)), "tensorflow": ((2, 3), (2, 11))}
"""The oldest and the newest version whose images hold SMDDP. Source: SDK 2.257, which refuses others (PyTorch from 2.3
on), and the SageMaker developer guide, "Supported frameworks" of SMDDP, which has an image for 2.3.0, and for newer
ones only a package to install: so the SDK's errors are warnings here."""

_GROUPS = "instance_groups"
_OF_GROUPS = ("mpi", "smddp")
"""What is told which groups it runs on. Source: SDK 2.257, which refuses groups beside anything else but
`torch_distributed` alone, where it passes none on."""


@dataclass(frozen=True, slots=True)
class Machines:
    """The instances of a job: their `types`, the one that all have (`instance`, None where they are in groups), how many
    there are (`count`, None where that is not known), and their `groups`."""

    types: list[Any]
    instance: Any
    count: Any
    groups: list[Map]


def distribution(
    given: Map, machines: Machines, framework: Framework | None, context: Context
) -> dict[str, Any]:
    """The hyperparameters for `distribution`, not yet encoded."""
    _check(given, machines.count, framework, context)
    chosen = {**given, **{name: Map() for name in _implied(given, machines.types, framework)}}
    made = _group_settings(given, chosen, machines.groups, context)
    for name, settings in _SETTINGS.items():
        if name in chosen:
            made |= settings(chosen[name], machines.instance)
    return made


def _group_settings(
    given: Map, chosen: dict[str, Any], groups: list[Map], context: Context
) -> dict[str, Any]:
    """Which group the processes run on: the one that there is, or the one that `instance_groups` chooses."""
    wanted, users = given.get(_GROUPS), [name for name in _OF_GROUPS if name in chosen]
    if wanted is not None and not users:
        message = f"`{_GROUPS}` is for {listing(_OF_GROUPS)}: nothing else is told of it"
        context.error("SW208", message, key_origin(given, _GROUPS))
    elif wanted is not None:
        check_names(given, _GROUPS, groups, context)
    elif len(groups) == 1 and users:
        wanted = Seq([groups[0]["name"]])
        for expression in expressions_in(wanted):
            message = "the group's name is a literal here: it becomes part of a JSON text"
            context.error("SW209", message, own_origin(expression))
    elif groups and users:
        message = f"`{users[0]}` runs on one of the {len(groups)} groups: `{_GROUPS}` has to say on which"
        help = f"for example `{_GROUPS}: [{groups[0]['name']}]`"
        context.error("SW202", message, key_origin(given, users[0]), help=help)
    return {"sagemaker_distribution_instance_groups": wanted} if wanted else {}


def is_smp_v2(given: Map, torch: tuple[int, ...]) -> bool:
    """Whether the second version of the model parallelism library is meant, which has images of its own."""
    return "smp" in given and (
        "torch_distributed" in given or ("mpi" not in given and torch >= _SMP_BY_TORCHRUN)
    )


def _check(given: Map, count: Any, framework: Framework | None, context: Context) -> None:
    ways = [name for name in given if name != _GROUPS]
    for one, other in combinations(ways, 2):
        if other not in _LAUNCHERS.get(one, ()) and one not in _LAUNCHERS.get(other, ()):
            message = f"`{other}` does not go together with `{one}`"
            context.error("SW208", message, key_origin(given, other))
    for name in ways:
        if framework is not None and framework.name not in _FRAMEWORKS[name]:
            known = [other for other, frameworks in _FRAMEWORKS.items() if framework.name in frameworks]
            notes = (f"it has {listing(known)}",) if known else ()
            message = f"`{framework.name}` has no `{name}`"
            context.error("SW208", message, key_origin(given, name), notes=notes)
        elif name in _FOR_SEVERAL and count == 1:
            message = f"`{name}` shares the work between several instances, and there is one"
            help = "give `instance` a `count`, or leave `distribution` out"
            context.error("SW208", message, key_origin(given, name), help=help)
        elif name == "smddp" and framework is not None and not _holds_smddp(framework):
            message = f"the image of {framework.base} {'.'.join(map(str, framework.version))} is not known to hold SMDDP"
            notes = ("a script that imports it fails, unless its requirements install it",)
            context.error("SW902", message, key_origin(given, name), notes=notes)
    for expression in expressions_in(given.get("smp")):
        context.error("SW209", "`smp` takes literals: they become one JSON text", own_origin(expression))


def _holds_smddp(framework: Framework) -> bool:
    oldest, newest = _SMDDP_VERSIONS.get(framework.base, ((), (999,)))
    return oldest <= framework.version and framework.version[: len(newest)] <= newest


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
