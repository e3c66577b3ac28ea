"""Tokenize and pack instructions: `*.jsonl` in, shards of sequences and the `manifest.json` that lists them out."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from packing import Bytes, Example, Pretrained, Tokenizer, example, pack, records

PER_SHARD = 4096
PARTS = ("train", "evaluation")


def held_out(instruction: str, share: float) -> bool:
    """Decided by the text alone: the same question is never on both sides, not even in another run."""
    return int.from_bytes(hashlib.sha256(instruction.encode()).digest()[:4], "big") < share * 2**32


def read(folder: Path, tokenizer: Tokenizer, share: float) -> dict[str, list[Example]]:
    parts: dict[str, list[Example]] = {part: [] for part in PARTS}
    for record in records(folder):
        part = PARTS[held_out(record["instruction"], share)]
        parts[part].append(example(record, tokenizer))
    return parts


def write(folder: Path, part: str, sequences: np.ndarray) -> list[dict[str, Any]]:
    """Shards of one part; what the manifest says of each, its size included: training waits until all are there."""
    entries: list[dict[str, Any]] = []
    for number, start in enumerate(range(0, len(sequences), PER_SHARD)):
        path = folder / f"{part}-{number:05}.npy"
        shard = sequences[start : start + PER_SHARD]
        np.save(path, shard)
        entries.append({"file": path.name, "sequences": len(shard), "bytes": path.stat().st_size})
    return entries


def main() -> None:
    inputs = Path("/opt/ml/processing/input")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, default=inputs / "raw")
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/packed"))
    parser.add_argument(
        "--tokenizer", default=str(inputs / "tokenizer"), help="a folder of Hugging Face files, or: bytes"
    )
    parser.add_argument("--sequence-length", type=int, default=4096)
    parser.add_argument("--evaluation-share", type=float, default=0.02)
    parser.add_argument("--at-least", type=int, default=1, help="sequences to train on; fewer are an error")
    args = parser.parse_args()

    tokenizer = Bytes() if args.tokenizer == "bytes" else Pretrained(args.tokenizer)
    parts = read(args.raw, tokenizer, args.evaluation_share)
    packed = {part: pack(parts[part], args.sequence_length, tokenizer.end) for part in PARTS}
    if len(packed["train"]) < args.at_least or not len(packed["evaluation"]):
        counts = ", ".join(f"{part}: {len(packed[part])}" for part in PARTS)
        raise SystemExit(
            f"too few sequences ({counts}); {args.at_least} are wanted to train on, 1 to evaluate"
        )

    args.output.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, Any] = {"sequence_length": args.sequence_length}
    for part in PARTS:
        manifest[part] = write(args.output, part, packed[part])
        used = sum(len(one.tokens) for one in parts[part] if len(one.tokens) <= args.sequence_length)
        dropped = sum(len(one.tokens) > args.sequence_length for one in parts[part])
        print(
            f"{part}: {len(parts[part])} instructions, {dropped} of them too long, in {len(packed[part])} sequences"
        )
        print(f"{part}: {used / packed[part][:, 0].size:.1%} of all tokens are no padding")
    (args.output / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
