"""Identifies a journal and detects one restored from an older copy: it has fewer changes.

Such a journal does not know what was sent since, and would send it again. The number of changes
only grows, so it is also kept where it is not restored together with the journal: in the state
folder of each user on each machine that has sent with it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dispatcher.errors import ConfigError
from dispatcher.journal.connection import Connection
from dispatcher.state_folder import state_file

_PREFIX = "journal-"
_DIGITS = 20
_KEPT = 366 * 86_400  # seconds: people who try things out make many journals
_ROW = "SELECT journal, server FROM origin"


class Identity(NamedTuple):
    """What a journal says of itself.

    `journal` is an id that only its copies share. `server` is the `ServerIdentity`, as text, of the
    server on which it was made or last accepted; empty for a file, which its path identifies.
    """

    journal: str
    server: str


def new_id() -> str:
    """Return an id that no journal has yet."""
    return secrets.token_hex(16)


def read(connection: Connection) -> Identity | None:
    """Return a journal's identity, or None if it is of a version that had none."""
    if not connection.has_table("origin"):
        return None
    return _row(connection)


def read_or_create(connection: Connection, server: str) -> Identity:
    """Return a journal's identity, or give it one, on this server, if it had none."""
    if found := _row(connection):
        return found
    connection.execute(  # of several runs, one is the first
        "INSERT INTO origin (id, journal, server) VALUES (1, :journal, :server) "
        "ON CONFLICT DO NOTHING",
        journal=new_id(),
        server=server,
    )
    found = _row(connection)
    assert found is not None
    return found


def id_of(connection: Connection) -> str | None:
    """Return a journal's id, which only its copies share, or None if it has none yet."""
    found = read(connection)
    return found and found.journal


def update_server(connection: Connection, server: str) -> None:
    """Record what is newly known of the journal's server."""
    connection.execute("UPDATE origin SET server = :server", server=server)


def replace(connection: Connection, server: str) -> None:
    """Give a journal a new id, on this server, of which no machine has seen any change."""
    connection.execute(
        "UPDATE origin SET journal = :journal, server = :server", journal=new_id(), server=server
    )


def count_changes(connection: Connection) -> int:
    """Return how many changes a journal has: each is an event, and their ids only grow."""
    return connection.value("SELECT max(id) FROM events") or 0


class HighWaterMark:
    """The number of changes that a journal had when this user last saw it on this machine.

    `path` is the path of a journal that is a file, as a copy of it elsewhere is another journal. A
    mark that is lost, damaged or cannot be written counts as 0: it is only a safeguard. `warnings`
    say why it cannot be written.
    """

    def __init__(self, journal: str, path: str = "") -> None:
        self.journal = journal
        identity = f"{journal} {path}".encode(errors="surrogateescape")
        self._name = _PREFIX + hashlib.sha256(identity).hexdigest()[:32]
        self._path: Path | None = None
        self.warnings: list[str] = []
        self.changes = 0
        with suppress(ConfigError, OSError):
            self.changes = _number(state_file(self._name, make=False).read_bytes())

    def note(self, changes: int) -> None:
        """Raise the mark to `changes`, unless it is higher already."""
        if changes <= self.changes or self.warnings:
            return
        self.changes = changes
        try:
            self._write(changes)
        except ConfigError as error:
            self._warn(str(error))
        except OSError as error:
            self._warn(f"cannot write {self._path or 'the state folder'}: {error.strerror}")

    def _write(self, changes: int) -> None:
        if self._path is None:
            self._path = state_file(self._name)
            _delete_old_marks(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Two runs at once may leave the smaller number, until the next change.
            if changes > _number(os.pread(descriptor, _DIGITS, 0)):
                os.pwrite(descriptor, b"%0*d" % (_DIGITS, changes), 0)
        finally:
            os.close(descriptor)

    def _warn(self, why: str) -> None:
        self.warnings = [f"that the journal went back in time would not be noticed here: {why}"]


def _row(connection: Connection) -> Identity | None:
    row = connection.row(_ROW)
    return Identity(*row) if row else None


def _number(content: bytes) -> int:
    digits = content[:_DIGITS]
    return int(digits) if digits.isdigit() else 0


def _delete_old_marks(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _KEPT:
                path.unlink()
