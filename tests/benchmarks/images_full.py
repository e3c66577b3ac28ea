"""Compares all combinations of framework, version, base, Python, region, scope and instance with the SageMaker SDK.

python -m tests.benchmarks.images_full      # some minutes; 0: every difference is a listed one; 1: not; 2: no SDK
"""

from __future__ import annotations

import sys
import time

from tests.e2e.test_images_against_sdk import GUESSES, LIMITS, tally
from tests.sdk import NO_SDK, sdk_python


def main() -> int:
    python = sdk_python()
    if python is None:
        print(NO_SDK, file=sys.stderr)
        return 2
    start = time.perf_counter()
    found = tally(python)
    count = found.same + found.refused + found.differences.total() + len(found.unexplained)
    print(f"{count:>9,} combinations in {time.perf_counter() - start:.0f} s")
    print(f"{found.same:>9,} the same URI")
    print(f"{found.refused:>9,} refused by both")
    for reason, number in found.differences.most_common():
        print(f"{number:>9,} {reason}: {(GUESSES | LIMITS)[reason]}")
    print(f"{len(found.unexplained):>9,} unexplained")
    for case, theirs, ours in found.unexplained[:20]:
        print(f"{case}\n  SDK:  {theirs}\n  ours: {ours}")
    return 1 if found.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
