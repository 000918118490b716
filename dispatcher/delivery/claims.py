"""Claims the next messages while others are at the gateway, so that no worker waits for the disk.

docs/claims-ahead.md explains why that is as safe as a claim at the moment of its attempt.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future

from dispatcher.delivery.task import Task
from dispatcher.journal import Claim, Journal, NewMessage

# The most claims ahead for each worker.
DEEPEST = 4
# Attempts of each worker after which the number of claims ahead is judged, and the parts of them
# that had to wait for the disk above which it grows, and below which it shrinks.
_JUDGED, _MANY, _FEW = 16, 0.25, 0.03


class Claims:
    """The claims of a run. Any thread may call its methods.

    Only a first attempt is claimed ahead, as that can be undone without a trace.
    """

    def __init__(self, journal: Journal, workers: int) -> None:
        self._journal, self._workers = journal, workers
        # Results that are not on disk yet have slots, too. Of attempts that were not claimed ahead,
        # each worker has at most one such: its next claim is in the commit that has the result.
        slots = 2 * workers * (1 + DEEPEST)
        self._depth = 1 if journal.make_board(slots, reserved=workers) else 0
        self._lock = threading.Lock()
        self._upcoming: OrderedDict[str, Task] = OrderedDict()
        self._ahead: dict[str, Future[dict[str, Claim]]] = {}
        self._attempts = self._waits = 0

    def offer(self, task: Task) -> None:
        """Take note of a message that will be sent soon."""
        if self._depth and task.known is None:
            with self._lock:
                self._upcoming[task.message.key] = task

    def claim(self, task: Task) -> Claim | None:
        """Return the claim of an attempt that begins now; None if somebody else has the message.

        Raises JournalError.
        """
        with self._lock:
            self._upcoming.pop(task.message.key, None)
            ahead = self._ahead.pop(task.message.key, None)
            self._judge(waits=ahead is None or not ahead.done())
        claim = None if ahead is None else ahead.result().get(task.message.key)
        if claim is not None:
            self._claim_ahead()
            self._journal.begin(claim)  # as late as possible: from here on it may be unknown
            return claim
        self._claim_ahead(may_wait=True)  # in the same commit
        planned = task.planned
        return self._journal.claim(planned.message, planned.digest, task.known, planned.former_keys)

    def release(self, task: Task) -> None:
        """Give back the claim of a message that is not sent."""
        with self._lock:
            self._upcoming.pop(task.message.key, None)
            if self._ahead.pop(task.message.key, None) is not None:
                self._journal.release(task.message.key)

    def release_all(self) -> None:
        """Give back every claim whose attempt has not begun, as none will begin soon.

        None of them is claimed ahead again: its spare would be cleared when its first row has been
        deleted, and each pause would leave two events of every claim.
        """
        with self._lock:
            for key in self._ahead:
                self._journal.release(key)
            self._ahead.clear()

    def close(self) -> None:
        """Give back every claim, and make no more: threads of an abandoned run may still ask."""
        with self._lock:
            self._depth = 0
            self._upcoming.clear()
        self.release_all()

    def _claim_ahead(self, *, may_wait: bool = False) -> None:
        """Claim what comes next, unless there are enough claims.

        Not one by one: each commit waits for the disk, whatever is in it.
        """
        with self._lock:
            most = self._workers * self._depth
            room = min(most - len(self._ahead), len(self._upcoming))
            if room <= 0 or (2 * room < most and not may_wait):
                return
            chosen = dict(self._upcoming.popitem(last=False) for _ in range(room))
            new = [
                NewMessage(task.message, task.planned.digest, task.planned.former_keys)
                for task in chosen.values()
            ]
            claims = self._journal.claim_ahead(new, may_wait=may_wait)
            self._ahead.update(dict.fromkeys(chosen, claims))

    def _judge(self, *, waits: bool) -> None:
        """Claim more ahead while many attempts wait for the disk, and less while few do."""
        self._attempts += 1
        self._waits += waits
        if not self._depth or self._attempts < _JUDGED * self._workers:
            return
        part = self._waits / self._attempts
        if part > _MANY:
            self._depth = min(self._depth + 1, DEEPEST)
        elif part < _FEW:
            self._depth = max(self._depth - 1, 1)
        self._attempts = self._waits = 0
