"""TOML manifests → messages, with every problem of every file.

A file is read, its structure checked, the defaults merged under each message; then messages come
one by one, one for each recipient, their templates filled in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dispatcher.errors import ManifestError
from dispatcher.localfiles import neighbour
from dispatcher.manifest import entries, structure, tables
from dispatcher.manifest.expansion import ReadAddress, Report, Source, expand
from dispatcher.manifest.origins import LoadedMessage, Origin
from dispatcher.models import LocatedProblem, Problem
from dispatcher.toml.file import located, read_toml, reason


class Options(NamedTuple):
    """What the messages depend on besides their files.

    `run`: the first part of every key. `transport`: for manifests that name none. `roots`: folders
    outside a manifest's own from which it may read files. `country`: where numbers are dialled that
    have no country code.
    """

    run: str = "default"
    transport: str = "greenapi"
    roots: tuple[Path, ...] = ()
    country: str | None = None


class Manifests:
    """Loaded manifests. `problems`: what is wrong with the files, before any message is made."""

    def __init__(self, options: Options) -> None:
        self.problems: list[LocatedProblem] = []
        self._options = options
        self._sources: list[Source] = []
        self._names: dict[str, Source] = {}

    def add(self, path: Path) -> None:
        """Read a manifest; whatever is wrong with it is added to `problems`."""
        try:
            file = read_toml(path)
        except ManifestError as error:
            self.problems.extend(error.problems)
            return
        data, problems = structure.check(file)
        self.problems.extend(problems)
        name = data.get("name", path.stem)
        transport = data.get("transport", self._options.transport)
        options = self._options
        source = Source(file, data, name, options.run, transport, options.roots, options.country)
        self._sources.append(source)
        self._check_name(source)

    def _check_name(self, source: Source) -> None:
        twin = self._names.setdefault(source.name, source)
        sentence = None
        if twin is not source:
            sentence = f'the name "{source.name}" is also that of {twin.file.path}; give it another'
        elif not re.fullmatch(tables.NAME_PATTERN, source.name):
            sentence = f'"{source.name}" cannot be the manifest\'s name; give it another'
        if sentence is not None:
            self.problems.append(source.file.problem(("name",), f'{sentence} name: name = "…"'))

    def messages(self, report: Report, read_address: ReadAddress) -> Iterator[LoadedMessage]:
        """Every message of every file, in order; one that has a problem may be missing.

        May be called again. Problems go to `report`; `read_address` is the transports'.
        """
        for source in self._sources:
            yield from _messages(source, report, read_address)


def load(paths: Iterable[Path], options: Options) -> Manifests:
    """Read manifests from files and folders (all `*.toml` below them, dispatcher.toml aside)."""
    manifests = Manifests(options)
    files = (file for path in paths for file in _files(path, manifests.problems))
    for file in {_identity(file): file for file in files}.values():
        manifests.add(file)
    return manifests


def _identity(path: Path) -> str:
    """The same for two names of one file."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return str(path)


def _files(path: Path, problems: list[LocatedProblem]) -> Iterator[Path]:
    if not os.path.lexists(path):
        problems.append(located(path, f"no such file or folder{neighbour(path)}"))
        return
    if not path.is_dir():
        yield path
        return
    before = len(problems)
    found = sorted(_found(path, problems))
    if not found and len(problems) == before:
        problems.append(located(path, "no manifests (*.toml) in this folder"))
    yield from found


def _found(path: Path, problems: list[LocatedProblem]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        sentence = f"cannot read the folder: {reason(error)}"
        problems.append(located(Path(error.filename), sentence))

    for folder, folders, names in os.walk(path, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.endswith(".toml") and not name.startswith(".") and name != "dispatcher.toml":
                yield Path(folder, name)


def _messages(source: Source, report: Report, read_address: ReadAddress) -> Iterator[LoadedMessage]:
    first: dict[str, int] = {}
    for index, entry in enumerate(source.data.get("messages", ())):
        if "id" not in entry:
            continue
        origin = Origin(source.file, index, entry["id"])
        twin = first.setdefault(origin.id, index)
        if twin != index:
            line, _ = source.file.position([("messages", twin, "id")])
            sentence = f"this id is already used in line {line}; ids are unique in a file"
            report(origin.locate(Problem(message=sentence, where="id")))
        yield from _entry_messages(source, entry, origin, report, read_address)


def _entry_messages(
    source: Source,
    entry: entries.Table,
    origin: Origin,
    report: Report,
    read_address: ReadAddress,
) -> Iterator[LoadedMessage]:
    table = entries.merge(source.data.get("defaults", {}), entry)
    faults, fatal = set(), False
    for problem in entries.check(table):
        where = ".".join(map(str, problem.where))
        found = Problem(message=problem.sentence, where=where or None)
        report(origin.locate(found, key=problem.at_key))
        faults.add(where)
        fatal = fatal or problem.fatal
    if not fatal:
        yield from expand(source, table, origin, report, frozenset(faults), read_address)
