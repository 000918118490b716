"""Outcomes are reported by one thread, one after the other, soon after they are on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import NamedTuple

from dispatcher.delivery.task import Write, Written
from dispatcher.errors import JournalError
from dispatcher.journal import LATE
from dispatcher.models import Failure, Message, Outcome

Finished = Callable[[Message, Outcome], None]

_DECIDED = Failure(
    code="claimed",
    text="another run, or a person, has decided on it meanwhile: see dispatcher history",
)

# How many outcomes may wait to be told before workers wait with them.
_BACKLOG = 1000
# Seconds. To wake a thread for each outcome would take a good part of the time of a post.
_TICK = 0.05


class _Report(NamedTuple):
    """An outcome that is reported once it is written, if it is to be written."""

    message: Message
    outcome: Outcome
    write: Write


class OutcomeReporter:
    """Tells `finished` every outcome; an exception that it raises is raised by `close`.

    `halt` is called, with a sentence, when the journal cannot keep an outcome or nobody can be
    told: then the run is to end.
    """

    def __init__(self, finished: Finished, halt: Callable[[str], None]) -> None:
        self._finished, self._halt = finished, halt
        self._waiting: Queue[_Report] = Queue(_BACKLOG)
        self._wanted, self._closed = threading.Event(), False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)
        self._thread.start()

    def report(self, message: Message, outcome: Outcome, write: Write) -> None:
        """Have an outcome told; may be called from any thread."""
        if self._waiting.full():
            self._wanted.set()
        self._waiting.put(_Report(message, outcome, write))

    def close(self) -> None:
        """Tell what is left to tell."""
        self._closed = True
        self._wanted.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        going_on = True
        while going_on:
            self._wanted.wait(_TICK)
            self._wanted.clear()
            going_on = not self._closed
            while (report := self._next()) is not None:
                self._tell(report)

    def _tell(self, report: _Report) -> None:
        try:
            self._finished(report.message, self._certain(report))
        except BaseException as error:
            self._error = self._error or error
            self._halt(f"an outcome cannot be reported: {str(error) or type(error).__name__}")

    def _next(self) -> _Report | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _certain(self, report: _Report) -> Outcome:
        """The outcome, once it is on disk; what the journal cannot keep is unknown, and so is
        what a receipt means beside a later attempt. Any other word yields to what was decided
        meanwhile."""
        outcome = report.outcome
        try:
            written = report.write.result()
        except JournalError as error:
            self._halt(str(error))
            if outcome.status != "failed":
                failure = Failure(code="journal", text=str(error))
                return outcome.model_copy(update={"status": "unknown", "error": failure})
            return outcome
        if written is not Written.LOST or outcome.status == "skipped":
            return outcome
        if outcome.status == "sent":
            return outcome.model_copy(update={"status": "unknown", "error": LATE})
        return outcome.model_copy(update={"status": "skipped", "error": _DECIDED})
