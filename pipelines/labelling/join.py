"""Put the labels of this round to those of the rounds before it, and split them: the same picture always to one side."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BUCKETS = 10_000


def read(paths: Iterable[Path], attribute: str) -> dict[str, dict[str, Any]]:
    """Labelled pictures by their URI; what comes later counts."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(paths):
        for line in path.read_text().splitlines():
            if line.strip():
                row = json.loads(line)
                if attribute in row:  # Ground Truth leaves out what nobody could label
                    found[row["source-ref"]] = {"source-ref": row["source-ref"], "label": int(row[attribute])}
    return found


def is_for_validation(picture: str, share: float) -> bool:
    digest = hashlib.sha256(picture.encode()).digest()
    return int.from_bytes(digest[:4], "big") % BUCKETS < share * BUCKETS


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", type=Path, default=Path("/opt/ml/processing/input/new"))
    parser.add_argument("--rounds", type=Path, default=Path("/opt/ml/processing/input/rounds"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--attribute", default="label", help="the labelling job's LabelAttributeName")
    parser.add_argument("--validation-share", type=float, default=0.2)
    args = parser.parse_args()

    before = read(args.rounds.glob("*/labelled/labelled.manifest"), "label")
    rows = list({**before, **read((p for p in args.new.rglob("*") if p.is_file()), args.attribute)}.values())
    validation = [row for row in rows if is_for_validation(row["source-ref"], args.validation_share)]
    train = [row for row in rows if row not in validation]
    if not train or not validation:
        raise SystemExit(f"{len(rows)} labels are too few to train on and to measure with")
    write(args.output / "labelled" / "labelled.manifest", rows)
    write(args.output / "train" / "train.manifest", train)
    write(args.output / "validation" / "validation.manifest", validation)
    sizes = {"train": len(train), "validation": len(validation), "before": len(before)}
    (args.output / "labelled" / "sizes.json").write_text(json.dumps(sizes) + "\n")
    print(json.dumps(sizes))


if __name__ == "__main__":
    main()
