"""What Green API accepts: the rules of docs/greenapi-v1.md, field by field.

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dispatcher import Attachment, Problem
from dispatcher.http.rules import (
    file_problems,
    filled_problems,
    link_problems,
    quoted_value,
    text_problems,
    unknown_fields,
)
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
CONTENT_FIELDS = {field for fields in CONTENTS.values() for field in fields}
# ITU-T E.164: at most 15 digits; the country code comes first and never begins with 0.
RECIPIENTS = {
    "individual": re.compile(r"[1-9][0-9]{6,14}"),
    "group": re.compile(r"[0-9]{7,15}-[0-9]{6,}"),
}
_ADDRESS_OF = {"individual": "a person", "group": "a group"}


def check(payload: object, attachment: Attachment | None) -> list[Problem]:
    """Return every way in which a payload breaks the gateway's contract.

    `where` names the payload's field, or the `source` of a file to upload.
    """
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    return [
        *unknown_fields(payload, FIELDS),
        *_recipient(payload),
        *_contents(payload),
        *_preview(payload),
        *_file(payload, attachment),
    ]


def _recipient(payload: dict[Any, Any]) -> Iterator[Problem]:
    to, kind = payload.get("to"), payload.get("recipient_type")
    actual = _recipient_type(to)
    if "to" not in payload:
        yield Problem(message="the recipient is missing", where="to")
    elif actual is None:
        yield Problem(
            message=f"{quoted_value(to)} is neither a phone number with country code (79001234567)"
            " nor a group id (79001234567-1581234048)",
            where="to",
        )
    if "recipient_type" not in payload:
        return
    if not isinstance(kind, str) or kind not in RECIPIENTS:
        yield Problem(message='must be "individual" or "group"', where="recipient_type")
    elif actual is not None and kind != actual:
        whose = f"{quoted_value(to)} is the address of {_ADDRESS_OF[actual]}"
        yield Problem(message=f'says "{kind}", but {whose}', where="recipient_type")


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
    yield from unknown_fields(fields, CONTENTS[content], content, CONTENT_FIELDS)
    if content == "text":
        yield from text_problems(fields.get("body"), "text.body", MAX_TEXT)
    else:
        yield from _media(content, fields)


def _media(content: str, fields: dict[Any, Any]) -> Iterator[Problem]:
    if ("id" in fields) == ("link" in fields):
        found = "both" if "id" in fields else "neither"
        yield Problem(
            message=f"needs either the id of an uploaded file or a link; there is {found}",
            where=content,
        )
    for key in ("id", "filename"):
        if key in fields:
            yield from filled_problems(fields[key], f"{content}.{key}")
    if "caption" in fields:
        yield from text_problems(fields["caption"], f"{content}.caption", required=False)
    if "link" in fields:
        yield from link_problems(fields["link"], f"{content}.link")
    if "provider" in fields:
        yield from _provider(content, fields)


def _provider(content: str, fields: dict[Any, Any]) -> Iterator[Problem]:
    where, provider = f"{content}.provider", fields["provider"]
    if "link" not in fields:
        yield Problem(message="is allowed only beside a link", where=where)
    if not isinstance(provider, dict):
        yield Problem(message="must be a table with a name", where=where)
        return
    yield from unknown_fields(provider, ("name",), where)
    yield from filled_problems(provider.get("name"), f"{where}.name")


def _preview(payload: dict[Any, Any]) -> Iterator[Problem]:
    if "preview_url" not in payload:
        return
    if not isinstance(payload["preview_url"], bool):
        yield Problem(message="must be true or false", where="preview_url")
    if "text" not in payload:
        yield Problem(message="is allowed only for text messages", where="preview_url")


def _file(payload: dict[Any, Any], attachment: Attachment | None) -> list[Problem]:
    """Yield what is wrong with a file, or else what the recipient will not see of it."""
    if attachment is None:
        return []
    content = next((content for content in CONTENTS if content in payload), None)
    where = content and f"{content}.source"
    problems = list(file_problems(attachment, where, MAX_FILE))
    return problems or list(payload_warnings(payload, attachment))
