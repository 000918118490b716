"""Where a message comes from, so that whatever is wrong with it is shown at its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dispatcher.models import LocatedProblem, Message, Problem
from dispatcher.toml import KeyPath
from dispatcher.toml.file import TomlFile, located
from dispatcher.visible import printable


class Origin(NamedTuple):
    """A message table, and the item of its `to` or the row of its recipients' file.

    `text_path`: the file that holds its text.
    """

    file: TomlFile
    entry: int
    id: str
    item: int | None = None
    row_path: Path | None = None
    row: int = 0
    text_path: Path | None = None

    @property
    def base(self) -> Path:
        """The folder to which the manifest's file names are relative."""
        return self.file.folder

    def locate(
        self, problem: Problem, *, key: bool = False, line: int | None = None
    ) -> LocatedProblem:
        """The problem at its place: in the table, its defaults, the file's head, the text, the row.

        `line`: of the value, in which it is, or of the file that holds the text.
        """
        if problem.where == "transport":
            return self._of_transport(problem)
        if problem.where == "to" and self.row_path is not None:
            return located(self.row_path, problem, self.row, message_id=self.id)
        if problem.where == "text.body" and self.text_path is not None:
            found = located(self.text_path, problem, line or 1, message_id=self.id)
        else:
            found = self._in_manifest(problem, key, line)
        row = self.row_path and printable(f"{self.row_path}:{self.row}")
        return found.model_copy(update={"row": row}) if row else found

    def _of_transport(self, problem: Problem) -> LocatedProblem:
        """What a file says for all its messages is wrong once, not once for each of them."""
        data = self.file.data
        if "transport" in data["messages"][self.entry]:
            return self._in_manifest(problem, key=False)
        in_defaults = "transport" in data.get("defaults", {})
        where = ("defaults", "transport") if in_defaults else ("transport",)
        return located(self.file.path, problem, *self.file.position([where]))

    def _in_manifest(self, problem: Problem, key: bool, line: int | None = None) -> LocatedProblem:
        where: KeyPath = tuple(problem.where.split(".")) if problem.where else ()
        if where == ("to",) and self.item is not None:
            where = ("to", self.item)
        paths: list[KeyPath] = [("messages", self.entry, *where)]
        if where:
            paths += [("defaults", *where), where]
        place = self.file.position(paths, key=key)
        if line is not None:
            place = self.file.line_within(place, line)
        return located(self.file.path, problem, *place, self.id)


class LoadedMessage(NamedTuple):
    """A rendered message and where it comes from; `faults`: keys with a problem already told."""

    message: Message
    origin: Origin
    faults: frozenset[str] = frozenset()


class ProblemList:
    """Collects problems; what is wrong with many rows in the same way is kept once and counted."""

    def __init__(self) -> None:
        self._first: dict[LocatedProblem, LocatedProblem] = {}
        self._rows: dict[LocatedProblem, int] = {}

    def __call__(self, problem: LocatedProblem) -> None:
        alike = problem.model_copy(update={"row": None})
        self._first.setdefault(alike, problem)
        self._rows[alike] = self._rows.get(alike, 0) + 1

    def __iter__(self) -> Iterator[LocatedProblem]:
        for alike, problem in self._first.items():
            more = self._rows[alike] - 1 if problem.row else 0
            yield problem.model_copy(update={"more_rows": more})

    @property
    def errors(self) -> bool:
        """Whether any of them keeps the messages from being sent."""
        return any(problem.problem.severity == "error" for problem in self._first)
