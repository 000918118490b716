"""Keeps messages and uploads over restarts: in an SQLite file, and in a folder beside it."""

import json
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from dispatcher.sandbox.contract import check, type_of
from dispatcher.sandbox.media import EXTENSION, LIFETIME, Media
from dispatcher.sandbox.messages import Message, moment
from dispatcher.sandbox.responses import Refusal

VERSION: Final = 1
SQLITE: Final = b"SQLite format 3\0"
MESSAGE_ID: Final = re.compile(r"[0-9a-f]{20,}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
BAD: Final = (ValueError, TypeError, AttributeError, OverflowError, OSError)  # in any value
CONTENT_TYPE: Final = re.compile(r"[^\r\n\0]{0,1000}")  # it becomes a header
TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, received_at REAL, recipient TEXT, type TEXT,
    body TEXT, headers TEXT)""",
    """CREATE TABLE IF NOT EXISTS media (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, size INTEGER, sha256 TEXT, extension TEXT,
    content_type TEXT, uploaded_at REAL)""",
)
COLUMNS: Final = "id, received_at, recipient, type, body, headers"
MEDIA_COLUMNS: Final = "id, size, sha256, extension, content_type, uploaded_at"


class CannotStore(Exception):
    """The file cannot be used, and why."""


class Storage:
    """The file of one running sandbox: no other may use it at the same time; `folder`: uploads.

    The file may come from anybody: what it says is checked where it is read, and of the folder
    nothing but plain files is used.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.with_name(f"{path.name}-uploads")
        self._path = path
        try:
            _require_ours(path)
            self._database = sqlite3.connect(path, timeout=0.5, isolation_level=None)
            self._open()
            self.folder.mkdir(exist_ok=True)
            if self.folder.is_symlink():
                raise OSError(f"{self.folder} is a link, and links are not followed")
        except (sqlite3.Error, OSError) as error:
            raise CannotStore(f"cannot keep messages in {path}: {error}") from error

    def _open(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")  # a power cut may cost the newest, never the file
        for table in TABLES:
            run(table)
        run(f"PRAGMA user_version = {VERSION}")

    def load(self) -> Iterator[Message]:
        """The kept messages, oldest first. Raises CannotStore."""
        for number, *fields in self._rows(f"SELECT number, {COLUMNS} FROM messages"):
            try:
                yield _message(*fields)
            except (*BAD, LookupError, Refusal):
                raise self._damaged(f"message {number} is none of the sandbox") from None

    def load_media(self) -> Iterator[Media]:
        """The uploads whose files are there, oldest first. Raises CannotStore."""
        for number, *fields in self._rows(f"SELECT number, {MEDIA_COLUMNS} FROM media"):
            try:
                media = _media(self.folder, *fields)
            except BAD:
                raise self._damaged(f"upload {number} is none of the sandbox") from None
            if _is_there(media):
                yield media

    def _rows(self, select: str) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(f"{select} ORDER BY number").fetchall()
        except sqlite3.Error as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> CannotStore:
        return CannotStore(f"cannot use {self._path}: {reason}; delete it, or name another file")

    def add(self, message: Message) -> None:
        """Keeps a message, without its token."""
        fields = (message.id, message.received_at, message.to, message.type, message.body)
        headers = json.dumps(message.readable_headers())
        insert = f"INSERT INTO messages ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
        self._database.execute(insert, (*fields, headers))

    def drop(self, message: Message) -> None:
        self._database.execute("DELETE FROM messages WHERE id = ?", (message.id,))

    def clear(self) -> None:
        self._database.execute("DELETE FROM messages")

    def add_media(self, media: Media) -> None:
        """Keeps what is known of an upload; its bytes are in the folder already."""
        fields = (media.size, media.sha256, media.extension, media.content_type, media.uploaded_at)
        insert = f"INSERT INTO media ({MEDIA_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
        self._database.execute(insert, (media.id, *fields))

    def drop_media(self, media: Media) -> None:
        self._database.execute("DELETE FROM media WHERE id = ?", (media.id,))

    def close(self) -> None:
        self._database.close()


def _require_ours(path: Path) -> None:
    """Raise before anything is written to a file that is there and is not the sandbox's."""
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
    """All that a database holds, with its definition."""
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    return database.execute(query).fetchall()


def _message(id: str, received_at: float, to: str, kind: str, body: str, headers: str) -> Message:
    """A message as `Storage.add` wrote it. Raises ValueError, TypeError, LookupError or Refusal."""
    payload = check(json.loads(body), lambda _: True)
    moment(received_at)
    if not MESSAGE_ID.fullmatch(id) or (to, kind) != (payload["to"], type_of(payload)):
        raise ValueError
    pairs = [_raw(name, value) for name, value in json.loads(headers).items()]
    return Message(id, received_at, to, kind, body, pairs)


def _media(
    folder: Path,
    id: str,
    size: int,
    sha256: str,
    extension: str,
    content_type: str,
    uploaded_at: float,
) -> Media:
    """An upload as `Storage.add_media` wrote it. Raises ValueError or TypeError."""
    moment(uploaded_at + LIFETIME)
    if str(UUID(id)) != id or not EXTENSION.fullmatch(extension) or not SHA256.fullmatch(sha256):
        raise ValueError
    if not CONTENT_TYPE.fullmatch(content_type) or type(size) is not int:
        raise ValueError
    return Media(id, folder / id, size, sha256, extension, content_type, uploaded_at)


def _is_there(media: Media) -> bool:
    """Whether its file is one of the folder's own: no link, neither a symbolic nor a hard one."""
    try:
        info = media.path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(info.st_mode) and (info.st_size, info.st_nlink) == (media.size, 1)


def _raw(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode("latin-1"), value.encode("latin-1")
