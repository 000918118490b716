"""Group commit: all changes go through one connection, many of them in one commit.

A durable journal costs the wait for the disk; many threads that wait for one commit pay it once.
SQLite before 3.51.3 also needs a single writer: two may corrupt its write-ahead log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from dispatcher.errors import JournalError
from dispatcher.journal.backend import Backend
from dispatcher.journal.clock import steady
from dispatcher.journal.connection import Connection
from dispatcher.journal.errors import journal_errors

Answer = TypeVar("Answer")
Operation = Callable[[Connection], Any]

# Jobs in a commit. More would only make the first of them wait.
_MOST_AT_ONCE = 500
# Seconds. No thread waits for the record of an outcome, but a claim often follows it at once.
_LINGER = 0.02
# Seconds between two attempts to write a change; they double.
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 2.0
# Seconds that the last attempt may take beyond its time.
_MARGIN = 1.0


class Job(NamedTuple):
    """An operation. `key` is the row that it changes, if any; a commit's jobs are sorted by it.

    One that is `idempotent` is repeated until it is on disk. `undo` is an idempotent operation that
    is carried out if nobody knows whether this one is on disk. `written` is called with its result
    once it is on disk, before anybody else has that.
    """

    key: str
    operation: Operation
    answer: Future[Any]
    idempotent: bool = False
    undo: Operation | None = None
    written: Callable[[Any], object] = lambda answer: None


class Writer:
    """Carries out operations in the order in which they come, many of them in one transaction.

    If one of them raises, the whole transaction is rolled back; or only the answer to a commit may
    have been lost. Then all of them raise JournalError with the backend's name, except those that
    are idempotent. `heartbeat` is carried out every `period` seconds, whatever else there is to do,
    and first if it is late, unless no other run can write. `renewed` is the start time of the last
    committed heartbeat (`steady` clock).
    """

    def __init__(
        self,
        connection: Connection,
        backend: Backend,
        heartbeat: Operation,
        period: float,
        renewed: float,
    ) -> None:
        self._connection, self._backend = connection, backend
        self._heartbeat, self._period = heartbeat, period
        self.renewed = renewed
        self._due = renewed + period
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._failed: list[Job] = []  # to be repeated, when `_again` has come, until `_until`
        self._again, self._until, self._pause = 0.0, float("inf"), _FIRST_DELAY
        self._unwritten: set[Future[Any]] = set()
        self._writing = threading.Lock()
        self._wanted = threading.Event()
        self._closed = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def commit(
        self,
        operation: Callable[[Connection], Answer],
        key: str,
        undo: Operation,
        written: Callable[[Answer], object],
    ) -> Answer:
        """Carry out an operation, and return its result when it is on disk. For the rest see `Job`.

        If no thread is writing, this one does, together with whatever is queued: waking another
        thread, and being woken by it, takes as long as the disk. The main thread never does, as a
        signal may interrupt it. Once a commit has failed, this always raises, even if the database
        is back: an outcome may be lost, and no message may leave after that.
        """
        self.require_sound()
        alone = threading.current_thread() is not threading.main_thread()
        job = Job(key, operation, Future(), undo=undo, written=written)
        self._put(job, may_wait=alone)
        if alone and self._writing.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._writing.release()
        if not job.answer.done():
            self._wanted.set()
        answer: Answer = job.answer.result()
        return answer

    def submit(
        self,
        operation: Callable[[Connection], Answer],
        key: str = "",
        *,
        may_wait: bool = False,
        idempotent: bool = False,
        undo: Operation | None = None,
        written: Callable[[Answer], object] = lambda answer: None,
    ) -> Future[Answer]:
        """Queue an operation; the future has its result when it is on disk.

        With `may_wait`, it may wait a moment for others to share its commit. For the rest see
        `Job`.
        """
        job = Job(key, operation, Future(), idempotent, undo, written)
        self._put(job, may_wait)
        return job.answer

    def require_sound(self) -> None:
        """Raise JournalError if a commit has failed, or it is closed."""
        if self._closed:
            raise self._closed_error()
        if self._failure is not None:
            raise JournalError(str(self._failure))

    def drain(self, seconds: float) -> None:
        """Repeat idempotent operations for `seconds`; what is not on disk by then fails."""
        self._until, self._again = steady() + seconds, 0.0
        self._wanted.set()
        while wait(list(self._unwritten), seconds + _MARGIN).not_done:
            self._backend.disconnect(self._connection)  # the database does not answer at all
            seconds = 0.0

    def close(self) -> None:
        """Carry out what is queued, and end the thread."""
        self._closed = True
        self._wanted.set()
        self._thread.join()

    def _put(self, job: Job, may_wait: bool) -> None:
        if self._closed:
            job.answer.set_exception(self._closed_error())
            return
        if job.idempotent:
            self._track(job)
        self._jobs.put(job)
        if not may_wait:
            self._wanted.set()

    def _closed_error(self) -> JournalError:
        return JournalError(f"the journal {self._backend.name} is closed")

    def _track(self, job: Job) -> None:
        self._unwritten.add(job.answer)
        job.answer.add_done_callback(self._unwritten.discard)

    def _work(self) -> None:
        going_on = True
        while going_on or self._failed:
            self._wanted.wait(_LINGER)
            self._wanted.clear()
            going_on = not self._closed
            with self._writing:
                self._write()
                while not going_on and not self._jobs.empty():
                    self._write()
                self._repeat()

    def _write(self) -> None:
        """Carry out what is queued, and the heartbeat if it is due.

        Every thread that writes does both, as the journal's own may long be kept from it.
        """
        now = steady()
        if self._due <= now < self._until and not self._backend.exclusive:
            self._due = now + self._period
            if self._commit([Job("", self._heartbeat, Future())]):
                self.renewed = now
        self._commit(self._next_jobs())

    def _next_jobs(self) -> list[Job]:
        """Return queued jobs: those of a file in their order; else by key, so that all runs lock
        rows in the same order, which avoids deadlocks.

        The sort is stable, which keeps the order of the changes to one row; reads come last.
        """
        jobs: list[Job] = []
        try:
            while len(jobs) < _MOST_AT_ONCE:
                jobs.append(self._jobs.get_nowait())
        except Empty:
            pass
        if self._backend.exclusive:
            return jobs
        return sorted(jobs, key=lambda job: (not job.key, job.key))

    def _repeat(self) -> None:
        """Repeat what has failed, each job on its own: one that fails again blocks no other."""
        if not self._failed or steady() < min(self._again, self._until):
            return
        failed, self._failed = self._failed, []
        while failed and self._commit([failed.pop(0)]):
            pass
        if steady() > self._until + _MARGIN:
            self._give_up(failed)
            failed = []
        self._failed = failed + self._failed  # what has failed again comes last
        self._pause = min(2 * self._pause, _LONGEST_DELAY)
        self._again = steady() + self._pause

    def _commit(self, jobs: list[Job]) -> bool:
        """Carry out jobs in one transaction; return whether all of them are on disk."""
        jobs = self._admitted(jobs)
        if not jobs:
            return True
        try:
            with journal_errors(self._backend), self._connection.begin():
                self._backend.require_unchanged()
                answers = [job.operation(self._connection) for job in jobs]
        except Exception as error:
            self._fail(jobs, error)
            return False
        self._backend.committed(self._connection)
        for job, answer in zip(jobs, answers, strict=True):
            job.written(answer)
            job.answer.set_result(answer)
        return True

    def _give_up(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.answer.set_exception(JournalError(str(self._failure)))

    def _admitted(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs that may be carried out: after a failure, no new claims."""
        if self._failure is None:
            return jobs
        self._give_up([job for job in jobs if job.undo is not None])
        return [job for job in jobs if job.undo is None]

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        self._failure = self._failure or error
        if not self._backend.exclusive:  # of a file, only this connection may see the last changes
            self._connection.close()  # a new one is made when it is needed
        for job in jobs:
            if job.undo is not None:
                undo = Job(job.key, job.undo, Future(), idempotent=True)
                self._track(undo)
                self._failed.append(undo)
            if job.idempotent and steady() < self._until:
                self._failed.append(job)
            else:
                job.answer.set_exception(error)
