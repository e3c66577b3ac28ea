"""All combinations of framework, version, base, Python, region, scope and instance, against the SageMaker SDK.

python -m tests.benchmarks.images_full [FRAMEWORK...]     # some ten minutes; 1: a difference that no reason explains
"""

from __future__ import annotations

import sys

from tests.benchmarks.figures import Figure, skipped
from tests.e2e.test_images_against_sdk import GUESSES, LIMITS, Tally, tally
from tests.sdk import NO_SDK, sdk_python

NAME = "images against the SDK"


def run(*frameworks: str) -> list[Figure]:
    python = sdk_python()
    if python is None:
        return [skipped(NAME, NO_SDK)]
    found = tally(python, *frameworks)
    print(report(found), file=sys.stderr)
    explained, wrong = found.differences.total(), len(found.unexplained)
    ours = f"{found.same + found.refused + explained + wrong:,} combinations"
    peer = f"{found.same:,} the same URI, {found.refused:,} refused by both, {explained:,} listed differences"
    return [Figure(NAME, ours, peer, f"{wrong} others", "none", wrong == 0)]


def report(found: Tally) -> str:
    """How often each of the listed differences was met, and the first of those that none explains."""
    lines = [
        f"{number:>9,} {reason}: {(GUESSES | LIMITS)[reason]}"
        for reason, number in found.differences.most_common()
    ]
    lines += [f"{case}\n  SDK:  {theirs}\n  ours: {ours}" for case, theirs, ours in found.unexplained[:20]]
    return "\n".join(lines)


if __name__ == "__main__":
    (figure,) = run(*sys.argv[1:])
    print(f"{figure.ours}: {figure.peer}, {figure.ratio}")
    sys.exit(figure.met is False)
