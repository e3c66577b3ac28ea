"""Turn what Athena found into CSV for XGBoost: no header, the label first, the latest part for validation.

The query gives its rows in the order of time, and they are not shuffled: a model that predicts is measured on what came later.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COLUMNS = ("churned", "total", "purchases", "days_since")


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of Athena's files: JSON, one row a line, packed or not."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        for line in text.decode().splitlines():
            if line.strip():
                yield json.loads(line)


def table(rows: Iterator[dict[str, Any]]) -> list[list[Any]]:
    """The columns in their order. A label is 1 or 0, whichever way it was written."""
    made: list[list[Any]] = []
    for row in rows:
        missing = [name for name in COLUMNS if row.get(name) is None]
        if missing:
            raise SystemExit(f"a row lacks {', '.join(missing)}: {json.dumps(row)}")
        label = str(row["churned"]).lower() in ("1", "true", "yes")
        made.append([int(label), *(row[name] for name in COLUMNS[1:])])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/rows"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--validation-share", type=float, default=0.2)
    args = parser.parse_args()

    rows = table(read(args.input))
    border = round(len(rows) * (1 - args.validation_share))
    if not 0 < border < len(rows):
        raise SystemExit(f"{len(rows)} rows cannot be split: the query found too little")
    for name, part in (("train", rows[:border]), ("validation", rows[border:])):
        path = args.output / name / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(part)
        print(f"{name}: {len(part)} rows")


if __name__ == "__main__":
    main()
