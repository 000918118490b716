"""Outcomes are told by one thread, one after the other, soon after they are on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, Queue
from typing import Any, NamedTuple

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


class News(NamedTuple):
    """An outcome that is told when it is `written`, or that nothing has to be written of."""

    message: Message
    outcome: Outcome
    written: Future[Any] | None


class Announcer:
    """Tells `finished` every outcome; an exception that it raises is raised by `close`.

    `halt` is called, with a sentence, when the journal cannot keep an outcome or nobody can be
    told: then the run is to end.
    """

    def __init__(self, finished: Finished, halt: Callable[[str], None]) -> None:
        self._finished, self._halt = finished, halt
        self._news: Queue[News] = Queue(_BACKLOG)
        self._wanted, self._closed = threading.Event(), False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="announcer", daemon=True)
        self._thread.start()

    def tell(self, message: Message, outcome: Outcome, written: Future[Any] | None = None) -> None:
        """Have an outcome told; may be called from any thread."""
        if self._news.full():
            self._wanted.set()
        self._news.put(News(message, outcome, written))

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
            while (news := self._next()) is not None:
                self._tell(news)

    def _tell(self, news: News) -> None:
        try:
            self._finished(news.message, self._certain(news))
        except BaseException as error:
            self._error = self._error or error
            self._halt(f"an outcome cannot be reported: {str(error) or type(error).__name__}")

    def _next(self) -> News | None:
        try:
            return self._news.get_nowait()
        except Empty:
            return None

    def _certain(self, news: News) -> Outcome:
        """The outcome, once it is on disk; what the journal cannot keep is unknown, and so is
        what a receipt means beside a later attempt. Any other word yields to what was decided
        meanwhile."""
        try:
            kept = news.written is None or news.written.result()
        except JournalError as error:
            self._halt(str(error))
            if news.outcome.status != "failed":
                failure = Failure(code="journal", text=str(error))
                return news.outcome.model_copy(update={"status": "unknown", "error": failure})
            return news.outcome
        if kept is not False or news.outcome.status == "skipped":
            return news.outcome
        if news.outcome.status == "sent":
            return news.outcome.model_copy(update={"status": "unknown", "error": LATE})
        return news.outcome.model_copy(update={"status": "skipped", "error": _DECIDED})
