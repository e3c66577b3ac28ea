"""Samples and explorations as text."""

from __future__ import annotations

from collections.abc import Iterator

from sagewright.compiler.engine.explore import Exploration
from sagewright.compiler.engine.sampling import Sample, distribution
from sagewright.compiler.engine.timeline import clock

MOST = 12
"""Lines of one sort; the rest is counted."""


def sample_text(found: Sample, currency: str = "") -> str:
    """What many runs gave."""
    times = distribution(found.durations)
    lines = [f"{found.runs:,} simulated runs, seed {found.seed}", ""]
    for name in ("min", "p5", "p50", "mean", "p95", "p99", "max"):
        lines.append(f"  {name:<5} {clock(times[name]):>10}")
    lines += ["", "ended:", *_shares(found.statuses.most_common(), found.runs)]
    for name, counts in found.outcomes.items():
        reached = counts.total()
        lines += ["", f"{name}, reached in {_percent(reached, found.runs)} of the runs:"]
        lines += _shares([(key.lower(), count) for key, count in counts.most_common()], reached)
    retried = {name: n / found.ran[name] for name, n in found.attempts.items() if n > found.ran[name]}
    if retried:
        lines += ["", "attempts on average:", *(f"  {name}: {mean:.2f}" for name, mean in retried.items())]
    if found.reasons:
        lines += ["", "unknown because:", *_some(f"  {n:,}× {why}" for why, n in found.reasons.most_common())]
    if found.costs:
        lines += ["", *_costs(found, currency)]
    return "\n".join(lines)


def _shares(counts: list[tuple[str, int]], total: int) -> list[str]:
    width = max((len(name) for name, _ in counts), default=0)
    return [f"  {name:<{width}}  {_percent(count, total):>7}" for name, count in counts]


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "0.0 %"


def _costs(found: Sample, currency: str) -> Iterator[str]:
    costs = distribution(found.costs)
    said = ", ".join(f"{name} {costs[name]:,.2f}" for name in ("min", "p50", "mean", "p95", "max"))
    yield f"cost of the instances, {currency}: {said}"
    if found.unpriced:
        yield f"  without a price, and so not in it: {', '.join(sorted(found.unpriced))}"


def exploration_text(found: Exploration, pipeline: str, failures: int) -> str:
    """What was found on all ways."""
    scope = f"all outcomes of conditions, at most {failures} failure{'' if failures == 1 else 's'}"
    lines = [f"{pipeline}: {found.ways:,} ways through {found.states:,} states ({scope})"]
    if not found.exhaustive:
        lines.append("not exhaustive: the cap was reached (raise it with --cap)")
    lines += ["", "ended:", *(f"  {status}: {count:,}" for status, count in sorted(found.statuses.items()))]
    never = [f"  {name}: {reason}" for name, reason in found.never.items()]
    dead = [f"  {way}" for way in found.dead_ends]
    unknown = [f"  {what}\n    where {way}" for what, way in found.unknown.items()]
    for title, entries in (
        ("steps that never run:", never),
        ("dead ends, without a Fail or a registered model:", dead),
        ("references that may be empty:", [f"  {text}" for text in found.empty_references]),
        ("what nobody knows:", unknown),
    ):
        if entries:
            lines += ["", title, *_some(entries)]
    if not (never or dead or found.empty_references):
        lines += ["", "every step can run, and every way ends in a failure, a Fail or a result"]
    return "\n".join(lines)


def _some(lines: Iterator[str] | list[str]) -> list[str]:
    found = list(lines)
    return found if len(found) <= MOST else [*found[: MOST - 1], f"  and {len(found) - MOST + 1} more"]
