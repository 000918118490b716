"""Makes a plan: every message through the stages, and compared with the journal.

Nothing here touches the network, and nothing is written.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from dispatcher.bound_transports import GetTransport
from dispatcher.errors import ConfigError, InputChanged, ManifestError
from dispatcher.inputs import Inputs
from dispatcher.manifest import Manifests
from dispatcher.manifest.definitions import Definition, LoadedMessage
from dispatcher.manifest.former_names import DefinedNames
from dispatcher.manifest.runs import DatedManifests
from dispatcher.models import Delivered, LocatedProblem, Message, ProblemList, ReportProblem, Status
from dispatcher.planning.comparison import NOTHING, NoRecords, PlannedMessage, Records, compared
from dispatcher.planning.kept import KeptMessages
from dispatcher.planning.moved import Copies
from dispatcher.planning.overview import SENDABLE, Overview
from dispatcher.planning.selection import Chooser, Sample, Selection
from dispatcher.planning.stages import Stages
from dispatcher.registry import Registry

__all__ = [
    "NOTHING",
    "Draft",
    "NoRecords",
    "PlannedMessage",
    "Planner",
    "Records",
    "compared",
]

_BATCH = 500  # how many messages are planned, and looked up in the journal, at once


class Draft(NamedTuple):
    """A message as far as it can be planned, its problems, and where it comes from."""

    planned: PlannedMessage
    problems: list[LocatedProblem]
    definition: Definition


class Planner:
    """Makes plans from manifests. `transports` returns a transport by name.

    Messages outside the `selection` are checked, too, but not planned.
    """

    def __init__(
        self,
        manifests: Manifests,
        registry: Registry,
        transports: GetTransport,
        selection: Selection | None = None,
    ) -> None:
        self._manifests, self._registry = manifests, registry
        self._selection = selection
        # In a trial, all copies go to one person: what one misses is no reason for others.
        is_trial = selection is not None and selection.trial is not None
        self._stages = Stages(registry, transports, manifests.inputs, may_stop=not is_trial)
        self._chooser: Chooser | None = None  # from the last time that the messages were made
        self._seen: array[int] | None = None
        self._kept = KeptMessages()
        contents = partial(_contents, manifests, self._stages)
        self._copies = Copies(manifests.defined, contents)
        self.overview: Overview | None = None
        self._batch: list[LoadedMessage] = []  # what is planned at present
        self._moved: dict[str, str] = {}  # by key, the keys under which they were sent

    @property
    def paths(self) -> dict[str, Path]:
        """Return the file of each manifest, by name."""
        return self._manifests.paths

    @property
    def run(self) -> str:
        """Return the name of the run, the first part of every key."""
        return self._manifests.run

    @property
    def runs(self) -> list[str]:
        """Return the names of the runs of its manifests."""
        return self._manifests.runs

    @property
    def by_day(self) -> list[DatedManifests]:
        """Return its manifests, by the day whose runs they have."""
        return self._manifests.by_day

    @property
    def defined(self) -> DefinedNames:
        """Return the names of all messages, also of those that are not planned."""
        return self._manifests.defined

    @property
    def inputs(self) -> Inputs:
        """Return the files from which the plan is made."""
        return self._manifests.inputs

    @property
    def checked(self) -> int:
        """Return how many selected messages `check` has seen."""
        return len(self._seen or ())

    @property
    def without_message(self) -> list[str]:
        """Return the recipients that the user named but for whom `check` found no message."""
        return self._chooser.without_message if self._chooser else []

    def require_selected(self) -> None:
        """Raise ConfigError if the user named a message that `check` did not find."""
        unmatched = self._chooser.unmatched(self._manifests.names) if self._chooser else ()
        if sentences := list(unmatched):
            raise ConfigError(*sentences)

    def check(self, journal: Records | None = None) -> ProblemList:
        """Return every problem of every file and message, warnings included.

        With a journal, `overview` is set afterwards, and the messages are kept for `plan` if they
        are few. Raises InputChanged if a file changes meanwhile.
        """
        problems = self.problems_of_files()
        batches = self._planned(self._selected(problems), problems)
        if journal is not None:
            batches = self._counted(batches, journal)
        seen, kept = array("q"), KeptMessages()
        if journal is None or self._registry.trace:  # a trace hears of each as it is given out
            kept.drop()
        for batch in batches:
            seen.extend(map(_fingerprint, batch))
            kept.add(batch, self._batch)
        if problems.errors:
            kept.drop()
        self._seen, self._kept = seen, kept
        self.inputs.require_unchanged()
        return problems

    def _counted(
        self, batches: Iterable[list[PlannedMessage]], journal: Records
    ) -> Iterator[list[PlannedMessage]]:
        overview = self.overview = Overview()
        self._moved = {}
        undecided: list[tuple[PlannedMessage, list[Delivered]]] = []  # set once all are known
        for batch in batches:
            for each, copies in self._compared(batch, journal):
                if copies:
                    undecided.append((each, copies))
                else:
                    overview.add(each)
            yield batch
        for each, copies in undecided:
            overview.add(self._marked(each, copies))

    def plan(
        self, journal: Records | None = None, *, ask_again: bool = True, last: bool = False
    ) -> Iterator[PlannedMessage]:
        """Yield the messages that `check` has seen, in order, compared with the journal's records.

        Those that `check` has kept are given out; otherwise, as there may be more than fit in
        memory, all are made anew. With `ask_again`, moved ones are looked up even if `check` has
        done so. With `last`, what was given out is kept no longer. Raises InputChanged before the
        first one that is not as it was checked, or ManifestError if there was no check and one is
        bad.
        """
        problems = self.problems_of_files()
        index = 0
        ask = ask_again or self.overview is None
        if ask:
            self._moved = {}
        is_kept = self._seen is not None and self._kept.complete
        batches = self._given_out(problems, last) if is_kept else self._made_anew(problems)
        for batch in batches:
            if problems.errors:
                break
            for each, copies in self._compared(batch, journal or NoRecords(), ask=ask):
                self._require_seen(each, index)
                yield self._marked(each, copies)
                index += 1
        if problems.errors and self._seen is None:
            raise ManifestError(list(problems))
        if problems.errors:
            bad = next(each for each in problems if each.is_error)
            raise self._not_as_checked(f"{bad}: this")
        if self._seen is not None and index < len(self._seen):
            raise self._not_as_checked("the list of messages")

    def _made_anew(self, problems: ProblemList) -> Iterator[list[PlannedMessage]]:
        selected = self._selected(problems)
        if self._seen is not None:  # the others were only checked
            selected = (loaded for loaded in selected if loaded.chosen)
        return self._planned(selected, problems)

    def _given_out(self, problems: ProblemList, last: bool) -> Iterator[list[PlannedMessage]]:
        """Yield what `check` has kept, after a look at the files, and at what plugins answer now
        for a few of the messages."""
        self.inputs.require_unchanged(thorough=True)
        for loaded, planned in self._kept.samples:
            self._batch = [loaded]
            again = self._stages.planned(loaded, problems)
            if problems.errors:
                return
            if again is None or _fingerprint(again) != _fingerprint(planned):
                key = planned.message.key
                raise self._not_as_checked(f"message {key}", self._suspects(key))
        yield from self._kept.taken() if last else self._kept.batches()

    def _compared(
        self, batch: list[PlannedMessage], journal: Records, *, ask: bool = True
    ) -> Iterator[tuple[PlannedMessage, list[Delivered]]]:
        """Yield the messages compared with the journal; with `ask`, each that would be sent comes
        with the copies of the same content that its recipient has."""
        if not batch:
            return
        keys = [each.message.key for each in batch]
        former = {each.message.key: each.former_keys for each in batch if each.former_keys}
        records = journal.lookup(keys, former)
        found = [compared(each, records.get(each.message.key)) for each in batch]
        sent = ((each.message, each.digest) for each in found if each.status in SENDABLE)
        copies = self._copies.found(sent, journal.delivered) if ask else {}
        for each in found:
            yield each, copies.get(each.message.key, [])

    def _marked(self, planned: PlannedMessage, copies: list[Delivered]) -> PlannedMessage:
        """Return a message, marked if it is one of those that have moved."""
        key = planned.message.key
        if copies and (was := self._copies.moved_from(planned.message, copies)) is not None:
            self._moved[key] = was
        if key not in self._moved or planned.status not in SENDABLE:
            return planned
        return planned._replace(status=Status.MOVED, was=self._moved[key])

    def is_copy(self, planned: PlannedMessage, copy: Delivered) -> bool:
        """Whether what another run has sent meanwhile is this message, under another name."""
        if planned.status == Status.MOVED:  # so that the user wants a second copy
            return False
        return self._copies.is_the_same(planned.message, planned.former_keys, copy)

    def _require_seen(self, planned: PlannedMessage, index: int) -> None:
        seen = self._seen
        if seen is not None and (index >= len(seen) or seen[index] != _fingerprint(planned)):
            key = planned.message.key
            raise self._not_as_checked(f"message {key}", self._suspects(key))

    def _suspects(self, key: str) -> str:
        """Name the plugin that makes another payload of a message each time, as far as is known."""
        loaded = next((each for each in self._batch if each.message.key == key), None)
        plugins = self._stages.unsteady(loaded) if loaded is not None else []
        if len(plugins) > 1:
            return f"one of these plugins ({', '.join(map(str, plugins))})"
        return str(plugins[0]) if plugins else "a plugin"

    def _not_as_checked(self, what: str, who: str = "a plugin") -> InputChanged:
        """Return the error: a file has changed, or else a plugin is not deterministic."""
        try:
            self.inputs.require_unchanged(thorough=True)
        except InputChanged as error:
            return error
        why = f"no file has changed, so {who} must have answered differently the second time"
        return InputChanged(f"{what} is not as it was checked; {why}")

    def drafts(self, report: ReportProblem) -> Iterator[Draft]:
        """Yield every selected message that can be shown, good or not.

        A draft has its own problems. `report` gets all others, except those of files: those of
        messages that are not shown, and, right before a draft, those found while it was made.
        """
        for loaded in self._selected(report):
            problems = ProblemList()
            planned = self._stages.planned(loaded, problems)
            if planned is None or not loaded.chosen:
                for problem in problems:
                    report(problem)
            else:
                yield Draft(planned, list(problems), loaded.definition)

    def problems_of_files(self) -> ProblemList:
        """Return the problems of the files, found before any message is made."""
        problems = ProblemList()
        for problem in self._manifests.problems:
            problems(problem)
        return problems

    def _selected(self, report: ReportProblem) -> Iterator[LoadedMessage]:
        """Yield all messages, each marked as selected or not."""
        messages = self._manifests.messages(report, self._stages.address)
        if self._selection is None:
            return messages
        self._chooser = Chooser(self._selection, self._stages.address, self._sample)
        return map(self._chooser.marked, messages)

    @cached_property
    def _sample(self) -> Sample | None:
        """Return the recipients of the sample, or None if there is no sample."""
        if self._selection is None or (size := self._selection.sample_size) is None:
            return None
        loaded = self._manifests.messages(lambda problem: None, self._stages.address)
        chooser = Chooser(self._selection, self._stages.address)
        return chooser.sample_of((each.message for each in loaded), size)

    def _planned(
        self, messages: Iterator[LoadedMessage], report: ReportProblem
    ) -> Iterator[list[PlannedMessage]]:
        """Yield batches of the selected messages."""
        # Making a batch of messages, and then planning them, takes a fifth less than alternating:
        # the code of either stays in the processor's caches (benchmarks/planning.py).
        while batch := list(islice(messages, _BATCH)):
            self._batch = batch
            planned = [self._stages.planned(loaded, report) for loaded in batch]
            yield [
                each
                for each, loaded in zip(planned, batch, strict=True)
                if each is not None and loaded.chosen
            ]


def _contents(manifests: Manifests, stages: Stages) -> Iterator[tuple[Message, str]]:
    """Yield every message, selected or not, with the digest of its content."""
    problems = ProblemList()
    for loaded in manifests.messages(problems, stages.address):
        planned = stages.planned(loaded, problems)
        if planned is not None:
            yield planned.message, planned.digest


def _fingerprint(planned: PlannedMessage) -> int:
    """Return a hash of a planned message for this process: eight bytes, as there may be many."""
    return hash((planned.message.key, planned.content))
