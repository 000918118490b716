"""Problems: what is wrong, as a sentence, and where it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field

from dispatcher.errors import ManifestError
from dispatcher.models.base import Model
from dispatcher.visible import printable

Severity: TypeAlias = Literal["error", "warning"]


class Problem(Model):
    """What is wrong with a message, as a sentence without the message's name.

    `where` is the key it is about, like "image.caption"; `line` is a line of the text there, from
    1. A "warning" never stops a send.
    """

    message: str
    where: str | None = None
    severity: Severity = "error"
    line: int | None = Field(default=None, ge=1)

    @property
    def is_error(self) -> bool:
        """Whether it keeps the message from being sent."""
        return self.severity == "error"


class Location(Model):
    """A place in a file; lines and columns count from 1.

    `message_id` is the id of the message that is written there. `row` is like "customers.csv:17" if
    the problem concerns one recipient of a file.
    """

    path: str
    line: int = 1
    column: int = 1
    message_id: str | None = None
    row: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class LocatedProblem(Problem):
    """A problem and where it is written; `more_rows` is how many other rows have it, too."""

    location: Location
    more_rows: int = 0

    def __str__(self) -> str:
        return f"{self.location}: {self.severity}: {self.subject}{self.sentence}"

    @property
    def subject(self) -> str:
        """Whose problem it is: `message "welcome": `, or an empty text."""
        id = self.location.message_id
        return f'message "{id}": ' if id is not None else ""

    @property
    def sentence(self) -> str:
        """What is wrong, and for which rows."""
        if self.location.row is None:
            return self.message
        rows = "row" if self.more_rows == 1 else "rows"
        more = f" and {self.more_rows} more {rows}" if self.more_rows else ""
        return f"{self.message} ({self.location.row}{more})"


def located(
    path: Path,
    problem: Problem | str,
    line: int = 1,
    column: int = 1,
    message_id: str | None = None,
    row: str | None = None,
) -> LocatedProblem:
    """Return a problem, or an error with that sentence, at a place of a file, on one line."""
    problem = Problem(message=problem) if isinstance(problem, str) else problem
    message = problem.message
    return LocatedProblem(
        message=message if message.isprintable() else printable(message),
        where=problem.where,
        severity=problem.severity,
        location=Location(
            path=printable(str(path)),
            line=line,
            column=column,
            message_id=None if message_id is None else printable(message_id[:100]),
            row=None if row is None else printable(row),
        ),
    )


def file_error(path: Path, sentence: str, line: int = 1, column: int = 1) -> ManifestError:
    """Return the error for what keeps a file, or the rest of it, from being read."""
    return ManifestError([located(path, sentence, line, column)])


ReportProblem: TypeAlias = Callable[[LocatedProblem], None]


class ProblemList:
    """Collects problems; the same problem of many rows is kept once and counted."""

    def __init__(self) -> None:
        self._first: dict[LocatedProblem, LocatedProblem] = {}
        self._rows: dict[LocatedProblem, int] = {}

    def __call__(self, problem: LocatedProblem) -> None:
        location = problem.location.model_copy(update={"row": None})
        alike = problem.model_copy(update={"location": location})
        self._first.setdefault(alike, problem)
        self._rows[alike] = self._rows.get(alike, 0) + 1

    def __iter__(self) -> Iterator[LocatedProblem]:
        for alike, problem in self._first.items():
            more = self._rows[alike] - 1 if problem.location.row else 0
            yield problem.model_copy(update={"more_rows": more})

    @property
    def errors(self) -> bool:
        """Whether any of them keeps the messages from being sent."""
        return any(problem.is_error for problem in self._first)
