"""Advances one message: upload, rate limit, journal, send, and what to do with the result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic

from dispatcher.bound_transports import BoundTransport, BoundTransports, Call, SendTimeout
from dispatcher.delivery.claims import Claims
from dispatcher.delivery.concurrent_runs import ConcurrentRuns
from dispatcher.delivery.rate_limiter import SHORT, Permit, RateLimiter
from dispatcher.delivery.retries import Budget, Retries, asked_for
from dispatcher.delivery.run import Run
from dispatcher.delivery.task import (
    CHANGED,
    NOT_NEEDED,
    TAKEN,
    Done,
    LeaseExpired,
    RetryAfter,
    Step,
    Stopped,
    Task,
    Write,
    Written,
    failure,
    unsettled,
)
from dispatcher.delivery.uploads import Uploads, inline_file, require_planned, require_unchanged
from dispatcher.errors import (
    AccountRefused,
    ConfigError,
    DeliveryError,
    JournalError,
    NotSent,
    OutcomeUnknown,
)
from dispatcher.http.permission import guarded
from dispatcher.journal import AttemptResult, Claim, Journal
from dispatcher.models import AttemptStatus, Failure, Payload, Record, Status, fill_in
from dispatcher.planning import compared

# Seconds after which a message that another run is sending is looked up again.
_OTHERS = 0.2
_ABANDONED = Failure(code="interrupted", text="the run was interrupted before the gateway's answer")


class Worker:
    """What each worker thread of a run does with a message. All threads share one.

    `others` knows what other runs are sending. `limiter` and `retries` say when an attempt may be
    made.
    """

    def __init__(
        self,
        run: Run,
        journal: Journal,
        transports: BoundTransports,
        uploads: Uploads,
        others: ConcurrentRuns,
        limiter: RateLimiter,
        retries: Retries,
        claims: Claims,
    ) -> None:
        self._run, self._journal, self._transports = run, journal, transports
        self._uploads, self._others, self._claims = uploads, others, claims
        self._limiter, self._retries, self._budget = limiter, retries, Budget()
        self._lock, self._waiting_until = threading.Lock(), 0.0
        self._told_of_others = False

    def advance(self, task: Task) -> Step:
        """Advance a message as far as possible now.

        Raises JournalError or InputChanged; then nothing was sent.
        """
        if task.other_run_is_sending:
            return self._taken(task)
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
            return Stopped()
        permit = self._limiter.acquire(transport, task.message.to)
        if task.error is not None and task.elapsed + permit.wait > self._retries.deadline:
            self._limiter.release(permit)
            return task.without_attempt(Status.FAILED, failure(task.error))
        if permit.wait > SHORT:
            self._claims.release_all()
            if self._too_long(self._limiter.paused(transport)):
                return Stopped()
            return self._retry_after(permit.wait)
        return self._with_permit(task, transport, payload, permit)

    def _with_permit(
        self, task: Task, transport: BoundTransport, payload: Payload, permit: Permit
    ) -> Step:
        """Wait until the permit is valid, and make the attempt if it may still be made then."""
        if permit.wait and self._run.stop.wait(permit.wait):
            return Stopped()
        if permit.wait and self._limiter.paused(transport):
            # The account has been paused since: ask for another permit.
            return RetryAfter(0.0)
        if self._limiter.is_late(permit):
            self._limiter.release(permit)
            return RetryAfter(0.0)
        if permit.wait and (record := self._others.taken(task)) is not None:
            self._limiter.release(permit)
            return self._taken(task, record)
        return self._attempt(task, transport, payload, permit)

    def _too_long(self, pause: float) -> bool:
        """Whether the account's pause exceeds the message deadline; if so, end the run."""
        too_long = pause > self._retries.deadline
        if too_long:
            self._run.halt(f"the account is to pause until {self._clock(pause)}; run again then")
        return too_long

    def give_up(self, task: Task) -> Done | Stopped:
        """Return the end of a message that the run leaves unfinished, if it was ever tried."""
        if task.claim is not None:
            task.attempts += 1  # the one that is under way
            result = AttemptResult(Status.UNKNOWN, error=_ABANDONED)
            return task.ended(result, self._write(task, result))
        if task.error is None:
            return Stopped()
        return task.without_attempt(Status.FAILED, failure(task.error))

    def _not_yet(self, task: Task, transport: BoundTransport, wait: float) -> Step:
        """Wait as long as the gateway asked, up to the message deadline."""
        if self._too_long(self._limiter.paused(transport)):
            return Stopped()
        if wait <= self._retries.deadline:
            return self._retry_after(wait)
        text = f"the gateway asked for no attempt before {task.not_before:%Y-%m-%d %H:%M:%S} UTC"
        return task.without_attempt(Status.FAILED, Failure(code="not_before", text=text))

    def _retry_after(self, wait: float) -> RetryAfter:
        """Have the message wait; tell the user if it is the longest wait so far."""
        until = monotonic() + wait
        with self._lock:
            longer = wait > SHORT and until > self._waiting_until + 1
            self._waiting_until = max(until, self._waiting_until)
        if longer:
            self._run.notice(
                f"waiting until {self._clock(wait)}, as the gateway or the rate wants it"
            )
        return RetryAfter(wait)

    def _prepared(self, transport: BoundTransport, task: Task) -> Payload | None:
        """Upload the file; return the payload as it will be posted, or None if the run stops.

        A file that is sent with the message is only compared with what was planned.
        """
        file, payload = task.planned.upload, task.planned.payload
        if file is None:
            return payload
        task.begin()
        if transport.sends_inline:
            if (inline := inline_file(transport, task.planned)) is not None:
                require_planned(transport, inline)
        else:
            task.media = self._uploads.media(transport, file, task.message)
            if task.media is None:
                return None
            fill_in(payload, file.reference, task.media.id)
        task.wait_for_permit()
        return payload

    def _attempt(
        self, task: Task, transport: BoundTransport, payload: Payload, permit: Permit
    ) -> Step:
        if self._run.stop.is_set():  # for example, while its file was uploaded
            return Stopped()
        self._run.inputs.require_unchanged()
        planned = task.planned
        if (file := inline_file(transport, planned)) is not None:
            require_unchanged(file)
        task.begin()
        task.claim = self._claims.claim(task)
        if task.claim is None:
            self._limiter.release(permit)
            self._others.look_again()
            return self._taken(task)
        require_lease = partial(self._require_lease, task.claim)
        try:
            self._others.require_no_copy(task)
            require_lease()
            with guarded(require_lease):
                receipt = transport.send(payload, file)
        except SendTimeout as error:
            late = partial(self._returned, task.claim, transport)
            step = self._failed(task, transport, error)
            error.call.add_done_callback(late)
            return step
        except LeaseExpired as error:
            task.attempts += 1
            result = AttemptResult(Status.FAILED, error=failure(error))
            return task.ended(result, self._write(task, result))
        except DeliveryError as error:
            return self._failed(task, transport, error)
        task.attempts += 1
        self._budget.refund()
        result = AttemptResult(Status.SENT, id=receipt.id)
        return task.ended(result, self._write(task, result))

    def _returned(self, claim: Claim, transport: BoundTransport, call: Call) -> None:
        """Record what a call has returned after its time: it still counts."""
        try:
            result = AttemptResult(Status.SENT, id=transport.receipt(call).id)
        except DeliveryError as error:
            result = AttemptResult(_status(error), None, failure(error))
        try:
            known = result.status != Status.UNKNOWN
            written = known and self._journal.conclude(claim, result).result()
        except JournalError:  # the run is over, and says that it is unknown
            return
        if written:
            self._run.notice(f"{claim.key}: {result.status} after all")

    def _require_lease(self, claim: Claim) -> None:
        if not self._journal.holds(claim):
            raise LeaseExpired

    def _taken(self, task: Task, record: Record | None = None) -> Done | RetryAfter:
        """Decide what to do now that somebody else has changed the row, to `record` if known.

        If another run is sending the message, wait: the attempt ends soon, or else that run has
        died, and once its lease has ended the message is unknown.
        """
        task.known = record or self._journal.lookup(*task.keys).get(task.message.key)
        if task.other_run_is_sending:
            return self._wait_for_other_run(task)
        status = compared(task.planned, task.known).status if task.known else Status.NEW
        match status:
            case Status.SENT:
                return task.without_attempt(Status.SKIPPED, TAKEN)
            case Status.CHANGED:
                return task.without_attempt(Status.SKIPPED, CHANGED)
            case Status.UNKNOWN:
                return task.without_attempt(Status.UNKNOWN, unsettled(task.known))
        return RetryAfter(_OTHERS)

    def _wait_for_other_run(self, task: Task) -> RetryAfter:
        """Look again soon; tell the user of the first message for which this takes long."""
        task.waited += _OTHERS
        with self._lock:
            tell = task.waited > SHORT and not self._told_of_others
            self._told_of_others = self._told_of_others or tell
        if tell:
            key = task.message.key
            self._run.notice(
                f"waiting for another run, which is sending {key}, or died while sending it"
            )
        return RetryAfter(_OTHERS)

    def _failed(self, task: Task, transport: BoundTransport, error: DeliveryError) -> Step:
        """Handle an attempt that failed: plan another one, or end the message."""
        task.attempts += 1
        task.error = error
        asked = asked_for(error)
        wait = self._next_attempt(task, transport, error, asked)
        if isinstance(error, AccountRefused):
            self._run.halt(error.text)
        if isinstance(error, NotSent) and wait is not None and not self._budget.spend(error):
            self._run.halt(f"too many attempts fail: {error.text}")
            wait = None
        pause = asked if wait is None else wait
        not_before = self._journal.now() + timedelta(seconds=pause) if pause else None
        result = AttemptResult(_status(error), None, failure(error), not_before)
        write = self._write(task, result)
        # Once a request was sent, recording its result may have to wait for the database: go on.
        if task.claim is None and write.result() is Written.LOST:
            return self._taken(task)
        if wait is None:
            return task.ended(result, write)
        task.wait_for_next(not_before, write)
        return self._retry_after(wait)

    def _next_attempt(
        self, task: Task, transport: BoundTransport, error: DeliveryError, asked: float
    ) -> float | None:
        """Return the seconds until the next attempt, or None if this run makes none."""
        wait = self._retries.wait(error, task.attempts, task.elapsed, asked)
        if isinstance(error, NotSent) and error.throttled:
            with self._halt_on_error():
                self._limiter.pause(transport, max(wait or 0.0, asked))
            self._too_long(asked)
        if task.media is not None and task.may_have_stale_media(error):
            with self._halt_on_error():
                self._uploads.forget(task.media)
            return 0.0
        return wait

    @contextmanager
    def _halt_on_error(self) -> Iterator[None]:
        """End the run if something cannot be kept; the attempt's result is still recorded."""
        try:
            yield
        except (JournalError, ConfigError) as error:
            self._run.halt(str(error))

    def _write(self, task: Task, result: AttemptResult) -> Write:
        if task.claim is not None:
            return Write(self._journal.conclude(task.claim, result))
        if task.known is not None and task.known.status != Status.FAILED:
            return NOT_NEEDED  # no request was made, so the recorded status stands
        self._claims.release(task)
        planned = task.planned
        written = self._journal.fail(
            planned.message, planned.digest, task.known, result, planned.former_keys
        )
        return Write(written)

    def _clock(self, wait: float) -> str:
        """Return the time of day after a wait, for people; with the date unless that is today."""
        now = self._journal.now()
        then = now + timedelta(seconds=wait)
        today = then.date() == now.date()
        return f"{then:%H:%M:%S} UTC" if today else f"{then:%Y-%m-%d %H:%M:%S} UTC"


def _status(error: DeliveryError) -> AttemptStatus:
    return Status.UNKNOWN if isinstance(error, OutcomeUnknown) else Status.FAILED
