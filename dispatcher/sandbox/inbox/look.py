"""Which chats and messages a page shows: the newest few, whatever is kept."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import Final

from dispatcher.bubbles.finding import as_number
from dispatcher.sandbox.chats import Chat, Chats
from dispatcher.sandbox.contract import CONTENT
from dispatcher.sandbox.messages import Filter, Message, Messages

PAGE: Final = 25
LONGEST_QUERY: Final = 200


@dataclass(frozen=True)
class Wanted:
    """What a page was asked for; `before`: an id, for the page of earlier messages."""

    chat: str | None = None
    q: str = ""
    type: str = ""
    before: str | None = None
    chats: int = PAGE

    @property
    def filter(self) -> Filter:
        return Filter(type=self.type or None, q=as_number(self.q) or None)


@dataclass(frozen=True)
class Row:
    """A chat in the list, its newest message that matches, and how many do."""

    chat: Chat
    newest: Message
    count: int


@dataclass(frozen=True)
class View:
    """What a page shows; `chat` is the one that is open."""

    rows: list[Row]
    more_chats: bool
    chat: str | None
    messages: list[Message]
    earlier: str | None
    total: int
    unread: int


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """What a query string asks for; what it cannot ask for is left out."""
    kind, chats = query.get("type", ""), query.get("chats", "")
    return Wanted(
        chat=query.get("chat") or None,
        q=query.get("q", "").strip()[:LONGEST_QUERY],
        type=kind if kind in CONTENT else "",
        before=query.get("before") or None,
        chats=int(chats) if re.fullmatch(r"[0-9]{1,6}", chats) else PAGE,
    )


def look(kept: Messages, wanted: Wanted) -> View:
    """What a page shows of the kept messages."""
    rows = _rows(kept.chats) if wanted.filter == Filter() else _found(kept, wanted.filter)
    shown = list(islice(rows, wanted.chats + 1))
    chat = wanted.chat if wanted.chat and len(kept) else shown[0].chat.to if shown else None
    messages = _page(kept.chats.get(chat) if chat else None, wanted)
    return View(
        rows=shown[: wanted.chats],
        more_chats=len(shown) > wanted.chats,
        chat=chat,
        messages=messages[-PAGE:],
        earlier=messages[-PAGE].id if len(messages) > PAGE else None,
        total=len(kept),
        unread=sum(each.unread for each in kept.chats),
    )


def _rows(chats: Chats) -> Iterable[Row]:
    return (Row(chat, chat.messages[-1], len(chat.messages)) for chat in chats)


def _found(kept: Messages, filter: Filter) -> Iterable[Row]:
    found: dict[str, list[Message]] = {}
    for message in reversed(kept.select(filter)):
        found.setdefault(message.to, []).append(message)
    for to, messages in found.items():
        if chat := kept.chats.get(to):
            yield Row(chat, messages[0], len(messages))


def _page(chat: Chat | None, wanted: Wanted) -> list[Message]:
    """The newest messages of a chat, oldest first: one more than a page, if there are more."""
    if chat is None:
        return []
    newest: Iterable[Message] = reversed(chat.messages)
    if wanted.before is not None:
        newest = islice(dropwhile(lambda each: each.id != wanted.before, newest), 1, None)
    matching = newest if wanted.filter == Filter() else filter(wanted.filter, newest)
    return list(islice(matching, PAGE + 1))[::-1]
