"""Invent the demand for rental bicycles: a day a row, by country, with a header. Every country has ways of its own."""

from __future__ import annotations

import argparse
import csv
import math
import random
from pathlib import Path

DEFAULT = Path(__file__).parent / "data" / "rentals.csv"
COLUMNS = ("country", "month", "weekday", "holiday", "temperature", "rain", "price", "rentals")
CLIMATES = {"at": (10, 11), "de": (10, 9), "es": (18, 8), "fr": (13, 8), "it": (15, 9), "nl": (11, 7)}
"""The year's mean temperature in °C, and how far summer and winter are from it."""


def day(number: int, country: str, source: random.Random) -> list[object]:
    """A row. `rentals` are per 1,000 inhabitants, so that large and small countries compare."""
    mean, swing = CLIMATES[country]
    month, weekday = number % 365 // 31 + 1, number % 7
    holiday = int(source.random() < 0.04)
    temperature = mean - swing * math.cos(2 * math.pi * number / 365) + source.gauss(0, 3)
    rain = max(0.0, source.gauss(-1, 4))
    price = source.choice([1.0, 1.5, 2.0])
    free = holiday or weekday >= 5
    comfort = math.exp(-(((temperature - (20 + mean / 10)) / 12) ** 2))
    wetness = 0.6 if country == "nl" else 1.0  # who is used to rain rides in it
    leisure = 1.3 if mean >= 13 else 0.8
    demand = 20 * comfort * math.exp(-rain * wetness / 5) * (leisure if free else 1.0) / price**0.5
    rentals = round(max(0.0, demand + source.gauss(0, 1)), 3)
    return [country, month, weekday, holiday, round(temperature, 1), round(rain, 1), price, rentals]


def make(path: Path, days: int, seed: int) -> int:
    """Write the rows to `path`, making its folder; return how many there are."""
    source = random.Random(seed)
    rows = [day(number, country, source) for country in CLIMATES for number in range(days)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", nargs="?", type=Path, default=DEFAULT, help="the file to write (default: %(default)s)"
    )
    parser.add_argument("--days", type=int, default=730, help="of each country")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    print(f"{make(args.output, args.days, args.seed)} rows written to {args.output}")


if __name__ == "__main__":
    main()
