"""What the gateways accept (Meta, "Cloud API: Messages", "Media"; "On-Premises API").

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dispatcher import Attachment, Link, Problem, Upload
from dispatcher.http.rules import (
    file_problems,
    filled_problems,
    json_problems,
    link_problems,
    quoted_value,
    text_problems,
    unknown_fields,
)
from dispatcher.http.whatsapp import SHOWN, file_warnings
from dispatcher_whatsapp_cloud.services import Service

MAX_TEXT = 4096  # characters; "Text messages"
MAX_CAPTION = 1024  # characters; "Media messages"

_PERSON = re.compile(r"\+?[1-9][0-9]{6,14}")
_ENVELOPE = ("messaging_product", "recipient_type", "to", "type", "preview_url")
_MORE = ("context", "biz_opaque_callback_data")  # a plugin may add these
_CONTENTS = {
    "text": ("body", "preview_url"),
    "image": ("id", "link", "caption"),
    "video": ("id", "link", "caption"),
    "audio": ("id", "link"),
    "document": ("id", "link", "caption", "filename"),
}
_CONTENT_FIELDS = {field for fields in _CONTENTS.values() for field in fields}

# Bytes; "Supported media types", the same in the cloud and on premises. For other kinds see
# `SHOWN`.
MAX_DOCUMENT = 100_000_000
# Other names of these types; Python has audio/3gpp for any file `.3gp`, which WhatsApp does not
# take as audio.
_OTHER_NAMES = {"audio/3gpp": "video/3gpp", "video/3gp": "video/3gpp"}


def mime_type(file: Upload) -> str:
    """Return the file's type, as "Supported media types" calls it."""
    return _OTHER_NAMES.get(file.mime_type, file.mime_type)


def check(payload: object, attachment: Attachment | None, service: Service) -> list[Problem]:
    """Return every way in which a payload breaks the gateway's contract."""
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    kinds = [kind for kind in _CONTENTS if kind in payload]
    return [
        *unknown_fields(payload, (*_ENVELOPE, *_CONTENTS, *_MORE)),
        *_recipient(payload),
        *_kind(payload, kinds),
        *(problem for kind in kinds for problem in _content(kind, payload[kind], service)),
        *_file(kinds, attachment),
        *_link_to_file(kinds, attachment),
        *json_problems(payload),
    ]


def _recipient(payload: dict[Any, Any]) -> Iterator[Problem]:
    to, kind = payload.get("to"), payload.get("recipient_type", "individual")
    if kind not in ("individual", "group"):
        yield Problem(message='must be "individual" or "group"', where="recipient_type")
    elif not isinstance(to, str) or not to.strip():
        yield Problem(message="the recipient is missing", where="to")
    elif kind == "individual" and not _PERSON.fullmatch(to):
        yield Problem(
            message=f"{quoted_value(to)} is not a phone number: 7 to 15 digits with country code",
            where="to",
        )


def _kind(payload: dict[Any, Any], kinds: list[str]) -> Iterator[Problem]:
    if len(kinds) != 1:
        found = " and ".join(kinds) or "nothing"
        yield Problem(message=f"needs exactly one of {', '.join(_CONTENTS)}; there is {found}")
    elif payload.get("type", "text") != kinds[0]:
        yield Problem(message=f'must be "{kinds[0]}", which the content is', where="type")


def _content(kind: str, fields: object, service: Service) -> Iterator[Problem]:
    if not isinstance(fields, dict):
        yield Problem(message="must be a table of fields", where=kind)
        return
    extra = ("provider",) if service.provider and kind != "text" else ()
    yield from unknown_fields(fields, (*_CONTENTS[kind], *extra), kind, _CONTENT_FIELDS)
    yield from _body(fields) if kind == "text" else _media(kind, fields)


def _body(fields: dict[Any, Any]) -> Iterator[Problem]:
    yield from text_problems(fields.get("body"), "text.body", MAX_TEXT)
    if not isinstance(fields.get("preview_url", True), bool):
        yield Problem(message="must be true or false", where="preview_url")


def _media(kind: str, fields: dict[Any, Any]) -> Iterator[Problem]:
    if ("id" in fields) == ("link" in fields):
        yield Problem(message="needs either the id of an uploaded file or a link", where=kind)
    for key in ("id", "filename"):
        if key in fields:
            yield from filled_problems(fields[key], f"{kind}.{key}")
    if "link" in fields:
        yield from link_problems(fields["link"], f"{kind}.link")
    if "caption" in fields:
        where = f"{kind}.caption"
        yield from text_problems(
            fields["caption"], where, MAX_CAPTION, called="caption", required=False
        )


def _file(kinds: list[str], attachment: Attachment | None) -> Iterator[Problem]:
    kind = kinds[0] if kinds else "text"
    if not isinstance(attachment, Upload) or kind == "text":
        return
    where, shown = f"{kind}.source", SHOWN.get(kind)
    yield from file_problems(attachment, where, shown.size if shown else MAX_DOCUMENT)
    if shown and mime_type(attachment).partition(";")[0] not in shown.mime_types:
        types = ", ".join(shown.mime_types)
        sentence = f"the file is {attachment.mime_type}; {kind} must be one of {types}"
        yield Problem(message=sentence, where=where)


def _link_to_file(kinds: list[str], attachment: Attachment | None) -> Iterator[Problem]:
    if kinds and isinstance(attachment, Link):
        yield from file_warnings(kinds[0], attachment)
