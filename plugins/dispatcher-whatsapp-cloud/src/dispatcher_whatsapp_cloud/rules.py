"""What the gateways accept (Meta, "Cloud API: Messages", "Media"; "On-Premises API").

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from dispatcher import Attachment, Link, Problem, Upload, encode
from dispatcher.http.files import MIME_TYPE
from dispatcher.http.whatsapp import SHOWN, file_warnings
from dispatcher_whatsapp_cloud.services import Service

MAX_TEXT = 4096  # characters; "Text messages"
MAX_CAPTION = 1024  # characters; "Media messages"

_PERSON = re.compile(r"\+?[1-9][0-9]{6,14}")
_ENVELOPE = ("messaging_product", "recipient_type", "to", "type", "preview_url")
_MORE = ("context", "biz_opaque_callback_data")  # that a plugin may add
_CONTENTS = {
    "text": ("body", "preview_url"),
    "image": ("id", "link", "caption"),
    "video": ("id", "link", "caption"),
    "audio": ("id", "link"),
    "document": ("id", "link", "caption", "filename"),
}


# Bytes; "Supported media types", the same in the cloud and on premises. Of others, see `SHOWN`.
MAX_DOCUMENT = 100_000_000
# What others call these types; Python has audio/3gpp for any file `.3gp`, of which WhatsApp takes
# none as audio.
_OTHER_NAMES = {"audio/3gpp": "video/3gpp", "video/3gp": "video/3gpp"}


def mime_type(file: Upload) -> str:
    """The file's type, as "Supported media types" calls it."""
    return _OTHER_NAMES.get(file.mime_type, file.mime_type)


def check(payload: object, attachment: Attachment | None, service: Service) -> list[Problem]:
    """Every way in which a payload breaks the gateway's contract; none: it may be posted."""
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    kinds = [kind for kind in _CONTENTS if kind in payload]
    return [
        *_unknown(payload, (*_ENVELOPE, *_CONTENTS, *_MORE), None),
        *_recipient(payload),
        *_kind(payload, kinds),
        *(problem for kind in kinds for problem in _content(kind, payload[kind], service)),
        *_file(kinds, attachment),
        *_link_to_file(kinds, attachment),
        *_json(payload),
    ]


def _recipient(payload: dict[Any, Any]) -> Iterator[Problem]:
    to, kind = payload.get("to"), payload.get("recipient_type", "individual")
    if kind not in ("individual", "group"):
        yield Problem(message='must be "individual" or "group"', where="recipient_type")
    elif not isinstance(to, str) or not to.strip():
        yield Problem(message="the recipient is missing", where="to")
    elif kind == "individual" and not _PERSON.fullmatch(to):
        yield Problem(
            message=f'"{to[:60]}" is not a phone number: 7 to 15 digits with the country code',
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
    yield from _unknown(fields, (*_CONTENTS[kind], *extra), kind)
    yield from _body(fields) if kind == "text" else _media(kind, fields)


def _body(fields: dict[Any, Any]) -> Iterator[Problem]:
    if not isinstance(fields.get("body"), str) or not fields["body"]:
        yield Problem(message="the text is empty", where="text.body")
    else:
        yield from _length("text.body", fields["body"], MAX_TEXT)
    if not isinstance(fields.get("preview_url", True), bool):
        yield Problem(message="must be true or false", where="preview_url")


def _media(kind: str, fields: dict[Any, Any]) -> Iterator[Problem]:
    if ("id" in fields) == ("link" in fields):
        yield Problem(message="needs either the id of an uploaded file or a link", where=kind)
    for key in ("id", "link", "filename"):
        if key in fields and not (isinstance(fields[key], str) and fields[key].strip()):
            yield Problem(message="must be text and not empty", where=f"{kind}.{key}")
    if isinstance(fields.get("link"), str) and not _is_link(fields["link"]):
        yield Problem(message="must be an http or https URL", where=f"{kind}.link")
    if "caption" in fields:
        yield from _length(f"{kind}.caption", fields["caption"], MAX_CAPTION)


def _length(where: str, text: object, most: int) -> Iterator[Problem]:
    if not isinstance(text, str):
        yield Problem(message="must be text", where=where)
    elif len(text) > most:
        sentence = f"it has {len(text)} characters; at most {most} are allowed"
        yield Problem(message=sentence, where=where)


def _is_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
        clean = url.isprintable() and " " not in url
        return clean and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _file(kinds: list[str], attachment: Attachment | None) -> Iterator[Problem]:
    kind = kinds[0] if kinds else "text"
    if not isinstance(attachment, Upload) or kind == "text":
        return
    where, shown = f"{kind}.source", SHOWN.get(kind)
    most = shown.size if shown else MAX_DOCUMENT
    if not 0 < attachment.size <= most:
        sentence = f"the file has {attachment.size} bytes; 1 to {most} are allowed on {kind}"
        yield Problem(message=sentence, where=where)
    if not MIME_TYPE.fullmatch(attachment.mime_type):
        yield Problem(message=f"{attachment.mime_type[:60]!r} is not a MIME type", where=where)
    elif shown and mime_type(attachment).partition(";")[0] not in shown.mime_types:
        types = ", ".join(shown.mime_types)
        sentence = f"the file is {attachment.mime_type}; {kind} must be one of {types}"
        yield Problem(message=sentence, where=where)


def _link_to_file(kinds: list[str], attachment: Attachment | None) -> Iterator[Problem]:
    if kinds and isinstance(attachment, Link):
        yield from file_warnings(kinds[0], attachment)


def _unknown(fields: dict[Any, Any], known: Iterable[str], table: str | None) -> Iterator[Problem]:
    for key in fields:
        if key not in known:
            shown = str(key)[:60]
            on = f" on {table}" if table in _CONTENTS and shown in ("caption", "filename") else ""
            where = ".".join(filter(None, (table, shown)))
            yield Problem(message=f"whatsapp-cloud has no {shown}{on}", where=where or None)


def _json(payload: dict[Any, Any]) -> Iterator[Problem]:
    try:
        encode(payload)
    except Exception as error:  # whatever a plugin left in the payload
        yield Problem(message=f"the message cannot be written as JSON: {type(error).__name__}")
