"""Rules that most gateways share, for a transport's `check`.

A payload may hold any JSON that a plugin left in it, so every function takes any value and never
raises. Each yields errors, with the given field as their `where`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from dispatcher.http.files import MIME_TYPE
from dispatcher.models import Attachment, Content, Problem, Upload
from dispatcher.names import closest_name
from dispatcher.validation_errors import errors_of, known_keys, path_in, sentence
from dispatcher.visible import printable

_SHOWN = 100  # characters of a value that a sentence shows


def unknown_fields(
    fields: Mapping[Any, Any],
    known: Collection[str],
    table: str | None = None,
    elsewhere: Collection[str] = (),
) -> Iterator[Problem]:
    """Yield a problem for each field that the gateway does not know: it would drop or refuse it.

    `table` is the table with the fields, like "text", or None for the top. `elsewhere` are the
    fields of other tables, for the sentence "caption is not allowed on audio".
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
    """Yield a problem unless a value is a text of at most `most` characters (code points).

    `called` is the word for it in the sentence. If `required`, it must not be empty. None is a
    problem in any case: a field that may be missing is to be asked about where it is there.
    """
    if required and (text is None or text == ""):
        yield Problem(message=f"the {called} is empty", where=where)
    elif not isinstance(text, str):
        yield Problem(message="must be text", where=where)
    elif most is not None and len(text) > most:
        sentence = f"the {called} has {len(text)} characters; at most {most} are allowed"
        yield Problem(message=sentence, where=where)


def filled_problems(value: object, where: str) -> Iterator[Problem]:
    """Yield a problem unless an id or a name is a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        yield Problem(message="must be text and not empty", where=where)


def link_problems(link: object, where: str | None) -> Iterator[Problem]:
    """Yield a problem unless a link is a complete http or https URL, as a gateway can fetch it."""
    if not isinstance(link, str) or not link.strip():
        yield Problem(message="the link must be text and not empty", where=where)
    elif reason := _why_no_link(link):
        yield Problem(message=f"{quoted_value(link)} {reason}", where=where)


def file_problems(file: Attachment | None, where: str | None, most: int) -> Iterator[Problem]:
    """Yield a problem unless a file to upload has 1 to `most` bytes and a usable MIME type.

    A MIME type is usable if a header can carry it. Links and media ids have no problems: only the
    gateway sees what they lead to.
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


def model_problems(value: object, model: type[Content], where: str) -> Iterator[Problem]:
    """Yield a problem for each place where a part of a payload does not fit a content's model.

    For kinds whose tables have the shape of the body: then the model says what the gateway takes.
    """
    for error in errors_of(model, model.as_table(value)):
        path = path_in(value, error)
        place = ".".join(map(str, (where, *path)))
        said = sentence(error, known_keys(model, path[:-1]), whole=where)
        yield Problem(message=said, where=place)


def quoted_value(value: object) -> str:
    """Return a value as a sentence shows it: the beginning of a text, `"+7900"`, or `a list`.

    Invisible characters of a text are escaped.
    """
    return f'"{_shortened(value)}"' if isinstance(value, str) else f"a {type(value).__name__}"


def _shortened(text: str) -> str:
    shown = printable(text[:_SHOWN])
    return shown if len(text) <= _SHOWN and len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def _guess(key: str, known: Collection[str]) -> str:
    close = closest_name(key, known)
    return f"; did you mean {close}?" if close is not None else ""


def _why_no_link(link: str) -> str | None:
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
