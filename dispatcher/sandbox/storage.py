"""Keeps messages and uploads over restarts: in an SQLite file, and in a folder beside it."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dispatcher.sandbox.media import Media
from dispatcher.sandbox.messages import Message

VERSION: Final = 1
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
    """The file of one running sandbox: no other may use it at the same time; `folder`: uploads."""

    def __init__(self, path: Path) -> None:
        self.folder = path.with_name(f"{path.name}-uploads")
        try:
            self._database = sqlite3.connect(path, timeout=0.5, isolation_level=None)
            self._open()
            self.folder.mkdir(exist_ok=True)
        except (sqlite3.Error, OSError) as error:
            raise CannotStore(f"cannot keep messages in {path}: {error}") from error

    def _open(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")  # a power cut may cost the newest, never the file
        [[version]] = run("PRAGMA user_version")
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError("it is of another version of the sandbox")
        run(f"PRAGMA user_version = {VERSION}")
        for table in TABLES:
            run(table)

    def load(self) -> Iterator[Message]:
        """The kept messages, oldest first."""
        rows = self._database.execute(f"SELECT {COLUMNS} FROM messages ORDER BY number").fetchall()
        for id, received_at, to, kind, body, headers in rows:
            pairs = [_raw(name, value) for name, value in json.loads(headers).items()]
            yield Message(id, received_at, to, kind, body, pairs)

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

    def load_media(self) -> Iterator[Media]:
        """The uploads whose files are there, oldest first."""
        select = f"SELECT {MEDIA_COLUMNS} FROM media ORDER BY number"
        for id, *fields in self._database.execute(select).fetchall():
            if (self.folder / id).is_file():
                yield Media(id, self.folder / id, *fields)

    def add_media(self, media: Media) -> None:
        """Keeps what is known of an upload; its bytes are in the folder already."""
        fields = (media.size, media.sha256, media.extension, media.content_type, media.uploaded_at)
        insert = f"INSERT INTO media ({MEDIA_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
        self._database.execute(insert, (media.id, *fields))

    def drop_media(self, media: Media) -> None:
        self._database.execute("DELETE FROM media WHERE id = ?", (media.id,))

    def close(self) -> None:
        self._database.close()


def _raw(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode("latin-1"), value.encode("latin-1")
