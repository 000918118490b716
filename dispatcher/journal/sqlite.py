"""A journal in an SQLite file: one sending run at a time, durable with every commit."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used
from sqlalchemy.dialects.sqlite import insert  # noqa: TID253

from dispatcher.errors import JournalError
from dispatcher.journal.locking import lies_at, locked
from dispatcher.ownership import objection_at

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.sql.elements import ColumnElement

PREFIX = "sqlite:///"
_MOUNTS = Path("/proc/self/mounts")
_READ_WHOLE = 32_000_000  # bytes: some 40,000 messages, a tenth of a second
# The write-ahead log needs memory that all who use the file share: one machine.
_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs"}


class SqliteBackend:
    """`exclusive`: whoever opens it for sending is alone with it."""

    exclusive = True
    insert = staticmethod(insert)

    def __init__(self, url: str) -> None:
        given = Path(url.removeprefix(PREFIX))
        if not given.name:
            raise JournalError(f'the journal "{url}" names no file: "{PREFIX}PATH"')
        # Whatever links lead to a file: it is one journal, with one lock.
        self.name, self.path = str(given), Path(os.path.realpath(given))

    def exists(self) -> bool:
        """Whether there is anything to read."""
        return self.path.exists()

    @contextmanager
    def prepared(self, run: str, patience: float) -> Iterator[None]:
        """The folder made, and the file held for one run. Raises JournalError, JournalLocked."""
        _make_folder(self.path.parent)
        _refuse_strangers(self.path)
        _refuse_network(self.path.parent)
        with locked(self.path, run, patience):
            yield

    def connect(self, *, read_only: bool = False) -> Engine:
        """One connection, for one thread at a time."""
        # Not by SQLAlchemy's URL: in one, a "?" or "%" of the path would have a meaning of its own.
        uri = f"{self.path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        engine = sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(
                uri, uri=True, check_same_thread=False, isolation_level=None
            ),
            poolclass=sa.pool.StaticPool,
        )

        @sa.event.listens_for(engine, "connect")
        def configure(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA busy_timeout=5000")
            if not read_only:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                self._opened = self.path.stat()
                _require_sound(connection, self._opened.st_size)

        @sa.event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # The driver would begin with the first change of a row, too late for new tables.
            # It goes straight to the driver, as each message begins a transaction.
            connection.connection.cursor().execute("BEGIN")

        return engine

    def make_room(self, connection: Connection) -> None:
        """The file is there already, and nobody else writes it."""

    def version(self, connection: Connection) -> int:
        """The version of the tables; 0: there are none yet."""
        version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        return version

    def set_version(self, connection: Connection, version: int) -> None:
        """Note the version of the tables that were just made."""
        connection.exec_driver_sql(f"PRAGMA user_version={version}")

    def require_in_place(self) -> None:
        """Raise JournalError if the open file is no longer the one that others would open."""
        if not lies_at(self.path, self._opened):
            raise JournalError(
                f"the journal {self.name} was moved or deleted while it was in use; put it back, "
                "or whatever this run sent is sent again by the next one"
            )

    def now(self) -> ColumnElement[float]:
        """Seconds since 1970."""
        return sa.literal(time.time())


def _require_sound(connection: sqlite3.Connection, size: int) -> None:
    """Every page of a journal is read once, unless that would take a noticeable time.

    Damage in a larger one shows when it is met; the run ends then.
    """
    if size > _READ_WHOLE:
        return
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError("the file is damaged; sqlite3 may .recover it")


def _make_folder(folder: Path) -> None:
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for each in missing:
            _sync(each.parent)
        ignore = folder / ".gitignore"
        if folder.name == ".dispatcher" and not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise JournalError(
            f"cannot write to the journal's folder {folder}: {error.strerror}"
        ) from None


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk: SQLite does so for its files', not for its folder's."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_strangers(path: Path) -> None:
    """Whoever may write a journal, or put another into its place, decides what counts as sent."""
    beside = [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm", ".lock")]
    for each in (path.parent, *beside):
        sentence = objection_at(each)
        if sentence is not None:
            raise JournalError(f"the journal is not used: {sentence}")


def _refuse_network(folder: Path) -> None:
    kind = _file_system(folder)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise JournalError(
            f"the journal's folder {folder} lies on a network ({kind}), where SQLite can lose what "
            "was sent; name a local one, or a PostgreSQL database: --journal postgresql://…"
        )


def _file_system(folder: Path) -> str | None:
    """The kind of file system that holds a folder, or None where the system does not tell."""
    try:
        lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = os.path.realpath(folder)
    holding: dict[int, str] = {}
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point)
        if os.path.commonpath([real, point]) == point:
            holding[len(point)] = kind  # of two at one place, the later one covers the other
    return holding[max(holding)] if holding else None
