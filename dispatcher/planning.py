"""Makes a plan: resolve, validate, build, transform, check, compare with the journal.

Nothing here touches the network, and nothing is written.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from dispatcher.addresses import lenient_address
from dispatcher.errors import (
    ConfigError,
    InputChanged,
    ManifestError,
    PluginError,
    SourceError,
)
from dispatcher.inputs import InputFile, Inputs
from dispatcher.manifest import Manifests
from dispatcher.manifest.definitions import Definition, LoadedMessage
from dispatcher.manifest.former_names import DefinedNames
from dispatcher.manifest.runs import DatedManifests
from dispatcher.models import (
    UNKNOWN_CONTENT,
    Address,
    Attachment,
    Delivered,
    Link,
    LocatedProblem,
    MediaId,
    Message,
    Payload,
    PlanStatus,
    Problem,
    ProblemList,
    Record,
    Report,
    Status,
    Upload,
    decode,
    encode,
)
from dispatcher.moved import Copies
from dispatcher.overview import SENDABLE, Overview
from dispatcher.registry import RecipientChanged, Registry
from dispatcher.selection import Chooser, Sample, Selection
from dispatcher.transports import BoundTransport, Calls, GetTransport

NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})
_BATCH = 500  # how many messages are planned, and looked up in the journal, at once


class Records(Protocol):
    """What a plan reads from a journal: see `JournalReader`."""

    def lookup(
        self, keys: Sequence[str], former: Mapping[str, Sequence[str]] = ...
    ) -> Mapping[str, Record]: ...

    def delivered(
        self, digests: Sequence[str], recipients: Sequence[str]
    ) -> Iterable[Delivered]: ...

    def known_names(self, names: Iterable[tuple[str, str]]) -> set[tuple[str, str]] | None: ...


class NoRecords:
    """A journal without any messages."""

    def lookup(
        self, keys: Sequence[str], former: Mapping[str, Sequence[str]] = NOTHING
    ) -> Mapping[str, Record]:
        """Return nothing."""
        return {}

    def delivered(self, digests: Sequence[str], recipients: Sequence[str]) -> Iterable[Delivered]:
        """Return nothing."""
        return ()

    def known_names(self, names: Iterable[tuple[str, str]]) -> set[tuple[str, str]] | None:
        """Return None: there are no messages at all."""
        return None


class PlannedMessage(NamedTuple):
    """A message, what would be posted for it, and what the journal says of it.

    `sealed` holds the bytes that were checked and are posted, except for a file's media id. The
    journal may also have it under `former_keys`. `was` is the key under which it has it, if that is
    not the message's own.
    """

    message: Message
    sealed: bytes
    upload: Upload | None
    digest: str
    status: Status = Status.NEW
    record: Record | None = None
    stop_on_failure: bool = False
    former_keys: tuple[str, ...] = ()
    was: str | None = None

    @property
    def payload(self) -> Payload:
        """Return a copy of what is posted."""
        return decode(self.sealed)


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
        self._get_transport = transports
        self._selection = selection
        self._chooser: Chooser | None = None  # from the last time that the messages were made
        self._transports = cache(self._bound)
        self._seen: array[int] | None = None
        self._copies = Copies(manifests.defined, self._contents)
        self.overview: Overview | None = None
        self._moved: dict[str, str] = {}  # by key, the keys under which they were sent
        self._resolve = lru_cache(maxsize=4096)(self._resolve_source)

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
    def _is_trial(self) -> bool:
        """Whether all copies go to one person: what one of them misses is no reason for others."""
        return self._selection is not None and self._selection.trial is not None

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
        faults = self._chooser.faults(self._manifests.names) if self._chooser else ()
        if sentences := list(faults):
            raise ConfigError(*sentences)

    def check(self, journal: Records | None = None) -> ProblemList:
        """Return every problem of every file and message, warnings included.

        With a journal, `overview` is set afterwards. Raises InputChanged if a file changes
        meanwhile.
        """
        problems = self.problems_of_files()
        batches = self._planned(self._selected(problems), problems)
        if journal is not None:
            batches = self._counted(batches, journal)
        planned = chain.from_iterable(batches)
        self._seen = array("q", map(_fingerprint, planned))
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
        self, journal: Records | None = None, *, ask_again: bool = True
    ) -> Iterator[PlannedMessage]:
        """Yield the messages that `check` has seen, in order, compared with the journal's records.

        They are made anew, as there may be more than fit in memory. With `ask_again`, moved ones
        are looked up even if `check` has done so. Raises InputChanged before the first one that is
        not as it was checked, or ManifestError if there was no check and one is bad.
        """
        problems = self.problems_of_files()
        place = 0
        selected = self._selected(problems)
        ask = ask_again or self.overview is None
        if ask:
            self._moved = {}
        if self._seen is not None:  # the others were only checked
            selected = (loaded for loaded in selected if loaded.chosen)
        for batch in self._planned(selected, problems):
            if problems.errors:
                break
            for each, copies in self._compared(batch, journal or NoRecords(), ask=ask):
                self._require_seen(each, place)
                yield self._marked(each, copies)
                place += 1
        if problems.errors and self._seen is None:
            raise ManifestError(list(problems))
        if problems.errors:
            bad = next(each for each in problems if each.severity == "error")
            raise self._not_as_checked(f"{bad}: this")
        if self._seen is not None and place < len(self._seen):
            raise self._not_as_checked("the list of messages")

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

    def _require_seen(self, planned: PlannedMessage, place: int) -> None:
        seen = self._seen
        if seen is not None and (place >= len(seen) or seen[place] != _fingerprint(planned)):
            raise self._not_as_checked(f"message {planned.message.key}")

    def _not_as_checked(self, what: str) -> InputChanged:
        """Return the error: a file has changed, or else a plugin is not deterministic."""
        try:
            self.inputs.require_unchanged(thorough=True)
        except InputChanged as error:
            return error
        why = "no file has changed, so a plugin must have answered differently the second time"
        return InputChanged(f"{what} is not as it was checked; {why}")

    def drafts(self, report: Report) -> Iterator[Draft]:
        """Yield every selected message that can be shown, good or not.

        A draft has its own problems. `report` gets all others, except those of files: those of
        messages that are not shown, and, right before a draft, those found while it was made.
        """
        for loaded in self._selected(report):
            problems = ProblemList()
            planned = self._plan(loaded, problems)
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

    def _selected(self, report: Report) -> Iterator[LoadedMessage]:
        """Yield all messages, each marked as selected or not."""
        messages = self._manifests.messages(report, self._address)
        if self._selection is None:
            return messages
        self._chooser = Chooser(self._selection, self._address, self._sample)
        return map(self._chooser.marked, messages)

    @cached_property
    def _sample(self) -> Sample | None:
        """Return the recipients of the sample, or None if there is no sample."""
        if self._selection is None or (size := self._selection.sample_size) is None:
            return None
        loaded = self._manifests.messages(lambda problem: None, self._address)
        chooser = Chooser(self._selection, self._address)
        return chooser.sample_of((each.message for each in loaded), size)

    def _contents(self) -> Iterator[tuple[Message, str]]:
        """Yield every message, selected or not, with the digest of its content."""
        problems = ProblemList()
        for loaded in self._manifests.messages(problems, self._address):
            planned = self._plan(loaded, problems)
            if planned is not None:
                yield planned.message, planned.digest

    def _planned(
        self, messages: Iterator[LoadedMessage], report: Report
    ) -> Iterator[list[PlannedMessage]]:
        """Yield batches of the selected messages."""
        # Making a batch of messages, and then planning them, takes a fifth less than alternating:
        # the code of either stays in the processor's caches (benchmarks/planning.py).
        while batch := list(islice(messages, _BATCH)):
            planned = [self._plan(loaded, report) for loaded in batch]
            yield [
                each
                for each, loaded in zip(planned, batch, strict=True)
                if each is not None and loaded.chosen
            ]

    def _plan(self, loaded: LoadedMessage, report: Report) -> PlannedMessage | None:
        message, definition, faults, former_keys, _ = loaded
        attachment, found = self._attachment(message, definition)
        problems = _not_told_yet(found, faults)
        found = self._registry.validate_message(message, attachment)
        problems += _not_told_yet(found, faults, problems)
        problems += _ambiguous(message, attachment)
        transport = self._transport(loaded, report)
        if transport is not None and transport.has_own_addresses and "to" in faults:
            transport = None  # which need not handle a recipient that it refused
        if transport is not None:
            # If a source cannot be resolved, the rest of the message is still checked.
            unresolved = attachment is None and message.media
            stand_in = MediaId(id="unresolved") if unresolved else attachment
            sealed = transport.build(message, stand_in)
            try:
                sealed = self._registry.transform_payload(
                    sealed, message, transport.recipient_fields
                )
            except RecipientChanged as error:
                problems.append(Problem(message=str(error)))
            found = transport.check(sealed, attachment)
            problems += _not_told_yet(_as_written(found, message), faults, problems)
        for problem in problems:
            report(definition.locate(problem))
        if transport is None:
            return None
        upload = attachment if isinstance(attachment, Upload) else None
        strict = definition.file.data.get("stop_on_failure", False) and not self._is_trial
        return PlannedMessage(
            message,
            sealed,
            upload,
            _digest(sealed, attachment),
            stop_on_failure=strict,
            former_keys=former_keys,
        )

    def _address(self, transport: str, written: str, country: str | None) -> Address:
        try:
            bound = self._transports(transport)
        except PluginError:  # reported where the transport is named: `_transport`
            return lenient_address(written, country)
        return bound.address(written, country)

    def _transport(self, loaded: LoadedMessage, report: Report) -> BoundTransport | None:
        try:
            return self._transports(loaded.message.transport)
        except PluginError as error:
            problem = Problem(message=str(error), where="transport")
            report(loaded.definition.locate(problem))
            return None

    def _bound(self, name: str) -> BoundTransport:
        return BoundTransport(self._get_transport(name), Calls(self._registry.timer))

    def _attachment(
        self, message: Message, definition: Definition
    ) -> tuple[Attachment | None, list[Problem]]:
        media = message.media
        if media is None:
            return None, []
        provider = media.provider.name if media.provider else None
        if media.link is not None:
            return Link(url=media.link, provider=provider), []
        if media.source is None:
            return MediaId(id=media.id or ""), []
        attachment = self._resolve(media.source, definition.base)
        if isinstance(attachment, str):
            return None, [Problem(message=attachment, where=f"{message.type}.source")]
        if isinstance(attachment, Link) and provider is not None:
            attachment = attachment.model_copy(update={"provider": provider})
        return attachment, []

    def _resolve_source(self, source: str, base: Path) -> Attachment | str:
        """Return what a source resolves to, or a sentence that says why it does not."""
        try:
            attachment = self._registry.resolve_source(source, base)
        except SourceError as error:
            return str(error)
        if isinstance(attachment, Upload) and (file := InputFile.opened_by(attachment.open)):
            self.inputs.note_media(file)
        return attachment or f'no plugin knows the source "{source}"'


def _digest(sealed: bytes, attachment: Attachment | None) -> str:
    """Return a hash of a payload, in which a file counts by its content."""
    if isinstance(attachment, Link) and attachment.identity is not None:
        url, identity = (
            encode({"": each})[len('{"":"') : -len('"}')]
            for each in (attachment.url, attachment.identity)
        )
        sealed = sealed.replace(url, identity)
    return hashlib.sha256(sealed).hexdigest()


def _fingerprint(planned: PlannedMessage) -> int:
    """Return a hash of a planned message for this process: eight bytes, as there may be many."""
    message, upload = planned.message, planned.upload
    file = upload and (upload.sha256, upload.mime_type, upload.filename)
    return hash((message.key, message.transport, planned.digest, file))


def _ambiguous(message: Message, attachment: Attachment | None) -> Iterator[Problem]:
    """Yield a problem for each text that would be replaced by the file's media id."""
    if isinstance(attachment, Upload):
        texts = {**vars(message.content), "source": attachment.filename}
        for key, text in texts.items():
            if text == attachment.reference:
                sentence = f"{text} stands for the file itself; write something else"
                yield Problem(message=sentence, where=f"{message.type}.{key}")


def compared(planned: PlannedMessage, record: Record | None) -> PlannedMessage:
    """Return the message, compared with its record."""
    if record is None:
        return planned
    status = _status(planned, record)
    return planned._replace(status=status, record=record, was=record.key or None)


def _status(planned: PlannedMessage, record: Record) -> PlanStatus:
    known = (planned.digest, UNKNOWN_CONTENT)  # the latter counts as unchanged
    if record.status == Status.SENT:
        return Status.SENT if record.digest in known else Status.CHANGED
    if record.status != Status.FAILED:
        return Status.UNKNOWN
    if record.sent_digest in known:
        return Status.SENT
    retried = record.sent_digest is None or record.digest == planned.digest
    return Status.RETRY if retried else Status.CHANGED


def _not_told_yet(
    found: list[Problem], faults: Collection[str], told: Iterable[Problem] = ()
) -> list[Problem]:
    """Return the problems of keys that have none reported yet, so that a fault is one line."""
    if not found:
        return found
    known = {*faults, *(problem.where for problem in told if problem.severity == "error")}
    return [problem for problem in found if problem.where is None or problem.where not in known]


def _as_written(found: list[Problem], message: Message) -> list[Problem]:
    """Return a transport's problems with the manifest's keys instead of the payload's."""
    if not found or message.media is None or message.media.source is None:
        return found
    origins = (f"{message.type}.link", f"{message.type}.id")
    source = {"where": f"{message.type}.source"}
    return [
        problem.model_copy(update=source) if problem.where in origins else problem
        for problem in found
    ]
