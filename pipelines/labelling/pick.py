"""Choose the pictures that people are asked about: those that the last model was least sure of, else at random.

A picture that was asked about in an earlier round is not asked about again.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable
from pathlib import Path

Predictions = dict[str, list[float]]


def lines(paths: Iterable[Path]) -> list[str]:
    """The pictures that manifests name, in their order, each once."""
    found: dict[str, None] = {}
    for path in sorted(paths):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip():
                continue
            try:
                found[json.loads(line)["source-ref"]] = None
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit(f"{path}:{number}: no line of a manifest: {line}") from error
    return list(found)


def predictions(folder: Path) -> Predictions:
    """What the newest round's model said of each picture, by the picture's file name: a list of probabilities."""
    rounds = sorted(folder.glob("*/predictions"), key=lambda path: path.stat().st_mtime)
    if not rounds:
        return {}
    return {
        path.name.removesuffix(".out"): json.loads(path.read_text())["prediction"]
        for path in rounds[-1].rglob("*.out")
    }


def least_sure(pictures: list[str], known: Predictions, seed: int) -> list[str]:
    """Those first whose best two classes lie closest together; without a prediction, at random, after them."""

    def margin(picture: str) -> float:
        best = sorted(known[picture.rpartition("/")[2]], reverse=True)
        return best[0] - best[1] if len(best) > 1 else 1.0

    judged = [p for p in pictures if p.rpartition("/")[2] in known]
    others = [p for p in pictures if p.rpartition("/")[2] not in known]
    random.Random(seed).shuffle(others)
    return sorted(judged, key=margin) + others


def manifest(path: Path, pictures: Iterable[str]) -> None:
    """Ground Truth's manifest: a line for each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"source-ref": picture}) + "\n" for picture in pictures))


def transform_manifest(path: Path, pictures: list[str]) -> None:
    """A manifest of batch transform's: what all have in common, then the rest of each."""
    prefix = pictures[0].rpartition("/")[0] + "/" if pictures else ""
    if not all(picture.startswith(prefix) for picture in pictures):
        prefix = "s3://" + pictures[0].removeprefix("s3://").partition("/")[0] + "/"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{"prefix": prefix}, *(picture.removeprefix(prefix) for picture in pictures)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, default=Path("/opt/ml/processing/input/pool"))
    parser.add_argument("--rounds", type=Path, default=Path("/opt/ml/processing/input/rounds"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--round", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    args = parser.parse_args()

    asked_before = set(lines(args.rounds.glob("*/ask/ask.manifest")))
    left = [picture for picture in lines(args.pool.glob("*")) if picture not in asked_before]
    ranked = least_sure(left, predictions(args.rounds), seed=args.round)
    ask, rest = ranked[: args.count], ranked[args.count :]
    manifest(args.output / "ask" / "ask.manifest", ask)
    transform_manifest(args.output / "rest" / "rest.manifest", rest)
    facts = {"asked": len(ask), "left": len(rest), "asked_before": len(asked_before)}
    (args.output / "facts").mkdir(parents=True, exist_ok=True)
    (args.output / "facts" / "facts.json").write_text(json.dumps(facts) + "\n")
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
