"""Which chats and messages a page shows: the newest few, whatever is kept."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import Final, TypeAlias

from dispatcher.bubbles.finding import as_number
from dispatcher.sandbox.chats import Chat, Chats
from dispatcher.sandbox.contract import CONTENT
from dispatcher.sandbox.messages import Filter, Message, Messages, selected

PAGE: Final = 25
LONGEST_QUERY: Final = 200

Found: TypeAlias = dict[str, list[Message]]


@dataclass(frozen=True)
class Query:
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


def query_of(given: Mapping[str, str]) -> Query:
    """What a query string asks for; what it cannot ask for is left out."""
    kind, chats = given.get("type", ""), given.get("chats", "")
    return Query(
        chat=given.get("chat") or None,
        q=given.get("q", "").strip()[:LONGEST_QUERY],
        type=kind if kind in CONTENT else "",
        before=given.get("before") or None,
        chats=int(chats) if re.fullmatch(r"[0-9]{1,6}", chats) else PAGE,
    )


async def look(kept: Messages, query: Query) -> View:
    """What a page shows of the kept messages; searching them is done beside the gateway's work."""
    found = None
    if query.filter != Filter():
        found = await asyncio.to_thread(_by_chat, kept.all(), query.filter)
    rows = _rows(kept.chats) if found is None else _found(kept.chats, found)
    shown = list(islice(rows, query.chats + 1))
    chat = query.chat if query.chat and len(kept) else shown[0].chat.to if shown else None
    messages = _page(_newest_first(kept.chats, found, chat), query.before)
    return View(
        rows=shown[: query.chats],
        more_chats=len(shown) > query.chats,
        chat=chat,
        messages=messages[-PAGE:],
        earlier=messages[-PAGE].id if len(messages) > PAGE else None,
        total=len(kept),
        unread=sum(each.unread for each in kept.chats),
    )


def _by_chat(messages: list[Message], wanted: Filter) -> Found:
    """The messages that match, newest first, by recipient."""
    found: Found = {}
    for message in reversed(selected(messages, wanted)):
        found.setdefault(message.to, []).append(message)
    return found


def _rows(chats: Chats) -> Iterable[Row]:
    return (Row(chat, chat.messages[-1], len(chat.messages)) for chat in chats)


def _found(chats: Chats, found: Found) -> Iterable[Row]:
    for to, messages in found.items():
        if chat := chats.get(to):
            yield Row(chat, messages[0], len(messages))


def _newest_first(chats: Chats, found: Found | None, to: str | None) -> Iterable[Message]:
    if to is None:
        return ()
    if found is not None:
        return found.get(to, ())
    chat = chats.get(to)
    return reversed(chat.messages) if chat else ()


def _page(newest: Iterable[Message], before: str | None) -> list[Message]:
    """The newest of these, oldest first: one more than a page, if there are more."""
    if before is not None:
        newest = islice(dropwhile(lambda each: each.id != before, newest), 1, None)
    return list(islice(newest, PAGE + 1))[::-1]
