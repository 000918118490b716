"""Compares a planned message with the journal's records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from dispatcher.models import (
    UNKNOWN_CONTENT,
    Delivered,
    Message,
    Payload,
    PlanStatus,
    Record,
    Status,
    Upload,
    decode,
)

NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})


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
    not the message's own. `built` is the payload before plugins changed it, if they did.
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
    built: bytes | None = None

    @property
    def content(self) -> tuple[str, str, tuple[str, str, str] | None]:
        """What distinguishes its content: the transport, the digest, and the file to upload."""
        upload = self.upload
        file = (upload.sha256, upload.mime_type, upload.filename) if upload else None
        return self.message.transport, self.digest, file

    @property
    def payload(self) -> Payload:
        """Return a copy of what is posted."""
        return decode(self.sealed)


def compared(planned: PlannedMessage, record: Record | None) -> PlannedMessage:
    """Return the message, compared with its record."""
    if record is None:
        return planned
    status = _status(planned, record)
    return planned._replace(status=status, record=record, was=record.key or None)


def _status(planned: PlannedMessage, record: Record) -> PlanStatus:
    known = (planned.digest, UNKNOWN_CONTENT)  # the latter counts as unchanged
    if not record.also_sent.isdisjoint(known):
        return Status.SENT
    if record.status not in (Status.SENT, Status.FAILED):
        return Status.UNKNOWN
    if record.status == Status.SENT:
        return Status.SENT if record.digest in known else Status.CHANGED
    if record.sent_digest in known:
        return Status.SENT
    retried = record.sent_digest is None or record.digest == planned.digest
    return Status.RETRY if retried else Status.CHANGED
