"""Where the keys and values of a TOML document stand in its text.

In goes a text that tomli has parsed without complaint; out comes, for every path of the parsed
data, the line and column of its key and of its value. Manifests are read by tomli alone, which
keeps no positions: this second reading happens only when there is a problem to point at.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

import tomli

Path = tuple[str | int, ...]


class Position(NamedTuple):
    """Line and column, both from 1; a column is a code point, as in `TOMLDecodeError.colno`."""

    line: int
    column: int


class Place(NamedTuple):
    """Where one path is written.

    Of a table with a header, an element of an array of tables included: the last key part and the
    opening bracket. An element of any other array has one position for both, and so has a table
    without a header or value of its own: where it is first named on the way to something deeper.
    """

    key: Position
    value: Position


def locate(text: str) -> dict[Path, Place]:
    """Map each path of the data in `text` to its place; the root, `()`, has none.

    The text is taken to be valid: of an invalid one, either ValueError or a result of no use comes.
    """
    # As tomli does; the dropped character ends its line, so no column changes.
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.run()
    return scanner.places


def _token(pattern: str) -> re.Pattern[str]:
    """Match a token as group 1, and after it everything up to the next token.

    Commas count as blanks: in valid text they tell nothing that the values around them do not.
    """
    return re.compile(rf"({pattern})[ \t\n,]*(?:#[^\n]*[ \t\n,]*)*", re.DOTALL)


# Each loop below can go on in one way only, so that failing takes no longer than matching.
# (Possessive groups would ensure it, but early releases of Python 3.11 get them wrong.)
_BASIC = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_LITERAL = r"'[^'\n]*'"
# One or two quotes of the content may precede the closing three, hence up to five in a row.
_LONG_BASIC = r'"""[^"\\]*(?:(?:\\.|(?!""")")[^"\\]*)*"{3,5}'
_LONG_LITERAL = r"'''[^']*(?:(?!''')'[^']*)*'{3,5}"
# Of these only a date is followed by a blank and a digit: the time of day.
_PLAIN = r"[\w:.+-]+(?: \d[\w:.+-]*)?"

_START = _token("")
_SYMBOL = _token(r"[\[\]{}.=]")
_KEY_PART = _token(rf"[\w-]+|{_BASIC}|{_LITERAL}")
_VALUE = _token(rf"[\[{{]|{_PLAIN}|{_LONG_BASIC}|{_LONG_LITERAL}|{_BASIC}|{_LITERAL}")

_CLOSERS = {"[": "]", "{": "}"}


@dataclass(slots=True)
class _Container:
    """What is being filled: the current table, or an inline array or table with its `closer`."""

    path: Path
    closer: str = ""
    length: int = 0


class _Scanner:
    """Reads the text from token to token; a list of the open containers stands for recursion."""

    def __init__(self, text: str) -> None:
        self.places: dict[Path, Place] = {}
        self._text = text
        self._lines = [0, *(newline.end() for newline in re.finditer("\n", text))]
        self._at = 0
        self._open = [_Container(())]
        self._tables: dict[Path, int] = {}  # length of each array of tables

    def run(self) -> None:
        self._read(_START)
        while self._at < len(self._text):
            self._step()
        if len(self._open) > 1:
            raise self._error()

    def _step(self) -> None:
        inner = self._open[-1]
        if inner.closer and self._take(inner.closer):
            self._open.pop()
        elif inner.closer == "]":
            self._value((*inner.path, inner.length))
            inner.length += 1
        elif inner.closer or not self._text.startswith("[", self._at):
            self._pair(inner.path)
        else:
            self._header()

    def _header(self) -> None:
        bracket = self._here()
        self._expect("[")
        listed = self._take("[")
        path, key = self._key(())
        place = Place(key, bracket)
        if listed:
            self._expect("]")
            path = self._element(path, place)
        self._expect("]")
        self.places[path] = place
        self._open = [_Container(path)]

    def _element(self, path: Path, place: Place) -> Path:
        """Add a table to the array of tables at `path`; the array is where its first table is."""
        self.places.setdefault(path, place)
        index = self._tables.get(path, 0)
        self._tables[path] = index + 1
        return (*path, index)

    def _pair(self, table: Path) -> None:
        path, key = self._key(table)
        self._expect("=")
        self._value(path, key)

    def _key(self, table: Path) -> tuple[Path, Position]:
        """Read a key, dotted or not: the path it leads to, and where its last part stands."""
        key, path = self._here(), (*table, self._key_part())
        while self._take("."):
            self.places.setdefault(path, Place(key, key))
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
            key, path = self._here(), (*path, self._key_part())
        return path, key

    def _key_part(self) -> str:
        part = self._read(_KEY_PART)
        if part[0] in "\"'":
            part = tomli.loads(f"key = {part}")["key"]
        return part

    def _value(self, path: Path, key: Position | None = None) -> None:
        """Read a value, of an inline array or table only the opening bracket."""
        start = self._here()
        self.places[path] = Place(key or start, start)
        closer = _CLOSERS.get(self._read(_VALUE))
        if closer:
            self._open.append(_Container(path, closer))

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            raise self._error()

    def _take(self, symbol: str) -> bool:
        found = self._text.startswith(symbol, self._at)
        if found:
            self._read(_SYMBOL)
        return found

    def _read(self, token: re.Pattern[str]) -> str:
        found = token.match(self._text, self._at)
        if not found:
            raise self._error()
        self._at = found.end()
        return found[1]

    def _here(self) -> Position:
        line = bisect_right(self._lines, self._at)
        return Position(line, self._at - self._lines[line - 1] + 1)

    def _error(self) -> ValueError:
        return ValueError("not TOML at line {}, column {}".format(*self._here()))


# A line of a string: to its end, which an escape can be, too. A backslash at the end of a line of
# the file takes away the line break and all blanks after it.
_LINES = {
    '"""': re.compile(r"(?:[^\\\n]|\\[ \t]*\n\s*(?!\s)|\\[^n\s])*(?:\n|\\n)?"),
    "'''": re.compile(r"[^\n]*\n?"),
}


def line_within(text: str, start: int, line: int) -> int:
    """Where a line of the string that is written at `start` begins; offsets into the text.

    Of lines that backslashes join it is the first one with a template's braces.
    """
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
