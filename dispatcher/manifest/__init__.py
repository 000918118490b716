"""TOML manifests → messages, with every problem of every file.

A file is read and validated, and the defaults are merged into each of its messages. Then messages
are made one by one, one for each recipient, with their templates filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dispatcher import names
from dispatcher.errors import ManifestError
from dispatcher.inputs import Inputs
from dispatcher.manifest import discovery, message_table, validation
from dispatcher.manifest.definitions import Definition, LoadedMessage, Manifest, Options
from dispatcher.manifest.expansion import ReadAddress, expand
from dispatcher.models import LocatedProblem, Problem, Report, located
from dispatcher.names import canonical_name
from dispatcher.toml.file import TomlFile, read_toml, toml_value

__all__ = ["Manifests", "Options", "load"]


class Manifests:
    """Loaded manifests. `problems`: what is wrong with the files, before any message is made.

    `inputs`: these files, and those of which messages were made.
    """

    def __init__(self, options: Options) -> None:
        self.problems: list[LocatedProblem] = []
        self.inputs = Inputs()
        self._options = options
        self._manifests: list[Manifest] = []
        self._names: dict[str, Manifest] = {}
        self._files: dict[str, TomlFile] = {}

    def add(self, path: Path) -> None:
        """Read a manifest; whatever is wrong with it is added to `problems`."""
        try:
            file = read_toml(path, self.inputs)
        except ManifestError as error:
            self.problems.extend(error.problems)
            return
        self._files.setdefault(self._add(file, canonical_name(file.path.stem)), file)

    def _add(self, file: TomlFile, usual_name: str) -> str:
        data, problems = validation.check(file)
        self.problems.extend(problems)
        name = data.get("name", usual_name)
        transport = data.get("transport", self._options.transport)
        manifest = Manifest(file, data, name, transport, self._options, self.inputs)
        self._manifests.append(manifest)
        self._check_name(manifest)
        return manifest.name

    def _check_name(self, manifest: Manifest) -> None:
        twin = self._names.setdefault(manifest.name, manifest)
        sentence = None
        if twin is not manifest:
            sentence = (
                f'the name "{manifest.name}" is also that of {twin.file.path}; give it another'
            )
        elif names.fault(manifest.name):
            invisible = names.invisible(manifest.name) or ""
            why = f" (it holds {invisible})" if invisible.startswith("U+") else ""
            sentence = f'"{manifest.name}" cannot be the manifest\'s name{why}; give it another'
        if sentence is not None:
            self.problems.append(manifest.file.problem(("name",), f'{sentence} name: name = "…"'))

    def add_tables(self, messages: Sequence[Mapping[str, Any]], name: str, folder: Path) -> None:
        """Take a program's own `[[messages]]` tables as the manifest of this name.

        `folder`: to which their files are relative, from the root. Whatever is wrong is added to
        `problems`.
        """
        path = Path(f"<{name}>")
        try:
            data = toml_value({"manifest": 1, "name": name, "messages": messages})
        except ValueError as error:
            self.problems.append(located(path, str(error)))
            return
        self._add(TomlFile(path, "", data, folder), str(name))

    @property
    def run(self) -> str:
        """The name of the run, the first part of every key."""
        return self._options.run

    @property
    def paths(self) -> dict[str, Path]:
        """The names of the manifests that are files, and the file of each."""
        return {name: file.path for name, file in self._files.items()}

    def messages(self, report: Report, read_address: ReadAddress) -> Iterator[LoadedMessage]:
        """Every message of every file, in order; one that has a problem may be missing.

        May be called again. Problems go to `report`; `read_address` is the transports'.
        """
        for manifest in self._manifests:
            yield from _messages(manifest, report, read_address)


def load(paths: Iterable[Path], options: Options) -> Manifests:
    """Read manifests from files and folders (`*.toml` below them: see `discovery`)."""
    manifests = Manifests(options)
    files, problems = discovery.find(paths)
    manifests.problems += problems
    for file in files:
        manifests.add(file)
    return manifests


def _messages(
    manifest: Manifest, report: Report, read_address: ReadAddress
) -> Iterator[LoadedMessage]:
    first: dict[str, int] = {}
    for index, entry in enumerate(manifest.data.get("messages", ())):
        if "id" not in entry:
            continue
        definition = Definition(manifest.file, index, entry["id"])
        twin = first.setdefault(definition.id, index)
        if twin != index:
            line, _ = manifest.file.position([("messages", twin, "id")])
            sentence = f"this id is used in line {line} already; give it another"
            report(definition.locate(Problem(message=sentence, where="id")))
        yield from _entry_messages(manifest, entry, definition, report, read_address)


def _entry_messages(
    manifest: Manifest,
    entry: message_table.Table,
    definition: Definition,
    report: Report,
    read_address: ReadAddress,
) -> Iterator[LoadedMessage]:
    table = message_table.merge_defaults(manifest.data.get("defaults", {}), entry)
    problems = list(message_table.check(table))
    for problem in problems:
        report(definition.locate(problem, key=problem.at_key))
    if not any(problem.fatal for problem in problems):
        faults = frozenset(problem.where for problem in problems if problem.where is not None)
        yield from expand(manifest, table, definition, report, faults, read_address)
