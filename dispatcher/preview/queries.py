"""Which recipients and messages a page shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlencode

from dispatcher.bubbles.search import as_number, mentions
from dispatcher.planning import Draft

PAGE: Final = 200
LONGEST_QUERY: Final = 200
PROBLEMS: Final = "problems"

Chats = Mapping[str, list[Draft]]


@dataclass(frozen=True)
class Query:
    """The query of a page; `only` is "problems" for the messages that have some."""

    chat: str | None = None
    q: str = ""
    only: str = ""
    chats: int = PAGE

    @property
    def is_search(self) -> bool:
        return bool(self.q or self.only)

    def finds(self, draft: Draft) -> bool:
        """Whether the search finds a message: in what is posted, or by its id or manifest."""
        message = draft.planned.message
        words = {"payload": draft.planned.payload, "id": message.id, "manifest": message.manifest}
        return bool(draft.problems or not self.only) and mentions(words, as_number(self.q))

    def link(self, **changes: object) -> str:
        """Return the address of this page with some parameters changed."""
        asked = {**asdict(self), **changes}
        defaults = asdict(Query())
        return "/?" + urlencode({name: it for name, it in asked.items() if it != defaults[name]})


def query_of(parameters: Mapping[str, str]) -> Query:
    """Return the query of a query string; invalid parameters are ignored."""
    chats = parameters.get("chats", "")
    return Query(
        chat=parameters.get("chat") or None,
        q=parameters.get("q", "").strip()[:LONGEST_QUERY],
        only=PROBLEMS if parameters.get("only") == PROBLEMS else "",
        chats=int(chats) if re.fullmatch(r"[0-9]{1,6}", chats) else PAGE,
    )


def matching(chats: Chats, query: Query) -> Chats:
    """Return the recipients with a message that the query finds, each with those messages."""
    if not query.is_search:
        return chats
    found = {to: list(filter(query.finds, drafts)) for to, drafts in chats.items()}
    return {to: drafts for to, drafts in found.items() if drafts}
