"""How an attempt ended, and what the journal knows of a message."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from dispatcher.models.base import Model

Status: TypeAlias = Literal["sent", "skipped", "failed", "unknown"]


class Receipt(Model):
    """The gateway accepted the message under this id."""

    id: str


class Failure(Model):
    """Why an attempt did not end well: the gateway's code and a sentence."""

    code: str | None
    text: str

    @property
    def sentence(self) -> str:
        """For people: a gateway's number and the text; a name of ours would say the same again."""
        numbered = self.code is not None and any(map(str.isdigit, self.code))
        return f"{self.code}: {self.text}" if numbered else self.text


class Outcome(Model):
    """How a message ended in this run. `attempts`: how often it was tried, in this run."""

    status: Status
    id: str | None = None
    attempts: int = 0
    error: Failure | None = None


class Record(Model):
    """What the journal knows of a key: the digest of what was sent, how it ended, its receipt.

    `sent_digest`: of what had been sent before, if this was an attempt to send something else.
    `attempts` were made over all runs; none is to be made earlier than `not_before`.
    """

    digest: str
    status: Literal["sending", "sent", "failed", "unknown"]
    id: str | None = None
    attempts: int = 1
    not_before: datetime | None = None
    changed_at: datetime | None = None
    sent_digest: str | None = None
