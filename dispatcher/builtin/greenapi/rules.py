"""What Green API accepts: the rules of docs/greenapi-v1.md, field by field.

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from dispatcher import Attachment, Problem, Upload, closest_name, encode
from dispatcher.http.files import MIME_TYPE
from dispatcher.http.whatsapp import payload_warnings

MAX_TEXT = 4096  # characters; docs/greenapi-v1.md, `text.body`
MAX_FILE = 37_000_000  # bytes; docs/greenapi-v1.md, "Media"

ENVELOPE = ("recipient_type", "to", "type", "preview_url")
CONTENTS = {
    "text": ("body",),
    "image": ("id", "link", "provider", "caption"),
    "video": ("id", "link", "provider", "caption"),
    "audio": ("id", "link", "provider"),
    "document": ("id", "link", "provider", "caption", "filename"),
}
FIELDS = (*ENVELOPE, *CONTENTS)
# ITU-T E.164: at most 15 digits, the country code first, which never begins with 0.
RECIPIENTS = {
    "individual": re.compile(r"[1-9][0-9]{6,14}"),
    "group": re.compile(r"[0-9]{7,15}-[0-9]{6,}"),
}


def check(payload: object, attachment: Attachment | None) -> list[Problem]:
    """Every way in which a payload breaks the gateway's contract; none: it may be posted.

    `where` names the payload's field, for a file to upload its `source`.
    """
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    return [
        *_unknown_fields(payload, FIELDS, None),
        *_recipient(payload),
        *_contents(payload),
        *_preview(payload),
        *(list(_file(payload, attachment)) or payload_warnings(payload, attachment)),
        *_json(payload),
    ]


def _recipient(payload: dict[Any, Any]) -> Iterator[Problem]:
    to, kind = payload.get("to"), payload.get("recipient_type")
    actual = _recipient_type(to)
    if "to" not in payload:
        yield Problem(message="the recipient is missing", where="to")
    elif actual is None:
        yield Problem(
            message=f"{_shown(to)} is neither a phone number with country code (79001234567)"
            " nor a group id (79001234567-1581234048)",
            where="to",
        )
    if "recipient_type" not in payload:
        return
    if not isinstance(kind, str) or kind not in RECIPIENTS:
        yield Problem(message='must be "individual" or "group"', where="recipient_type")
    elif actual is not None and kind != actual:
        yield Problem(
            message=f'says "{kind}", but {_shown(to)} is the address of {_ADDRESS_OF[actual]}',
            where="recipient_type",
        )


_ADDRESS_OF = {"individual": "a person", "group": "a group"}


def _recipient_type(to: object) -> str | None:
    if isinstance(to, str):
        for kind, form in RECIPIENTS.items():
            if form.fullmatch(to):
                return kind
    return None


def _contents(payload: dict[Any, Any]) -> Iterator[Problem]:
    named = payload.get("type", "text")
    present = [content for content in CONTENTS if content in payload]
    if not isinstance(named, str) or named not in CONTENTS:
        yield Problem(message=f"must be one of {', '.join(CONTENTS)}", where="type")
    elif len(present) == 1 and present[0] != named:
        yield Problem(message=f'says "{named}", but the content is "{present[0]}"', where="type")
    if len(present) != 1:
        found = " and ".join(present) or "nothing"
        yield Problem(message=f"needs exactly one of {', '.join(CONTENTS)}; there is {found}")
    for content in present:
        yield from _content(content, payload[content])


def _content(content: str, fields: object) -> Iterator[Problem]:
    if not isinstance(fields, dict):
        yield Problem(message="must be a table of fields", where=content)
        return
    yield from _unknown_fields(fields, CONTENTS[content], content)
    if content == "text":
        yield from _body(fields)
    else:
        yield from _media(content, fields)


def _body(fields: dict[Any, Any]) -> Iterator[Problem]:
    body = fields.get("body")
    if "body" not in fields or body == "":
        yield Problem(message="the text is empty", where="text.body")
    elif not isinstance(body, str):
        yield Problem(message="must be text", where="text.body")
    elif len(body) > MAX_TEXT:
        yield Problem(
            message=f"the text has {len(body)} characters; at most {MAX_TEXT} are allowed",
            where="text.body",
        )


def _media(content: str, fields: dict[Any, Any]) -> Iterator[Problem]:
    if ("id" in fields) == ("link" in fields):
        found = "both" if "id" in fields else "neither"
        yield Problem(
            message=f"needs either the id of an uploaded file or a link; there is {found}",
            where=content,
        )
    for key in ("id", "link", "filename"):
        if key in fields and not _is_filled(fields[key]):
            yield Problem(message="must be text and not empty", where=f"{content}.{key}")
    if "caption" in fields and not isinstance(fields["caption"], str):
        yield Problem(message="must be text", where=f"{content}.caption")
    yield from _link(content, fields.get("link"))
    if "provider" in fields:
        yield from _provider(content, fields)


def _link(content: str, link: object) -> Iterator[Problem]:
    if not _is_filled(link):
        return
    fault = _fault_of_link(str(link))
    if fault:
        yield Problem(message=f"{_shown(link)} {fault}", where=f"{content}.link")


def _fault_of_link(link: str) -> str | None:
    try:
        parts = urlsplit(link)
        host = parts.port != 0 and parts.hostname
    except ValueError:
        return "is not a valid URL"
    if parts.scheme not in ("http", "https"):
        scheme = f", not {parts.scheme}" if parts.scheme else ""
        return f"must begin with http:// or https://{scheme}"
    if not host:
        return "has no host"
    if not link.isprintable() or " " in link:
        return "must not contain spaces or control characters"
    return None


def _provider(content: str, fields: dict[Any, Any]) -> Iterator[Problem]:
    where, provider = f"{content}.provider", fields["provider"]
    if "link" not in fields:
        yield Problem(message="is allowed only beside a link", where=where)
    if not isinstance(provider, dict):
        yield Problem(message="must be a table with a name", where=where)
        return
    yield from _unknown_fields(provider, ("name",), where)
    if not _is_filled(provider.get("name")):
        yield Problem(message="must be text and not empty", where=f"{where}.name")


def _preview(payload: dict[Any, Any]) -> Iterator[Problem]:
    if "preview_url" not in payload:
        return
    if not isinstance(payload["preview_url"], bool):
        yield Problem(message="must be true or false", where="preview_url")
    if "text" not in payload:
        yield Problem(message="is allowed only for text messages", where="preview_url")


def _file(payload: dict[Any, Any], attachment: Attachment | None) -> Iterator[Problem]:
    if not isinstance(attachment, Upload):
        return
    content = next((content for content in CONTENTS if content in payload), None)
    where = content and f"{content}.source"
    name = _shown(attachment.filename)
    if attachment.size == 0:
        yield Problem(message=f"the file {name} is empty", where=where)
    if attachment.size > MAX_FILE:
        yield Problem(
            message=f"the file {name} has {attachment.size / 1e6:.1f} MB ({attachment.size} bytes);"
            f" at most {MAX_FILE / 1e6:.0f} MB ({MAX_FILE} bytes) are allowed",
            where=where,
        )
    if not MIME_TYPE.fullmatch(attachment.mime_type):
        yield Problem(message=f"{_shown(attachment.mime_type)} is not a MIME type", where=where)


def _unknown_fields(
    fields: dict[Any, Any], known: Iterable[str], table: str | None
) -> Iterator[Problem]:
    for key in fields:
        if key in known:
            continue
        if not isinstance(key, str):
            yield Problem(message=f"a field is named by a {type(key).__name__}", where=table)
        else:
            where = ".".join(filter(None, (table, _shortened(key))))
            yield Problem(message=_why_unknown(key, tuple(known), table), where=where)


def _why_unknown(key: str, known: tuple[str, ...], table: str | None) -> str:
    if table in CONTENTS and any(key in fields for fields in CONTENTS.values()):
        return f"{key} is not allowed on {table}"
    close = closest_name(key, known)
    hint = f"; did you mean {close}?" if close is not None else ""
    return f"the gateway has no field {_shown(key)} here{hint}"


def _json(payload: dict[Any, Any]) -> Iterator[Problem]:
    try:
        encode(payload)
    except Exception as error:  # whatever a plugin left in the payload
        reason = _shortened(str(error)) or type(error).__name__
        yield Problem(message=f"the message cannot be written as JSON: {reason}")


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _shown(value: object) -> str:
    return f'"{_shortened(value)}"' if isinstance(value, str) else f"a {type(value).__name__}"


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"
