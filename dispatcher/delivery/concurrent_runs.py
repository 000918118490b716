"""Finds out what other runs on the same journal are sending, so that this run does not."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

from dispatcher.delivery.task import Task
from dispatcher.models import Record

# How many messages are looked up together, and for how many seconds the result is used.
_TOGETHER = 100
_FRESH = 0.05


class Rows(Protocol):
    """Tells which rows have changed: see `SharedState.changed`."""

    def changed(self, known: Mapping[str, Record | None]) -> dict[str, Record]: ...


class ConcurrentRuns:
    """Tells whether another run has taken a message: it saves an upload, a permit, a vain claim.

    It only looks; the claim decides. `tasks` are the messages that this run has yet to send, in
    order.
    """

    def __init__(self, rows: Rows | None, tasks: Mapping[str, Task]) -> None:
        self._rows, self._tasks = rows, tasks
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._changed: dict[str, Record] = {}
        self._until = 0.0

    def taken(self, task: Task) -> Record | None:
        """Return the record of a message that another run has taken, or None."""
        if self._rows is None or task.attempts:
            return None
        key = task.journal_key
        with self._lock:
            if key not in self._seen or monotonic() > self._until:
                self._look(self._rows, task)
            found = self._changed.get(key)
        if found is None or key == task.message.key:
            return found
        return found.model_copy(update={"key": key})

    def look_again(self) -> None:
        """Look again at once: a failed claim shows that other runs send the same messages."""
        self._until = 0.0

    def _look(self, rows: Rows, task: Task) -> None:
        """Look up a message and those after it.

        Another thread may be sending one of these by then, but it does not use what is found.
        """
        untried = [each for each in list(self._tasks.values()) if not each.attempts]
        coming = [task, *(each for each in untried if each.place > task.place)][:_TOGETHER]
        known = {each.journal_key: each.known for each in coming}
        self._changed, self._seen = rows.changed(known), set(known)
        self._until = monotonic() + _FRESH
