"""All that is written goes through one connection; what waits meanwhile goes to disk in one commit.

Waiting for the disk is what a durable journal costs; many workers that wait for one commit pay it
once. One writer is also what SQLite before 3.51.3 needs: two may corrupt its write-ahead log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.errors import JournalError
from dispatcher.journal.backend import Backend
from dispatcher.journal.clock import steady

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

Answer = TypeVar("Answer")
Operation = Callable[["Connection"], Any]

# More would only make the first of them wait.
_MOST_AT_ONCE = 500
# Seconds. Nobody waits for the outcome of an attempt, but often an intent follows it at once.
_LINGER = 0.02
# Seconds between two tries to write the same, which double.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
# Seconds that a last try may take beyond its time.
_MARGIN = 1.0
_ENDS = {
    "due to idle-in-transaction timeout": ", as this run stood still while others waited for it",
    "closed the connection unexpectedly": ": its server stopped, or this run stood still",
    "the connection is lost": ": its server stopped, or this run stood still",
}


class Job(NamedTuple):
    """An operation; `key`: the row that it changes, if any. In a commit, they are sorted by it.

    `lasting`: carried out twice it changes nothing, so that it is repeated until it is on disk.
    `undo`: repeated like that where nobody knows whether the operation is on disk.
    """

    key: str
    operation: Operation
    answer: Future[Any]
    lasting: bool = False
    undo: Operation | None = None


class Writer:
    """Carries out operations in the order in which they come, many of them in one transaction.

    An operation either does all of its work or raises, and then nothing of its commit happened,
    unless it was the answer to that which was lost. Each operation of that commit raises
    JournalError, with the backend's name in it, but for those that are `lasting`.
    `heartbeat` is carried out every `period` seconds, however much or little else there is, before
    anything else where it is late; not where nobody else can write. `renewed`: when the last one
    began that is on disk, by `steady`.
    """

    def __init__(
        self,
        engine: Engine,
        backend: Backend,
        heartbeat: Operation,
        period: float,
        renewed: float,
    ) -> None:
        self._connection, self._backend = engine.connect(), backend
        self._heartbeat, self._period = heartbeat, period
        self.renewed = renewed
        self._due = renewed + period
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._kept: list[Job] = []  # to be repeated, when `_again` has come, until `_until`
        self._again, self._until, self._pause = 0.0, float("inf"), _FIRST_PAUSE
        self._lasting: set[Future[Any]] = set()
        self._writing = threading.Lock()
        self._wanted = threading.Event()
        self._closed = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def carry_out(
        self, operation: Callable[[Connection], Answer], key: str, undo: Operation
    ) -> Answer:
        """Carry an operation out, and return when it is on disk.

        If nobody is writing, it is this thread that does, with what waits besides: to wake another
        one for that, and to be woken by it, takes as long as the disk. Not so the main thread,
        which a signal may stop in the middle of it. Once a commit has failed, nothing is carried
        out like this any more, though the database may be back: an outcome may be lost, and no
        message is to leave after that. `undo`: see `Job`.
        """
        if self._failure is not None:
            raise JournalError(str(self._failure))
        alone = threading.current_thread() is not threading.main_thread()
        job = Job(key, operation, Future(), undo=undo)
        self._put(job, patient=alone)
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
        patient: bool = False,
        lasting: bool = False,
    ) -> Future[Answer]:
        """Have an operation carried out; its answer comes when it is on disk.

        `patient`: it may wait a moment for others to share its commit. `lasting`: see `Job`.
        """
        job = Job(key, operation, Future(), lasting)
        self._put(job, patient)
        return job.answer

    def drain(self, seconds: float) -> None:
        """Repeat what is lasting for so long at the most; what is not on disk then fails."""
        self._until, self._again = steady() + seconds, 0.0
        self._wanted.set()
        if wait(list(self._lasting), seconds + _MARGIN).not_done:
            self._backend.cut(self._connection)  # it does not even refuse

    def close(self) -> None:
        """Carry out what was submitted, and end the thread."""
        self._closed = True
        self._wanted.set()
        self._thread.join()
        self._connection.close()

    def _put(self, job: Job, patient: bool) -> None:
        if self._closed:
            job.answer.set_exception(JournalError(f"the journal {self._backend.name} is closed"))
            return
        if job.lasting:
            self._note(job)
        self._jobs.put(job)
        if not patient:
            self._wanted.set()

    def _note(self, job: Job) -> None:
        self._lasting.add(job.answer)
        job.answer.add_done_callback(self._lasting.discard)

    def _work(self) -> None:
        going_on = True
        while going_on or self._kept:
            self._wanted.wait(_LINGER)
            self._wanted.clear()
            going_on = not self._closed
            with self._writing:
                self._write()
                while not self._jobs.empty():
                    self._write()
                self._repeat()

    def _write(self) -> None:
        """Carry out what waits, and what is due. Whoever writes does both: all may be busy."""
        now = steady()
        if now >= self._due and not self._backend.exclusive:
            self._due = now + self._period
            if self._carry_out([Job("", self._heartbeat, Future())]):
                self.renewed = now
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

    def _repeat(self) -> None:
        """Try again what is kept, each alone: whichever cannot be written holds up no other."""
        if not self._kept or steady() < min(self._again, self._until):
            return
        kept, self._kept = self._kept, []
        while kept and self._carry_out([kept.pop(0)]):
            pass
        if steady() > self._until + _MARGIN:
            self._give_up(kept)
            kept = []
        self._kept = kept + self._kept  # it may be its own fault, so that it comes last
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._again = steady() + self._pause

    def _carry_out(self, jobs: list[Job]) -> bool:
        """Whether all of them are on disk."""
        jobs = self._admitted(jobs)
        if not jobs:
            return True
        try:
            with blamed(self._backend.name), self._connection.begin():
                self._backend.require_in_place()
                answers = [job.operation(self._connection) for job in jobs]
        except Exception as error:
            self._fail(jobs, error)
            return False
        self._backend.committed(self._connection)
        for job, answer in zip(jobs, answers, strict=True):
            job.answer.set_result(answer)
        return True

    def _give_up(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.answer.set_exception(JournalError(str(self._failure)))

    def _admitted(self, jobs: list[Job]) -> list[Job]:
        """What may be carried out, which depends on whether a commit has failed."""
        if self._failure is None:
            return jobs
        self._give_up([job for job in jobs if job.undo is not None])
        return [job for job in jobs if job.undo is None]

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        self._failure = self._failure or error
        if not self._backend.exclusive:  # there, only this connection may know the last changes
            with suppress(sa.exc.SQLAlchemyError):
                self._connection.invalidate()  # the next one to need it makes another
        for job in jobs:
            if job.undo is not None:
                undo = Job(job.key, job.undo, Future(), lasting=True)
                self._note(undo)
                self._kept.append(undo)
            if job.lasting and steady() < self._until:
                self._kept.append(job)
            else:
                job.answer.set_exception(error)


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """What the database raises, as a sentence about the journal of this name."""
    try:
        yield
    except sa.exc.SQLAlchemyError as last:
        # A cursor in one of the frames would keep the connection of the driver open after its end.
        clear_frames(last.__traceback__)
        error = last
        while isinstance(error.__context__, sa.exc.SQLAlchemyError):  # then not even undoing worked
            error = error.__context__
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        if cause == "file is not a database":
            raise JournalError(f"{name} is no journal: it is not an SQLite database") from error
        why = next((why for end, why in _ENDS.items() if cause.endswith(end)), None)
        if why is not None:
            raise JournalError(
                f"the journal {name} ended the connection{why}; run again"
            ) from error
        raise JournalError(f"the journal {name} failed: {cause}") from error
