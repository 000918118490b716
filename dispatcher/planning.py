"""The pure stages → a plan: resolve, validate, build, transform, check, compare with the journal.

Nothing here touches the network, and nothing is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from dispatcher.errors import PluginError, SourceError
from dispatcher.hookspecs import Transport
from dispatcher.manifest import Manifests
from dispatcher.manifest.expansion import Report
from dispatcher.manifest.origins import LoadedMessage, Origin, ProblemList
from dispatcher.models import (
    Attachment,
    Link,
    MediaId,
    Message,
    Payload,
    Problem,
    Record,
    Upload,
    encode,
)
from dispatcher.registry import Registry

PlanStatus: TypeAlias = Literal["new", "sent", "changed", "retry", "unknown"]
GetTransport: TypeAlias = Callable[[str], Transport]

# Stands for an attachment that could not be resolved, so that the rest of the message is checked.
_UNRESOLVED = MediaId(id="unresolved")
_BATCH = 500


Lookup: TypeAlias = Callable[[list[str]], Mapping[str, Record]]


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message with what would be posted for it, and what the journal says of it."""

    message: Message
    payload: Payload
    upload: Upload | None
    digest: str
    status: PlanStatus = "new"
    record: Record | None = None


class Planner:
    """Makes plans. `transports` gives a transport by name, `lookup` the records of keys."""

    def __init__(
        self, manifests: Manifests, registry: Registry, transports: GetTransport, lookup: Lookup
    ) -> None:
        self._manifests, self._registry, self._lookup = manifests, registry, lookup
        self._transports = lru_cache(transports)
        self.checked = 0
        self._resolve = lru_cache(maxsize=4096)(self._resolve_source)

    def check(self) -> ProblemList:
        """Every problem of every file and message, warnings included; `checked` counts messages."""
        problems = ProblemList()
        for problem in self._manifests.problems:
            problems(problem)
        self.checked = sum(1 for _ in self._planned(problems))
        return problems

    def plan(self) -> Iterator[PlannedMessage]:
        """The plan's messages in order, compared with the journal; call `check` first."""
        planned = self._planned(lambda problem: None)
        while batch := list(islice(planned, _BATCH)):
            records = self._lookup([each.message.key for each in batch])
            for each in batch:
                yield _compared(each, records.get(each.message.key))

    def _planned(self, report: Report) -> Iterator[PlannedMessage]:
        for loaded in self._manifests.messages(report):
            planned = self._plan(loaded, report)
            if planned is not None:
                yield planned

    def _plan(self, loaded: LoadedMessage, report: Report) -> PlannedMessage | None:
        message, origin = loaded.message, loaded.origin
        try:
            transport = self._transports(message.transport)
        except PluginError as error:
            report(origin.locate(Problem(message=str(error), where="transport")))
            return None
        attachment, problems = self._attachment(message, origin)
        problems += self._registry.validate_message(message, attachment)
        payload = self._payload(transport, message, attachment)
        _add_new(problems, _blamed(transport, "check", payload, attachment))
        for problem in problems:
            report(origin.locate(problem))
        upload = attachment if isinstance(attachment, Upload) else None
        return PlannedMessage(message, payload, upload, _digest(transport, payload))

    def _attachment(
        self, message: Message, origin: Origin
    ) -> tuple[Attachment | None, list[Problem]]:
        media = message.media
        if media is None:
            return None, []
        provider = media.provider.name if media.provider else None
        if media.link is not None:
            return Link(url=media.link, provider=provider), []
        if media.source is None:
            return MediaId(id=media.id or ""), []
        attachment = self._resolve(media.source, origin.base)
        if isinstance(attachment, str):
            return None, [Problem(message=attachment, where=f"{message.type}.source")]
        if isinstance(attachment, Link) and provider is not None:
            attachment = Link(url=attachment.url, provider=provider)
        return attachment, []

    def _resolve_source(self, source: str, base: Path) -> Attachment | str:
        """What a source is, or the sentence that says why it is nothing."""
        try:
            attachment = self._registry.resolve_source(source, base)
        except SourceError as error:
            return str(error)
        return attachment or f'no plugin knows the source "{source}"'

    def _payload(
        self, transport: Transport, message: Message, attachment: Attachment | None
    ) -> Payload:
        stand_in = _UNRESOLVED if attachment is None and message.media else attachment
        payload: Payload = _blamed(transport, "build", message, stand_in)
        self._registry.transform_payload(payload, message)
        return payload


def _compared(planned: PlannedMessage, record: Record | None) -> PlannedMessage:
    if record is None:
        return planned
    return PlannedMessage(
        planned.message,
        planned.payload,
        planned.upload,
        planned.digest,
        _status(planned, record),
        record,
    )


def _status(planned: PlannedMessage, record: Record) -> PlanStatus:
    if record.status == "sent":
        return "sent" if record.digest == planned.digest else "changed"
    return "retry" if record.status == "failed" else "unknown"


def _add_new(problems: list[Problem], more: Iterable[Problem]) -> None:
    """Add the problems of keys about which there is no error yet: one fault, one line."""
    known = {problem.where for problem in problems if problem.severity == "error"}
    problems += [problem for problem in more if problem.where not in known]


def _blamed(transport: Transport, method: str, *arguments: Any) -> Any:
    """Call a transport's pure method; whatever it raises is the plugin's fault."""
    try:
        answer = getattr(transport, method)(*arguments)
        return list(answer) if method == "check" else answer
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise PluginError(f'transport "{transport.name}" failed in {method}: {cause}') from error


def _digest(transport: Transport, payload: Payload) -> str:
    try:
        return hashlib.sha256(encode(payload)).hexdigest()
    except (TypeError, ValueError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise PluginError(f'the payload for "{transport.name}" is not JSON: {cause}') from error
