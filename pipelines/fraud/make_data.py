"""Invent card payments in the order of their time, with a header; about one in fifty is fraud.

`--drift` makes payments of another kind than the model knows (larger, further away), which the check of the data finds.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
from pathlib import Path

DEFAULT = Path(__file__).parent / "data" / "payments.csv"
COLUMNS = (
    *("time", "fraud", "amount", "hour", "distance_km", "tries_last_hour", "merchant_risk"),
    *("account_days", "age"),
)


def payment(second: int, source: random.Random, drift: float) -> list[object]:
    """A row. Fraud is likelier for large amounts, far away, at night, after several tries and from young accounts."""
    hour = second // 3600 % 24
    amount = source.lognormvariate(3.3 + drift, 1.0)
    distance = source.lognormvariate(1.5 + drift, 1.2)
    tries = min(int(source.expovariate(1.2)), 9)
    risk = source.betavariate(1.5, 6)
    days = int(source.expovariate(1 / 700))
    age = int(min(max(source.gauss(43, 16), 18), 95))
    odds = (
        -8.5
        + 0.9 * math.log(amount)
        + 0.8 * math.log1p(distance)
        + 0.9 * tries
        + 4.0 * risk
        + (1.2 if hour < 6 else 0.0)
        - 0.8 * math.log1p(days / 100)
    )
    fraud = int(source.random() < 1 / (1 + math.exp(-2.5 * odds)))
    return [second, fraud, round(amount, 2), hour, round(distance, 2), tries, round(risk, 4), days, age]


def make(path: Path, count: int, seed: int, drift: float) -> int:
    """Write the payments to `path`, making its folder; return how many of them are fraud."""
    source = random.Random(seed)
    second, rows = 0, list[list[object]]()
    for _ in range(count):
        second += int(source.expovariate(1 / 60)) + 1
        rows.append(payment(second, source, drift))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return sum(row[1] == 1 for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", nargs="?", type=Path, default=DEFAULT, help="the file to write (default: %(default)s)"
    )
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--drift", type=float, default=0.0, help="0.5 is a lot")
    args = parser.parse_args()
    fraud = make(args.output, args.count, args.seed, args.drift)
    print(f"{args.count} payments written to {args.output}, {fraud} of them fraud")


if __name__ == "__main__":
    main()
