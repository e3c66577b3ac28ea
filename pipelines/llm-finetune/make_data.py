"""Invent instructions and responses of a house style, as JSON lines: enough to try the pipeline, not to teach anything.

Your own are lines of the same form: {"instruction": .., "response": ..}.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

DEFAULT = Path(__file__).parent / "data" / "instructions.jsonl"
PRODUCTS = ("kettle", "lamp", "bicycle", "printer", "radio", "drill", "scale", "fan")
TROUBLES = {
    "does not start": "Is it plugged in, and is the fuse whole? Then hold the switch for three seconds.",
    "is too loud": "Put it on a soft surface, and tighten the four screws at its bottom.",
    "smells odd": "That passes after the first three uses. If it does not, unplug it and write to us again.",
    "came without a manual": "It is at the bottom of the box, under the cardboard. We also send it by mail.",
    "arrived scratched": "We are sorry. Keep it for two thirds of its price, or send it back at our expense.",
}
ASKED = (
    "My {product} {trouble}. What can I do?",
    "The {product} that I bought {trouble}.",
    "Help! My {product} {trouble}!",
)


def record(source: random.Random) -> dict[str, str]:
    product, trouble = source.choice(PRODUCTS), source.choice(list(TROUBLES))
    asked = source.choice(ASKED).format(product=product, trouble=trouble)
    number = source.randrange(1_000, 10_000)
    return {
        "instruction": f"{asked} My order is {number}.",
        "response": f"Thank you for writing about your {product} (order {number}). {TROUBLES[trouble]}",
    }


def make(path: Path, count: int, seed: int) -> None:
    source = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record(source)) + "\n" for _ in range(count)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", nargs="?", type=Path, default=DEFAULT, help="the file to write (default: %(default)s)"
    )
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    make(args.output, args.count, args.seed)
    print(f"{args.count} instructions written to {args.output}")


if __name__ == "__main__":
    main()
