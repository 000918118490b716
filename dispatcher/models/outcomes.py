"""The status of a message, its record in the journal, and how it ended in a run."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, Field, field_validator

from dispatcher.models.base import Model


class Status(StrEnum):
    """Every status that a message can have; types below name those that are possible somewhere.

    In the journal, a message that was never tried has no row. A row changes when an attempt begins
    (a claim) or ends, or when what a dead run left behind is recovered:

    no row
    └── sending         claimed, on disk before the request leaves
        ├── sent        accepted → sending, if it is sent again with other content
        ├── failed      surely not accepted → sending; → sent, if a receipt comes late
        └── unknown     it may have been accepted, or the run died
            ├── sent    according to a person, the gateway, or a receipt that comes late
            ├── failed  according to a person or the gateway
            └── sending it is sent again at the risk of a second copy

    A plan compares the row with the message's content, and a run skips what it does not send; the
    table in docs/design.md, "Keys and digests", has all cases:

    no row              new         → sent, failed or unknown
    no row, but the     moved       → stops the run, unless it is sent again
      recipient has it under a
      name that is not its own
    failed              retry       → sent, failed or unknown
    sent                sent        → skipped
    sent                changed     → skipped, unless it is sent again
    unknown, sending    unknown     → unknown, unless it is sent again
    """

    NEW = "new"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    MOVED = "moved"
    RETRY = "retry"
    CHANGED = "changed"
    SKIPPED = "skipped"


# For a planned message; a row in the journal; an attempt; and a message at the end of a run.
PlanStatus: TypeAlias = Literal[
    Status.NEW, Status.MOVED, Status.SENT, Status.CHANGED, Status.RETRY, Status.UNKNOWN
]
RecordStatus: TypeAlias = Literal[Status.SENDING, Status.SENT, Status.FAILED, Status.UNKNOWN]
AttemptStatus: TypeAlias = Literal[Status.SENT, Status.FAILED, Status.UNKNOWN]
# What a gateway says of a message that it has accepted before.
DeliveryState: TypeAlias = Literal["delivered", "read", "undelivered"]
_OUTCOMES = frozenset({Status.SENT, Status.SKIPPED, Status.FAILED, Status.UNKNOWN})


class Receipt(Model):
    """The gateway accepted the message under this id."""

    id: str


class DeliveryStatus(Model):
    """What a gateway says of a message that it has accepted under this id, and since when.

    `reason` is why it was not delivered, in the gateway's words.
    """

    id: str = Field(min_length=1)
    status: DeliveryState
    at: AwareDatetime | None = None
    reason: str | None = None


class ProbeResult(Model):
    """What a gateway said when it was asked: a sentence for people, and when, by its clock."""

    sentence: str
    at: datetime | None = None


class Failure(Model):
    """Why an attempt failed: the gateway's code and a sentence."""

    code: str | None
    text: str

    def __str__(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        """Return the text for people, with a gateway's number; our own codes would repeat it."""
        numbered = self.code is not None and any(map(str.isdigit, self.code))
        return f"{self.code}: {self.text}" if numbered else self.text


class Outcome(Model):
    """How a message ended in this run, after how many attempts in this run."""

    status: Status = Field(strict=False)  # a plugin's tests give it as plain text
    id: str | None = None
    attempts: int = 0
    error: Failure | None = None

    @field_validator("status")
    @classmethod
    def _is_an_outcome(cls, status: Status) -> Status:
        if status not in _OUTCOMES:
            raise ValueError(f"{status} is no outcome")
        return status


# The digest of what was sent by a person's word.
UNKNOWN_CONTENT = ""


class Record(Model):
    """What the journal knows of a message: the digest of what was sent, by which transport, how it
    ended, its receipt.

    `key` is the one under which it was found, if that is a former name's or an old spelling, else
    empty. `sent_digest` is that of what had been sent before, if this was an attempt to send
    something else. `also_sent` are those of what was sent under its other names. `attempts` counts
    those of all runs; none may be made before `not_before`.
    """

    digest: str
    status: RecordStatus
    id: str | None = None
    attempts: int = 1
    not_before: datetime | None = None
    changed_at: datetime | None = None
    sent_digest: str | None = None
    also_sent: frozenset[str] = frozenset()
    transport: str = ""
    key: str = ""


class Delivered(Model):
    """A message that its recipient has, or may have, as the journal knows it."""

    digest: str
    key: str
    run: str
    manifest: str
    message: str
    recipient: str
    transport: str
