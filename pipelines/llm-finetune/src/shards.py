"""Packed sequences, read from a file system that all machines share."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np


def wait(
    folder: Path,
    seconds: float = 900,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """The manifest, once all that it lists is there in its full size.

    A linked file system learns of new objects in S3 a little after they are written. Raises TimeoutError.
    """
    until = clock() + seconds
    while True:
        missing = "manifest.json"
        if (folder / missing).is_file():
            manifest = json.loads((folder / missing).read_text())
            missing = next((entry["file"] for entry in _entries(manifest) if not _whole(folder, entry)), "")
            if not missing:
                return manifest
        if clock() >= until:
            raise TimeoutError(
                f"{folder / missing} did not appear in {seconds:.0f} s: is the file system linked with the prefix that "
                "was packed to, and does it import new objects?"
            )
        sleep(5)


def _entries(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [*manifest["train"], *manifest["evaluation"]]


def _whole(folder: Path, entry: dict[str, Any]) -> bool:
    path = folder / entry["file"]
    return path.is_file() and path.stat().st_size == entry["bytes"]


class Sequences:
    """The sequences of a part, each int32 of shape (2, length): tokens and labels. Shards are mapped, not read."""

    def __init__(self, folder: Path, manifest: dict[str, Any], part: str) -> None:
        self._shards = [np.load(folder / entry["file"], mmap_mode="r") for entry in manifest[part]]
        self._ends = list(accumulate(len(shard) for shard in self._shards))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = bisect_right(self._ends, index)
        return np.asarray(self._shards[shard][index - (self._ends[shard - 1] if shard else 0)])


def batch(count: int, step: int, per_step: int, seed: int) -> np.ndarray:
    """Which sequences step `step` (from 0) trains on: int64 of shape (per_step,).

    It depends on nothing but its arguments, so that a job that starts again at a step goes on as if it had never stopped.
    Every epoch has its own order; a step may end one and begin the next.
    """
    places = np.arange(step * per_step, (step + 1) * per_step)
    epochs = places // count
    orders = {
        int(epoch): np.random.default_rng((seed, int(epoch))).permutation(count)
        for epoch in np.unique(epochs)
    }
    return np.array([orders[int(epoch)][place] for epoch, place in zip(epochs, places % count, strict=True)])


def share(indices: np.ndarray, rank: int, ranks: int) -> np.ndarray:
    """What falls to one process; the shares of all are alike in size, so that none waits for the others for ever."""
    return indices[: len(indices) // ranks * ranks][rank::ranks]
