"""Make up customers of a telephone company, some of whom leave, as a CSV with a header: the same for the same seed."""

from __future__ import annotations

import argparse
import csv
import math
import random
from collections.abc import Iterator
from pathlib import Path

HEADER = ("months", "contract", "monthly_charge", "calls_to_support", "paperless", "churned")
DEFAULT = Path(__file__).parent / "data" / "customers.csv"


def customers(count: int, seed: int) -> Iterator[tuple[object, ...]]:
    """New customers, short contracts, dear ones and those who call support leave more often."""
    draw = random.Random(seed)
    for _ in range(count):
        months, contract = draw.randint(1, 72), draw.choice(("monthly", "yearly", "two years"))
        charge, calls = round(draw.uniform(15, 120), 2), min(int(draw.expovariate(0.8)), 9)
        leaning = (
            -1.2 - 0.04 * months + 0.02 * charge + 0.6 * calls + (1.0 if contract == "monthly" else -0.8)
        )
        churned = draw.random() < 1 / (1 + math.exp(-leaning))
        yield months, contract, charge, calls, draw.choice(("yes", "no")), "yes" if churned else "no"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", nargs="?", type=Path, default=DEFAULT, help="the file to write (default: %(default)s)"
    )
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with args.output.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(customers(args.count, args.seed))
    print(f"{args.count} rows written to {args.output}")


if __name__ == "__main__":
    main()
