"""The accepted messages, the refused requests, and counts of both."""

import asyncio
import json
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from sqlite3 import Cursor
from typing import Annotated, Any, Final

import pydantic
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema, computed_field
from pydantic.dataclasses import dataclass
from pydantic_core import to_json

from dispatcher.bubbles.search import mentions
from dispatcher.sandbox.contract import STRICT, GatewayError, Kind, Payload, Refusal, check, type_of
from dispatcher.sandbox.database import Database

MOST_CHARACTERS: Final = 200_000_000
MOST_REFUSED: Final = 50
LONGEST_REQUEST: Final = 500
LONGEST_BODY: Final = 10_000
BATCH: Final = 100  # messages; SQLite is slow when called for each: benchmarks/sandbox.py


def moment(timestamp: float) -> str:
    """Return a POSIX timestamp as ISO 8601 in UTC, to the millisecond."""
    written = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")


DATE_TIME: Final = {"type": "string", "format": "date-time"}
Timestamp = Annotated[
    float, Field(ge=0, le=4e9), PlainSerializer(moment), WithJsonSchema(DATE_TIME)
]
Latin = Annotated[str, Field(pattern=r"^[\x00-\xff]*$")]

# Counted since the start, or since the messages were last cleared.
COUNTS: Final[Mapping[str, str]] = {
    "requests": "POST /v1/messages that arrived, whatever became of them",
    "accepted": "messages that were accepted, including those dropped since as the oldest",
    "uploads": "POST /v1/media that arrived",
    "uploaded": "files that were kept",
    "downloads": "GET /v1/media/{id} that arrived",
    "removals": "DELETE /v1/media/{id} that arrived",
    "faults": "requests on which a fault acted",
    "connections": "TCP connections over which a request to /v1 came",
}

INSERT: Final = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)"
SELECT: Final = """SELECT * FROM messages WHERE number > :after AND number <= :newest
    AND :to IN ('', recipient) AND :type IN ('', type) ORDER BY number"""
# `found` is a JSON array of the numbers that a search found, NULL without a search.
FOUND: Final = "(:found IS NULL OR number IN (SELECT value FROM json_each(:found)))"
SELECT_CHATS: Final = f"""SELECT messages.*, count, unread FROM (
        SELECT max(number) AS newest, count(*) AS count, sum(number > ifnull(read, 0)) AS unread
        FROM messages LEFT JOIN reads USING (recipient)
        WHERE {FOUND} GROUP BY recipient ORDER BY newest DESC LIMIT :limit
    ) JOIN messages ON number = newest ORDER BY number DESC"""
SELECT_CHAT: Final = f"""SELECT * FROM messages WHERE recipient = :to AND {FOUND}
    AND (:before IS NULL OR number < (SELECT number FROM messages WHERE id = :before))
    ORDER BY number DESC LIMIT :limit"""
COUNT_UNREAD: Final = """SELECT count(*) FROM messages LEFT JOIN reads USING (recipient)
    WHERE number > ifnull(read, 0)"""
SELECT_NEWEST: Final = """SELECT max(number), (SELECT read FROM reads WHERE recipient = :to)
    FROM messages WHERE recipient = :to"""


@dataclass(frozen=True, config=STRICT)
class Message:
    """One accepted message: a row of the table, and what /api returns of it."""

    number: Annotated[int, Field(gt=0, lt=2**62, exclude=True)]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{20,}$")]
    received_at: Timestamp
    to: str
    type: Kind
    body: str  # as it came
    headers: pydantic.Json[dict[Latin, Latin]]  # without the token

    @computed_field  # type: ignore[prop-decorator]
    @property
    def payload(self) -> Payload:
        payload: Payload = json.loads(self.body)
        return payload


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


class Store:
    """Keeps the newest `most` messages; fewer if their bodies exceed `MOST_CHARACTERS` together.

    A file is written with every message, a database in memory in batches, and before it is read.
    Refused requests and counts are not in the database: they end with the process. Methods that
    read many messages may be called in any thread: `select`, `search`, `chats`, `chat`, `unread`.
    Raises CannotStore if the database holds a message that the gateway would not have accepted.
    """

    def __init__(
        self, database: Database, most: int = 10_000, clock: Callable[[], float] = time.time
    ) -> None:
        self.changes = Changes()
        self.counts: Counter[str] = Counter()
        self.refused: deque[Refused] = deque(maxlen=MOST_REFUSED)  # newest first
        self.refused_total = 0
        self._database = database
        self._most = most
        self._clock = clock
        self._run = secrets.token_hex(6)
        self._newest = 0  # the number of the newest message
        self._deleted = 0  # messages with this number and smaller ones are no longer kept
        self._lengths: deque[tuple[int, int]] = deque()  # number and length of every kept body
        self._characters = 0  # their sum
        self._unwritten: deque[tuple[object, ...]] = deque()
        self._writing = threading.Lock()
        database.execute(
            "CREATE TEMP TABLE IF NOT EXISTS reads (recipient TEXT PRIMARY KEY, read INTEGER)"
        )
        for row in database.rows("messages"):
            message = _ours(database, row)
            self._keep(message.number, message.body)
        self._write()

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, to: str, type: str, body: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Store a message and return its new id; delete the oldest if there are too many."""
        number = self._newest + 1
        id = f"{self._run}{number:08x}"
        row = (number, id, self._clock(), to, type, body, _readable(headers))
        self._unwritten.append(row)
        self._keep(number, body)
        # Large messages do not wait for a batch: `MOST_CHARACTERS` is to limit all of them.
        if self._database.is_file or len(self._unwritten) >= BATCH or len(body) > LONGEST_BODY:
            self._write()
        self.changes.notify()
        return id

    def _keep(self, number: int, body: str) -> None:
        self._lengths.append((number, len(body)))
        self._characters += len(body)
        while len(self._lengths) > self._most or self._characters > MOST_CHARACTERS:
            self._deleted, length = self._lengths.popleft()
            self._characters -= length
        # Last: who reads up to this one in another thread must not find one that is too many.
        self._newest = number

    def _write(self) -> None:
        """Insert the new messages and delete the old ones; may be called in any thread."""
        with self._writing:
            while self._unwritten:
                self._database.execute(INSERT, self._unwritten.popleft())
            self._database.execute("DELETE FROM messages WHERE number <= ?", (self._deleted,))

    def _read(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> Cursor:
        """Return the rows of a query, with all messages; may be called in any thread."""
        self._write()
        return self._database.execute(query, values)

    def _messages(
        self, query: str, values: Sequence[object] | Mapping[str, object] = ()
    ) -> Iterator[Message]:
        return (Message(*row) for row in self._read(query, values))

    def clear(self) -> None:
        """Delete the messages and the refused requests, and set all counts to 0."""
        self._deleted = self._newest
        self._lengths.clear()
        self._characters = 0
        self._write()
        self._database.execute("DELETE FROM reads")
        self.refused.clear()
        self.refused_total = 0
        self.counts.clear()
        self.changes.notify()

    def get(self, id: str) -> Message | None:
        return next(self._messages("SELECT * FROM messages WHERE id = ?", (id,)), None)

    def latest(self) -> Message | None:
        return next(self._messages("SELECT * FROM messages ORDER BY number DESC LIMIT 1"), None)

    def select(self, wanted: Filter, after: int = 0, newest: int | None = None) -> list[Message]:
        """Return the matching messages after a number, up to `newest`, oldest first."""
        newest = self._newest if newest is None else newest
        asked = {"after": after, "newest": newest, "to": wanted.to, "type": wanted.type}
        found = self._messages(SELECT, asked)
        return [each for each in found if not wanted.q or mentions(each.payload, wanted.q)]

    async def wait(self, wanted: Filter, count: int, timeout: float) -> list[Message]:
        """Return the matching messages, oldest first, as soon as there are at least `count`.

        Raises TimeoutError if there are fewer after `timeout` seconds.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        found: list[Message] = []
        seen = 0
        while True:
            version, newest = self.changes.version, self._newest
            # Every message is searched only once, however many arrive later.
            found += await asyncio.to_thread(self.select, wanted, seen, newest)
            found = [each for each in found if each.number > self._deleted]
            if len(found) >= count:
                return found
            seen = newest
            try:
                async with asyncio.timeout_at(deadline):
                    await self.changes.wait(version)
                    await asyncio.sleep(0.01)  # a burst needs one query, not one for each message
            except TimeoutError:
                there = f"{len(found)} of {count} messages after {timeout:g} s"
                raise TimeoutError(there) from None

    def search(self, wanted: Filter) -> str | None:
        """Return the matching messages, in the form that `chats` and `chat` take as `found`."""
        if wanted == Filter():
            return None
        return json.dumps([each.number for each in self.select(wanted)])

    def chats(self, found: str | None, limit: int) -> list[Chat]:
        """Return the chats in which something was found, the one with the newest message first."""
        rows = self._read(SELECT_CHATS, {"found": found, "limit": limit})
        return [Chat(Message(*row), count, unread) for *row, count, unread in rows]

    def chat(self, to: str, found: str | None, before: str | None, limit: int) -> list[Message]:
        """Return the newest found messages to one recipient before an id, oldest first."""
        asked = {"to": to, "found": found, "before": before, "limit": limit}
        return list(self._messages(SELECT_CHAT, asked))[::-1]

    def unread(self) -> int:
        """Return how many messages are unread."""
        [[count]] = self._read(COUNT_UNREAD)
        return int(count)

    def mark_read(self, to: str) -> bool:
        """Mark the messages to a recipient as read; return whether there are any."""
        newest, read = self._read(SELECT_NEWEST, {"to": to}).fetchone()
        if newest != read:
            self._database.execute("INSERT OR REPLACE INTO reads VALUES (?, ?)", (to, newest))
            self.changes.notify()
        return newest is not None

    def refuse(self, request: str, refusal: Refusal, body: bytes) -> None:
        """Record a request that was refused."""
        text = body[:LONGEST_BODY].decode(errors="replace")
        self.refused.appendleft(
            Refused(self._clock(), request[:LONGEST_REQUEST], refusal.error(), text)
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
        payload = check(message.payload, lambda _: True)
        if (message.to, message.type) != (payload["to"], type_of(payload)):
            raise ValueError
    except (ValueError, RecursionError, Refusal):
        raise database.damaged(f"message {row[0]} is none of the sandbox") from None
    return message
