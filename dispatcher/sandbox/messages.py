"""The messages that the gateway accepted, oldest first, as many as are kept."""

import asyncio
import itertools
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from dispatcher.bubbles.finding import mentions
from dispatcher.sandbox.changes import ChangeNotifier
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
        """What `GET /api/messages/{id}` answers; the token stays secret."""
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


MOST_CHARACTERS: Final = 200_000_000


def selected(messages: Iterable[Message], wanted: Filter) -> list[Message]:
    """Those that match, in their order. Where it reads many payloads, it is work for a thread."""
    return list(messages if wanted == Filter() else filter(wanted, messages))


class Messages:
    """Keeps the newest `most` messages; adding one costs the same however many are held.

    Of large ones it keeps fewer: all bodies together have at most `MOST_CHARACTERS`.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float],
        changes: ChangeNotifier | None = None,
        storage: "Storage | None" = None,
    ) -> None:
        self.chats = Chats()
        self._most = most
        self._clock = clock
        self._by_id: OrderedDict[str, Message] = OrderedDict()
        self._changes = changes or ChangeNotifier()
        self._run = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._storage = storage
        self._characters = 0
        self._forgotten = 0
        for message in storage.load() if storage else ():
            self._keep(message)

    def add(self, to: str, type: str, body: str, headers: list[tuple[bytes, bytes]]) -> Message:
        """Keeps a message under a new id, drops the oldest of too many, wakes who waits."""
        id = f"{self._run}{next(self._numbers):08x}"
        message = Message(id, self._clock(), to, type, body, headers)
        if self._storage:
            self._storage.add(message)
        self._keep(message)
        self._changes.notify()
        return message

    def _keep(self, message: Message) -> None:
        self._by_id[message.id] = message
        self.chats.add(message)
        self._characters += len(message.body)
        while len(self._by_id) > self._most or self._characters > MOST_CHARACTERS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, oldest = self._by_id.popitem(last=False)
        self.chats.drop(oldest)
        self._characters -= len(oldest.body)
        self._forgotten += 1
        if self._storage:
            self._storage.drop(oldest)

    def get(self, id: str) -> Message | None:
        return self._by_id.get(id)

    def latest(self) -> Message | None:
        return next(reversed(self._by_id.values()), None)

    def clear(self) -> None:
        self._forgotten += len(self._by_id)
        self._characters = 0
        self._by_id.clear()
        self.chats.clear()
        if self._storage:
            self._storage.clear()
        self._changes.notify()

    def mark_read(self, to: str) -> bool:
        """Somebody looked at all messages of a chat; says whether there is one."""
        chat = self.chats.get(to)
        if chat is not None and chat.unread:
            chat.unread = 0
            self._changes.notify()
        return chat is not None

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Message]:
        """The messages, oldest first, as they are now."""
        return list(self._by_id.values())

    async def wait(self, wanted: Filter, count: int) -> list[Message]:
        """The matching messages, oldest first, as soon as there are at least `count`."""
        newest, forgotten = None, self._forgotten
        found: list[Message] = []
        while True:
            arrived = self._since(newest)  # each is looked at once, however often others arrive
            newest = arrived[-1] if arrived else newest
            found += selected(arrived, wanted)
            if forgotten != self._forgotten:
                found = [each for each in found if each.id in self._by_id]
                forgotten = self._forgotten
            if len(found) >= count:
                return found
            await self._changes.wait()
            await asyncio.sleep(0.01)  # a burst of arrivals is counted once, not once a message

    def _since(self, last: Message | None) -> list[Message]:
        """The messages that came after this one, or all if it is not kept any longer."""
        newest_first = reversed(self._by_id.values())
        return list(takewhile(lambda each: each is not last, newest_first))[::-1]


def moment(timestamp: float) -> str:
    """A POSIX timestamp as ISO 8601 in UTC, to the millisecond."""
    written = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")
