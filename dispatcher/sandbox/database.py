"""The database of messages and uploads: in memory, or in an SQLite file that is kept."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

VERSION: Final = 1
SQLITE: Final = b"SQLite format 3\0"
TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, received_at REAL, recipient TEXT, type TEXT,
    body TEXT, headers TEXT)""",
    """CREATE TABLE IF NOT EXISTS media (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, size INTEGER, sha256 TEXT, extension TEXT,
    content_type TEXT, uploaded_at REAL)""",
)


class CannotStore(Exception):
    """The file cannot be used; the text says why."""


class Database:
    """The tables of one running sandbox, and the `folder` of its uploads; temporary without a path.

    A file has one user at a time. Anybody may have written it: its rows must be checked when they
    are first read, and only regular files of the folder are used. Any thread may call `execute`.
    Raises CannotStore if the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.is_file = path is not None
        self._stack = ExitStack()
        if path is None:
            self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="sandbox-")))
            self._open(":memory:", "OFF")
            return
        self.folder = path.with_name(f"{path.name}-uploads")
        try:
            _require_ours(path)
            self._open(path, "WAL")
            self.folder.mkdir(exist_ok=True)
            if self.folder.is_symlink():
                raise OSError(f"{self.folder} is a link, and links are not followed")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise CannotStore(f"cannot keep messages in {path}: {error}") from error

    def _open(self, path: Path | str, journal: str) -> None:
        connection = sqlite3.connect(
            path, timeout=0.5, isolation_level=None, check_same_thread=False
        )
        self._stack.callback(connection.close)
        self.execute = connection.execute
        self.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.execute(f"PRAGMA journal_mode = {journal}")
        self.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the newest, not the file
        self.execute("PRAGMA temp_store = MEMORY")
        for table in TABLES:
            self.execute(table)
        self.execute(f"PRAGMA user_version = {VERSION}")

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        """Yield all rows of a table, oldest first. Raises CannotStore if the file is damaged."""
        try:
            yield from self.execute(f"SELECT * FROM {table} ORDER BY number")
        except sqlite3.Error as error:
            raise self.damaged(str(error)) from error

    def damaged(self, reason: str) -> CannotStore:
        """Return the error for a file with content that the sandbox has not written."""
        return CannotStore(f"cannot use {self._path}: {reason}; delete it, or name another file")

    def close(self) -> None:
        self._stack.close()


def _require_ours(path: Path) -> None:
    """Raise CannotStore for an existing file that is not the sandbox's, before it is written."""
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if not path.is_file() or not _begins_with(path, SQLITE):
        raise OSError("it is there, and is no storage of the sandbox")
    with closing(sqlite3.connect(uri, uri=True, timeout=0.5)) as there:
        [[version]] = there.execute("PRAGMA user_version")
        tables = _tables(there)
    if version not in (0, VERSION):
        raise OSError("it is of another version of the sandbox")
    with closing(sqlite3.connect(":memory:")) as ours:
        for table in TABLES:
            ours.execute(table)
        if tables not in ([], _tables(ours)):
            raise OSError("it is a database of another program")


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _tables(database: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return all that a database contains, with its definition."""
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    return database.execute(query).fetchall()
