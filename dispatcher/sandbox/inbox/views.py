"""What the pages show: chats and messages, and the results of the gateway's checks of one."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from shlex import quote
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from dispatcher.bubbles.formatting import size
from dispatcher.bubbles.search import as_number
from dispatcher.sandbox.contract import CONTENT, LONGEST_TEXT, type_of
from dispatcher.sandbox.media import Media
from dispatcher.sandbox.store import Chat, Filter, Message, Store

PAGE: Final = 25
LONGEST_QUERY: Final = 200


@dataclass(frozen=True)
class Query:
    """The query of a page; `before` is the id of the message before which a page of a chat ends."""

    chat: str | None = None
    q: str = ""
    type: str = ""
    before: str | None = None
    chats: int = PAGE

    @property
    def filter(self) -> Filter:
        return Filter(type=self.type, q=as_number(self.q))

    def link(self, **changes: object) -> str:
        """Return the address of this page with some parameters changed."""
        asked = {**asdict(self), **changes}
        defaults = asdict(Query())
        changed = {name: it for name, it in asked.items() if it not in (defaults[name], "")}
        return "?" + urlencode(changed)


@dataclass(frozen=True)
class View:
    """What a page shows; `chat` is the recipient of the open chat."""

    chats: list[Chat]
    more_chats: bool
    chat: str | None
    messages: list[Message]
    earlier: str | None
    total: int
    unread: int


def query_of(parameters: Mapping[str, str]) -> Query:
    """Return the query of these parameters; invalid ones are ignored."""
    kind, chats = parameters.get("type", ""), parameters.get("chats", "")
    return Query(
        chat=parameters.get("chat") or None,
        q=parameters.get("q", "").strip()[:LONGEST_QUERY],
        type=kind if kind in CONTENT else "",
        before=parameters.get("before") or None,
        chats=int(chats) if re.fullmatch(r"[0-9]{1,6}", chats) else PAGE,
    )


def view_of(store: Store, query: Query) -> View:
    """Return what the page for this query shows; call it in a thread, as a search may take long."""
    found = store.search(query.filter)
    chats = store.chats(found, query.chats + 1)
    to = query.chat if query.chat and len(store) else chats[0].to if chats else None
    messages = store.chat(to, found, query.before, PAGE + 1) if to else []
    return View(
        chats=chats[: query.chats],
        more_chats=len(chats) > query.chats,
        chat=to,
        messages=messages[-PAGE:],
        earlier=messages[-PAGE].id if len(messages) > PAGE else None,
        total=len(store),
        unread=store.unread(),
    )


class Check(NamedTuple):
    """A check of the gateway and its result; `good` unless something has changed since."""

    name: str
    said: str
    good: bool = True


def checks(payload: Mapping[str, Any], get_media: Callable[[str], Media | None]) -> list[Check]:
    """Return all checks of this message."""
    kind = type_of(payload)
    return [
        Check("Token", "a Bearer token that is valid here"),
        _recipient(payload),
        Check("Type", kind if "type" in payload else f"{kind}, as none is named"),
        *(_text(payload) if kind == "text" else _media(payload[kind], get_media)),
    ]


def _recipient(payload: Mapping[str, Any]) -> Check:
    what = "digits-hyphen-digits: a group" if "-" in payload["to"] else "digits: a person"
    agrees = ", and recipient_type agrees" if "recipient_type" in payload else ""
    return Check("Recipient", what + agrees)


def _text(payload: Mapping[str, Any]) -> Iterator[Check]:
    length = len(payload["text"]["body"])
    yield Check("Text", f"{length} of {LONGEST_TEXT} characters, none of them a control character")
    if "preview_url" in payload:
        yield Check("Preview", "of a link is asked for" if payload["preview_url"] else "is off")


def _media(content: Mapping[str, Any], get_media: Callable[[str], Media | None]) -> Iterator[Check]:
    if "link" in content:
        yield Check("Link", f"an address at {urlsplit(content['link']).hostname}; not fetched here")
    else:
        yield _file(get_media(content["id"]))
    if "provider" in content:
        yield Check("Provider", f"{content['provider']['name']}; any name is known here")
    for name in ("caption", "filename"):
        if name in content:
            yield Check(name.capitalize(), f"{len(content[name])} characters, allowed here")


def _file(media: Media | None) -> Check:
    if media is None:
        return Check("File", "was uploaded then; has expired or was removed since", good=False)
    return Check("File", f"was uploaded: {media.content_type}, {size(media.size)}")


def curl(url: str, body: str) -> str:
    """Return a command that posts a message again, for a shell in which GREENAPI_TOKEN is set.

    The gateway keeps no token, so the command cannot name it.
    """
    return " \\\n  ".join(
        [
            f"curl {quote(f'{url}/v1/messages')}",
            '-H "Authorization: Bearer $GREENAPI_TOKEN"',
            "-H 'Content-Type: application/json'",
            f"--data-raw {quote(body)}",
        ]
    )
