"""One message on its way: what the journal knows of it, what was tried, and how that ended."""

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
# The same, where that run's checkout is not this one's.
CHANGED = Failure(
    code="changed",
    text="another run has just sent it with other content; raise its revision to send it once more",
)


class LeaseExpired(Refused):
    """A run that stood still may not make its attempt any more: others may have taken it for dead,
    and sent what comes after it."""

    def __init__(self, text: str = "", *, code: str | None = None) -> None:
        super().__init__(
            "nothing was sent: this run stood still for so long that others may have taken it for "
            "dead; run again",
            code="lease",
        )


class Written(Enum):
    """Whether the journal has what became of an attempt."""

    WRITTEN = auto()
    UNWRITTEN = auto()  # it has nothing to learn of it
    LOST = auto()  # somebody else has changed the message's row meanwhile, and that counts


class Write(NamedTuple):
    """What became of an attempt, on its way to the journal; without `answer`, it is not told."""

    answer: Future[bool] | Future[Claim | None] | None = None

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to write; known at once."""
        return self.answer is not None

    def result(self) -> Written:
        """Wait until it is on disk. Raises JournalError."""
        if self.answer is None:
            return Written.UNWRITTEN
        return Written.WRITTEN if self.answer.result() else Written.LOST


NOT_NEEDED = Write()


class Done(NamedTuple):
    """The message has ended in this run; `outcome` counts once it is written."""

    outcome: Outcome
    write: Write = NOT_NEEDED


class RetryAfter(NamedTuple):
    """The message is to be carried further after so many seconds."""

    seconds: float


class Stopped(NamedTuple):
    """The message is left as it is: the run is to end."""


# How far a message has got.
Step: TypeAlias = Done | RetryAfter | Stopped


@dataclass
class Task:
    """A planned message on its way; one thread at a time works on it, which holds `lock`.

    `place`: its number in the plan. `known`: what the journal says of it. `attempts`: in this run.
    `claim`: of the attempt that is under way. `error`: how the last attempt ended, and `write`:
    that, on its way to the journal. `waited`: seconds, for another run that was sending it.
    """

    planned: PlannedMessage
    known: Record | None
    place: int = 0
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
        """Under which the journal has it, or is to have it."""
        return key_in_journal(self.message, self.known)

    @property
    def keys(self) -> tuple[list[str], dict[str, tuple[str, ...]]]:
        """Under which the journal may have it: its key, and its former ones."""
        key, former = self.message.key, self.planned.former_keys
        return [key], {key: former} if former else {}

    @property
    def other_run_is_sending(self) -> bool:
        """Whether another run was sending it when the journal was last asked."""
        return self.known is not None and self.known.status == Status.SENDING

    def begin(self) -> None:
        """An attempt begins; what the first one had to wait for does not count."""
        self._began = self._began or monotonic()

    def wait_for_permit(self) -> None:
        """Its file is there; what it waits for now does not count, if nothing has failed."""
        if self.error is None:
            self._began = None

    @property
    def elapsed(self) -> float:
        """Seconds since the first attempt began."""
        return monotonic() - (self._began or monotonic())

    @property
    def not_before(self) -> datetime | None:
        """When the next attempt may be made, if that was said."""
        return self.known.not_before if self.known else None

    def not_yet(self, now: datetime) -> float:
        """Seconds until the next attempt may be made."""
        wait = (self.not_before - now).total_seconds() if self.not_before else 0.0
        # Nobody was asked to wait for longer than that: the clock was set back.
        return wait if wait <= LONGEST_PAUSE else 0.0

    def wait_for_next(self, not_before: datetime | None, write: Write) -> None:
        """The next attempt is made from what the journal says, if it was told of this one."""
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
        """Whether the gateway may just not know the file any longer; true once at the most."""
        refused = isinstance(error, Refused) and not isinstance(error, AccountRefused)
        stale = refused and self.media is not None and self.media.reused
        once = stale and not self._media_renewed
        self._media_renewed = self._media_renewed or once
        return once

    def ended(self, result: AttemptResult, write: Write) -> Done:
        """The last attempt of this run ended so."""
        outcome = Outcome(
            status=result.status, id=result.id, attempts=self.attempts, error=result.error
        )
        return Done(outcome, write)

    def without_attempt(self, status: Status, error: Failure) -> Done:
        """No further attempt is made; the journal has nothing to learn of that."""
        return Done(Outcome(status=status, attempts=self.attempts, error=error), self.write)


def unsettled(record: Record | None) -> Failure:
    """Why a message is not sent of which nobody knows whether it was."""
    former = f" as {record.key}" if record and record.key else ""
    text = f"an earlier attempt may have arrived; settle it{former}, then send again"
    return Failure(code="unsettled", text=text)


def failure(error: DeliveryError) -> Failure:
    """An error as it is told and kept."""
    return Failure(code=error.code, text=error.text)
