"""Rules that most gateways have in common, for a transport's `check`.

A payload may hold whatever a plugin left in it, so every function here takes any value and never
raises. The problems are errors; their `where` is the field that is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from dispatcher.http.files import MIME_TYPE
from dispatcher.models import Attachment, Problem, Upload, encode
from dispatcher.names import closest_name
from dispatcher.visible import printable

_SHOWN = 100  # characters of a value in a sentence


def json_problems(payload: Any) -> Iterator[Problem]:
    """A payload must be JSON: without sets, NaN, lone surrogates and the like."""
    try:
        encode(payload)
    except Exception as error:  # whatever a plugin left in the payload
        reason = _shortened(str(error)) or type(error).__name__
        yield Problem(message=f"the message cannot be written as JSON: {reason}")


def unknown_fields(
    fields: Mapping[Any, Any],
    known: Collection[str],
    table: str | None = None,
    elsewhere: Collection[str] = (),
) -> Iterator[Problem]:
    """A gateway drops fields that it does not know, or refuses them.

    `table`: where the fields are, as "text"; None: at the top. `elsewhere`: those that other tables
    have: "caption is not allowed on audio".
    """
    for key in fields:
        if key in known:
            continue
        if not isinstance(key, str):
            yield Problem(message=f"a field is named by a {type(key).__name__}", where=table)
        else:
            where = ".".join(filter(None, (table, _shortened(key))))
            if table is not None and key in elsewhere:
                yield Problem(message=f"{key} is not allowed on {table}", where=where)
            else:
                sentence = f"the gateway has no field {quoted_value(key)} here{_guess(key, known)}"
                yield Problem(message=sentence, where=where)


def text_problems(
    text: object,
    where: str,
    most: int | None = None,
    *,
    called: str = "text",
    required: bool = True,
) -> Iterator[Problem]:
    """A text must be one, and has at most `most` characters (code points).

    `called`: the word for it in a sentence. `required`: it must be there and not be empty.
    """
    if required and (text is None or text == ""):
        yield Problem(message=f"the {called} is empty", where=where)
    elif not isinstance(text, str):
        yield Problem(message="must be text", where=where)
    elif most is not None and len(text) > most:
        sentence = f"the {called} has {len(text)} characters; at most {most} are allowed"
        yield Problem(message=sentence, where=where)


def filled_problems(value: object, where: str) -> Iterator[Problem]:
    """An id or a name must be a text, and not a blank one."""
    if not isinstance(value, str) or not value.strip():
        yield Problem(message="must be text and not empty", where=where)


def link_problems(link: object, where: str | None) -> Iterator[Problem]:
    """A link must be a whole http or https URL, as a gateway can fetch it."""
    if not isinstance(link, str) or not link.strip():
        yield Problem(message="the link must be text and not empty", where=where)
    elif fault := _fault_of_link(link):
        yield Problem(message=f"{quoted_value(link)} {fault}", where=where)


def file_problems(file: Attachment | None, where: str | None, most: int) -> Iterator[Problem]:
    """A file to upload has 1 to `most` bytes, and a MIME type that a header can carry.

    Links and media ids have no problems: only the gateway sees what is behind them.
    """
    if not isinstance(file, Upload):
        return
    name = quoted_value(file.filename)
    if file.size == 0:
        yield Problem(message=f"the file {name} is empty", where=where)
    if file.size > most:
        yield Problem(
            message=f"the file {name} has {file.size / 1e6:.1f} MB ({file.size} bytes);"
            f" at most {most / 1e6:.0f} MB ({most} bytes) are allowed",
            where=where,
        )
    if not MIME_TYPE.fullmatch(file.mime_type):
        yield Problem(message=f"{quoted_value(file.mime_type)} is not a MIME type", where=where)


def quoted_value(value: object) -> str:
    """A value in a sentence: the beginning of a text, `"+7900"`, and of anything else `a list`.

    What cannot be seen in a text is an escape.
    """
    return f'"{_shortened(value)}"' if isinstance(value, str) else f"a {type(value).__name__}"


def _shortened(text: str) -> str:
    shown = printable(text[:_SHOWN])
    return shown if len(text) <= _SHOWN and len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def _guess(key: str, known: Collection[str]) -> str:
    close = closest_name(key, known)
    return f"; did you mean {close}?" if close is not None else ""


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
