"""Finds where the keys and values of a TOML document stand in its text.

Given a text that tomli has parsed and a path of the parsed data, it returns the line and column of
its key and of its value. Manifests are read by tomli alone, which keeps no positions: this second
reading happens only when there is a problem to point at. It reads only those tables and lists that
the path leads through, so that a large file costs little.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import tomli

from dispatcher.toml import KeyPath
from dispatcher.toml.tokens import BASIC, LITERAL, PLAIN, TEXT


class Position(NamedTuple):
    """Line and column, both from 1; a column is a code point, as in `TOMLDecodeError.colno`."""

    line: int
    column: int


class Positions(NamedTuple):
    """Where one path is written.

    For a table with a header, including an element of an array of tables, these are the last part
    of the key and the opening bracket. An element of any other array has one position for both, and
    so has a table without a header or value of its own: where it is first named on the way to
    something deeper.
    """

    key: Position
    value: Position


def _token(pattern: str) -> re.Pattern[str]:
    """Return a pattern for a token as group 1, and after it everything up to the next token.

    Commas count as blanks: in valid text they say nothing that the values around them do not.
    """
    return re.compile(rf"({pattern})[ \t\n,]*(?:#[^\n]*[ \t\n,]*)*", re.DOTALL)


_START = _token("")
_SYMBOL = _token(r"[\[\]{}.=]")
_KEY_PART = _token(rf"[\w-]+|{BASIC}|{LITERAL}")
_SCALAR = _token(rf"{PLAIN}|{TEXT}")
# What stands in a list or an inline table between two brackets, piece by piece.
_INERT = re.compile(rf"[^\[\]{{}}\"'#]+|#[^\n]*|{TEXT}", re.DOTALL)

# How many tables and lists are cached; a path may lead through as many, nested in each other.
_KEPT = 512


class _Spot(NamedTuple):
    """Positions as offsets in the text; `implied` if only named on the way to something deeper."""

    key: int
    value: int
    implied: bool = False


_Spots = dict[KeyPath, _Spot]


class PositionIndex:
    """Finds where paths are written in a text.

    The text must be valid; for an invalid one, it raises ValueError or returns something useless.
    """

    def __init__(self, text: str) -> None:
        # As tomli does; the removed character ends its line, so no column changes.
        self._text = text.replace("\r\n", "\n")
        self._lines = array("L", [0, *(end.end() for end in re.finditer("\n", self._text))])
        self._headers: _Spots = {}
        self._blocks: dict[KeyPath, int] = {}  # where the pairs of a table with a header begin
        self._lengths: dict[KeyPath, int] = {}  # of each array of tables
        # For a block or an inline table, its pairs; for a list, where its elements begin.
        self._pairs = lru_cache(maxsize=_KEPT)(self._read_pairs)
        self._elements = lru_cache(maxsize=_KEPT)(self._read_elements)
        # Many rows of a list have the same problem with a text.
        self.line_within = lru_cache(maxsize=_KEPT)(self._line_within)
        self._read_headers()

    def find(self, path: KeyPath) -> Positions | None:
        """Return the positions of a path, or None if it has none, as the root, `()`, has."""
        header = self._headers.get(path)
        spots = [] if header is None else [header]
        for length in range(len(path)):
            block = self._blocks.get(path[:length])
            if block is not None:
                spots += self._spots(self._pairs(block), path[length:])
        explicit = (spot for spot in spots if not spot.implied)
        spot = next(explicit, None) or min(spots, default=None)
        if spot is None:
            return None
        return Positions(self._position(spot.key), self._position(spot.value))

    def has_header(self, path: KeyPath) -> bool:
        """Whether the table at a path begins with `[…]` on a line of its own."""
        header = self._headers.get(path)
        return header is not None and not header.implied

    def _line_within(self, value: tuple[int, int], line: int) -> Position:
        """Return where a line, counted from 1, of the string at a position is written.

        Of lines that backslashes join, it is the first one with a template's braces.
        """
        start = self._lines[value[0] - 1] + value[1] - 1
        found = self._position(_line_of_string(self._text, start, line))
        return Position(*value) if found.line == value[0] else Position(found.line, 1)

    def _spots(self, pairs: _Spots, path: KeyPath) -> Iterator[_Spot]:
        """Yield where a path is named in a table, or in a value of it."""
        if path in pairs:
            yield pairs[path]
            return
        for length in range(1, len(path)):
            spot = pairs.get(path[:length])
            if spot is None:  # whatever leads further is named as well
                return
            if not spot.implied:
                yield from self._within(spot.value, path[length:])
                return

    def _within(self, start: int, path: KeyPath) -> Iterator[_Spot]:
        """Yield where a path is named in the list or the inline table that begins there."""
        opening, (first, *rest) = self._text[start], path
        if opening == "{":
            yield from self._spots(self._pairs(_after(_SYMBOL, self._text, start)), path)
        elif opening == "[" and isinstance(first, int):
            elements = self._elements(start)
            if first < len(elements) and rest:
                yield from self._within(elements[first], tuple(rest))
            elif first < len(elements):
                yield _Spot(elements[first], elements[first])

    def _read_headers(self) -> None:
        at = _after(_START, self._text, 0)
        self._blocks[()] = at
        while (at := self._end_of_pairs(at)) < len(self._text):
            at = self._read_header(at)

    def _read_header(self, bracket: int) -> int:
        at = _after(_SYMBOL, self._text, bracket)
        listed = self._text.startswith("[", at)
        at = _after(_SYMBOL, self._text, at) if listed else at
        path, key, at = self._read_key(at, self._headers, self._lengths)
        spot = _Spot(key, bracket)
        if listed:
            self._headers.setdefault(path, spot)  # the array is where its first table is
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
            at = _after(_SYMBOL, self._text, at)
        self._headers[path] = spot
        self._blocks[path] = at = _after(_SYMBOL, self._text, at)
        return at

    def _end_of_pairs(self, at: int) -> int:
        while at < len(self._text) and self._text[at] != "[":
            while self._text[at] != "=":
                at = _after(_SYMBOL if self._text[at] == "." else _KEY_PART, self._text, at)
            at = self._after_value(_after(_SYMBOL, self._text, at))
        return at

    def _read_pairs(self, at: int) -> _Spots:
        """Return what is named from there on, up to the next header or the closing bracket."""
        pairs: _Spots = {}
        while at < len(self._text) and self._text[at] not in "[}":
            path, key, at = self._read_key(at, pairs, {})
            value = _after(_SYMBOL, self._text, at)
            pairs[path] = _Spot(key, value)
            at = self._after_value(value)
        return pairs

    def _read_elements(self, bracket: int) -> "array[int]":
        elements, at = array("L"), _after(_SYMBOL, self._text, bracket)
        while self._text[at] != "]":
            elements.append(at)
            at = self._after_value(at)
        return elements

    def _read_key(
        self, at: int, spots: _Spots, lengths: dict[KeyPath, int]
    ) -> tuple[KeyPath, int, int]:
        """Read a key, dotted or not: its path, where its last part stands, and where it ends.

        What is named on the way is added to `spots`.
        """
        path: KeyPath = ()
        while True:
            key, (part, at) = at, self._read_part(at)
            path = (*path, part)
            if not self._text.startswith(".", at):
                return path, key, at
            spots.setdefault(path, _Spot(key, key, implied=True))
            if path in lengths:
                path = (*path, lengths[path] - 1)
            at = _after(_SYMBOL, self._text, at)

    def _read_part(self, at: int) -> tuple[str, int]:
        found = _match(_KEY_PART, self._text, at)
        part = found[1]
        if part[0] in "\"'":
            part = tomli.loads(f"key = {part}")["key"]
        return part, found.end()

    def _after_value(self, at: int) -> int:
        """Return where the next token begins after a value, whatever that contains."""
        if self._text[at] not in "[{":
            return _after(_SCALAR, self._text, at)
        depth = 0
        while True:
            mark = self._text[at]
            if mark in "[{":
                depth += 1
            elif mark in "]}":
                depth -= 1
                if not depth:
                    return _after(_SYMBOL, self._text, at)
            else:
                at = _match(_INERT, self._text, at).end()
                continue
            at += 1

    def _position(self, offset: int) -> Position:
        line = bisect_right(self._lines, offset)
        return Position(line, offset - self._lines[line - 1] + 1)


def _match(token: re.Pattern[str], text: str, at: int) -> re.Match[str]:
    found = token.match(text, at)
    if not found:
        raise ValueError(f"not TOML at character {at}")
    return found


def _after(token: re.Pattern[str], text: str, at: int) -> int:
    """Return where the next token begins after the one that is there."""
    return _match(token, text, at).end()


# A line of a string: to its end, which can also be an escape. A backslash at the end of a line of
# the file removes the line break and all blanks after it.
_LINES = {
    '"""': re.compile(r"(?:[^\\\n]|\\[ \t]*\n\s*(?!\s)|\\[^n\s])*(?:\n|\\n)?"),
    "'''": re.compile(r"[^\n]*\n?"),
}


def _line_of_string(text: str, start: int, line: int) -> int:
    pattern = _LINES.get(text[start : start + 3])
    if pattern is None:
        return start
    at = start + 3 + text.startswith("\n", start + 3)
    found = pattern.match(text, at)
    for _ in range(line - 1):
        if found:
            at = found.end()
            found = pattern.match(text, at)
    written = found[0] if found else ""
    braces = re.search(r"\{[{%#]", written) if "\n" in written.rstrip("\n") else None
    return at + braces.start() if braces else at
