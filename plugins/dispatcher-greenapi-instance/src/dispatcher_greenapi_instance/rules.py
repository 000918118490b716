"""What an instance accepts (Green API, "SendMessage", "SendFileByUrl", "Chat id").

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dispatcher import Attachment, Problem
from dispatcher.http.rules import (
    file_problems,
    json_problems,
    link_problems,
    text_problems,
    unknown_fields,
)

MAX_TEXT = 20_000  # characters; "SendMessage", `message`
# Characters. "SendFileByUrl" says 20000; Green API's support says that WhatsApp allows 1024, and
# that the response to a longer caption has status 500, which leaves open whether the message was
# sent.
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
    """Return every way in which a payload breaks the gateway's contract."""
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    foreign = list(_foreign(payload))
    return [
        *foreign,
        *_chat(payload.get("chatId")),
        *([] if foreign else _content(payload)),
        *_texts(payload),
        *file_problems(attachment, None, MAX_FILE),
        *json_problems(payload),
    ]


def _foreign(payload: dict[Any, Any]) -> Iterator[Problem]:
    """Yield what only other gateways have: credentials for links, and ids of their own."""
    for kind in _CONTENTS:
        fields = payload.get(kind)
        if not isinstance(fields, dict):
            continue
        if "id" in fields:
            sentence = "the gateway has no media ids; it takes links and files"
            yield Problem(message=sentence, where=f"{kind}.id")
        yield from unknown_fields(fields, ("id",), kind)


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
    yield from unknown_fields(payload, _FIELDS[kinds[0]])
    if "linkPreview" in payload and not isinstance(payload["linkPreview"], bool):
        yield Problem(message="must be true or false", where="preview_url")
    if "urlFile" in payload:
        yield from _url(payload)


def _url(payload: dict[Any, Any]) -> Iterator[Problem]:
    url, name = payload["urlFile"], payload.get("fileName")
    if not isinstance(url, str) or not url.startswith("upload:sha256:"):
        yield from link_problems(url, None)
    if not isinstance(name, str) or not re.fullmatch(r".+\.\w+", name, re.DOTALL):
        yield Problem(message="the file's name needs an extension, which decides how it is shown")


def _texts(payload: dict[Any, Any]) -> Iterator[Problem]:
    if "message" in payload:
        yield from text_problems(payload["message"], "text.body", MAX_TEXT)
    if "caption" in payload:
        yield from text_problems(
            payload["caption"], "caption", MAX_CAPTION, called="caption", required=False
        )
