"""What other threads tell the thread of an execution."""

from __future__ import annotations

from collections import deque
from threading import Condition

from sagewright.compiler.engine.run import Event


class Abandoned(Exception):
    """The execution was given up: its pipeline was deleted, or the emulator reset."""


class Inbox:
    """A monitor: whoever holds `turn` has the execution to himself; `get` lets others in while it waits."""

    def __init__(self) -> None:
        self.turn = Condition()
        self._events: deque[Event] = deque()
        self._closed = False

    def put(self, event: Event) -> None:
        """Tell the execution something."""
        with self.turn:
            self._events.append(event)
            self.turn.notify_all()

    def clear(self) -> None:
        """Forget what was told too late: after the execution had ended."""
        with self.turn:
            self._events.clear()

    def close(self) -> None:
        """Give the execution up: whoever waits for it, or will, is told by Abandoned."""
        with self.turn:
            self._closed = True
            self.turn.notify_all()

    def get(self, timeout: float | None) -> Event | None:
        """What was told first; None where nothing is within `timeout` seconds. Raises Abandoned."""
        with self.turn:
            self.turn.wait_for(lambda: self._events or self._closed, timeout)
            if self._closed:
                raise Abandoned
            return self._events.popleft() if self._events else None
