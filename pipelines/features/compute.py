"""Compute features of each customer as of a moment, from nothing that came later; and a summary of what was unusable.

The rows are what Feature Store takes: a record identifier, an event time in ISO 8601 with milliseconds, the features.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

HEADER = ("customer_id", "event_time", "total", "purchases", "days_since")
Purchase = tuple[str, datetime, float]


def read(folder: Path) -> tuple[list[Purchase], int]:
    """The transactions that can be used, and how many cannot."""
    good: list[Purchase] = []
    bad = 0
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                try:
                    good.append((row["customer_id"].strip(), moment(row["at"]), float(row["amount"])))
                except (KeyError, TypeError, ValueError, AttributeError):
                    bad += 1
    return good, bad


def moment(text: str) -> datetime:
    """A time in ISO 8601; without a zone it is UTC."""
    at = datetime.fromisoformat(text.strip())
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def features(purchases: Iterable[Purchase], as_of: datetime) -> Iterator[tuple[str, str, float, int, int]]:
    """A row for each customer who has bought something by then."""
    by_customer: dict[str, list[tuple[datetime, float]]] = {}
    for customer, at, amount in purchases:
        if at <= as_of:
            by_customer.setdefault(customer, []).append((at, amount))
    event_time = as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    for customer in sorted(by_customer):
        bought = by_customer[customer]
        total = round(sum(amount for _, amount in bought), 2)
        last = max(at for at, _ in bought)
        yield customer, event_time, total, len(bought), (as_of - last).days


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--as-of", type=moment, required=True)
    args = parser.parse_args()

    purchases, bad = read(args.input)
    rows = list(features(purchases, args.as_of))
    (args.output / "features").mkdir(parents=True, exist_ok=True)
    (args.output / "summary").mkdir(parents=True, exist_ok=True)
    with (args.output / "features" / "features.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)
    read_in_all = len(purchases) + bad
    summary = {
        "transactions": read_in_all,
        "customers": len(rows),
        "missing_share": bad / read_in_all if read_in_all else 1.0,
    }
    (args.output / "summary" / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
