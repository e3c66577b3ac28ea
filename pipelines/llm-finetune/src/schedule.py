"""How many steps there are, and how fast each learns."""

from __future__ import annotations

import math


def steps(sequences: int, per_step: int, epochs: float, at_most: int = 0) -> int:
    """Optimizer steps, at least one; `at_most` 0 is no limit."""
    wanted = max(1, math.floor(sequences * epochs / per_step))
    return min(wanted, at_most) if at_most else wanted


def rate(step: int, total: int, peak: float, warmup_share: float, floor: float = 0.1) -> float:
    """The learning rate of step `step` (from 0): up in a straight line, then down a cosine to `floor` of the peak."""
    warmup = max(1, round(total * warmup_share))
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)
