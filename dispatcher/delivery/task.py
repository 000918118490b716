"""One message in a run: what the journal knows of it, what was tried, and how that ended."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from time import monotonic
from typing import NamedTuple, TypeAlias

from dispatcher.delivery.retries import LONGEST_PAUSE
from dispatcher.delivery.uploads import UploadedMedia
from dispatcher.errors import AccountRefused, DeliveryError, Refused
from dispatcher.journal import AttemptResult, Claim, key_in_journal
from dispatcher.models import Failure, Message, Outcome, Record, Status
from dispatcher.planning import PlannedMessage

TAKEN = Failure(code="claimed", text="another run has just sent it")
# The same, if that run was started from another checkout.
CHANGED = Failure(
    code="changed",
    text="another run has just sent it with other content; raise its revision to send it once more",
)


class LeaseExpired(Refused):
    """The run was suspended for longer than its lease, so it must not make the attempt: others may
    have taken it for dead, and sent what comes after the message."""

    def __init__(self, text: str = "", *, code: str | None = None) -> None:
        super().__init__(
            "nothing was sent: this run stood still for so long that others may have taken it for "
            "dead; run again",
            code="lease",
        )


class Written(Enum):
    """Whether the journal has the result of an attempt."""

    WRITTEN = auto()
    UNWRITTEN = auto()  # there was nothing to write
    LOST = auto()  # somebody else has changed the message's row meanwhile, and that counts


class Write(NamedTuple):
    """A pending journal write; without `answer` there is nothing to write."""

    answer: Future[bool] | Future[Claim | None] | None = None

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to write. Does not wait."""
        return self.answer is not None

    def result(self) -> Written:
        """Wait until it is on disk, or cannot be. Raises JournalError."""
        if self.answer is None:
            return Written.UNWRITTEN
        return Written.WRITTEN if self.answer.result() else Written.LOST


NOT_NEEDED = Write()


class Done(NamedTuple):
    """The message has ended in this run; `outcome` counts once it is written."""

    outcome: Outcome
    write: Write = NOT_NEEDED


class RetryAfter(NamedTuple):
    """The message can be advanced again after `seconds`."""

    seconds: float


class Stopped(NamedTuple):
    """The message is left as it is, because the run ends."""


# What a call of `Worker.advance` leads to.
Step: TypeAlias = Done | RetryAfter | Stopped


@dataclass
class Task:
    """A planned message and its progress; the one thread that works on it holds `lock`.

    `number` is its position in the plan, `known` what the journal says of it, and `attempts` counts
    those of this run. `claim` belongs to the attempt under way. `error` is how the last attempt
    ended, and `write` records that. `waited` counts the seconds for which another run was sending
    it.
    """

    planned: PlannedMessage
    known: Record | None
    number: int = 0
    attempts: int = 0
    claim: Claim | None = None
    error: DeliveryError | None = None
    media: UploadedMedia | None = None
    write: Write = NOT_NEEDED
    waited: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float | None = None
    _media_renewed: bool = False

    @property
    def message(self) -> Message:
        return self.planned.message

    @property
    def journal_key(self) -> str:
        """Return the key under which the journal has the message, or will have it."""
        return key_in_journal(self.message, self.known)

    @property
    def keys(self) -> tuple[list[str], dict[str, tuple[str, ...]]]:
        """Return the keys under which the journal may have it: its own, and its former ones."""
        key, former = self.message.key, self.planned.former_keys
        return [key], {key: former} if former else {}

    @property
    def other_run_is_sending(self) -> bool:
        """Whether another run was sending it when the journal was last asked."""
        return self.known is not None and self.known.status == Status.SENDING

    def begin(self) -> None:
        """Begin an attempt. The time before the first one does not count for the deadline."""
        self._began = self._began or monotonic()

    def wait_for_permit(self) -> None:
        """Wait for a permit, which does not count for the deadline if nothing has failed."""
        if self.error is None:
            self._began = None

    @property
    def elapsed(self) -> float:
        """Return the seconds since the first attempt began."""
        return monotonic() - (self._began or monotonic())

    @property
    def not_before(self) -> datetime | None:
        """Return when the next attempt may be made, if the gateway asked for a pause."""
        return self.known.not_before if self.known else None

    def not_yet(self, now: datetime) -> float:
        """Return the seconds until the next attempt may be made."""
        wait = (self.not_before - now).total_seconds() if self.not_before else 0.0
        # No pause is longer than that: the clock was set back.
        return wait if wait <= LONGEST_PAUSE else 0.0

    def wait_for_next(self, not_before: datetime | None, write: Write) -> None:
        """Prepare the next attempt: expect in the journal what `write` puts there, if anything."""
        self.claim, self.write = None, write
        if not write.is_needed:
            known = self.known
            self.known = known and known.model_copy(update={"not_before": not_before})
            return
        attempts = self.known.attempts + 1 if self.known else 1
        self.known = Record(
            digest=self.planned.digest,
            status=Status.FAILED,
            attempts=attempts,
            not_before=not_before,
            key=self.known.key if self.known else "",
        )

    def may_have_stale_media(self, error: DeliveryError) -> bool:
        """Whether the gateway may just not know the file any longer; true at most once."""
        refused = isinstance(error, Refused) and not isinstance(error, AccountRefused)
        stale = refused and self.media is not None and self.media.reused
        once = stale and not self._media_renewed
        self._media_renewed = self._media_renewed or once
        return once

    def ended(self, result: AttemptResult, write: Write) -> Done:
        """Return the end of a message whose last attempt in this run had this result."""
        outcome = Outcome(
            status=result.status, id=result.id, attempts=self.attempts, error=result.error
        )
        return Done(outcome, write)

    def without_attempt(self, status: Status, error: Failure) -> Done:
        """Return the end of a message without a further attempt; the journal need not know it."""
        return Done(Outcome(status=status, attempts=self.attempts, error=error), self.write)


def unsettled(record: Record | None) -> Failure:
    """Return why a message is not sent if an earlier attempt may have arrived."""
    former = f" as {record.key}" if record and record.key else ""
    text = f"an earlier attempt may have arrived; settle it{former}, then send again"
    return Failure(code="unsettled", text=text)


def failure(error: DeliveryError) -> Failure:
    """Return an error as it is reported and recorded."""
    return Failure(code=error.code, text=error.text)
