"""What the Bot API would refuse. Sources: its methods, "Sending files", "Formatting options"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatcher import Attachment, Payload, Problem, Upload
from dispatcher.http.rules import (
    file_problems,
    filled_problems,
    link_problems,
    model_problems,
    text_problems,
    unknown_fields,
)

from .contents import CONTENTS
from .formatting import read_html
from .payload import FILE_FIELDS, METHODS, Method, method_field

MAX_TEXT = 4096  # characters, without the markup
MAX_CAPTION = 1024
MAX_UPLOAD_LOCAL = 2_000_000_000  # bytes, through a Bot API server with --local


def problems(payload: Payload, attachment: Attachment | None, *, local: bool) -> Iterator[Problem]:
    """Yield what Telegram, or a Bot API server with --local, would refuse."""
    field = method_field(payload)
    if field is None:
        yield Problem(message=f"a message has exactly one of {', '.join(METHODS)}")
        return
    method = METHODS[field]
    yield from unknown_fields(payload, (*method.fields, "provider"))
    yield from model_problems(_table(payload, method, field), CONTENTS[method.kind], method.kind)
    if field in FILE_FIELDS.values():
        most = MAX_UPLOAD_LOCAL if local and field != "photo" else method.max_upload
        yield from _file_problems(payload, attachment, field, most)
    for name, where, most in (("text", "body", MAX_TEXT), ("caption", "caption", MAX_CAPTION)):
        if isinstance(payload.get(name), str):
            yield from _text_problems(
                payload[name], payload.get("parse_mode"), f"{method.kind}.{where}", most
            )


def _table(payload: Payload, method: Method, field: str) -> dict[str, Any]:
    """Return the table of a manifest that has the same content."""
    model = CONTENTS[method.kind]
    table = {name: value for name, value in payload.items() if name in model.model_fields}
    if field == "text":
        table["body"] = payload["text"]
    if field in FILE_FIELDS.values():
        table["id"] = payload[field]
    if isinstance(options := table.get("options"), list):
        table["options"] = [
            option.get("text") if isinstance(option, dict) else option for option in options
        ]
    table.pop("provider", None)  # said of links, in other words, by `_file_problems`
    return table


def _file_problems(
    payload: Payload, attachment: Attachment | None, field: str, most: int
) -> Iterator[Problem]:
    kind, value = METHODS[field].kind, payload[field]
    if isinstance(value, str) and "://" in value:
        yield from link_problems(value, f"{kind}.link")
    elif isinstance(value, str):
        yield from filled_problems(value, f"{kind}.id")
    yield from file_problems(attachment, kind, most)
    if "provider" in payload:
        yield Problem(message="Telegram knows no credentials for links", where=f"{kind}.provider")
    if "filename" in payload and not isinstance(attachment, Upload):
        yield Problem(
            message="only a file that is uploaded can get a name; Telegram knows the name of this",
            where=f"{kind}.filename",
        )


def _text_problems(text: str, parse_mode: object, where: str, most: int) -> Iterator[Problem]:
    if parse_mode == "MarkdownV2" and len(text) > most:
        sentence = f"{len(text)} characters; Telegram takes {most}, without the markup"
        yield Problem(message=sentence, where=where, severity="warning")
        return
    if parse_mode == "HTML":
        read = read_html(text)
        if read.problem:
            yield Problem(message=read.problem, where=where, line=read.line)
        text = read.visible
    # Telegram drops blanks around a text; of one that has nothing else, nothing is left.
    yield from text_problems(text.strip(), where, most, required=where == "text.body")
