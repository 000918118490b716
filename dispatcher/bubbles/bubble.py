"""Turns a bubble into what a page shows of it, and a gateway's payload into a bubble."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from markupsafe import Markup

from dispatcher.bubbles import Bubble, BubbleFile, Family
from dispatcher.bubbles.formatting import formatted, plain, printable, short, size

LONGEST: Final = 10_000  # characters that a bubble shows; a text has at most 4096
MOST_LINES: Final = 100
# What a page may load and a browser shows or plays without running any of it.
SHOWN: Final[Mapping[Family, tuple[str, ...]]] = {
    "image": ("image/png", "image/jpeg", "image/gif", "image/webp"),
    "video": ("video/mp4", "video/webm", "video/3gpp"),
    "audio": ("audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/wav", "audio/webm"),
}


@dataclass(frozen=True)
class File:
    """An uploaded file: where a page finds it, and what is known of it."""

    url: str
    content_type: str
    size: int
    name: str = ""


Find = Callable[[str], File | None]


@dataclass(frozen=True)
class ShownFile:
    """The file of a bubble; the page loads it from `url`, the gateway from `link`.

    `element` is that of HTML which shows it, or None.
    """

    name: str
    details: str
    url: str | None = None
    link: str | None = None
    provider: str | None = None
    element: str | None = None


@dataclass(frozen=True)
class ShownBubble:
    """What a page shows of a bubble."""

    kind: str
    label: str
    text: Markup
    lines: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    file: ShownFile | None = None


def shown(bubble: Bubble, kind: str, find: Find) -> ShownBubble:
    """Return what a page shows; `find` returns an uploaded file for its id."""
    return ShownBubble(
        kind,
        short(bubble.label),
        _formatted(bubble.text),
        tuple(map(short, bubble.lines[:MOST_LINES])),
        tuple(map(short, bubble.buttons[:MOST_LINES])),
        _file(bubble.file, find) if bubble.file is not None else None,
    )


def shown_payload(payload: object, find: Find) -> ShownBubble:
    """Return what a page shows of a payload, which may be any JSON."""
    bubble = bubble_of(payload)
    return _unknown(payload) if bubble is None else shown(bubble, _kind(_table(payload)), find)


def bubble_of(payload: object) -> Bubble | None:
    """Return the bubble of a payload with a text or a file under the name of its kind, or None."""
    table = _table(payload)
    kind = _kind(table)
    content = _table(table.get(kind))
    if isinstance(content.get("body"), str):
        return Bubble("", text=content["body"])
    id, link = _string(content, "id"), _string(content, "link")
    if not id and not link:
        return None
    file = BubbleFile(
        id=id,
        link=link or None,
        provider=_string(_table(content.get("provider")), "name"),
        name=_string(content, "filename"),
        shown_as=next((family for family in SHOWN if family == kind), None),
    )
    return Bubble(kind.replace("_", " ").capitalize(), text=_string(content, "caption"), file=file)


def summary_of(bubble: Bubble | None) -> str:
    """Return a bubble in a few words, as a list of chats shows it."""
    if bubble is None:
        return "Other"
    name = bubble.file.name if bubble.file is not None else None
    words = next(filter(None, (bubble.text, *bubble.lines[:1], name)), "")
    line = short(" ".join(words[:400].replace("```", "").split()), 120)
    return " · ".join(filter(None, (short(bubble.label), line)))


def _file(said: BubbleFile, find: Find) -> ShownFile:
    if said.link is not None:
        return _linked(said.name or "", said.link, said.provider or "")
    id = said.id or ""
    file = find(id)
    if file is None:
        return ShownFile(short(said.name or id), "The file is not here: expired or removed")
    details = f"{_extension(file)} · {size(file.size)}".removeprefix(" · ")
    name = short(said.name or file.name or id)
    type = file.content_type.partition(";")[0].strip().lower()
    element = said.shown_as if said.shown_as and type in SHOWN[said.shown_as] else None
    return ShownFile(name, short(details), file.url, element=element)


def _linked(filename: str, link: str, provider: str) -> ShownFile:
    """Return the file of a link. Only the gateway fetches it: pages work without a network."""
    try:
        parts = urlsplit(link)
        path, host = unquote(parts.path, errors="replace"), parts.hostname or ""
    except ValueError:
        path = host = ""
    is_web = link.lower().startswith(("http://", "https://"))
    return ShownFile(
        name=short(filename or path.rstrip("/").rpartition("/")[2] or host or link),
        details=short(f"Fetched by the gateway from {host or link}"),
        link=printable(link) if is_web and len(link) <= LONGEST else None,
        provider=short(provider) or None,
    )


def _unknown(payload: object) -> ShownBubble:
    encoder = json.JSONEncoder(ensure_ascii=False, indent=2, default=str)
    written = _beginning(encoder.iterencode(payload))
    return ShownBubble("other", "Other", Markup("<pre>{}</pre>").format(plain(written)))


def _beginning(pieces: Iterable[str]) -> str:
    """Return as much of a text that comes in pieces as a bubble shows."""
    written = ""
    for piece in pieces:
        written += piece[: LONGEST + 1]
        if len(written) > LONGEST:
            return f"{written[:LONGEST]}…"
    return written


def _formatted(text: str) -> Markup:
    """Return the text with its marks; if it is too long, its beginning and how much is left out."""
    left_out = len(text) - LONGEST
    if left_out <= 0:
        return formatted(text)
    more = Markup("<p>… {} more characters</p>").format(left_out)
    return formatted(text[:LONGEST]) + more


def _extension(file: File) -> str:
    extension = file.name.rpartition(".")[2] if "." in file.name else ""
    return extension.upper() or file.content_type


def _kind(table: Mapping[str, Any]) -> str:
    return _string(table, "type") or "text"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""
