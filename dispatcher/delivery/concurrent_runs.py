"""Finds out what other runs on the same journal are sending, so that this run does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Protocol, TypeAlias

from dispatcher.delivery.task import Task
from dispatcher.errors import AccountRefused, JournalError
from dispatcher.models import Delivered, Record
from dispatcher.planning import PlannedMessage

# How many messages are looked up together, and for how many seconds the result is used.
_TOGETHER = 100
_FRESH = 0.05


class Rows(Protocol):
    """Tells what other runs have done: see `SharedState`."""

    def changed(self, known: Mapping[str, Record | None]) -> dict[str, Record]: ...

    def delivered(self, digest: str, recipient: str) -> list[Delivered]: ...


# Whether what another run has sent meanwhile is this message, under another name.
IsCopy: TypeAlias = Callable[[PlannedMessage, Delivered], bool]


class ConcurrentRuns:
    """Tells early whether another run has taken a message, to save an upload, a permit or a claim.

    It only looks; the claim decides. `tasks` are the messages that this run has yet to send, in
    order.
    """

    def __init__(
        self,
        rows: Rows | None,
        tasks: Mapping[str, Task],
        is_copy: IsCopy = lambda planned, copy: False,
    ) -> None:
        self._rows, self._tasks, self._is_copy = rows, tasks, is_copy
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

    def require_no_copy(self, task: Task) -> None:
        """Raise AccountRefused if another run sends a claimed message under another name, or if
        that cannot be known: surely nothing was sent then.

        Both have rows of their own then, so that the claims do not meet. Call it once the claim is
        committed: of two runs that both do, at least the one that commits later sees the other.
        """
        if self._rows is None:
            return
        planned = task.planned
        try:
            delivered = self._rows.delivered(planned.digest, task.message.to)
        except JournalError as error:
            raise AccountRefused(f"nothing was sent: {error}", code="journal") from None
        for copy in delivered:
            if copy.key != task.journal_key and self._is_copy(planned, copy):
                raise AccountRefused(
                    f"nothing was sent: another run sends {task.message.key} as {copy.key}; have "
                    "both run with the same manifests, one after the other",
                    code="copy",
                )

    def look_again(self) -> None:
        """Look again at once: a failed claim shows that other runs send the same messages."""
        self._until = 0.0

    def _look(self, rows: Rows, task: Task) -> None:
        """Look up a message and those after it.

        Another thread may be sending one of these by then, but it does not use what is found.
        """
        untried = [each for each in list(self._tasks.values()) if not each.attempts]
        coming = [task, *(each for each in untried if each.number > task.number)][:_TOGETHER]
        known = {each.journal_key: each.known for each in coming}
        self._changed, self._seen = rows.changed(known), set(known)
        self._until = monotonic() + _FRESH
