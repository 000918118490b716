"""`dispatcher` without one of its safeguards: weakened.py SAFEGUARD ARGUMENT…

With "dying" and its arguments before the others, it also kills itself: see dying.py. Proves that
the tests would notice if the safeguard were missing.
"""

import runpy
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from dispatcher.cli import main
from dispatcher.journal import AttemptResult, Claim, Journal
from dispatcher.journal.board import Board
from dispatcher.journal.locking import Lock
from dispatcher.journal.sqlite import SqliteBackend
from dispatcher.journal.watermark import HighWaterMark
from dispatcher.models import Message, Record


def without_sync() -> None:
    """Commits are written, but only a checkpoint waits for the disk, and nobody counts changes."""
    connect = SqliteBackend.connect

    def careless(self: SqliteBackend, **options: Any) -> Any:
        return connect(self, settings=["PRAGMA synchronous=NORMAL"], **options)

    SqliteBackend.connect = careless
    Lock.note = HighWaterMark.note = lambda self, changes: None


def without_intent() -> None:
    """Nothing is written before a message leaves; its row is made with its result."""
    intents: dict[str, tuple[Message, str, Record | None]] = {}

    def claim(
        self: Journal, message: Message, digest: str, known: Record | None, *former: Any
    ) -> Claim:
        intents[message.key] = (message, digest, known)
        return Claim(message.key, 1)

    def conclude(self: Journal, claim: Claim, result: AttemptResult) -> Future[Any]:
        return self.fail(*intents[claim.key], result)

    Journal.claim, Journal.conclude = claim, conclude
    Journal.make_board = lambda self, slots, reserved=0: False  # so that there are no claims ahead


def without_clearing_marks() -> None:
    """An attempt begins while the board says that it surely has not."""
    Board.begin = lambda self, key, attempt: True


SAFEGUARDS = {"sync": without_sync, "intent": without_intent, "mark": without_clearing_marks}

safeguard, *arguments = sys.argv[1:]
SAFEGUARDS[safeguard]()
if arguments[0] == "dying":
    sys.argv = arguments
    runpy.run_path(str(Path(__file__).with_name("dying.py")))
else:
    main(arguments)
