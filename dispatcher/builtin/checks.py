"""Checks that hold at every gateway: empty texts, links, files that do not fit.

What an address looks like is checked by the transport: see `Transport.check`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import BaseModel

from dispatcher import (
    Attachment,
    Content,
    Link,
    Message,
    Problem,
    Upload,
    hidden_character,
    hookimpl,
)

# Unicode's category Cc, except line breaks and tabs.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CAPTION_SHOWN = 1024
_MOST_BYTES = 240  # of a file's name in UTF-8; file systems allow 255, some fewer


@hookimpl
def dispatcher_validate_message(
    message: Message, attachment: Attachment | None
) -> Iterator[Problem]:
    yield from _check_texts(message)
    if attachment is None:
        return
    if isinstance(attachment, Link):
        yield from _check_link(message, attachment)
    if isinstance(attachment, Upload):
        yield from _check_file(message, attachment)


def _check_texts(message: Message) -> Iterator[Problem]:
    for path, text in _texts(message.content):
        where, (*above, key) = f"{message.type}.{path}", path.split(".")
        name = "provider.name" if path.endswith("provider.name") else key
        if key.isdecimal():
            name = (
                f"an entry of {next((e for e in above[::-1] if not e.isdecimal()), message.type)}"
            )
        if not text.strip():
            yield Problem(message=f"{name} is empty", where=where)
        elif reason := _NAMES.get(name, _why_no_text)(text):
            yield Problem(message=f"{name} {reason}", where=where)
        if key == "caption" and len(text) > _CAPTION_SHOWN:
            yield Problem(
                message=f"caption has {len(text)} characters; it may be cut at {_CAPTION_SHOWN}",
                where=where,
                severity="warning",
            )


def _why_no_text(text: str) -> str | None:
    bad = _CONTROL.search(text)
    return bad and f"holds a control character (U+{ord(bad[0]):04X})"


def _why_no_name(name: str) -> str | None:
    found = hidden_character(name)
    return found and f"holds {found}"


def _why_no_file_name(name: str) -> str | None:
    if reason := _why_no_name(name):
        return reason
    if set(name) & set("/\\"):
        return "is a name, not a path"
    size = len(name.encode(errors="replace"))
    return f"is longer than {_MOST_BYTES} bytes ({size})" if size > _MOST_BYTES else None


# People see these on one line, and their telephones use them as file names.
_NAMES = {"filename": _why_no_file_name, "provider.name": _why_no_name}


def _texts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text that a content was given, with its path: "provider.name", "options.1"."""
    if isinstance(value, Content) and value.list_field:
        value = getattr(value, value.list_field)
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, BaseModel):
        for key in value.model_fields_set:
            yield from _texts(getattr(value, key), f"{path}.{key}" if path else key)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _texts(each, f"{path}.{number}" if path else str(number))
    elif isinstance(value, (set, frozenset)):  # which has another order than the list
        for each in value:
            yield from _texts(each, path)


def _check_link(message: Message, link: Link) -> Iterator[Problem]:
    where = _origin(message)
    if not link.url.strip():
        return  # see `_check_texts`
    try:
        parts = urlsplit(link.url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", link.url):
        yield Problem(message=f'"{link.url[:100]}" is not an http or https link', where=where)


def _check_file(message: Message, upload: Upload) -> Iterator[Problem]:
    reason = _why_no_file_name(upload.filename)
    if reason is not None:
        yield Problem(message=f"the file's name {reason}", where=_origin(message))
    media, family = message.media, upload.mime_type.partition("/")[0]
    expected = media and media.family
    if expected and family != expected and family in ("image", "video", "audio", "text"):
        yield Problem(
            message=f"{upload.filename} is {upload.mime_type}, not {expected}",
            where=_origin(message),
            severity="warning",
        )
    if media is not None and media.provider is not None:
        yield Problem(
            message="provider goes with a link, but the source is a file to upload",
            where=f"{message.media_path}.provider",
        )


def _origin(message: Message) -> str:
    media = message.media
    key = "source" if media is not None and media.source is not None else "link"
    return f"{message.media_path}.{key}"
