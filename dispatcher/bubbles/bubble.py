"""Turns a message's payload into what its bubble shows. Takes any JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from markupsafe import Markup

from dispatcher.bubbles.formatting import formatted, plain, printable, short, size

KINDS: Final[Mapping[str, str]] = {
    "image": "Photo",
    "video": "Video",
    "audio": "Audio",
    "document": "Document",
}
WORDS: Final = ("body", "caption", "filename")
LONGEST: Final = 10_000  # characters that a bubble shows; a text has at most 4096
# What a page may load and a browser shows or plays without running any of it.
SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
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
class BubbleFile:
    """The file of a bubble; the page loads it from `url`, the gateway from `link`."""

    name: str
    details: str
    url: str | None = None
    link: str | None = None
    provider: str | None = None
    is_shown: bool = False


@dataclass(frozen=True)
class Bubble:
    """What a bubble shows: `text` is the body or the caption."""

    kind: str
    label: str
    text: Markup
    file: BubbleFile | None = None


def bubble_of(payload: object, find: Find) -> Bubble:
    """Return the bubble of a payload; `find` returns an uploaded file for its id."""
    table = _table(payload)
    kind = _string(table, "type") or "text"
    content = _table(table.get(kind))
    if kind == "text" and isinstance(content.get("body"), str):
        return Bubble(kind, "Text", _formatted(content["body"]))
    if kind not in KINDS:
        return _unknown(payload)
    text = _formatted(_string(content, "caption"))
    return Bubble(kind, KINDS[kind], text, _file(kind, content, find))


def summary_of(payload: object) -> str:
    """Return a payload in a few words, as a list of chats shows it."""
    table = _table(payload)
    kind = _string(table, "type") or "text"
    content = _table(table.get(kind))
    words = next(filter(None, (_string(content, name) for name in WORDS)), "")
    line = short(" ".join(words[:400].replace("```", "").split()), 120)
    label = "" if kind == "text" else KINDS.get(kind, "Other")
    return " · ".join(filter(None, (label, line)))


def _file(kind: str, content: Mapping[str, Any], find: Find) -> BubbleFile:
    filename = _string(content, "filename")
    if "link" in content:
        return _linked(filename, _string(content, "link"), _table(content.get("provider")))
    id = _string(content, "id")
    file = find(id)
    if file is None:
        return BubbleFile(short(filename or id), "The file is not here: expired or removed")
    details = f"{_extension(file)} · {size(file.size)}".removeprefix(" · ")
    name = short(filename or file.name or id)
    shown = file.content_type.partition(";")[0].strip().lower() in SHOWN.get(kind, ())
    return BubbleFile(name, short(details), file.url, is_shown=shown)


def _linked(filename: str, link: str, provider: Mapping[str, Any]) -> BubbleFile:
    """Return the file of a link. Only the gateway fetches it: pages work without a network."""
    try:
        parts = urlsplit(link)
        path, host = unquote(parts.path, errors="replace"), parts.hostname or ""
    except ValueError:
        path = host = ""
    is_web = link.lower().startswith(("http://", "https://"))
    return BubbleFile(
        name=short(filename or path.rstrip("/").rpartition("/")[2] or host or link),
        details=short(f"Fetched by the gateway from {host or link}"),
        link=printable(link) if is_web and len(link) <= LONGEST else None,
        provider=short(_string(provider, "name")) or None,
    )


def _unknown(payload: object) -> Bubble:
    encoder = json.JSONEncoder(ensure_ascii=False, indent=2, default=str)
    written = _beginning(encoder.iterencode(payload))
    return Bubble("other", "Other", Markup("<pre>{}</pre>").format(plain(written)))


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


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""
