"""Lists as spreadsheets write them: columns set apart by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from dispatcher.errors import ManifestError
from dispatcher.manifest.listtext import ListText, Row, repeated
from dispatcher.models import LocatedProblem
from dispatcher.names import canonical_name, closest_name
from dispatcher.visible import quoted

_DELIMITERS = ",;\t"
_MAX_COLUMNS = 1000
_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # Excel's first line; no row of the list
# What people call a column of phone numbers; parts of words.
_PHONES = ("phone", "mobile", "whatsapp", "msisdn", "tel", "number", "тел", "моб", "номер")
# What Python's csv says → what it means.
_FAULTS = {
    "unexpected end of data": "a quote is opened here and never closed",
    "expected after": (
        'after a closing quote the next column must come; a quote in a text is written ""'
    ),
    "field limit": f"a value is longer than {csv.field_size_limit()} characters",
}


class _Header(NamedTuple):
    """The names of the columns, and which of them has the recipients."""

    names: list[str]
    to: int


def csv_rows(text: ListText, to: str, delimiter: str | None) -> Iterator[Row | LocatedProblem]:
    """The rows, a problem in place of each that is wrong. `to`: the column with the recipients.

    `delimiter`: None: the one that the header shows. Raises ManifestError where the rest of the
    file could mean anything.
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
        delimiter=delimiter or _shown_delimiter(first, to),
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
                yield from _row(text, header, values, line)
    except csv.Error as error:
        raise text.fault(f"not valid CSV: {_sentence(error)}", line) from None


def _sentence(error: csv.Error) -> str:
    words = str(error)
    return next((_FAULTS[known] for known in _FAULTS if known in words), words)


def _shown_delimiter(header: str, to: str) -> str:
    """What sets the columns of a header apart: what makes the wanted one, else the most frequent.

    Between quotes it would be part of a name.
    """
    bare = re.sub(r'"[^"]*"?', "", header)

    def merits(mark: str) -> tuple[bool, int]:
        columns = [canonical_name(name.strip().strip('"').strip()) for name in header.split(mark)]
        return to in columns and mark in bare, bare.count(mark)

    return max(_DELIMITERS, key=merits)


def _header(text: ListText, names: list[str], to: str, line: int) -> _Header:
    header = [canonical_name(name.strip()) for name in names]
    while header and not header[-1]:  # spreadsheets keep columns that were emptied
        header.pop()
    if not header:
        raise text.fault(f"the first line must name the columns, one of them {quoted(to)}", line)
    if len(header) > _MAX_COLUMNS:
        raise text.fault(f"there are {len(header)} columns; at most {_MAX_COLUMNS} can be", line)
    if to not in header:
        raise text.fault(f"no {quoted(to)} among {_instead(header, to)}", line)
    double = repeated(filter(None, header))
    if double or "" in header:
        what = f"names the column {quoted(double)} twice" if double else "has a nameless column"
        raise text.fault(f"the first line {what}", line)
    return _Header(header, header.index(to))


def _instead(header: list[str], to: str) -> str:
    """Which columns there are, and how to say that it is one of them."""
    shown = ", ".join(name[:30] for name in header[:8]) + (", …" if header[8:] else "")
    phones = (name for name in header if any(part in name.lower() for part in _PHONES))
    meant = next((name for name in header if closest_name(name, [to])), None) or next(phones, None)
    said = f"to = {quoted(meant or 'COLUMN')}"
    if len(header) == 1 and (mark := re.search(r"[|:~^]", header[0])):
        said = f"delimiter = {quoted(mark[0])}"
    return f"{shown}; recipients = {{…, {said}}}"


def _row(
    text: ListText, header: _Header, values: list[str], line: int
) -> Iterator[Row | LocatedProblem]:
    names, to = header
    extra = len(values) - len(names)
    if extra > 0 and not any(map(str.strip, values[-extra:])):
        del values[-extra:]
        extra = 0
    if extra == 0 and values[to].strip():
        yield Row(values[to], dict(zip(names, values, strict=True)), line)
    elif any(map(str.strip, values)):  # else a row that was emptied, not deleted
        yield from _row_fault(text, names[to], len(values), len(names), line).problems


def _row_fault(text: ListText, to: str, values: int, columns: int, line: int) -> ManifestError:
    if values == columns:
        return text.fault(f"{quoted(to)} is empty", line)
    count = "1 value" if values == 1 else f"{values} values"
    return text.fault(f"this row has {count}, but the first line names {columns}", line)
