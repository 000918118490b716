"""Which journal this is, and how far it had come: one that has fewer changes went back in time.

A journal that went back does not know what was sent since, and would send it again. It is found out
by a number that only grows, kept where it does not go back together with the journal: in the state
folder of each user on each machine that has sent with it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.errors import ConfigError
from dispatcher.journal.schema import events, origin
from dispatcher.state import state_file

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_PREFIX = "journal-"
_DIGITS = 20
_KEPT = 366 * 86_400  # seconds: who tries things out makes many journals
_ROW = sa.select(origin.c.journal, origin.c.server)


class Origin(NamedTuple):
    """`journal`: an id that only copies of it have, too. `server`: where it was made or taken on;
    empty for a file, which is recognised by its place."""

    journal: str
    server: str


def new_id() -> str:
    """An id for a journal that is another one than all of before."""
    return secrets.token_hex(16)


def noted(connection: Connection) -> Origin | None:
    """What a journal says of itself; None: it is of a version that says nothing."""
    if not sa.inspect(connection).has_table(origin.name):
        return None
    return _row(connection)


def noted_from_now_on(connection: Connection, insert: Callable[..., Any], server: str) -> Origin:
    """What a journal says of itself; that it is this server's, if it said nothing before."""
    if found := _row(connection):
        return found
    first = insert(origin).values(id=1, journal=new_id(), server=server)
    connection.execute(first.on_conflict_do_nothing())  # of several runs, one is the first
    return Origin(*connection.execute(_ROW).one())


def note_server(connection: Connection, server: str) -> None:
    """Note more of the server that a journal is on."""
    connection.execute(sa.update(origin).values(server=server))


def begin_anew(connection: Connection, server: str) -> None:
    """Make a journal another one, this server's, of which no machine has seen anything yet."""
    connection.execute(sa.update(origin).values(journal=new_id(), server=server))


def changes(connection: Connection) -> int:
    """How many changes a journal has: each is an event, and their ids only grow."""
    return connection.execute(sa.select(sa.func.max(events.c.id))).scalar() or 0


class Mark:
    """How many changes a journal had when this user last saw it on this machine.

    `place`: of one of which a copy elsewhere is a journal of its own. A safeguard, not the truth:
    what is lost, damaged or cannot be written counts as nothing seen. `objection`: why it cannot.
    """

    def __init__(self, journal: str, place: str = "") -> None:
        self.journal = journal
        identity = f"{journal} {place}".encode(errors="surrogateescape")
        self._name = _PREFIX + hashlib.sha256(identity).hexdigest()[:32]
        self._path: Path | None = None
        self.objection: str | None = None
        self.changes = 0
        with suppress(ConfigError, OSError):
            self.changes = _number(state_file(self._name, make=False).read_bytes())

    def note(self, changes: int) -> None:
        """Note how many changes the journal has, unless somebody has noted more."""
        if changes <= self.changes or self.objection:
            return
        self.changes = changes
        try:
            self._write(changes)
        except ConfigError as error:
            self.objection = str(error)
        except OSError as error:
            self.objection = f"cannot write {self._path or 'the state folder'}: {error.strerror}"

    def _write(self, changes: int) -> None:
        if self._path is None:
            self._path = state_file(self._name)
            _forget_old_ones(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Two at once may leave the smaller number, until the next change.
            if changes > _number(os.pread(descriptor, _DIGITS, 0)):
                os.pwrite(descriptor, b"%0*d" % (_DIGITS, changes), 0)
        finally:
            os.close(descriptor)


def objections(mark: Mark) -> list[str]:
    """That a mark cannot be kept, as a warning."""
    if mark.objection is None:
        return []
    return [f"that the journal went back in time would not be noticed here: {mark.objection}"]


def _row(connection: Connection) -> Origin | None:
    row = connection.execute(_ROW).first()
    return Origin(*row) if row else None


def _number(content: bytes) -> int:
    digits = content[:_DIGITS]
    return int(digits) if digits.isdigit() else 0


def _forget_old_ones(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _KEPT:
                path.unlink()
