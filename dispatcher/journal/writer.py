"""All that is written goes through one connection; what waits meanwhile goes to disk in one commit.

Waiting for the disk is what a durable journal costs; many workers that wait for one commit pay it
once. One writer is also what SQLite before 3.51.3 needs: two may corrupt its write-ahead log.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from time import monotonic
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.errors import JournalError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

Answer = TypeVar("Answer")
Operation = Callable[["Connection"], Any]

# More would only make the first of them wait.
_MOST_AT_ONCE = 500
# Seconds. Nobody waits for the outcome of an attempt, but often an intent follows it at once.
_LINGER = 0.02


class Job(NamedTuple):
    """An operation; `key`: the row that it changes, if any. In a commit, they are sorted by it."""

    key: str
    operation: Operation
    answer: Future[Any]


class Writer:
    """Carries out operations in the order in which they come, many of them in one transaction.

    An operation either does all of its work or raises, and then nothing of its commit happened:
    each operation of that commit raises JournalError, with `name` in it. `verify` is called before
    each commit, and what it raises counts as a failure of that.
    `committed` is called after each commit, outside of any transaction, and never raises.
    `heartbeat` is carried out every `period` seconds, however much or little else there is.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        verify: Callable[[], None],
        heartbeat: Operation | None = None,
        period: float = math.inf,
        committed: Callable[[Connection], None] = lambda connection: None,
    ) -> None:
        self._connection, self._name, self._verify = engine.connect(), name, verify
        self._committed = committed
        self._heartbeat, self._period = heartbeat, period
        self._due = monotonic() + period
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._writing = threading.Lock()
        self._wanted = threading.Event()
        self._closed = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def carry_out(self, operation: Callable[[Connection], Answer], key: str = "") -> Answer:
        """Carry an operation out, and return when it is on disk.

        If nobody is writing, it is this thread that does, with what waits besides: to wake another
        one for that, and to be woken by it, takes as long as the disk. Not so the main thread,
        which a signal may stop in the middle of it. Once a commit has failed, nothing is carried
        out like this any more, though the database may be back: an outcome may be lost, and no
        message is to leave after that.
        """
        if self._failure is not None:
            raise JournalError(str(self._failure))
        alone = threading.current_thread() is not threading.main_thread()
        answer = self.submit(operation, key, patient=alone)
        if alone and self._writing.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._writing.release()
        if not answer.done():
            self._wanted.set()
        return answer.result()

    def submit(
        self, operation: Callable[[Connection], Answer], key: str = "", *, patient: bool = False
    ) -> Future[Answer]:
        """Have an operation carried out; its answer comes when it is on disk.

        `patient`: it may wait a moment for others to share its commit.
        """
        answer: Future[Answer] = Future()
        if self._closed:
            answer.set_exception(JournalError(f"the journal {self._name} is closed"))
            return answer
        self._jobs.put(Job(key, operation, answer))
        if not patient:
            self._wanted.set()
        return answer

    def close(self) -> None:
        """Carry out what was submitted, and end the thread."""
        self._closed = True
        self._wanted.set()
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        going_on = True
        while going_on:
            self._wanted.wait(_LINGER)
            self._wanted.clear()
            going_on = not self._closed
            with self._writing:
                self._write()
                while not self._jobs.empty():
                    self._write()

    def _write(self) -> None:
        """Carry out what waits, and what is due. Whoever writes does both: all may be busy."""
        if self._heartbeat and monotonic() >= self._due:
            self._due = monotonic() + self._period
            self._carry_out([Job("", self._heartbeat, Future())])
        self._carry_out(self._next_jobs())

    def _next_jobs(self) -> list[Job]:
        """What waits. Rows are locked in the same order by everybody, so that nobody waits in a
        circle; the sort keeps the order of what is done to one row, and what only reads comes last.
        """
        jobs: list[Job] = []
        try:
            while len(jobs) < _MOST_AT_ONCE:
                jobs.append(self._jobs.get_nowait())
        except Empty:
            pass
        return sorted(jobs, key=lambda job: (not job.key, job.key))

    def _carry_out(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        try:
            with blamed(self._name), self._connection.begin():
                self._verify()
                answers = [job.operation(self._connection) for job in jobs]
        except Exception as error:
            self._failure = self._failure or error
            for job in jobs:
                job.answer.set_exception(error)
        else:
            self._committed(self._connection)
            for job, answer in zip(jobs, answers, strict=True):
                job.answer.set_result(answer)


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """What the database raises, as a sentence about the journal of this name."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        # A cursor in one of the frames would keep the driver's connection open after its end.
        clear_frames(error.__traceback__)
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        if cause == "file is not a database":
            raise JournalError(f"{name} is no journal: it is not an SQLite database") from error
        raise JournalError(f"the journal {name} failed: {cause}") from error
