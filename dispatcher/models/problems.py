"""What is wrong with a message, and where that is written."""

from __future__ import annotations

from typing import Literal, TypeAlias

from dispatcher.models.base import Model

Severity: TypeAlias = Literal["error", "warning"]


class Problem(Model):
    """What is wrong with a message, as a sentence without the message's name.

    `where`: the key it is about, "image.caption". A "warning" never stops a send.
    """

    message: str
    where: str | None = None
    severity: Severity = "error"


class LocatedProblem(Model):
    """A problem with its place in a file; lines and columns count from 1.

    `row`: "customers.csv:17", if it shows for a recipient of a file only; `more_rows`: and for so
    many others.
    """

    path: str
    line: int
    column: int
    problem: Problem
    message_id: str | None = None
    row: str | None = None
    more_rows: int = 0

    def __str__(self) -> str:
        subject = f'message "{self.message_id}": ' if self.message_id is not None else ""
        place = f"{self.path}:{self.line}:{self.column}"
        return f"{place}: {self.problem.severity}: {subject}{self.sentence}"

    @property
    def sentence(self) -> str:
        """What is wrong, and for which rows."""
        if self.row is None:
            return self.problem.message
        rows = "row" if self.more_rows == 1 else "rows"
        more = f" and {self.more_rows} more {rows}" if self.more_rows else ""
        return f"{self.problem.message} ({self.row}{more})"
