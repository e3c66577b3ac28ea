"""Which of the steps that may start is next: in file order, within the parallelism and each ForEach's concurrency."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush

from sagewright.compiler.engine.blueprint import CONTROL
from sagewright.compiler.engine.state import Record

Queue = list[tuple[tuple[int, ...], str]]


@dataclass(slots=True)
class Slots:
    """Steps that wait for their turn, in a queue for each ForEach and one for the rest (the group ``""``).

    Conditions, Fails and ForEachs take no slot: they run no job. That a ForEach takes none itself, and that a step
    keeps its own while it waits for a retry, is a guess that changes times only.
    """

    parallelism: int
    control: Queue = field(default_factory=list)
    queues: dict[str, Queue] = field(default_factory=lambda: {"": []})
    concurrency: dict[str, int] = field(default_factory=dict)
    queued: set[str] = field(default_factory=set)
    taken: dict[str, str] = field(default_factory=dict)
    """Steps that hold a slot, with their group."""

    def open_group(self, name: str, concurrency: int) -> None:
        self.queues[name], self.concurrency[name] = [], concurrency

    def queue(self, record: Record) -> None:
        """Nothing where it is queued already."""
        if record.name in self.queued:
            return
        self.queued.add(record.name)
        queue = self.control if record.type in CONTROL else self.queues[record.parent or ""]
        heappush(queue, (record.order, record.name))

    def next(self) -> str | None:
        """The next step to start, no longer queued. None where none may."""
        queues = [self.control] if self.control else []
        if not queues and len(self.taken) < self.parallelism:
            queues = [q for group, q in self.queues.items() if q and self._has_room(group)]
        if not queues:
            return None
        _, name = heappop(min(queues))
        self.queued.discard(name)
        return name

    def _has_room(self, group: str) -> bool:
        if not group:
            return True
        return sum(taken == group for taken in self.taken.values()) < self.concurrency[group]

    def take(self, record: Record) -> None:
        self.taken[record.name] = record.parent or ""

    def release(self, name: str) -> None:
        """Nothing where it holds none."""
        self.taken.pop(name, None)

    def copy(self) -> Slots:
        queues = {group: [*queue] for group, queue in self.queues.items()}
        return Slots(
            self.parallelism, [*self.control], queues, {**self.concurrency}, {*self.queued}, {**self.taken}
        )
