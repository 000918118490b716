"""The messages and refused requests, counts of both, and the database that keeps the messages."""

import asyncio
import json
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import pydantic
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema, computed_field
from pydantic.dataclasses import dataclass
from pydantic_core import to_json

from dispatcher.bubbles.search import mentions
from dispatcher.sandbox.contract import (
    CONTENTS,
    GatewayError,
    Payload,
    Refusal,
    Strict,
    check,
    type_of,
)

MOST_REFUSED: Final = 50
LONGEST_REQUEST: Final = 500
LONGEST_BODY: Final = 10_000

OURS: Final = 0x53420003  # in the head of the file: "SB", and the version of the tables
SCHEMA: Final = f"""
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA synchronous = NORMAL;  -- a power cut may cost the newest, not the file
PRAGMA application_id = {OURS};
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, received_at REAL, recipient TEXT, type TEXT,
    body TEXT, headers TEXT, is_read INTEGER DEFAULT FALSE);
CREATE TABLE IF NOT EXISTS media (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, size INTEGER, sha256 TEXT, extension TEXT,
    content_type TEXT, uploaded_at REAL);
CREATE INDEX IF NOT EXISTS uploads ON media (uploaded_at);
"""
COLUMNS: Final = "number, id, received_at, recipient, type, body, headers"
INSERT: Final = f"INSERT INTO messages ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
FIND: Final = """SELECT number, iif(:q = '', NULL, body) FROM messages
    WHERE number > :after AND number <= :newest AND :to IN ('', recipient) AND :type IN ('', type)
    ORDER BY number"""
FOUND: Final = "number IN (SELECT value FROM json_each(:found))"  # a JSON array of numbers
SELECT: Final = f"SELECT {COLUMNS} FROM messages WHERE {FOUND} ORDER BY number"
SELECT_CHAT: Final = f"""SELECT {COLUMNS} FROM messages WHERE recipient = :to AND {FOUND}
    AND (:before IS NULL OR number < (SELECT number FROM messages WHERE id = :before))
    ORDER BY number DESC LIMIT :limit"""
SELECT_CHATS: Final = f"""SELECT {COLUMNS}, count, unread FROM messages JOIN (
        SELECT max(number) AS newest, count(*) AS count, sum(NOT is_read) AS unread
        FROM messages WHERE {FOUND} GROUP BY recipient ORDER BY newest DESC LIMIT :limit
    ) ON number = newest ORDER BY number DESC"""


def moment(timestamp: float) -> str:
    """Return a POSIX timestamp as ISO 8601 in UTC, to the millisecond."""
    written = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")


Count = Annotated[int, Field(ge=0)]
Latin = Annotated[str, Field(pattern=r"^[\x00-\xff]*$")]
Timestamp = Annotated[
    float,
    Field(ge=0, le=4e9),
    PlainSerializer(moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


@dataclass(frozen=True, config=Strict.model_config)
class Message:
    """One accepted message: a row of the table, and what /api returns of it."""

    number: Annotated[int, Field(gt=0, lt=2**62, exclude=True)]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{20,}$")]
    received_at: Timestamp
    to: str
    type: Annotated[str, Field(json_schema_extra={"enum": list(CONTENTS)})]
    body: str  # as it came
    headers: pydantic.Json[dict[Latin, Latin]]  # without the token

    @computed_field(return_type=Annotated[Payload, PlainSerializer(lambda payload: payload)])  # type: ignore[prop-decorator]
    @property
    def payload(self) -> Any:
        return json.loads(self.body)


class Filter(BaseModel):
    """Which messages to select, with "" for any; `q` is a text that the payload must mention."""

    model_config = ConfigDict(extra="forbid")

    to: str = ""
    type: str = ""
    q: str = ""


@dataclass(frozen=True)
class Chat:
    """The messages to one recipient: the newest, how many there are, and how many are unread."""

    newest: Message
    count: int
    unread: int

    @property
    def to(self) -> str:
        return self.newest.to


@dataclass(frozen=True)
class Refused:
    """A refused request, the error in the answer, and the start of the body if it was read."""

    at: float
    request: str
    error: GatewayError
    body: str


class Stats(BaseModel, json_schema_serialization_defaults_required=True):
    """Counted since the start, or since the messages were last cleared."""

    requests: Count = Field(0, description="POST /v1/messages, whatever became of them")
    accepted: Count = Field(0, description="messages, including those dropped since as the oldest")
    uploads: Count = Field(0, description="POST /v1/media, whatever became of them")
    uploaded: Count = Field(0, description="files that were kept")
    downloads: Count = Field(0, description="GET /v1/media/{id}")
    removals: Count = Field(0, description="DELETE /v1/media/{id}")
    faults: Count = Field(0, description="requests on which a fault acted")
    connections: Count = Field(0, description="TCP connections over which a request to /v1 came")

    def count(self, name: str) -> None:
        setattr(self, name, getattr(self, name) + 1)


class Changes:
    """Wakes everyone who waits for a change; `version` changes each time."""

    def __init__(self) -> None:
        self.version = 0
        self._event = asyncio.Event()

    def notify(self) -> None:
        self.version += 1
        self._event.set()
        self._event.clear()

    async def wait(self, version: int) -> None:
        """Return as soon as the version is another than this one."""
        while self.version == version:
            await self._event.wait()


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
        self._stack = ExitStack()
        if path is None:
            self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="sandbox-")))
            self._open("", "OFF")  # temporary, on disk where it is too large for SQLite's cache
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
        connection.executescript(f"PRAGMA journal_mode = {journal}; {SCHEMA}")

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
    """Raise OSError or sqlite3.Error for an existing file that is not the sandbox's."""
    if not path.exists() or path.stat().st_size == 0:
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=0.5)) as there:
        [[application]] = there.execute("PRAGMA application_id")
    if application != OURS:
        raise OSError("it is a database of another program, or of another version of the sandbox")


class Store:
    """Keeps the newest `most` messages.

    Refused requests and counts are not in the database: they end with the process. Methods that
    read messages may be called in any thread. Raises CannotStore if the database holds a message
    that the gateway would not have accepted.
    """

    def __init__(
        self, database: Database, most: int = 10_000, clock: Callable[[], float] = time.time
    ) -> None:
        self.changes = Changes()
        self.stats = Stats()
        self.refused: deque[Refused] = deque(maxlen=MOST_REFUSED)  # newest first
        self.refused_total = 0
        self._execute = database.execute
        self._clock = clock
        self._run = secrets.token_hex(6)
        self._most = most
        self._newest = 0  # the number of the newest message
        self._gone = 0  # messages with this number and smaller ones are no longer kept
        for *row, _ in database.rows("messages"):
            self._keep(_ours(database, row).number)

    def __len__(self) -> int:
        return int(self._execute("SELECT count(*) FROM messages").fetchone()[0])

    def add(
        self, payload: Mapping[str, Any], body: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> str:
        """Store a message that came as this body, and return its new id."""
        number, to, type = self._newest + 1, payload["to"], type_of(payload)
        id = f"{self._run}{number:08x}"
        self._execute(INSERT, (number, id, self._clock(), to, type, body, _readable(headers)))
        self._keep(number)
        self.changes.notify()
        return id

    def _keep(self, number: int) -> None:
        """Count a message that was inserted, and delete the oldest if there are too many."""
        if number - self._gone > self._most:
            self._gone = number - self._most
            self._execute("DELETE FROM messages WHERE number <= ?", (self._gone,))
        # Last: who reads up to this one in another thread must not find one that is too many.
        self._newest = number

    def clear(self) -> None:
        """Delete the messages and the refused requests, and set all counts to 0."""
        self._execute("DELETE FROM messages")
        self._gone = self._newest
        self.refused.clear()
        self.refused_total = 0
        self.stats = Stats()
        self.changes.notify()

    def get(self, id: str) -> Message | None:
        """Return the message with this id, or the `latest`."""
        column, value = ("number", self._newest) if id == "latest" else ("id", id)
        row = self._execute(
            f"SELECT {COLUMNS} FROM messages WHERE {column} = ?", [value]
        ).fetchone()
        return row and Message(*row)

    def find(self, wanted: Filter, after: int = 0, newest: int | None = None) -> list[int]:
        """Return the numbers of the matching messages after a number, up to `newest`, in order."""
        newest = self._newest if newest is None else newest
        rows = self._execute(FIND, {**dict(wanted), "after": after, "newest": newest})
        # Row by row: a search in SQL would not let the gateway write before it has ended.
        return [
            number for number, body in rows if body is None or mentions(json.loads(body), wanted.q)
        ]

    def read(self, found: list[int]) -> list[Message]:
        """Return the messages with these numbers that are still kept, oldest first."""
        return [Message(*row) for row in self._execute(SELECT, {"found": json.dumps(found)})]

    def select(self, wanted: Filter, after: int = 0, newest: int | None = None) -> list[Message]:
        """Return the messages that `find` finds."""
        return self.read(self.find(wanted, after, newest))

    async def wait(self, wanted: Filter, count: int, timeout: float) -> list[Message]:
        """Return the matching messages, oldest first, as soon as there are at least `count`.

        Raises TimeoutError if there are fewer after `timeout` seconds.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        found: deque[Message] = deque()
        seen = 0
        while True:
            version, newest = self.changes.version, self._newest
            # Every message is looked at once only, however many arrive later.
            found += await asyncio.to_thread(self.select, wanted, seen, newest)
            seen = newest
            while found and found[0].number <= self._gone:
                found.popleft()
            if len(found) >= count:
                return list(found)
            try:
                async with asyncio.timeout_at(deadline):
                    await self.changes.wait(version)
                    await asyncio.sleep(0.02)  # a burst needs one query, not one for each message
            except TimeoutError:
                there = f"{len(found)} of {count} messages after {timeout:g} s"
                raise TimeoutError(there) from None

    def chats(self, found: list[int], limit: int) -> list[Chat]:
        """Return the chats of these messages, the one with the newest of them first."""
        rows = self._execute(SELECT_CHATS, {"found": json.dumps(found), "limit": limit})
        return [Chat(Message(*row), count, unread) for *row, count, unread in rows]

    def chat(self, to: str, found: list[int], before: str | None, limit: int) -> list[Message]:
        """Return the newest of these messages to one recipient before an id, oldest first."""
        asked = {"to": to, "found": json.dumps(found), "before": before, "limit": limit}
        return [Message(*row) for row in self._execute(SELECT_CHAT, asked)][::-1]

    def unread(self) -> int:
        """Return how many messages are unread."""
        return int(self._execute("SELECT count(*) FROM messages WHERE NOT is_read").fetchone()[0])

    def mark_read(self, to: str) -> bool:
        """Mark the messages to a recipient as read; return whether there are any."""
        update = "UPDATE messages SET is_read = TRUE WHERE recipient = ? AND NOT is_read"
        if self._execute(update, (to,)).rowcount:
            self.changes.notify()
        there = self._execute("SELECT 1 FROM messages WHERE recipient = ?", (to,))
        return there.fetchone() is not None

    def refuse(self, request: str, refusal: Refusal, body: bytes) -> None:
        """Record a request that was refused."""
        text = body[:LONGEST_BODY].decode(errors="replace")
        self.refused.appendleft(
            Refused(self._clock(), request[:LONGEST_REQUEST], refusal.error, text)
        )
        self.refused_total += 1
        self.changes.notify()


def _readable(headers: Iterable[tuple[bytes, bytes]]) -> str:
    readable = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return to_json(readable | {"authorization": "Bearer ***"}).decode()


def _ours(database: Database, row: Sequence[Any]) -> Message:
    """Return the message in a row. Raises CannotStore if the sandbox cannot have written it."""
    try:
        message = Message(*row)
        check(message.payload, lambda _: True)
        if (message.to, message.type) != (message.payload["to"], type_of(message.payload)):
            raise ValueError
    except (ValueError, RecursionError, Refusal):
        raise database.damaged(f"message {row[0]} is none of the sandbox") from None
    return message
