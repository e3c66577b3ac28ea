"""Which checkpoints can be gone on from.

SageMaker copies the folder of every machine to S3 while the job runs, and all of it back to every machine when the job is
started again. A machine may be taken away while it writes or copies: a checkpoint counts where every machine has said that
its part is done, and all machines see that.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path


def folder(base: Path, step: int) -> Path:
    return base / f"step-{step:08}"


def mark(base: Path, step: int, node: int, nodes: int) -> None:
    """Say that the part of machine `node` (from 0) of `nodes` is written."""
    (folder(base, step) / f"done-{node}-of-{nodes}").touch()


def steps(base: Path) -> list[int]:
    """All that were begun, the oldest first."""
    found = (re.fullmatch(r"step-(\d+)", path.name) for path in base.glob("step-*") if path.is_dir())
    return sorted(int(match[1]) for match in found if match)


def complete(base: Path) -> list[int]:
    """Those whose machines are all done, the oldest first."""
    return [step for step in steps(base) if _complete(folder(base, step))]


def _complete(path: Path) -> bool:
    marks = [
        match for file in path.glob("done-*") if (match := re.fullmatch(r"done-(\d+)-of-(\d+)", file.name))
    ]
    wanted = {int(match[2]) for match in marks}
    return len(wanted) == 1 and {int(match[1]) for match in marks} == set(range(wanted.pop()))


def newest_common(seen: Iterable[Iterable[int]]) -> int | None:
    """The newest that all machines see whole; None where there is none, and training begins at the beginning."""
    sets = [set(one) for one in seen]
    return max(set.intersection(*sets), default=None) if sets else None


def prune(base: Path, keep: int) -> list[int]:
    """Delete all but the newest `keep` from this machine's disk; what was deleted. Copies in S3 stay."""
    old = steps(base)[:-keep] if keep else steps(base)
    for step in old:
        shutil.rmtree(folder(base, step))
    return old


def discard(base: Path, after: int | None) -> None:
    """Delete what was begun after the checkpoint that is gone on from: training comes by there again."""
    for step in steps(base):
        if after is None or step > after:
            shutil.rmtree(folder(base, step))
