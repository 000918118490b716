"""Makes messages from TOML manifests, and reports every problem of every file.

A file is read and validated, and the defaults are merged into each of its messages. Then messages
are made one by one, one for each recipient, with their templates filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dispatcher import names, timezones
from dispatcher.errors import ManifestError
from dispatcher.inputs import Inputs
from dispatcher.manifest import discovery, message_table, runs, validation
from dispatcher.manifest.definitions import Definition, LoadedMessage, Manifest, Options
from dispatcher.manifest.expansion import ReadAddress, expand
from dispatcher.manifest.former_names import DefinedNames, MessageName
from dispatcher.manifest.runs import DatedManifests
from dispatcher.models import LocatedProblem, Problem, ReportProblem, located
from dispatcher.names import canonical_name
from dispatcher.toml import newer_forms
from dispatcher.toml.file import TomlFile, read_toml, toml_value

__all__ = ["Manifests", "Options", "load"]

_NO_REPEAT = (
    "everybody gets each message of this manifest once, in one run; for a new one each day, say "
    'repeat = "daily" (weekly, monthly, or run: each time it is named)'
)


class Manifests:
    """Loaded manifests. `problems` are those of the files, found before any message is made.

    `inputs` are these files, and those from which messages were made. `defined` holds the names of
    all messages, also of those in other manifests.
    """

    def __init__(self, options: Options) -> None:
        self.problems: list[LocatedProblem] = []
        self.inputs = Inputs()
        self.defined = DefinedNames()
        self._options = options
        self._manifests: list[Manifest] = []
        self._names: dict[str, Path] = {}
        self._files: dict[str, TomlFile] = {}

    def add_name_only(self, path: Path) -> None:
        """Record the names in a manifest that is not planned, or that it cannot be read."""
        try:
            file = read_toml(path)
        except ManifestError:
            self.defined.unread.append(path)
            return
        name = file.data.get("name", file.path.stem)
        if "manifest" in file.data and isinstance(name, str):
            name = canonical_name(name)
            self._names.setdefault(name, path)
            self.defined.add(name, file.data, file, planned=False)

    def add(self, path: Path) -> None:
        """Read a manifest, and add what is wrong with it to `problems`."""
        try:
            file = read_toml(path, self.inputs)
        except ManifestError as error:
            self.problems.extend(error.problems)
            return
        self._files.setdefault(self._add(file, canonical_name(file.path.stem)), file)
        self.problems.extend(newer_forms.warnings(file))

    def _add(
        self, file: TomlFile, usual_name: str, run: str | None = None, *, own: bool = False
    ) -> str:
        data, problems = validation.check(file, self._options.kinds, self._options.transport)
        self.problems.extend(problems)
        name = data.get("name", usual_name)
        transport = data.get("transport", self._options.transport)
        run = run or self._run(file, data)
        manifest = Manifest(file, data, name, run, transport, self._options, self.inputs)
        self._manifests.append(manifest)
        self._check_name(manifest)
        self.defined.add(name, data, file, planned=True, own=own)
        return manifest.name

    def _run(self, file: TomlFile, data: dict[str, Any]) -> str:
        """Return the run of a manifest's messages, and add what is wrong with it to `problems`."""
        if self._options.trial:
            return runs.trial(self._options.at)
        repeat, given = data.get("repeat"), self._options.run
        if repeat is None:
            if given is not None:
                sentence = f"--run {given}: {_NO_REPEAT}"
                self.problems.append(file.problem(("repeat",), sentence))
            return runs.DEFAULT
        if given is not None:
            try:
                return runs.named(repeat, given)
            except ValueError as error:
                self.problems.append(file.problem(("repeat",), f"--run {given}: {error}"))
                return given
        zone = self._timezone(data)
        if zone is None and (reason := timezones.why_no_system_zone()):
            self.problems.append(file.problem(("repeat",), reason))
        name = runs.period(repeat, self._options.at, zone)
        if name is None and self._options.run_needed:
            sentence = 'repeat = "run": name the run, --run NAME'
            self.problems.append(file.problem(("repeat",), sentence))
        return name or runs.UNNAMED

    def _timezone(self, data: dict[str, Any]) -> str | None:
        """Return where a manifest's day begins; None means the system's zone."""
        zone: str | None = data.get("timezone", self._options.timezone)
        return zone

    def _day(self, data: dict[str, Any]) -> str | None:
        """Return the day whose run a manifest has, or None if its run is another or was named."""
        named = self._options.trial or self._options.run is not None
        if named or data.get("repeat") in (None, "run"):
            return None
        return runs.period("daily", self._options.at, self._timezone(data))

    def _check_name(self, manifest: Manifest) -> None:
        path = manifest.file.path
        twin = self._names.setdefault(manifest.name, path)
        sentence = None
        if twin is not path:
            sentence = f'the name "{manifest.name}" is also that of {twin}; give it another'
        elif names.why_invalid(manifest.name):
            invisible = names.invisible(manifest.name) or ""
            why = f" (it holds {invisible})" if invisible.startswith("U+") else ""
            sentence = f'"{manifest.name}" cannot be the manifest\'s name{why}; give it another'
        if sentence is not None:
            self.problems.append(manifest.file.problem(("name",), f'{sentence} name: name = "…"'))

    def add_tables(
        self, messages: Sequence[Mapping[str, Any]], name: str, folder: Path, run: str
    ) -> None:
        """Add a program's own `[[messages]]` tables as a manifest of this name, for a run.

        Their files are relative to `folder`, an absolute path. What is wrong is added to
        `problems`.
        """
        path = Path(f"<{name}>")
        try:
            data = toml_value({"manifest": 1, "name": name, "messages": messages})
        except ValueError as error:
            self.problems.append(located(path, str(error)))
            return
        # What a program passes now tells nothing of all its other messages.
        self._add(TomlFile(path, "", data, folder), str(name), run, own=True)

    @property
    def run(self) -> str:
        """Return the name of the run, the first part of every key; if there are several, all."""
        return ", ".join(self.runs) or runs.DEFAULT

    @property
    def runs(self) -> list[str]:
        """Return the names of the runs of these manifests."""
        return list(dict.fromkeys(each.run for each in self._manifests))

    @property
    def by_day(self) -> list[DatedManifests]:
        """These manifests, by the day whose runs they have."""
        found: dict[str | None, list[Manifest]] = {}
        for each in self._manifests:
            found.setdefault(self._day(each.data), []).append(each)
        return [
            DatedManifests(
                day and (same[0].run if len({each.run for each in same}) == 1 else day),
                {each.name: each.file.path for each in same},
            )
            for day, same in found.items()
        ]

    @property
    def names(self) -> list[MessageName]:
        """Return the names of the messages that `messages` yields, in order."""
        return [
            MessageName(each.name, entry["id"])
            for each in self._manifests
            for entry in each.data.get("messages", ())
            if "id" in entry
        ]

    @property
    def paths(self) -> dict[str, Path]:
        """Return the file of each manifest that is a file, by name."""
        return {name: file.path for name, file in self._files.items()}

    def messages(self, report: ReportProblem, read_address: ReadAddress) -> Iterator[LoadedMessage]:
        """Yield every message of every file, in order; one that has a problem may be missing.

        It may be called again. Problems go to `report`; `read_address` is the transports'.
        """
        for manifest in self._manifests:
            yield from _messages(manifest, self.defined, report, read_address)


def load(paths: Iterable[Path], options: Options) -> Manifests:
    """Read manifests from files and folders (`*.toml` below them: see `discovery`)."""
    manifests = Manifests(options)
    files, problems = discovery.find(paths)
    manifests.problems += problems
    for file in discovery.others(options.home, files):
        manifests.add_name_only(file)
    for file in files:
        manifests.add(file)
    manifests.problems += manifests.defined.problems()
    return manifests


def _messages(
    manifest: Manifest, defined: DefinedNames, report: ReportProblem, read_address: ReadAddress
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
        former = defined.former(MessageName(manifest.name, definition.id))
        yield from _entry_messages(manifest, entry, definition, report, read_address, former)


def _entry_messages(
    manifest: Manifest,
    entry: message_table.Table,
    definition: Definition,
    report: ReportProblem,
    read_address: ReadAddress,
    former: Sequence[MessageName],
) -> Iterator[LoadedMessage]:
    kinds, transport = manifest.options.kinds, manifest.transport
    table = message_table.merge_defaults(manifest.data.get("defaults", {}), entry, kinds, transport)
    problems = list(message_table.check(table, kinds, transport))
    for problem in problems:
        report(definition.locate(problem, key=problem.at_key))
    if not any(problem.fatal for problem in problems):
        bad_keys = frozenset(problem.where for problem in problems if problem.where is not None)
        yield from expand(manifest, table, definition, report, bad_keys, read_address, former)
