"""One message, carried further: upload, wait for its turn, journal, send, and what follows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any, Literal

from dispatcher.delivery import answers
from dispatcher.delivery.calls import Call, Hanging
from dispatcher.delivery.others import OtherRuns
from dispatcher.delivery.pacing import Pace, Turn
from dispatcher.delivery.retries import Budget, Retries, asked_for
from dispatcher.delivery.task import CHANGED, TAKEN, Lapsed, Result, Task, claimed, failure
from dispatcher.delivery.turns import SHORT
from dispatcher.delivery.uploads import Uploads
from dispatcher.errors import (
    AccountRefused,
    ConfigError,
    DeliveryError,
    JournalError,
    NotSent,
    OutcomeUnknown,
)
from dispatcher.hookspecs import Transport
from dispatcher.http.guard import guarded
from dispatcher.inputs import Inputs
from dispatcher.journal import Claim, Ending, Journal
from dispatcher.models import Failure, Payload, Record, fill_in
from dispatcher.planning import GetTransport, compared

_ABANDONED = Failure(code="interrupted", text="the run was interrupted before the gateway's answer")


class Courier:
    """Makes attempts, for many threads.

    `stop`: set when no further attempt is to begin. `halt`: is told why the run is to end.
    `notice`: is told why nothing happens. `uploads`: of the messages' files, `others`: what other
    runs do meanwhile. `inputs`: the files of which the messages are made.
    """

    def __init__(
        self,
        journal: Journal,
        transports: GetTransport,
        pace: Pace,
        uploads: Uploads,
        others: OtherRuns,
        retries: Retries,
        stop: threading.Event,
        halt: Callable[[str], None],
        notice: Callable[[str], None],
        inputs: Inputs,
    ) -> None:
        self._journal, self._transports, self._pace = journal, transports, pace
        self._retries, self._budget = retries, Budget()
        self._stop, self._halt = stop, halt
        self._uploads, self._others, self._inputs = uploads, others, inputs
        self._notice, self._lock = notice, threading.Lock()
        self._waiting_until = 0.0

    def advance(self, task: Task) -> Result | float | None:
        """How the message ended, or the seconds after which it wants to go on; None: stopped.

        Raises JournalError or InputChanged, and then nothing left.
        """
        transport = self._transports(task.message.transport)
        if (wait := task.not_yet(self._journal.now())) > 0:
            return self._not_yet(task, transport, wait)
        if (record := self._others.taken(task)) is not None:
            return self._taken(task, record)
        try:
            payload = self._prepared(transport, task)
        except DeliveryError as error:
            return self._failed(task, transport, error)
        if payload is None:
            return None
        turn = self._pace.turn(transport, task.message.to)
        if task.error is not None and task.elapsed + turn.wait > self._retries.deadline:
            self._pace.give_back(turn)
            return task.left("failed", failure(task.error))
        if turn.wait > SHORT:
            too_long = self._too_long(self._pace.paused(transport))
            return None if too_long else self._noticed(turn.wait)
        return self._in_turn(task, transport, payload, turn)

    def _in_turn(
        self, task: Task, transport: Transport, payload: Payload, turn: Turn
    ) -> Result | float | None:
        """Wait for the message's turn, and make the attempt if it may still be made then."""
        if turn.wait and self._stop.wait(turn.wait):
            return None
        if turn.wait and self._pace.paused(transport):
            return 0.0  # the gateway said meanwhile that it wants nobody: wait for another turn
        if self._pace.is_late(turn):
            self._pace.give_back(turn)
            return 0.0
        if turn.wait and (record := self._others.taken(task)) is not None:
            self._pace.give_back(turn)
            return self._taken(task, record)
        return self._attempt(task, transport, payload, turn)

    def _too_long(self, pause: float) -> bool:
        """Whether the account is to pause for longer than a message may wait; the run ends then."""
        too_long = pause > self._retries.deadline
        if too_long:
            self._halt(f"the account is to pause until {self._clock(pause)}; run again then")
        return too_long

    def give_up(self, task: Task) -> Result | None:
        """The run ends before the message has: what is known of it; None: it was never tried."""
        if task.claim is not None:
            task.attempts += 1  # the one that is under way
            ending = Ending("unknown", error=_ABANDONED)
            return task.ended(ending, self._write(task, ending))
        if task.error is None:
            return None
        return task.left("failed", failure(task.error))

    def _not_yet(self, task: Task, transport: Transport, wait: float) -> Result | float | None:
        """The gateway asked for no attempt yet: wait as long as for one message is allowed."""
        if self._too_long(self._pace.paused(transport)):
            return None
        if wait <= self._retries.deadline:
            return self._noticed(wait)
        text = f"the gateway asked for no attempt before {task.not_before:%Y-%m-%d %H:%M:%S} UTC"
        return task.left("failed", Failure(code="not_before", text=text))

    def _noticed(self, wait: float) -> float:
        """The wait, of which the user hears if it is the longest one so far."""
        until = monotonic() + wait
        with self._lock:
            longer = wait > SHORT and until > self._waiting_until + 1
            self._waiting_until = max(until, self._waiting_until)
        if longer:
            self._notice(f"waiting until {self._clock(wait)}, as the gateway or the rate wants it")
        return wait

    def _prepared(self, transport: Transport, task: Task) -> Payload | None:
        """The payload as it will be posted, its file uploaded; None: stopped meanwhile."""
        file, payload = task.planned.upload, task.planned.payload
        if file is None:
            return payload
        task.begin()
        task.media = self._uploads.media(transport, file)
        if task.media is None:
            return None
        task.wait_for_turn()
        fill_in(payload, file.reference, task.media.id)
        return payload

    def _attempt(
        self, task: Task, transport: Transport, payload: Payload, turn: Turn
    ) -> Result | float | None:
        if self._stop.is_set():  # while its file was uploaded, say
            return None
        self._inputs.require_unchanged()
        task.begin()
        task.claim = self._journal.claim(task.message, task.planned.digest, task.known)
        if task.claim is None:
            self._pace.give_back(turn)
            self._others.look_again()
            return self._taken(task)
        require_lease = partial(self._require_lease, task.claim)
        try:
            require_lease()
            with guarded(require_lease):
                receipt = answers.receipt(transport.name, partial(transport.send, payload))
        except Hanging as error:
            late = partial(self._returned, task.claim, transport.name)
            result = self._failed(task, transport, error)
            error.call.add_done_callback(late)
            return result
        except Lapsed as error:
            task.attempts += 1
            ending = Ending("failed", error=failure(error))
            return task.ended(ending, self._write(task, ending))
        except DeliveryError as error:
            return self._failed(task, transport, error)
        task.attempts += 1
        self._budget.refund()
        ending = Ending("sent", id=receipt.id)
        return task.ended(ending, self._write(task, ending))

    def _returned(self, claim: Claim, name: str, call: Call) -> None:
        """A call that nobody waited for any longer has returned: what it says still counts."""
        try:
            ending = Ending("sent", id=answers.receipt(name, call.result).id)
        except DeliveryError as error:
            ending = Ending(_status(error), None, failure(error))
        try:
            written = ending.status != "unknown" and self._journal.conclude(claim, ending).result()
        except JournalError:  # the run is over, and says that it is unknown
            return
        if written:
            self._notice(f"{claim.key}: {ending.status} after all")

    def _require_lease(self, claim: Claim) -> None:
        if not self._journal.holds(claim):
            raise Lapsed

    def _taken(self, task: Task, record: Record | None = None) -> Result:
        """Somebody else changed the row meanwhile. `record`: what it says now, if that is known."""
        key = task.message.key
        record = record or self._journal.lookup([key]).get(key)
        status = compared(task.planned, record).status if record else "new"
        if status == "sent":
            return task.left("skipped", TAKEN)
        if status == "changed":
            return task.left("skipped", CHANGED)
        return task.left("skipped", claimed(record, task.planned.digest))

    def _failed(self, task: Task, transport: Transport, error: DeliveryError) -> Result | float:
        """What follows from an attempt that did not end well: another one, or its outcome."""
        task.attempts += 1
        task.error = error
        asked = asked_for(error)
        wait = self._next_attempt(task, transport, error, asked)
        if isinstance(error, AccountRefused):
            self._halt(error.text)
        if isinstance(error, NotSent) and wait is not None and not self._budget.spend(error):
            self._halt(f"too many attempts fail: {error.text}")
            wait = None
        pause = asked if wait is None else wait
        not_before = self._journal.now() + timedelta(seconds=pause) if pause else None
        ending = Ending(_status(error), None, failure(error), not_before)
        written = self._write(task, ending)
        if wait is None and task.claim is not None:
            return task.ended(ending, written)
        # The next attempt is made from what the journal says now. How one that left has ended may
        # wait for the database, and then there is no other.
        if task.claim is None and written is not None and written.result() is None:
            return self._taken(task)
        if wait is None:
            return task.ended(ending, written)
        task.wait_for_next(not_before, written)
        return self._noticed(wait)

    def _next_attempt(
        self, task: Task, transport: Transport, error: DeliveryError, asked: float
    ) -> float | None:
        """Seconds until the next attempt; None: there is none in this run."""
        wait = self._retries.wait(error, task.attempts, task.elapsed, asked)
        if isinstance(error, NotSent) and error.throttled:
            with self._known_to_have_failed():
                self._pace.pause(transport, max(wait or 0.0, asked))
            self._too_long(asked)
        file, media = task.planned.upload, task.media
        if file and media and task.may_have_stale_media(error):
            with self._known_to_have_failed():
                self._uploads.forget(transport, file, media)
            return 0.0
        return wait

    @contextmanager
    def _known_to_have_failed(self) -> Iterator[None]:
        """What cannot be kept now ends the run, but how the attempt ended is known all the same."""
        try:
            yield
        except (JournalError, ConfigError) as error:
            self._halt(str(error))

    def _write(self, task: Task, ending: Ending) -> Future[Any] | None:
        if task.claim is not None:
            return self._journal.conclude(task.claim, ending)
        if task.known is not None and task.known.status != "failed":
            return None  # nothing left, so that what was sent, or is unknown, still is
        return self._journal.fail(task.message, task.planned.digest, task.known, ending)

    def _clock(self, wait: float) -> str:
        """The time of day after a wait, for people; with its date if that is not today's."""
        now = self._journal.now()
        then = now + timedelta(seconds=wait)
        today = then.date() == now.date()
        return f"{then:%H:%M:%S} UTC" if today else f"{then:%Y-%m-%d %H:%M:%S} UTC"


def _status(error: DeliveryError) -> Literal["failed", "unknown"]:
    return "unknown" if isinstance(error, OutcomeUnknown) else "failed"
