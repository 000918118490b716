"""What an instance accepts (Green API, "SendMessage", "SendFileByUrl", "Chat id").

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from dispatcher import Attachment, Problem, Upload, encode
from dispatcher.http.files import MIME_TYPE

MAX_TEXT = 20_000  # characters; "SendMessage", `message`
# Characters. "SendFileByUrl" says 20000; Green API's support says that WhatsApp has 1024, and that
# a longer caption is answered with status 500, which leaves it open whether the message went.
MAX_CAPTION = 1024
MAX_FILE = 100_000_000  # bytes; "UploadFile"

_CHAT = re.compile(r"[1-9][0-9]{6,14}@c\.us|[0-9]+(-[0-9]+)?@g\.us|[0-9]+@lid")
_CONTENTS = ("image", "video", "audio", "document")
_PREVIEWS = ("linkPreview", "typePreview", "customPreview")
_FIELDS = {
    "message": ("chatId", "message", "quotedMessageId", "typingTime", *_PREVIEWS),
    "urlFile": ("chatId", "urlFile", "fileName", "caption", "quotedMessageId"),
}


def check(payload: object, attachment: Attachment | None) -> list[Problem]:
    """Every way in which a payload breaks the gateway's contract; none: it may be posted."""
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    foreign = list(_foreign(payload))
    return [
        *foreign,
        *_chat(payload.get("chatId")),
        *([] if foreign else _content(payload)),
        *_lengths(payload),
        *_file(attachment),
        *_json(payload),
    ]


def _foreign(payload: dict[Any, Any]) -> Iterator[Problem]:
    """What only other gateways have: credentials for links, and ids of their own."""
    for kind in _CONTENTS:
        fields = payload.get(kind)
        for key in fields if isinstance(fields, dict) else ():
            what = {"id": "media ids; it takes links and files"}.get(key, str(key)[:60])
            yield Problem(message=f"greenapi-instance has no {what}", where=f"{kind}.{key}")


def _chat(chat: object) -> Iterator[Problem]:
    if not isinstance(chat, str) or not _CHAT.fullmatch(chat):
        yield Problem(
            message="the recipient is neither a phone number (7 to 15 digits with the country code,"
            " 79001234567) nor a group id (120363043968066561, 79001234567-1581234048)",
            where="to",
        )


def _content(payload: dict[Any, Any]) -> Iterator[Problem]:
    kinds = [kind for kind in _FIELDS if kind in payload]
    if len(kinds) != 1:
        yield Problem(message="needs either a text or a file")
        return
    for key in payload:
        if key not in _FIELDS[kinds[0]]:
            yield Problem(message=f"greenapi-instance has no field {str(key)[:60]!r} here")
    if "linkPreview" in payload and not isinstance(payload["linkPreview"], bool):
        yield Problem(message="must be true or false", where="preview_url")
    yield from _text(payload) if kinds == ["message"] else _url(payload)


def _text(payload: dict[Any, Any]) -> Iterator[Problem]:
    if not isinstance(payload["message"], str) or not payload["message"]:
        yield Problem(message="the text is empty", where="text.body")


def _url(payload: dict[Any, Any]) -> Iterator[Problem]:
    url, name = payload["urlFile"], payload.get("fileName")
    if not isinstance(url, str) or not (_is_link(url) or url.startswith("upload:sha256:")):
        yield Problem(message="the link must begin with http:// or https:// and a host")
    if not isinstance(name, str) or not re.fullmatch(r".+\.\w+", name, re.DOTALL):
        yield Problem(message="the file's name needs an extension, which decides how it is shown")


def _is_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
        clean = url.isprintable() and " " not in url
        return clean and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _lengths(payload: dict[Any, Any]) -> Iterator[Problem]:
    for key, where, most in (
        ("message", "text.body", MAX_TEXT),
        ("caption", "caption", MAX_CAPTION),
    ):
        value = payload.get(key, "")
        if not isinstance(value, str):
            yield Problem(message=f"the {key} must be text", where=where)
        elif len(value) > most:
            yield Problem(
                message=f"the {key} has {len(value)} characters; at most {most} are allowed",
                where=where,
            )


def _file(attachment: Attachment | None) -> Iterator[Problem]:
    if not isinstance(attachment, Upload):
        return
    if not 0 < attachment.size <= MAX_FILE:
        yield Problem(
            message=f"the file has {attachment.size} bytes; 1 to {MAX_FILE} are allowed",
        )
    if not MIME_TYPE.fullmatch(attachment.mime_type):
        yield Problem(message=f"{attachment.mime_type[:60]!r} is not a MIME type")


def _json(payload: dict[Any, Any]) -> Iterator[Problem]:
    try:
        encode(payload)
    except Exception as error:  # whatever a plugin left in the payload
        yield Problem(message=f"the message cannot be written as JSON: {type(error).__name__}")
