"""Files of recipients → rows: `to`, and variables for the templates. Read row by row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from dispatcher.errors import ManifestError
from dispatcher.inputs import Inputs, open_regular
from dispatcher.models import LocatedProblem
from dispatcher.toml.explain import nearest, quoted
from dispatcher.toml.file import located, reason

# What Python's csv says → what it means.
_CSV_FAULTS = {
    "unexpected end of data": "a quote is opened here and never closed",
    "expected after": 'after a closing quote a comma must come; a quote in a text is written ""',
    "field limit": f"a value is longer than {csv.field_size_limit()} characters",
}


class Row(NamedTuple):
    """One recipient; `line` is where it begins in its file, from 1."""

    to: str
    vars: dict[str, Any]
    line: int


def read_rows(path: Path, inputs: Inputs | None = None) -> Iterator[Row | LocatedProblem]:
    """The rows of a .csv or .jsonl file (UTF-8), a problem in place of each row that is wrong.

    `inputs`: remembers the file, or knows it again. Raises ManifestError where the rest of the file
    could mean anything, and InputChanged.
    """
    readers = {".csv": _csv_rows, ".jsonl": _json_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise _problem(path, "recipients come from a .csv or a .jsonl file", 1)
    try:
        with _opened(path, inputs or Inputs()) as stream:
            yield from reader(path, stream)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except OSError as error:
        raise _problem(path, f"cannot read the recipients: {reason(error)}", 1) from None


def _opened(path: Path, inputs: Inputs) -> TextIO:
    # Spreadsheets write a byte order mark, so one is welcome here. CSV has line breaks of its own.
    newline = "" if path.suffix.lower() == ".csv" else None
    return io.TextIOWrapper(inputs.open(path), encoding="utf-8-sig", newline=newline)


def _csv_rows(path: Path, stream: TextIO) -> Iterator[Row | LocatedProblem]:
    reader = csv.reader(stream, strict=True)
    line = 1
    try:
        header = _header(path, next(reader, []))
        line = reader.line_num + 1
        for values in reader:
            if values:
                yield from _row_or_problems(_csv_row, path, header, values, line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _problem(path, f"not valid CSV: {_csv_sentence(error)}", line) from None


def _csv_sentence(error: csv.Error) -> str:
    words = str(error)
    return next((_CSV_FAULTS[known] for known in _CSV_FAULTS if known in words), words)


def _header(path: Path, names: list[str]) -> list[str]:
    if not names:
        raise _problem(path, 'the first line must name the columns, one of them "to"', 1)
    header = [name.strip() for name in names]
    if "to" not in header:
        raise _problem(path, f'the first line names no column "to"{_header_hint(header)}', 1)
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None or "" in header:
        what = f"names the column {quoted(double)} twice" if double else "has a nameless column"
        raise _problem(path, f"the first line {what}", 1)
    return header


def _header_hint(header: list[str]) -> str:
    separator = next((mark for mark in ";\t|" if mark in ",".join(header)), None)
    if separator is not None:
        shown = "tabs" if separator == "\t" else f'"{separator}"'
        return f"; its columns are set apart by {shown}, but must be by commas"
    misspelt = next((name for name in header if nearest(name, ["to"])), None)
    return f"; rename the column {quoted(misspelt)}" if misspelt is not None else ""


def _csv_row(path: Path, header: list[str], values: list[str], line: int) -> Row:
    if len(values) != len(header):
        count = "1 value" if len(values) == 1 else f"{len(values)} values"
        sentence = f"this row has {count}, but the first line names {len(header)}"
        raise _problem(path, sentence, line)
    return _row(path, dict(zip(header, values, strict=True)), line)


def _json_rows(path: Path, stream: TextIO) -> Iterator[Row | LocatedProblem]:
    for line, text in enumerate(stream, 1):
        if text.strip():
            yield from _row_or_problems(_json_row, path, text.rstrip(), line)


def _row_or_problems(
    read: Callable[..., Row], *arguments: object
) -> Iterator[Row | LocatedProblem]:
    try:
        yield read(*arguments)
    except ManifestError as error:
        yield from error.problems


def _json_row(path: Path, text: str, line: int) -> Row:
    return _row(path, _json_object(path, text, line), line)


def _json_object(path: Path, text: str, line: int) -> dict[str, Any]:
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        sentence = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise _problem(path, sentence, line, error.colno) from None
    except UnicodeEncodeError:
        raise _problem(
            path, "the text holds half of a character (a lone surrogate)", line
        ) from None
    except RecursionError:
        raise _problem(path, "tables or lists are nested too deep", line) from None
    except _Unusable as error:
        raise _problem(path, str(error), line) from None
    except ValueError:
        raise _problem(path, "a number is too large", line) from None
    if not isinstance(value, dict):
        raise _problem(path, 'each line must be an object like {"to": "79001234567"}', line)
    return value


class _Unusable(ValueError):
    """JSON for Python, but not for everybody."""


def _constant(name: str) -> None:
    raise _Unusable(f"{name} is not a number; leave the key out, or write null")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise _Unusable(f"the key {quoted(double)} is there twice")
    return found


_DECODER = json.JSONDecoder(parse_constant=_constant, object_pairs_hook=_object)


def _row(path: Path, values: dict[str, Any], line: int) -> Row:
    to = values.pop("to", None)
    if not isinstance(to, str):
        hint = " (put it in quotes)" if isinstance(to, int) else ""
        what = '"to" is missing' if to is None else f'"to" must be text{hint}'
        raise _problem(path, what, line)
    if not to.strip():
        raise _problem(path, '"to" is empty', line)
    return Row(to, values, line)


def _problem(path: Path, sentence: str, line: int, column: int = 1) -> ManifestError:
    return ManifestError([located(path, sentence, line, column)])


def _not_utf8(path: Path) -> ManifestError:
    with open_regular(path) as stream:
        for line, content in enumerate(stream, 1):
            try:
                content.decode()
            except UnicodeDecodeError as error:
                byte = content[error.start]
                utf16 = line == 1 and content.startswith((b"\xff\xfe", b"\xfe\xff"))
                text = "the text is UTF-16" if utf16 else f"byte 0x{byte:02x} is not UTF-8"
                text = f"{text}; save the file as UTF-8"
                return _problem(path, text, line, len(content[: error.start].decode()) + 1)
    return _problem(path, "the file is not UTF-8", 1)
