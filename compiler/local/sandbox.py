"""What a container is here: a command, its files and its environment; and what a running one can be asked.

The sandboxes themselves are in `isolation`: the best that works on this machine is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder (or file) of this machine, at a place in the container. A read-only one cannot be written there."""

    source: Path
    target: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Container:
    """What is to run. `environment` is all that it sees, but for what every process needs (`PATH`, `HOME`, `LANG`).

    `python` is the interpreter that stands for the image: `python`, `python3` and its scripts are found first.
    Without `network` it reaches nothing, loopback neither. `largest_file` is the most bytes that a file of it may
    have; `image` is the URI of the image itself, which Docker runs: by the command, or with `own_entrypoint` by the
    image's own entry point, whose arguments the command is then.
    """

    command: tuple[str, ...]
    python: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    directory: str = "/"
    network: bool = True
    largest_file: int | None = None
    image: str = ""
    own_entrypoint: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container took: seconds of time and of CPU, all its processes together, and the most bytes that one of
    them held. Of a running one only the time is known."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0

    def plus(self, other: Usage) -> Usage:
        """What two containers took, one after the other."""
        seconds, cpu = self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds
        return Usage(seconds, cpu, max(self.memory, other.memory))


class Process(Protocol):
    """A container that runs."""

    pid: int

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code (negative: the signal that killed it), None where it still runs after `timeout` seconds."""
        ...

    def stop(self, grace: float = 5.0) -> None:
        """End it and everything that it started: SIGTERM, after `grace` seconds SIGKILL. Returns when it is gone."""
        ...

    @property
    def usage(self) -> Usage:
        """What it took, once it has ended; so far, before."""
        ...


class Sandbox(Protocol):
    """A way to run containers. `gaps` says in a clause each what it does not keep apart; empty where nothing."""

    name: str
    gaps: tuple[str, ...]

    def start(self, container: Container, log: Path, *, detached: bool = False) -> Process:
        """Start a container; what it prints is appended to `log`, up to a limit. Raises JobFailed where it cannot.

        A detached one outlives this process.
        """
        ...
