"""`dispatcher`, which kills itself: dying.py POINT COUNT ARGUMENT…

It does when it comes to the point for the COUNT-th time. "in a checkpoint" needs diskfault.c.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from urllib3.connection import HTTPConnection

from dispatcher.builtin.greenapi.transport import GreenApi
from dispatcher.cli import main
from dispatcher.delivery.claims import Claims
from dispatcher.delivery.worker import Worker
from dispatcher.journal import Journal
from dispatcher.journal.sqlite import SqliteBackend
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


def in_checkpoint(times: int) -> None:
    """Die between two pages that go from the write-ahead log to the journal's file."""
    connect, prepare = SqliteBackend.connect, Journal.__init__

    def with_small_log(self: SqliteBackend, **options: Any) -> Any:
        engine = connect(self, **options)
        engine.raw_connection().cursor().execute(f"PRAGMA wal_autocheckpoint={PAGES}")
        return engine

    def arming(self: Journal, *arguments: Any, **options: Any) -> None:
        prepare(self, *arguments, **options)
        ctypes.CDLL(None).arm(b"pwrite", b"/journal.db", times, -signal.SIGKILL)

    SqliteBackend.connect, Journal.__init__ = with_small_log, arming


POINTS: dict[str, Callable[[int], None]] = {
    "before the plan": lambda times: before(Planner, "plan", 1),
    "after the plan": lambda times: before(Worker, "advance", times),
    "after the intent": lambda times: after(Claims, "claim", times),
    "after the bytes left": lambda times: before(HTTPConnection, "getresponse", times),
    "after the answer": lambda times: after(GreenApi, "send", times),
    "after the result": lambda times: after(Journal, "conclude", times),
    "in a checkpoint": in_checkpoint,
}

point, times, *arguments = sys.argv[1:]
POINTS[point](int(times))
main(arguments)
