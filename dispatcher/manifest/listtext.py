"""The text of a file of recipients, line by line, and what one of its rows comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from dispatcher.errors import ManifestError
from dispatcher.models import located

MAX_ROW = 1_000_000  # characters of one row; a message has a few thousand


class Row(NamedTuple):
    """One recipient; `vars`: all its columns, `line`: where it begins in its file, from 1."""

    to: str
    vars: dict[str, Any]
    line: int


class ListText:
    """The text of a list. `line`: how many of its lines were read."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        self.path = path
        self.line = 0
        self._stream = stream
        self._row = 0

    def lines(self) -> Iterator[str]:
        """Each line with its end. Raises ManifestError if a row is longer than any can be."""
        readline = self._stream.readline
        while text := readline(MAX_ROW + 1):
            self.line += 1
            self._row += len(text)
            if self._row > MAX_ROW:
                raise self.fault(f"a row is longer than {MAX_ROW} characters", self.line)
            yield text

    def begin_row(self) -> None:
        """What is read from now on belongs to another row."""
        self._row = 0

    def fault(self, sentence: str, line: int, column: int = 1) -> ManifestError:
        """What is wrong at a place of the list."""
        return fault(self.path, sentence, line, column)


def repeated(names: Iterable[str]) -> str | None:
    """The first name that is there for the second time."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def fault(path: Path, sentence: str, line: int = 1, column: int = 1) -> ManifestError:
    """What is wrong at a place of a list."""
    return ManifestError([located(path, sentence, line, column)])
