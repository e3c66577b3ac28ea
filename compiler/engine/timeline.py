"""What a simulation tells: when each step ran, which steps decided how long it took, how long retries can take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagewright.compiler.engine.blueprint import CONTROL, Blueprint, RetryPolicy
from sagewright.compiler.engine.given import Given
from sagewright.compiler.engine.outcome import Result
from sagewright.compiler.engine.retry import longest
from sagewright.compiler.engine.scenario import Scenario
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.state import Cause, Record, Status
from sagewright.compiler.engine.values import Unknown

ALMOST = 1e-6


def rows(execution: Execution) -> list[Record]:
    """The steps in the order in which they started; those that did not, after them, in the order of the file."""
    records = execution.records.values()
    ran = sorted((r for r in records if r.start is not None), key=lambda r: (r.start or 0.0, r.order))
    return [*ran, *sorted((r for r in records if r.start is None), key=lambda r: r.order)]


def critical_path(execution: Execution) -> list[str]:
    """The steps that decided how long it took: each waited for the one before it, the last one ended last."""
    records = execution.records
    ran = [r for r in records.values() if r.end is not None and r.type != "ForEach"]
    if not ran:
        return []
    current: Record | None = max(ran, key=_by_end)
    path: list[str] = []
    while current is not None:
        path.append(current.name)
        current = _before(execution, current)
    return path[::-1]


def _before(execution: Execution, record: Record) -> Record | None:
    """The step whose end a step waited for: of those that it needs, the one that ended last; where it then had to
    wait for its turn, the one that made room."""
    sources = {need.source for need in execution.nodes[record.name].needs}
    if record.parent is not None:
        sources |= {need.source for need in execution.nodes[record.parent].needs}
    found: list[Record] = []
    for source in (execution.records[name] for name in sources):
        turns = (
            [r for r in execution.records.values() if r.parent == source.name]
            if source.type == "ForEach"
            else []
        )
        found.extend(turns or [source])
    ended = [r for r in found if r.end is not None and r.end <= (record.start or 0.0)]
    last = max(ended, key=_by_end) if ended else None
    if record.start is None or record.start <= (last.end or 0.0 if last else execution.started) + ALMOST:
        return last
    made_room = (r for r in execution.records.values() if r.end == record.start and r.type not in CONTROL)
    return next(made_room, last)


def _by_end(record: Record) -> tuple[float, tuple[int, ...]]:
    return record.end or 0.0, record.order


@dataclass(frozen=True, slots=True)
class Chain:
    """The longest that a step can take, every retry used: `waiting` and `running` in seconds."""

    step: str
    errors: tuple[str, ...]
    retries: int | None
    waiting: float
    running: float

    @property
    def total(self) -> float:
        return self.waiting + self.running


def chains(plan: Blueprint, scenario: Scenario) -> list[Chain]:
    """The worst case of each retry policy: every attempt takes as long as the step, and fails at its end.

    With an expiry, no attempt starts after it; how many there are, the step's duration decides.
    """
    found: list[Chain] = []
    nodes = [child for node in plan.nodes.values() for child in (node.children or (node,))]
    for node in nodes:
        behaviour = scenario.of(node.name)
        each = scenario.duration(behaviour, node.type, None)
        found.extend(_chain(node.name, policy, each) for policy in node.policies)
    return found


def _chain(step: str, policy: RetryPolicy, each: float) -> Chain:
    errors = tuple(sorted(policy.errors))
    if policy.max_attempts is not None:
        attempts = policy.max_attempts + 1
        return Chain(step, errors, policy.max_attempts, longest(policy), attempts * each)
    limit, elapsed, retries, waited = longest(policy), each, 0, 0.0
    while retries < MOST_RETRIES:
        pause = policy.interval * policy.backoff**retries
        if elapsed + pause >= limit:
            break
        elapsed += pause + each
        waited += pause
        retries += 1
    return Chain(step, errors, retries, waited, (retries + 1) * each)


MOST_RETRIES = 10_000


# -- for machines -----------------------------------------------------------------------------------------------------


def as_json(result: Result, given: Given) -> dict[str, Any]:
    """All of it, as JSON has it; times in seconds from the start."""
    execution = result.execution
    start = execution.started
    conclusion = execution.conclusion
    return {
        "pipeline": execution.identity.pipeline,
        "status": execution.status,
        "reason": conclusion.reason if conclusion else "",
        "duration": result.duration,
        "parameters": dict(execution.situation.parameters),
        "steps": [_row(record, start) for record in rows(execution)],
        "critical_path": critical_path(execution),
        "retries": [
            {
                "step": chain.step,
                "errors": list(chain.errors),
                "retries": chain.retries,
                "waiting": chain.waiting,
                "running": chain.running,
            }
            for chain in chains(execution.plan, given.scenario)
        ],
        "contradictions": list(result.contradictions),
    }


def _row(record: Record, start: float) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": record.name,
        "type": record.type,
        "status": str(record.status),
        "start": None if record.start is None else record.start - start,
        "end": None if record.end is None else record.end - start,
        "attempts": [
            {
                "start": attempt.start - start,
                "end": None if attempt.end is None else attempt.end - start,
                "error": attempt.error,
                "message": attempt.message,
            }
            for attempt in record.attempts
        ],
        "reason": record.reason,
        "cause": str(record.cause) if record.cause else None,
        "cached": record.cached is not None,
        "reused": record.reused is not None,
        "notes": record.notes,
        "arguments": shown(record.arguments),
    }
    if record.type == "Condition" and record.outcome is not None:
        made["outcome"] = record.outcome.properties.get("Outcome")
    return made


def shown(value: Any) -> Any:
    """A value with each Unknown as a text that says so."""
    if isinstance(value, Unknown):
        return str(value)
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value


# -- for people -------------------------------------------------------------------------------------------------------

BAR = 24
"""Characters of the longest bar."""


def as_text(result: Result, given: Given) -> str:
    """The timeline, the critical path and the retries."""
    execution = result.execution
    conclusion = execution.conclusion
    lines = [f"{execution.identity.pipeline}: {execution.status} after {clock(result.duration)}, simulated"]
    if conclusion is not None and execution.status == "Unknown":
        lines.append(f"  {conclusion.reason}")
    lines += [f"  {text}" for text in result.contradictions]
    lines += ["", *_table(execution, max(result.duration, ALMOST))]
    open_ = next(
        (r for r in rows(execution) if r.type == "Condition" and r.cause is Cause.VALUE and r.ran), None
    )
    if open_ is not None:
        lines += [
            "",
            f"give the values with --set, or decide with --take {open_.name}=then or --take {open_.name}=else",
        ]
    path = critical_path(execution)
    if path:
        lines += ["", f"critical path: {' → '.join(path)}"]
    found = chains(execution.plan, given.scenario)
    if found:
        lines += ["", "worst case of retries:"]
        width = max(len(chain.step) for chain in found)
        lines += [f"  {chain.step:<{width}}  {_said(chain)}" for chain in found]
    assumed = _assumed(execution, given.scenario)
    if assumed:
        lines += [
            "",
            f"durations assumed for {', '.join(assumed)}: give them with --duration or in the scenario",
        ]
    return "\n".join(lines)


LONG = 48
"""Characters of a remark that is not repeated."""


def _table(execution: Execution, duration: float) -> list[str]:
    found = rows(execution)
    name_width = max((len(_label(r)) for r in found), default=4)
    said: set[str] = set()
    lines = [f"  {'step':<{name_width}}  {'status':<9}  {'start':>8}  {'took':>8}"]
    for record in found:
        line = f"  {_label(record):<{name_width}}  {_state(record):<9}"
        if record.start is not None and record.end is not None:
            line += f"  {clock(record.start - execution.started):>8}  {clock(record.end - record.start):>8}"
            line += f"  {_bar(record, execution.started, duration)}"
        remark = _remark(record)
        if len(remark) > LONG and remark in said:
            remark = "  (the same)"
        said.add(remark)
        lines.append(f"{line.rstrip()}{remark}".rstrip())
        lines.extend(_attempts(record, execution.started, name_width))
    return lines


def _label(record: Record) -> str:
    return f"  {record.name}" if record.parent else record.name


def _state(record: Record) -> str:
    if record.cached is not None:
        return "Cached"
    return "Reused" if record.reused is not None else str(record.status)


def _bar(record: Record, start: float, duration: float) -> str:
    begin = min(round(((record.start or 0.0) - start) / duration * BAR), BAR - 1)
    end = round(((record.end or 0.0) - start) / duration * BAR)
    return " " * begin + "█" * max(end - begin, 1)


def _remark(record: Record) -> str:
    if record.type == "Condition" and record.status is Status.SUCCEEDED and record.outcome is not None:
        return f"  {str(record.outcome.properties.get('Outcome')).lower()}"
    return f"  {record.reason}" if record.reason else "".join(f"  {note}" for note in record.notes)


def _attempts(record: Record, start: float, width: int) -> list[str]:
    if len(record.attempts) < 2:
        return []
    lines: list[str] = []
    for number, attempt in enumerate(record.attempts, 1):
        said = attempt.error or ("failed" if attempt.message else "succeeded")
        took = clock((attempt.end or attempt.start) - attempt.start)
        at = clock(attempt.start - start)
        lines.append(f"  {'':<{width}}  {f'try {number}':<9}  {at:>8}  {took:>8}  {said}")
    return lines


def _said(chain: Chain) -> str:
    errors = ", ".join(error.partition(".")[2].lower() or error for error in chain.errors)
    times = f"{chain.retries} {'retry' if chain.retries == 1 else 'retries'}"
    waiting, running = clock(chain.waiting), clock(chain.running)
    return f"{errors}: {times}, at most {clock(chain.total)} (waiting {waiting}, running {running})"


def _assumed(execution: Execution, scenario: Scenario) -> list[str]:
    """The types of steps that ran, and whose duration nobody gave."""
    kinds: dict[str, None] = {}
    for record in execution.records.values():
        body = record.name.removesuffix(f"-{record.iteration}") if record.parent else None
        given = scenario.of(record.name, body).duration is not None or record.type in scenario.durations
        if record.start is not None and record.cached is None and not given:
            kinds[record.type] = None
    return [kind for kind in kinds if kind not in CONTROL]


def clock(seconds: float) -> str:
    """`1h 05m`, `12m 30s`, `45s`, `0.5s`."""
    if seconds < 60:
        return f"{seconds:.3g}s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if rest else f"{minutes}m"
