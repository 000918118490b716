"""The messages that the gateway accepted, oldest first, as many as are kept."""

import asyncio
import itertools
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dispatcher.bubbles.finding import mentions
from dispatcher.sandbox.bell import Bell
from dispatcher.sandbox.chats import Chats

if TYPE_CHECKING:
    from dispatcher.sandbox.storage import Storage


@dataclass(slots=True)
class Message:
    """One accepted message: the body as it came, and what is asked for most often out of it."""

    id: str
    received_at: float
    to: str
    type: str
    body: str
    headers: list[tuple[bytes, bytes]]

    def view(self) -> dict[str, Any]:
        """What `GET /api/messages/{id}` answers (DESIGN, "The sandbox"); the token stays secret."""
        return {
            "id": self.id,
            "received_at": moment(self.received_at),
            "to": self.to,
            "type": self.type,
            "payload": json.loads(self.body),
            "body": self.body,
            "headers": self.readable_headers(),
        }

    def readable_headers(self) -> dict[str, str]:
        """The headers that came with it, but for the token."""
        readable = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        return readable | {"authorization": "Bearer ***"}


@dataclass(frozen=True)
class Filter:
    """Which messages are wanted; `q`: a text that the payload mentions."""

    to: str | None = None
    type: str | None = None
    q: str | None = None

    def __call__(self, message: Message) -> bool:
        return (
            self.to in (None, message.to)
            and self.type in (None, message.type)
            and (not self.q or mentions(json.loads(message.body), self.q))
        )


class Messages:
    """Keeps the newest `most` messages; adding one costs the same however many are held."""

    def __init__(
        self,
        most: int,
        clock: Callable[[], float],
        bell: Bell | None = None,
        storage: "Storage | None" = None,
    ) -> None:
        self.chats = Chats()
        self._most = most
        self._clock = clock
        self._by_id: OrderedDict[str, Message] = OrderedDict()
        self._bell = bell or Bell()
        self._run = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._storage = storage
        for message in storage.load() if storage else ():
            self._keep(message)

    def add(self, to: str, type: str, body: str, headers: list[tuple[bytes, bytes]]) -> Message:
        """Keeps a message under a new id, drops the oldest of too many, wakes who waits."""
        id = f"{self._run}{next(self._numbers):08x}"
        message = Message(id, self._clock(), to, type, body, headers)
        if self._storage:
            self._storage.add(message)
        self._keep(message)
        self._bell.ring()
        return message

    def _keep(self, message: Message) -> None:
        self._by_id[message.id] = message
        self.chats.add(message)
        if len(self._by_id) > self._most:
            _, oldest = self._by_id.popitem(last=False)
            self.chats.drop(oldest)
            if self._storage:
                self._storage.drop(oldest)

    def get(self, id: str) -> Message | None:
        return self._by_id.get(id)

    def latest(self) -> Message | None:
        return next(reversed(self._by_id.values()), None)

    def clear(self) -> None:
        self._by_id.clear()
        self.chats.clear()
        if self._storage:
            self._storage.clear()
        self._bell.ring()

    def mark_read(self, to: str) -> bool:
        """Somebody looked at all messages of a chat; says whether there is one."""
        chat = self.chats.get(to)
        if chat is not None and chat.unread:
            chat.unread = 0
            self._bell.ring()
        return chat is not None

    def __len__(self) -> int:
        return len(self._by_id)

    def select(self, wanted: Filter) -> list[Message]:
        """The messages that match, oldest first."""
        if wanted == Filter():
            return list(self._by_id.values())
        return [message for message in self._by_id.values() if wanted(message)]

    async def wait(self, wanted: Filter, count: int) -> None:
        """Returns when at least `count` matching messages are there."""
        while self._count(wanted) < count:
            await self._bell.wait()
            await asyncio.sleep(0.01)  # a burst of arrivals is counted once, not once a message

    def _count(self, wanted: Filter) -> int:
        return len(self._by_id) if wanted == Filter() else len(self.select(wanted))


def moment(timestamp: float) -> str:
    """A POSIX timestamp as ISO 8601 in UTC, to the millisecond."""
    written = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")
