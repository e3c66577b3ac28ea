"""What `train.py` is told: hyperparameters as options, places and the machine's part as environment variables."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """This process among all, as torchrun says it. Without torchrun it is the only one."""

    rank: int = 0
    local_rank: int = 0
    ranks: int = 1
    node: int = 0
    nodes: int = 1

    @property
    def distributed(self) -> bool:
        return self.ranks > 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def first_here(self) -> bool:
        return self.local_rank == 0


def process(environment: Mapping[str, str]) -> Process:
    ranks, here = int(environment.get("WORLD_SIZE", 1)), int(environment.get("LOCAL_WORLD_SIZE", 1))
    return Process(
        rank=int(environment.get("RANK", 0)),
        local_rank=int(environment.get("LOCAL_RANK", 0)),
        ranks=ranks,
        node=int(environment.get("GROUP_RANK", 0)),
        nodes=max(1, ranks // here),
    )


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fine-tune a language model on packed sequences.")
    add = parser.add_argument
    add("--packed", required=True, help="the folder under packed/ that holds the sequences")
    add("--base_model", required=True, help="the folder under models/ and tokenizers/")
    add("--learning_rate", type=float, default=1e-5, help="the peak")
    add("--warmup_share", type=float, default=0.03)
    add("--epochs", type=float, default=2)
    add("--max_steps", type=int, default=0, help="0: as many as the epochs have")
    add("--sequences_per_gpu", type=int, default=2)
    add("--accumulate", type=int, default=4, help="how many of these make a step")
    add("--crop", type=int, default=0, help="use only the first tokens of each sequence; 0: all")
    add("--train_layers", type=int, default=0, help="train only so many of the last layers; 0: everything")
    add("--checkpoint_minutes", type=float, default=30)
    add("--keep_checkpoints", type=int, default=2, help="on this machine's disk")
    add("--seed", type=int, default=7)
    add("--lustre", type=Path, default=_place("SM_CHANNEL_LUSTRE", "/opt/ml/input/data/lustre"))
    add("--model-dir", type=Path, default=_place("SM_MODEL_DIR", "/opt/ml/model"))
    add("--checkpoints", type=Path, default=Path("/opt/ml/checkpoints"))
    add("--tensorboard", type=Path, default=Path("/opt/ml/output/tensorboard"))
    args = parser.parse_args(argv)
    for name in ("sequences_per_gpu", "accumulate", "keep_checkpoints"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} is at least 1")
    if not 0 <= args.warmup_share < 1:
        parser.error("--warmup_share is a share of all steps, below 1")
    return args


def _place(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, default))
