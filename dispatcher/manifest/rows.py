"""Reads the rows of a list of recipients: CSV as spreadsheets write it, or JSON Lines."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from dispatcher.errors import ManifestError
from dispatcher.models import LocatedProblem, file_error
from dispatcher.names import canonical_name, closest_name
from dispatcher.toml.file import TOO_DEEP
from dispatcher.visible import quoted

MAX_ROW = 1_000_000  # characters of one row; a message has a few thousand
_DELIMITERS = ",;\t"
_MAX_COLUMNS = 1000
_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # Excel's first line, which is no row of the list
# What people call a column of phone numbers; parts of words.
_PHONES = ("phone", "mobile", "whatsapp", "msisdn", "tel", "number", "тел", "моб", "номер")
# What Python's csv module says → what it means.
_CSV_SENTENCES = {
    "unexpected end of data": "a quote is opened here and never closed",
    "expected after": (
        'after a closing quote the next column must come; a quote in a text is written ""'
    ),
    "field limit": f"a value is longer than {csv.field_size_limit()} characters",
}


class Row(NamedTuple):
    """One recipient: `vars` are all its columns, `line` is where it begins in its file, from 1."""

    to: str
    vars: dict[str, Any]
    line: int


class ListText:
    """The text of a list, line by line; `line` counts those that were read."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        self.path = path
        self.line = 0
        self._stream = stream
        self._row = 0

    def lines(self) -> Iterator[str]:
        """Yield each line with its end. Raises ManifestError if a row is too long."""
        readline = self._stream.readline
        while text := readline(MAX_ROW + 1):
            self.line += 1
            self._row += len(text)
            if self._row > MAX_ROW:
                raise self.error(f"a row is longer than {MAX_ROW} characters", self.line)
            yield text

    def begin_row(self) -> None:
        """Begin another row with what is read next."""
        self._row = 0

    def error(self, sentence: str, line: int, column: int = 1) -> ManifestError:
        """Return the error for what is wrong at a place in the list."""
        return file_error(self.path, sentence, line, column)


def _repeated(names: Iterable[str]) -> str | None:
    """Return the first name that occurs a second time, or None."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


# ---------------------------------------------------------------------------------------------- CSV


class _Header(NamedTuple):
    """The names of the columns, and which of them holds the recipients."""

    names: list[str]
    to: int


def csv_rows(text: ListText, to: str, delimiter: str | None) -> Iterator[Row | LocatedProblem]:
    """Yield the rows, and a problem in place of each that is wrong.

    `to` is the column with the recipients. If `delimiter` is None, the header shows it. Raises
    ManifestError if the rest of the file could mean anything.
    """
    to = canonical_name(to)
    lines = text.lines()
    first = next(lines, "")
    if sep := _SEP.fullmatch(first.rstrip("\r\n")):
        delimiter = delimiter or sep[1]
        first = next(lines, "")
    line = text.line
    reader = csv.reader(
        chain([first] if first else [], lines),
        delimiter=delimiter or _delimiter(first, to),
        strict=True,
    )
    try:
        header = _header(text, next(reader, []), to, max(line, 1))
        while True:
            text.begin_row()
            line = text.line + 1
            values = next(reader, None)
            if values is None:
                return
            if values:
                yield from _csv_row(text, header, values, line)
    except csv.Error as error:
        raise text.error(f"not valid CSV: {_csv_sentence(error)}", line) from None


def _csv_sentence(error: csv.Error) -> str:
    words = str(error)
    return next((_CSV_SENTENCES[known] for known in _CSV_SENTENCES if known in words), words)


def _delimiter(header: str, to: str) -> str:
    """Return the delimiter of a header: the one that yields the column `to`, or the commonest.

    Within quotes it is part of a name.
    """
    bare = re.sub(r'"[^"]*"?', "", header)

    def merits(mark: str) -> tuple[bool, int]:
        columns = [canonical_name(name.strip().strip('"').strip()) for name in header.split(mark)]
        return to in columns and mark in bare, bare.count(mark)

    return max(_DELIMITERS, key=merits)


def _header(text: ListText, names: list[str], to: str, line: int) -> _Header:
    header = [canonical_name(name.strip()) for name in names]
    while header and not header[-1]:  # spreadsheets keep emptied columns
        header.pop()
    if not header:
        raise text.error(f"the first line must name the columns, one of them {quoted(to)}", line)
    if len(header) > _MAX_COLUMNS:
        raise text.error(f"there are {len(header)} columns; at most {_MAX_COLUMNS} can be", line)
    if to not in header:
        raise text.error(f"no {quoted(to)} among {_instead(header, to)}", line)
    double = _repeated(filter(None, header))
    if double or "" in header:
        what = f"names the column {quoted(double)} twice" if double else "has a nameless column"
        raise text.error(f"the first line {what}", line)
    return _Header(header, header.index(to))


def _instead(header: list[str], to: str) -> str:
    """Return which columns there are, and how to name the one with the recipients."""
    shown = ", ".join(name[:30] for name in header[:8]) + (", …" if header[8:] else "")
    phones = (name for name in header if any(part in name.lower() for part in _PHONES))
    meant = next((name for name in header if closest_name(name, [to])), None) or next(phones, None)
    said = f"to = {quoted(meant or 'COLUMN')}"
    if len(header) == 1 and (mark := re.search(r"[|:~^]", header[0])):
        said = f"delimiter = {quoted(mark[0])}"
    return f"{shown}; recipients = {{…, {said}}}"


def _csv_row(
    text: ListText, header: _Header, values: list[str], line: int
) -> Iterator[Row | LocatedProblem]:
    names, to = header
    extra = len(values) - len(names)
    if extra > 0 and not any(map(str.strip, values[-extra:])):
        del values[-extra:]
        extra = 0
    if extra == 0 and values[to].strip():
        yield Row(values[to], dict(zip(names, values, strict=True)), line)
    elif any(map(str.strip, values)):  # otherwise the row was emptied, not deleted
        yield from _uneven_row(text, names[to], len(values), len(names), line).problems


def _uneven_row(text: ListText, to: str, values: int, columns: int, line: int) -> ManifestError:
    if values == columns:
        return text.error(f"{quoted(to)} is empty", line)
    count = "1 value" if values == 1 else f"{values} values"
    return text.error(f"this row has {count}, but the first line names {columns}", line)


# --------------------------------------------------------------------------------------- JSON Lines


def json_rows(text: ListText, to: str) -> Iterator[Row | LocatedProblem]:
    """Yield the rows, and a problem in place of each that is wrong. `to` is the recipient's key.

    Raises ManifestError if the rest of the file could mean anything.
    """
    to, first = canonical_name(to), True
    for written in text.lines():
        text.begin_row()
        if not written.strip():
            continue
        if first and written.lstrip().startswith("["):
            raise text.error("this is one JSON array; convert it with: jq -c '.[]'", text.line)
        first = False
        try:
            yield _json_row(text, written.rstrip(), to)
        except ManifestError as error:
            yield from error.problems


def _json_row(text: ListText, written: str, to: str) -> Row:
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
    raise text.error(sentence, text.line)


def _object_of(text: ListText, written: str) -> dict[str, Any]:
    line = text.line
    try:
        value = _DECODER.decode(written)
        if "\\u" in written:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        sentence = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise text.error(sentence, line, error.colno) from None
    except UnicodeEncodeError:
        raise text.error("the text holds half of a character (a lone surrogate)", line) from None
    except RecursionError:
        raise text.error(TOO_DEEP, line) from None
    except _Unusable as error:
        raise text.error(str(error), line) from None
    except ValueError:
        raise text.error("a number is too large", line) from None
    if not isinstance(value, dict):
        raise text.error('each line must be an object like {"to": "79001234567"}', line)
    return value if written.isascii() and "\\u" not in written else _canonical(text, value)


def _canonical(text: ListText, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row, its keys in the normal form in which templates name them."""
    if double := _repeated(map(canonical_name, row)):
        raise text.error(f"the key {quoted(double)} is there twice", text.line)
    return {canonical_name(key): value for key, value in row.items()}


class _Unusable(ValueError):
    """Python accepts it as JSON; other programs do not, or would lose part of it."""


def _constant(name: str) -> None:
    raise _Unusable(f"{name} is not a number; leave the key out, or write null")


def _float(written: str) -> float:
    number = float(written)
    if not isfinite(number):
        raise _Unusable(f"{written[:20]} is too large for a number; put it in quotes if it is text")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and (double := _repeated(name for name, _ in pairs)) is not None:
        raise _Unusable(f"the key {quoted(double)} is there twice")
    return found


_DECODER = json.JSONDecoder(parse_float=_float, parse_constant=_constant, object_pairs_hook=_object)
