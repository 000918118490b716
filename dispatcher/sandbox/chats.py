"""The kept messages by recipient, as an inbox shows them."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dispatcher.sandbox.messages import Message


@dataclass(slots=True)
class Chat:
    """What one recipient got, oldest first; `unread`: how many of the newest nobody looked at."""

    to: str
    messages: deque[Message] = field(default_factory=deque)
    unread: int = 0


class Chats:
    """Every chat that has a message; adding one costs the same however many there are."""

    def __init__(self) -> None:
        self._by_recipient: OrderedDict[str, Chat] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_recipient)

    def __iter__(self) -> Iterator[Chat]:
        """The chat with the newest message first."""
        return reversed(self._by_recipient.values())

    def get(self, to: str) -> Chat | None:
        return self._by_recipient.get(to)

    def add(self, message: Message) -> None:
        chat = self._by_recipient.get(message.to)
        if chat is None:
            chat = self._by_recipient[message.to] = Chat(message.to)
        else:
            self._by_recipient.move_to_end(message.to)
        chat.messages.append(message)
        chat.unread += 1

    def drop(self, message: Message) -> None:
        """Forgets the oldest message of a chat."""
        chat = self._by_recipient[message.to]
        chat.messages.popleft()
        chat.unread = min(chat.unread, len(chat.messages))
        if not chat.messages:
            del self._by_recipient[message.to]

    def clear(self) -> None:
        self._by_recipient.clear()
