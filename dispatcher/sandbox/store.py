"""The accepted messages, the refused requests, and counts of both."""

import asyncio
import json
import re
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from sqlite3 import Cursor
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from dispatcher.bubbles.search import mentions
from dispatcher.sandbox.contract import Refusal, check, type_of
from dispatcher.sandbox.database import Database

MOST_CHARACTERS: Final = 200_000_000
MOST_REFUSED: Final = 50
LONGEST_REQUEST: Final = 500
LONGEST_BODY: Final = 10_000
BATCH: Final = 100  # messages; SQLite is slow when called for each: benchmarks/sandbox.py
MESSAGE_ID: Final = re.compile(r"[0-9a-f]{20,}")

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
    AND (:to IS NULL OR recipient = :to) AND (:type IS NULL OR type = :type) ORDER BY number"""
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


class Message(NamedTuple):
    """One accepted message, as a row of the table."""

    number: int
    id: str
    received_at: float
    to: str
    type: str
    body: str  # as it came
    headers: str  # as a JSON object, without the token

    def view(self) -> dict[str, Any]:
        """Return what `GET /api/messages/{id}` returns."""
        return {
            "id": self.id,
            "received_at": moment(self.received_at),
            "to": self.to,
            "type": self.type,
            "payload": json.loads(self.body),
            "body": self.body,
            "headers": json.loads(self.headers),
        }


class Filter(NamedTuple):
    """Which messages to select; `q` is a text that the payload must mention."""

    to: str | None = None
    type: str | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """The messages to one recipient: the newest, how many there are, and how many are unread."""

    newest: Message
    count: int
    unread: int

    @property
    def to(self) -> str:
        return self.newest.to


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused request, the error in the answer, and the start of the body if it was read."""

    at: float
    request: str
    error: dict[str, Any]
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
        self._unwritten: deque[Message] = deque()
        self._writing = threading.Lock()
        database.execute(
            "CREATE TEMP TABLE IF NOT EXISTS reads (recipient TEXT PRIMARY KEY, read INTEGER)"
        )
        for row in database.rows("messages"):
            message = Message(*row)
            if not _is_ours(message):
                raise database.damaged(f"message {message.number} is none of the sandbox")
            self._keep(message)
        self._write()

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, to: str, type: str, body: str, headers: Iterable[tuple[bytes, bytes]]) -> Message:
        """Store a message under a new id, and delete the oldest if there are too many."""
        number = self._newest + 1
        id = f"{self._run}{number:08x}"
        message = Message(number, id, self._clock(), to, type, body, _readable(headers))
        self._unwritten.append(message)
        self._keep(message)
        # Large messages do not wait for a batch: `MOST_CHARACTERS` is to limit all of them.
        if self._database.is_file or len(self._unwritten) >= BATCH or len(body) > LONGEST_BODY:
            self._write()
        self.changes.notify()
        return message

    def _keep(self, message: Message) -> None:
        self._lengths.append((message.number, len(message.body)))
        self._characters += len(message.body)
        while len(self._lengths) > self._most or self._characters > MOST_CHARACTERS:
            self._deleted, length = self._lengths.popleft()
            self._characters -= length
        self._newest = message.number

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
        rows = self._read("SELECT * FROM messages WHERE id = ?", (id,))
        return next(map(Message._make, rows), None)

    def latest(self) -> Message | None:
        rows = self._read("SELECT * FROM messages ORDER BY number DESC LIMIT 1")
        return next(map(Message._make, rows), None)

    def select(self, wanted: Filter, after: int = 0, newest: int | None = None) -> list[Message]:
        """Return the matching messages after a number, up to `newest`, oldest first."""
        newest = self._newest if newest is None else newest
        asked = {"after": after, "newest": newest, "to": wanted.to, "type": wanted.type}
        found = map(Message._make, self._read(SELECT, asked))
        if not wanted.q:
            return list(found)
        return [each for each in found if mentions(json.loads(each.body), wanted.q)]

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
        if not any(wanted):
            return None
        return json.dumps([each.number for each in self.select(wanted)])

    def chats(self, found: str | None, limit: int) -> list[Chat]:
        """Return the chats in which something was found, the one with the newest message first."""
        rows = self._read(SELECT_CHATS, {"found": found, "limit": limit})
        return [Chat(Message(*row), count, unread) for *row, count, unread in rows]

    def chat(self, to: str, found: str | None, before: str | None, limit: int) -> list[Message]:
        """Return the newest found messages to one recipient before an id, oldest first."""
        asked = {"to": to, "found": found, "before": before, "limit": limit}
        return list(map(Message._make, self._read(SELECT_CHAT, asked)))[::-1]

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
        [error] = refusal.body()["errors"]
        text = body[:LONGEST_BODY].decode(errors="replace")
        self.refused.appendleft(Refused(self._clock(), request[:LONGEST_REQUEST], error, text))
        self.refused_total += 1
        self.changes.notify()


def moment(timestamp: float) -> str:
    """Return a POSIX timestamp as ISO 8601 in UTC, to the millisecond."""
    written = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")


def _readable(headers: Iterable[tuple[bytes, bytes]]) -> str:
    readable = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return to_json(readable | {"authorization": "Bearer ***"}).decode()


def _is_ours(message: Message) -> bool:
    """Whether the sandbox may have written this row."""
    try:
        payload = check(json.loads(message.body), lambda _: True)
        moment(message.received_at)
        for name, value in json.loads(message.headers).items():
            (name + value).encode("latin-1")
        return (
            0 < message.number < 2**62
            and MESSAGE_ID.fullmatch(message.id) is not None
            and (message.to, message.type) == (payload["to"], type_of(payload))
            and isinstance(message.body, str)
        )
    except (ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError, Refusal):
        return False
