"""A TOML file, read by tomli; positions are searched for only where something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli

from dispatcher.errors import ManifestError
from dispatcher.inputs import Inputs
from dispatcher.localfiles import CheckOpened, read_text
from dispatcher.models import LocatedProblem, file_error, located
from dispatcher.toml import KeyPath

if TYPE_CHECKING:
    from dispatcher.toml.positions import PositionIndex, Positions

MAX_BYTES = 5_000_000
MAX_LINES = 200_000
MAX_LINE = 2_000_000  # characters: one line may have a list of recipients
MAX_DEPTH = 50
MOST_PROBLEMS = 1000  # of one kind in a file; nobody reads more
MAX_BITS = 64  # of a whole number; TOML asks for no more
TOO_LARGE = "the number is too large; put it in quotes if it is text"
TOO_DEEP = "tables or lists are nested too deep"
_LISTS = "; a long list of recipients belongs in a .csv file"
_SMALL = 100_000  # characters; nothing takes long for so few
# tomli takes quadratic time for a dotted key.
_DEEP_KEY = re.compile(
    rf"(?<![\w-])(?:(?:[\w-]+|\"[^\"\n\\]*\"|'[^'\n]*')[ \t]*\.[ \t]*){{{2 * MAX_DEPTH}}}"
)
# Perhaps a number of more bits than that, or one that is none.
_HUGE = re.compile(r"[0-9](?:[0-9A-Fa-f_xo]{16}|[eE]\+?[0-9_]{3})")
_NOT_FINITE = re.compile(r"\b(?:inf|nan)\b")


@dataclass(frozen=True)
class TomlFile:
    """`path` as the user named it, the whole `text`, and the `data` that tomli read from it.

    `folder` is the absolute path of the file's folder.
    """

    path: Path
    text: str
    data: dict[str, Any]
    folder: Path

    def problem(
        self,
        where: KeyPath,
        sentence: str,
        *,
        key: bool = False,
        message_id: str | None = None,
    ) -> LocatedProblem:
        """Return an error at the value (or the key) of a path, or at its nearest parent."""
        return located(self.path, sentence, *self.position([where], key=key), message_id)

    def position(self, paths: Iterable[KeyPath], *, key: bool = False) -> tuple[int, int]:
        """Return the line and column, both from 1, of the first of these paths that the file has.

        If it has none of them, returns those of the first path's nearest parent.
        """
        paths = list(paths)
        for path in paths:
            if (positions := self._positions(path)) is not None:
                return positions.key if key else positions.value
        parents = (paths[0][:length] for length in range(len(paths[0]) - 1, 0, -1))
        found = filter(None, map(self._positions, parents))
        return next((positions.value for positions in found), (1, 1))

    def _positions(self, path: KeyPath) -> Positions | None:
        return None if self._index is None else self._index.find(path)

    def line_within(self, value: tuple[int, int], line: int) -> tuple[int, int]:
        """Return the position of a line, counted from 1, of the string at a position."""
        return value if self._index is None else self._index.line_within(value, line)

    def has_header(self, path: KeyPath) -> bool:
        """Whether the table at a path begins with `[…]` on a line of its own."""
        return self._index is not None and self._index.has_header(path)

    @cached_property
    def _index(self) -> PositionIndex | None:
        from dispatcher.toml.positions import PositionIndex

        return None if too_deep(self.data) else PositionIndex(self.text)


def read_toml(
    path: Path, inputs: Inputs | None = None, check: CheckOpened | None = None
) -> TomlFile:
    """Read a TOML 1.1 file. Raises ManifestError with the problem that keeps it from being read."""
    text = read_text(path, inputs=inputs, most=MAX_BYTES, advice=_LISTS, check=check)
    _require_reasonable(path, text)
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        from dispatcher.toml.syntax import syntax_problem

        raise ManifestError([syntax_problem(path, error)]) from None
    except RecursionError:
        raise file_error(path, TOO_DEEP) from None
    except ValueError:  # Python reads no numbers of thousands of digits
        raise file_error(path, TOO_LARGE) from None
    file = TomlFile(path, text, data, path.parent.absolute())
    if _may_hold_bad_numbers(text):
        problems = list(islice(_bad_numbers(file, data, ()), MOST_PROBLEMS))
        if problems:
            raise ManifestError(problems)
    return file


def _require_reasonable(path: Path, text: str) -> None:
    """Raise ManifestError for a text that no person has written and that takes long to parse."""
    if len(text) < _SMALL:
        return
    if text.count("\n") > MAX_LINES:
        raise file_error(path, f"the file has more than {MAX_LINES} lines{_LISTS}")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            sentence = f"the line is longer than {MAX_LINE} characters{_LISTS}"
            raise file_error(path, sentence, number)
        if line.count(".") >= 2 * MAX_DEPTH and (deep := _DEEP_KEY.search(line)):
            raise file_error(path, TOO_DEEP, number, deep.start() + 1)


def _may_hold_bad_numbers(text: str) -> bool:
    """Whether a text may have numbers that are too big.

    Checked in the text first: looking at all values takes longer (benchmarks/planning.py).
    """
    if ("inf" in text or "nan" in text) and _NOT_FINITE.search(text):
        return True
    return _HUGE.search(text) is not None


def _bad_numbers(file: TomlFile, data: Any, path: KeyPath) -> Iterator[LocatedProblem]:
    if len(path) > MAX_DEPTH:
        raise file_error(file.path, TOO_DEEP)
    if isinstance(data, (dict, list)):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _bad_numbers(file, value, (*path, key))
    elif type(data) is int and data.bit_length() > MAX_BITS:
        yield file.problem(path, TOO_LARGE)
    elif type(data) is float and not isfinite(data):
        sentence = f"{data} is not a number; leave the key out, or put it in quotes"
        yield file.problem(path, sentence)


def toml_value(value: Any, depth: int = 0) -> Any:
    """Return a copy of a program's value, made of the types that tomli uses. Raises ValueError.

    A subclass of text or of a number, like an enum's member, becomes the text or number that it is,
    not what its `str` shows.
    """
    if depth > MAX_DEPTH:
        raise ValueError(TOO_DEEP)
    match value:
        case Mapping():
            if odd := next((key for key in value if not isinstance(key, str)), None):
                raise ValueError(f"{odd!r} is no key: keys are text")
            return {_text(key): toml_value(each, depth + 1) for key, each in value.items()}
        case list() | tuple():
            return [toml_value(each, depth + 1) for each in value]
        case str():
            return _text(value)
        case float() if not isfinite(value):
            raise ValueError(f"{value} is not a number; leave the key out")
        case float():
            return float.__float__(value)
        case int() if int.bit_length(value) > MAX_BITS:
            raise ValueError(TOO_LARGE)
        case bool() | datetime() | date() | time():
            return value
        case int():
            return int.__int__(value)
    raise ValueError(f"{value!r:.100} is no text, number, truth value, time, list or table")


def _text(value: str) -> str:
    try:
        str.encode(value)
    except UnicodeEncodeError:
        raise ValueError(f"{value!a:.100} is no text: it holds half a character") from None
    return str.__str__(value)


def too_deep(data: Any) -> bool:
    """Whether the data is nested so deep that the paths of all values would not fit into memory."""
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
    return bool(level)
