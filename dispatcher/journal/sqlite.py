"""A journal in an SQLite file, for one sending run at a time, durable with every commit."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote

from dispatcher.errors import JournalError
from dispatcher.journal import watermark
from dispatcher.journal.connection import Connection, SqliteConnection
from dispatcher.journal.files import (
    JournalFiles,
    make_folder,
    make_private,
    permissions,
    require_local,
)
from dispatcher.journal.locking import Lock, locked, noted_changes
from dispatcher.journal.schema import version_by_columns
from dispatcher.ownership import objection_at

PREFIX = "sqlite:///"
_CHANGES = "SELECT max(id) FROM events"  # each change is an event
_READ_WHOLE = 32_000_000  # bytes: some 40,000 messages, a tenth of a second


class SqliteBackend:
    """A journal in a file, which one run at a time can open for sending."""

    exclusive = True
    schema = "main"
    unless_locked = ""
    Error: type[Exception] = sqlite3.Error

    def __init__(self, url: str, *, kept: bool = True) -> None:
        given, self._kept = _path(url), kept
        # Whatever links lead to a file, it is one journal, with one lock.
        self.name, self.path = str(given), Path(os.path.realpath(given))
        self.files = JournalFiles(self.path)
        self._read: os.stat_result | None = None
        self._lock: Lock | None = None
        self._mark: watermark.HighWaterMark | None = None
        self._secured = False

    def exists(self) -> bool:
        """Whether there is anything to read."""
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return self.files.has_log()
        except OSError as error:
            raise JournalError(f"cannot read the journal {self.name}: {error.strerror}") from None
        return True

    @contextmanager
    def prepared(self, run: str, wait: float) -> Iterator[None]:
        """Make the folder, and hold the lock for one run. Raises JournalError or JournalLocked."""
        make_folder(self.path.parent)
        self._require_private()
        require_local(self.path.parent)
        if alias := self.files.alias():
            raise JournalError(f"the journal cannot be used: {alias}")
        self.files.require_writable()
        with locked(self.path, run, wait, permissions(self.path)) as self._lock:
            self._require_whole_files()
            make_private(self.path)
            try:
                yield
            finally:
                self.files.forget()

    def defects(self) -> list[str]:
        """Return what is wrong with the files."""
        self.files.roll_back()
        self.files.require_database()
        defects = [self.files.alias(), self.files.missing_log()]
        return [f"the journal {self.name} may not be whole: {each}" for each in defects if each]

    def connect(self, *, read_only: bool = False, settings: Sequence[str] = ()) -> SqliteConnection:
        """Return one connection, for one thread at a time."""
        uri = f"{self.path.as_uri()}?{self._reading() if read_only else 'mode=rwc'}"

        def connect() -> sqlite3.Connection:
            # Transactions are begun by us: the driver would begin with the first change of a row,
            # too late for new tables.
            driver = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
            try:
                driver.execute("PRAGMA busy_timeout=5000")
                if not read_only:
                    driver.execute("PRAGMA journal_mode=WAL")
                    driver.execute("PRAGMA synchronous=FULL")
                    _require_sound(driver, self.path.stat().st_size)
                for each in settings:
                    driver.execute(each)
            except BaseException:
                driver.close()
                raise
            return driver

        return SqliteConnection(connect)

    def verify(self, connection: Connection) -> None:
        """Begin to count its changes; `loss` has looked for missing ones before."""
        found = watermark.read_or_create(connection, "")
        if self._kept:
            self._mark = watermark.HighWaterMark(found.journal, str(self.path))
            self._mark.note(watermark.count_changes(connection))

    def warnings(self, connection: Connection) -> list[str]:
        """Return a warning if its changes cannot be counted."""
        return self._mark.warnings if self._mark else []

    def loss(self, connection: Connection) -> str | None:
        """Return how many changes that runs have counted are missing, in words, or None."""
        noted = noted_changes(self.path)
        if itself := watermark.read(connection):
            noted = max(noted, watermark.HighWaterMark(itself.journal, str(self.path)).changes)
        connection.refresh()  # a run may have written more since this transaction began
        found = watermark.count_changes(connection)
        if found >= noted:
            return None
        return (
            f"{noted - found} of its {noted} changes are missing: its {self.files.log.name} was "
            "deleted, cut off or damaged, or an older copy was put in its place"
        )

    def run_began(self, connection: Connection) -> None:
        """Make the database itself say that a run is active, whatever becomes of the log."""
        try:
            self._secured = _checkpoint(connection, "PASSIVE")
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self.name} failed: {error}") from error
        self.files.remember()

    def committed(self, connection: Connection) -> None:
        """Record the number of changes in places that are not lost together with the log."""
        with suppress(sqlite3.Error):
            changes = connection.value(_CHANGES)
            for each in (self._lock, self._mark):
                if each is not None:
                    each.note(changes or 0)
            if not self._secured:  # another process was reading the database
                self._secured = _checkpoint(connection, "PASSIVE")

    def usable(self) -> bool:
        """Whether what is written now can be read again."""
        return not self.files.truncated

    def run_ended(self, connection: Connection) -> None:
        """Leave the complete journal in one file, unless another process keeps reading it."""
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA busy_timeout=1000")
            _checkpoint(connection, "TRUNCATE")

    def run_aborted(self, connection: Connection) -> None:
        """Close the journal and keep its log: the database says that a run is active.

        When the last connection is closed, SQLite deletes a log that it could write back, unless
        that connection is read-only.
        """
        with suppress(sqlite3.Error):
            uri = f"{self.path.as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as last:
                with suppress(sqlite3.Error):
                    last.execute("PRAGMA user_version").fetchone()
                connection.close()

    def accept_loss(self) -> None:
        """Accept the database as the complete journal from now on, though its log is lost."""
        with locked(self.path, "journal check", 0, permissions(self.path)) as lock:
            self.files.require_database()
            try:
                with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                    connection.execute("DELETE FROM workers")
                    with suppress(sqlite3.OperationalError):  # an older version has none
                        connection.execute("UPDATE origin SET journal = ?", [watermark.new_id()])
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    lock.note(connection.execute(_CHANGES).fetchone()[0] or 0)
            except sqlite3.Error as error:
                raise JournalError(f"the journal {self.name} failed: {error}") from error

    def prepare_schema(self, connection: Connection) -> None:
        """Do nothing: the file exists already, and no other process writes it."""

    def version(self, connection: Connection) -> int:
        """Return the version of the tables, or 0 if there are none yet."""
        version: int = connection.value("PRAGMA user_version")
        if version:
            return version
        # SQLite's own .dump has the tables, but not their version.
        columns = connection.rows("SELECT name FROM pragma_table_info('messages')")
        return version_by_columns({name for (name,) in columns})

    def set_version(self, connection: Connection, version: int) -> None:
        """Note the version of the tables that were just made."""
        connection.execute(f"PRAGMA user_version={version}")

    def lock_table(self, connection: Connection, table: str) -> None:
        """Do nothing: no other process writes it."""

    def disconnect(self, connection: Connection) -> None:
        """Do nothing: a file always answers."""

    def board_name(self, connection: Connection) -> str | None:
        """Return the name of its runs' boards. A copy of it elsewhere has others."""
        id = watermark.id_of(connection)
        place = blake2b(os.fsencode(self.path), digest_size=8).hexdigest()
        return id and f"{id}-{place}"

    def require_unchanged(self) -> None:
        """Raise JournalError if another process would open other files, or if a run has begun to
        write to a file that is read as immutable."""
        if why := self.files.replaced():
            raise JournalError(
                f"the journal cannot be used any longer: {why}; put things back as they were, or "
                "whatever this run sent is sent again by the next one"
            )
        if self._read and (_times(self.path.stat()) != _times(self._read) or self.files.has_log()):
            raise JournalError(f"a run has begun to write to the journal {self.name}; try again")

    def now(self) -> str:
        """Return the seconds since 1970."""
        return repr(time.time())

    def _require_private(self) -> None:
        """Raise JournalError if others may write it: they would decide what counts as sent."""
        for each in (self.path.parent, *self.files.all):
            sentence = objection_at(each)
            if sentence is not None:
                raise JournalError(f"the journal is not used: {sentence}")

    def _require_whole_files(self) -> None:
        self.files.roll_back()
        self.files.require_database()
        if foreign := self.files.foreign_log():
            raise JournalError(
                f"{foreign} does not belong to the journal {self.name}, which is a copy put in its "
                "place; move it away"
            )
        self.require_whole(self.files.missing_log())

    def require_whole(self, loss: str | None) -> None:
        """Raise JournalError if something is missing from the journal."""
        if loss:
            raise JournalError(
                f"the journal {self.name} is not whole: {loss}. Put that file back beside it, or a "
                "backup of the journal in its place. If it is lost: dispatcher journal check "
                "--accept-loss takes the journal as it is, and what is not in it is sent again"
            )

    def _reading(self) -> str:
        """Return how SQLite can open the file for reading.

        It must be allowed to make an index of a log, unless there is no log and this user can write
        none. It would give that the mode of the database, and leave it: no run could write it.
        """
        self._read = None
        folder = self.path.parent
        for path in (self.path, self.files.log, self.files.index):
            if path.exists() and not os.access(path, os.R_OK):
                raise JournalError(f"cannot read the journal: {path}: Permission denied")
        if self.files.has_log():
            if not self.files.index.exists() and not os.access(folder, os.W_OK):
                raise JournalError(
                    f"the journal {self.name} cannot be read: a run that is on or died left "
                    f"{self.files.log.name}, and to read that takes {self.files.index.name}, which "
                    "is missing and may not be made here; copy the journal and its log elsewhere"
                )
            return "mode=ro"
        if all(os.access(each, os.W_OK) for each in (folder, self.path)) or not self.path.exists():
            return "mode=ro"
        self._read = self.path.stat()
        return "mode=ro&immutable=1"


def _path(url: str) -> Path:
    """Return the file that a URL means. Raises JournalError."""
    written = url.removeprefix(PREFIX)
    name = written.rpartition("/")[2].strip()
    if name in ("", ".", "..") or "\0" in written:
        raise JournalError(f'the journal "{url}" names no file: "{PREFIX}PATH"')
    if name == ":memory:" or name.startswith("file:"):
        raise JournalError(
            f'the journal must be a file that lasts, not "{name}": nobody would know what was sent'
        )
    if found := re.search(r"\?(\w+=.*)?$", name):
        raise JournalError(f'the journal "{url}" can have no parameters, like "{found[0]}"')
    try:
        given = Path(written).expanduser()
    except RuntimeError:
        raise JournalError(f'the journal "{url}" lies in a home folder that is not there') from None
    if os.path.exists(given) and not os.path.isfile(given):
        raise JournalError(f'the journal "{given}" is not a file')
    decoded = Path(unquote(str(given)))
    if decoded != given and not os.path.exists(given) and os.path.exists(decoded):
        raise JournalError(f'the journal is written as it is, without %: "{PREFIX}{decoded}"')
    return given.absolute()


def _checkpoint(connection: Connection, mode: str) -> bool:
    """Write the log back into the database; return whether all of it is there now.

    This must be outside of transactions.
    """
    ((busy, frames, written),) = connection.rows(f"PRAGMA wal_checkpoint({mode})")
    return not busy and frames == written


def _times(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_mtime_ns, info.st_size, info.st_ino


def _require_sound(connection: sqlite3.Connection, size: int) -> None:
    """Read every page of a journal once, unless that would take a noticeable time.

    Damage in a larger one is noticed when its page is read, and ends the run.
    """
    if size > _READ_WHOLE:
        return
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError("the file is damaged; sqlite3 may .recover it")
