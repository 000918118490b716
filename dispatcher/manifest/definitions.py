"""A manifest as it was read, and where it defines a message: that is where problems are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from dispatcher import localfiles
from dispatcher.errors import PluginError
from dispatcher.inputs import Inputs
from dispatcher.manifest.kinds import Kinds
from dispatcher.manifest.templates import Renderer
from dispatcher.models import LocatedProblem, Message, Problem, located
from dispatcher.models.frozen import frozen
from dispatcher.toml import KeyPath
from dispatcher.toml.file import TomlFile


class Options(NamedTuple):
    """What the messages depend on besides their files.

    `run` is the name that the user gave the run, for manifests with `repeat`. Without it, the run
    is that of the moment `at`, in `timezone` (None means the system's) unless a manifest has its
    own. With `run_needed`, it is an error if a run has no name. With `trial`, the run is a trial of
    that moment, whatever a manifest says. `transport` is for manifests that name none. `roots` are
    folders, besides a manifest's own, from which it may read files. `country` is where numbers
    without a country code are dialled. `home` is the folder with all manifests. `kinds` are the
    kinds of content of all transports.
    """

    run: str | None = None
    at: datetime = datetime.min.replace(tzinfo=UTC)
    timezone: str | None = None
    run_needed: bool = False
    trial: bool = False
    transport: str = "greenapi"
    roots: tuple[Path, ...] = ()
    country: str | None = None
    home: Path | None = None
    kinds: Kinds = Kinds({})


@dataclass(frozen=True)
class Manifest:
    """A manifest while its messages are made.

    `data` is the usable part of the file. `name` and `run` are parts of every key. `transport` is
    for messages that name none. `inputs` remembers what is read.
    """

    file: TomlFile
    data: dict[str, Any]
    name: str
    run: str
    transport: str
    options: Options
    inputs: Inputs
    renderer: Renderer = field(default_factory=Renderer)

    @cached_property
    def vars(self) -> dict[str, Any]:
        """The variables of all its messages, which they share."""
        found: dict[str, Any] = frozen(self.data.get("vars", {}))
        return found

    def find(self, name: str) -> Path:
        """Return a file that the manifest names, as a user would write it. Raises SourceError."""
        path = localfiles.find_file(name, self.file.folder, self.options.roots)
        real = self.file.folder.resolve()
        named = self.file.path.parent
        if named.absolute() != self.file.folder:  # a program's data, which is in no file
            named = self.file.folder
        return named / path.relative_to(real) if path.is_relative_to(real) else path


class Definition(NamedTuple):
    """The `[[messages]]` table of this number, and the item of its `to` or the row of its list.

    `row_path` is the list, a file of recipients; `text_path` is the file that holds the text of the
    key `text_key`.
    """

    file: TomlFile
    entry: int
    id: str
    item: int | None = None
    row_path: Path | None = None
    row: int = 0
    text_path: Path | None = None
    text_key: str | None = None

    @property
    def base(self) -> Path:
        """Return the folder to which the manifest's file names are relative."""
        return self.file.folder

    def locate(self, problem: Problem, *, key: bool = False) -> LocatedProblem:
        """Locate a problem: in the table, its defaults, the file's head, the text or the row.

        With `key`, it is located at the key, not at its value.
        """
        if problem.where == "transport":
            return self._of_transport(problem)
        if problem.where == "to" and self.row_path is not None:
            return located(self.row_path, problem, self.row, message_id=self.id)
        row = f"{self.row_path}:{self.row}" if self.row_path else None
        if problem.where == self.text_key and self.text_path is not None:
            return located(self.text_path, problem, problem.line or 1, 1, self.id, row)
        return located(self.file.path, problem, *self._position(problem, key), self.id, row)

    def located_error(self, error: PluginError) -> PluginError:
        """Return an error of a plugin that failed for a message, with the message's place."""
        return PluginError(str(self.locate(Problem(message=str(error)))))

    def _of_transport(self, problem: Problem) -> LocatedProblem:
        """Locate a problem in what a file says for all its messages, so that it is only one."""
        data = self.file.data
        if "transport" in data["messages"][self.entry]:
            return located(self.file.path, problem, *self._position(problem), self.id)
        in_defaults = "transport" in data.get("defaults", {})
        where = ("defaults", "transport") if in_defaults else ("transport",)
        return located(self.file.path, problem, *self.file.position([where]))

    def _position(self, problem: Problem, key: bool = False) -> tuple[int, int]:
        parts = re.findall(r"[^.\[\]]+", problem.where or "")  # also of a payload: buttons[0].title
        where: KeyPath = tuple(int(part) if part.isdecimal() else part for part in parts)
        if where == ("to",) and self.item is not None:
            where = ("to", self.item)
        paths: list[KeyPath] = [("messages", self.entry, *where)]
        if where:
            paths += [("defaults", *where), where]
        position = self.file.position(paths, key=key)
        return position if problem.line is None else self.file.line_within(position, problem.line)


class LoadedMessage(NamedTuple):
    """A rendered message and where it is defined.

    `bad_keys` are keys with a reported problem. `former_keys` are those that the message had under
    former names. `chosen` tells whether it is selected; the others are only checked.
    """

    message: Message
    definition: Definition
    bad_keys: frozenset[str] = frozenset()
    former_keys: tuple[str, ...] = ()
    chosen: bool = True
