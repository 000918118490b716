"""What other runs on the same journal do, so that this one stays out of their way."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

from dispatcher.delivery.task import Task
from dispatcher.models import Record

# So many messages are looked at together, at most every so many seconds.
_TOGETHER = 100
_FRESH = 0.05


class Rows(Protocol):
    """Which rows are not as they were known to be: see `SharedState`."""

    def changed(self, known: Mapping[str, Record | None]) -> dict[str, Record]: ...


class ConcurrentRuns:
    """Whether another run has taken a message, which saves an upload, a permit and a vain claim.

    It is no more than a look: the claim decides. `tasks`: what this run has still to do, in order.
    """

    def __init__(self, rows: Rows | None, tasks: Mapping[str, Task]) -> None:
        self._rows, self._tasks = rows, tasks
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._changed: dict[str, Record] = {}
        self._until = 0.0

    def taken(self, task: Task) -> Record | None:
        """What has become of a message that this run has not tried yet; None: nothing."""
        if self._rows is None or task.attempts:
            return None
        key = task.journal_key
        with self._lock:
            if key not in self._seen or monotonic() > self._until:
                self._look(self._rows, task)
            return self._changed.get(key)

    def look_again(self) -> None:
        """A claim failed: other runs are working on the same messages."""
        self._until = 0.0

    def _look(self, rows: Rows, task: Task) -> None:
        """At a message, and at those that come after it. Another thread may be at one of these,
        but has no use for what is seen then."""
        untried = [each for each in list(self._tasks.values()) if not each.attempts]
        coming = [task, *(each for each in untried if each.place > task.place)][:_TOGETHER]
        known = {each.journal_key: each.known for each in coming}
        self._changed, self._seen = rows.changed(known), set(known)
        self._until = monotonic() + _FRESH
