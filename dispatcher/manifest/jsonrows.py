"""Lists in JSON Lines: an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

from dispatcher.errors import ManifestError
from dispatcher.manifest.listtext import ListText, Row, repeated
from dispatcher.models import LocatedProblem
from dispatcher.names import canonical_name
from dispatcher.toml.file import TOO_DEEP
from dispatcher.visible import quoted


def json_rows(text: ListText, to: str) -> Iterator[Row | LocatedProblem]:
    """The rows, a problem in place of each that is wrong. `to`: the key of the recipient.

    Raises ManifestError where the rest of the file could mean anything.
    """
    to, first = canonical_name(to), True
    for written in text.lines():
        text.begin_row()
        if not written.strip():
            continue
        if first and written.lstrip().startswith("["):
            raise text.fault("this is one JSON array; convert it with: jq -c '.[]'", text.line)
        first = False
        try:
            yield _row(text, written.rstrip(), to)
        except ManifestError as error:
            yield from error.problems


def _row(text: ListText, written: str, to: str) -> Row:
    values = _object_of(text, written)
    recipient = values.get(to)
    if isinstance(recipient, str) and recipient.strip():
        return Row(recipient, values, text.line)
    shown = quoted(to)
    if recipient is None:
        keys = ", ".join(quoted(key) for key in list(values)[:8])
        sentence = f"{shown} is missing" + (f"; there are {keys}" if keys else "")
    elif isinstance(recipient, str):
        sentence = f"{shown} is empty"
    else:
        hint = " (put it in quotes)" if isinstance(recipient, int) else ""
        sentence = f"{shown} must be text{hint}"
    raise text.fault(sentence, text.line)


def _object_of(text: ListText, written: str) -> dict[str, Any]:
    line = text.line
    try:
        value = _DECODER.decode(written)
        if "\\u" in written:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        sentence = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise text.fault(sentence, line, error.colno) from None
    except UnicodeEncodeError:
        raise text.fault("the text holds half of a character (a lone surrogate)", line) from None
    except RecursionError:
        raise text.fault(TOO_DEEP, line) from None
    except _Unusable as error:
        raise text.fault(str(error), line) from None
    except ValueError:
        raise text.fault("a number is too large", line) from None
    if not isinstance(value, dict):
        raise text.fault('each line must be an object like {"to": "79001234567"}', line)
    return value if written.isascii() and "\\u" not in written else _canonical(text, value)


def _canonical(text: ListText, row: dict[str, Any]) -> dict[str, Any]:
    """The row, its keys by the names that templates know them by."""
    if double := repeated(map(canonical_name, row)):
        raise text.fault(f"the key {quoted(double)} is there twice", text.line)
    return {canonical_name(key): value for key, value in row.items()}


class _Unusable(ValueError):
    """JSON for Python, but not for everybody."""


def _constant(name: str) -> None:
    raise _Unusable(f"{name} is not a number; leave the key out, or write null")


def _float(written: str) -> float:
    number = float(written)
    if not isfinite(number):
        raise _Unusable(f"{written[:20]} is too large for a number; put it in quotes if it is text")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and (double := repeated(name for name, _ in pairs)) is not None:
        raise _Unusable(f"the key {quoted(double)} is there twice")
    return found


_DECODER = json.JSONDecoder(parse_float=_float, parse_constant=_constant, object_pairs_hook=_object)
