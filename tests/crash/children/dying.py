"""`dispatcher`, which kills itself: dying.py POINT COUNT ARGUMENT…

It does when it comes to the point for the COUNT-th time. "in a checkpoint" needs diskfault.c. At
the points of a recovery, it does only if there is anything to recover. DYING_NOTED is a file that
gets the key of each message as soon as its answer is noted.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any

from urllib3.connection import HTTPConnection

from dispatcher.builtin.greenapi.transport import GreenApi
from dispatcher.cli import main
from dispatcher.delivery.claims import Claims
from dispatcher.delivery.worker import Worker
from dispatcher.journal import AttemptResult, Claim, Journal
from dispatcher.journal.board import Board, DeadBoards
from dispatcher.journal.sqlite import SqliteBackend
from dispatcher.journal.updates import Updates
from dispatcher.planning import Planner

PAGES = 12  # of the write-ahead log, instead of 1000, so that a short mailing has checkpoints


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: type, name: str, times: int) -> None:
    """Die where this method is about to be called."""
    original, calls = getattr(owner, name), count(1)

    def dying(*arguments: Any, **options: Any) -> Any:
        if next(calls) == times:
            die()
        return original(*arguments, **options)

    setattr(owner, name, dying)


def after(owner: type, name: str, times: int) -> None:
    """Die when this method has returned; of a Future, when it has its answer."""
    original, calls = getattr(owner, name), count(1)

    def dying(*arguments: Any, **options: Any) -> Any:
        answer = original(*arguments, **options)
        if next(calls) == times:
            if hasattr(answer, "result"):
                answer.result()
            die()
        return answer

    setattr(owner, name, dying)


def after_first_byte(times: int) -> None:
    """Die when one byte of a request has left."""
    calls = count(1)

    def send(self: HTTPConnection, data: bytes) -> None:
        if next(calls) == times:
            self.sock.sendall(data[:1])
            die()
        self.sock.sendall(data)

    HTTPConnection.send = send


def before_commit(name: str, times: int) -> None:
    """Die when this method of `Updates` has made its change, which is not committed."""
    after(Updates, name, times)


def after_commit(name: str, times: int) -> None:
    """Die when the change of this method of `Updates` is on disk, before anybody knows of it."""
    original, committed, calls = getattr(Updates, name), SqliteBackend.committed, count(1)
    due = []

    def changing(*arguments: Any, **options: Any) -> Any:
        if next(calls) == times:
            due.append(True)
        return original(*arguments, **options)

    def dying(*arguments: Any) -> None:
        if due:
            die()
        committed(*arguments)

    setattr(Updates, name, changing)
    SqliteBackend.committed = dying


def stopped(point: Callable[[str, int], None]) -> Callable[[int], None]:
    """Die at a point of what is given back, as the run is stopped with the COUNT-th message."""

    def stopping(times: int) -> None:
        send, calls = GreenApi.send, count(1)

        def interrupting(*arguments: Any, **options: Any) -> Any:
            if next(calls) == times:
                os.kill(os.getpid(), signal.SIGINT)
            return send(*arguments, **options)

        GreenApi.send = interrupting
        point("release", 1)

    return stopping


def before_any_result(times: int) -> None:
    """Die when so many answers are noted, of which none is in the journal."""
    calls = count(1)

    def noting(self: Journal, claim: Claim, result: AttemptResult) -> Future[bool]:
        assert self._board is not None
        self._board.add_result(claim.key, claim.attempt, result)
        if next(calls) == times:
            die()
        return Future()

    Journal.conclude = noting


def after_recovery() -> None:
    """Die when what the boards of dead runs say is in the journal, before they are deleted."""
    decide = Updates.decide

    def deciding(*arguments: Any) -> bool:
        DeadBoards.delete = lambda self: die()
        return decide(*arguments)

    Updates.decide = deciding


def in_checkpoint(times: int) -> None:
    """Die between two pages that go from the write-ahead log to the journal's file."""
    connect, prepare = SqliteBackend.connect, Journal.__init__

    def with_small_log(self: SqliteBackend, **options: Any) -> Any:
        return connect(self, settings=[f"PRAGMA wal_autocheckpoint={PAGES}"], **options)

    def arming(self: Journal, *arguments: Any, **options: Any) -> None:
        prepare(self, *arguments, **options)
        ctypes.CDLL(None).arm(b"pwrite", b"/journal.db", times, -signal.SIGKILL)

    SqliteBackend.connect, Journal.__init__ = with_small_log, arming


POINTS: dict[str, Callable[[int], None]] = {
    "before the plan": lambda times: before(Planner, "plan", 1),
    "after the plan": lambda times: before(Worker, "advance", times),
    "after the intent": lambda times: after(Claims, "claim", times),
    "after the spare mark": lambda times: after(Board, "add_spare", times),
    "before the commit of a claim ahead": lambda times: before_commit("claim", times),
    "after the commit of a claim ahead": lambda times: after_commit("claim", times),
    "after the mark is cleared": lambda times: after(Board, "begin", times),
    "after the first byte": after_first_byte,
    "after the bytes left": lambda times: before(HTTPConnection, "getresponse", times),
    "after the answer": lambda times: after(GreenApi, "send", times),
    "before any result": before_any_result,
    "after the answer is noted": lambda times: after(Board, "add_result", times),
    "before the commit of the result": lambda times: before_commit("conclude", times),
    "after the commit of the result": lambda times: after_commit("conclude", times),
    "after the result": lambda times: after(Journal, "conclude", times),
    "before the commit of a release": stopped(before_commit),
    "after the commit of a release": stopped(after_commit),
    "before the commit of a recovery": lambda times: after(Updates, "decide", times),
    "after the commit of a recovery": lambda times: after_recovery(),
    "in a checkpoint": in_checkpoint,
}


def tell_noted(file: str) -> None:
    """Write the key of each message whose answer is noted."""
    add_result = Board.add_result
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def telling(self: Board, key: str, *given: Any) -> None:
        add_result(self, key, *given)
        os.write(descriptor, f"{key}\n".encode())

    Board.add_result = telling


if "DYING_NOTED" in os.environ:
    tell_noted(os.environ["DYING_NOTED"])
point, times, *arguments = sys.argv[1:]
POINTS[point](int(times))
main(arguments)
