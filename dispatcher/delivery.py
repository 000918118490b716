"""A plan → outcomes: the only place that retries and decides what a failure means for the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import tenacity

from dispatcher.config import Delivery as Settings
from dispatcher.errors import (
    AccountRefused,
    DeliveryError,
    JournalError,
    NotSent,
    OutcomeUnknown,
    PluginError,
    Refused,
)
from dispatcher.hookspecs import Engine, Transport
from dispatcher.journal import Journal
from dispatcher.models import Failure, Message, Outcome, Payload, Receipt
from dispatcher.planning import GetTransport, PlannedMessage
from dispatcher.uploads import Uploads, prepared

Finished = Callable[[Message, Outcome], None]

# A gateway may ask for a pause of any length; a longer one ends the attempts.
_LONGEST_WAIT = 120.0
_BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=60)


@dataclass
class Summary:
    """What became of a plan's messages. `stopped`: why the run ended early, if it did."""

    sent: int = 0
    skipped: int = 0
    failed: int = 0
    unknown: int = 0
    not_tried: int = 0
    stopped: str | None = None
    interrupted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, status: str) -> None:
        """Add one to the count of this name; may be called from any thread."""
        with self._lock:
            setattr(self, status, getattr(self, status) + 1)

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        names = ("sent", "skipped", "failed", "unknown", "not_tried")
        return {name: getattr(self, name) for name in names}


class Delivery:
    """Carries out a plan. `finished` is told of every message, from the thread that served it."""

    def __init__(
        self,
        journal: Journal,
        transports: GetTransport,
        settings: Settings,
        finished: Finished,
    ) -> None:
        self._journal, self._transports, self._settings = journal, transports, settings
        self._finished = finished
        self._uploads = Uploads(journal)
        self._stop = threading.Event()
        self._plan: dict[str, PlannedMessage] = {}
        self.summary = Summary()

    def run(self, plan: Iterable[PlannedMessage], engine: Engine) -> Summary:
        """Deliver what is new or failed before, skip the rest. Raises PluginError, JournalError."""
        queues: dict[str, list[str]] = {}
        for planned in plan:
            if planned.status in ("new", "retry"):
                self._plan[planned.message.key] = planned
                queues.setdefault(planned.message.to, []).append(planned.message.key)
            else:
                self._tell(planned.message, _skipped(planned))
        engine.run(queues.values(), self._deliver, self._settings.workers)
        if self._plan and not self._stop.is_set():
            left = len(self._plan)
            raise PluginError(f'the engine "{engine.name}" left {left} messages undelivered')
        return self.summary

    def stop(self) -> None:
        """Start no further message; what is in flight ends. May be called from a signal handler."""
        self.summary.interrupted = True
        self._stop.set()

    def _deliver(self, key: str) -> None:
        planned = self._plan.pop(key, None)
        if planned is None:
            raise PluginError(f"the engine delivers {key} twice, or it is not in the plan")
        if self._stop.is_set():
            self.summary.count("not_tried")
            return
        try:
            self._tell(planned.message, self._attempts(planned))
        except Exception:
            self._stop.set()
            raise

    def _tell(self, message: Message, outcome: Outcome) -> None:
        self.summary.count(outcome.status)
        self._finished(message, outcome)

    def _attempts(self, planned: PlannedMessage) -> Outcome:
        """Try until it is sent, refused, unknown, or the attempts or the time are used up."""
        attempts = 0
        try:
            for attempt in self._retrying():
                with attempt:
                    attempts += 1
                    receipt = self._attempt(planned)
        except DeliveryError as error:
            return self._failed(error, attempts)
        return Outcome(status="sent", id=receipt.id, attempts=attempts)

    def _retrying(self) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(NotSent),
            wait=_wait,
            stop=(
                tenacity.stop_after_attempt(self._settings.attempts)
                | tenacity.stop_before_delay(self._settings.deadline)
                | _AskedForTooMuch()
            ),
            before_sleep=self._pause,
            sleep=lambda _: None,
            reraise=True,
        )

    def _pause(self, state: tenacity.RetryCallState) -> None:
        """Wait for the next attempt; if the run stops meanwhile, there is none."""
        if self._stop.wait(state.upcoming_sleep) and state.outcome:
            state.outcome.result()  # raises what the last attempt ended with

    def _attempt(self, planned: PlannedMessage) -> Receipt:
        message = planned.message
        transport = self._transports(message.transport)
        try:
            payload = self._prepared(transport, planned)
            self._journal.begin(message, planned.digest)
        except JournalError as error:  # nothing left; no other message could be sent either
            raise AccountRefused(str(error), code="journal") from error
        try:
            receipt = _sent(transport.send, payload)
        except DeliveryError as error:
            self._finish(message.key, _status(error), error=_failure(error))
            if isinstance(error, Refused) and planned.upload:
                self._uploads.forget(transport, planned.upload)
            raise
        self._finish(message.key, "sent", id=receipt.id)
        return receipt

    def _prepared(self, transport: Transport, planned: PlannedMessage) -> Payload:
        """The payload as it will be posted, its file uploaded."""
        message = planned.message
        try:
            return prepared(self._uploads, transport, planned.payload, planned.upload)
        except DeliveryError as error:
            self._journal.begin(message, planned.digest)
            self._journal.finish(message.key, "failed", error=_failure(error))
            raise

    def _finish(self, key: str, status: str, **how: Any) -> None:
        """Record how an attempt ended; what the journal cannot keep is unknown, and the last."""
        try:
            self._journal.finish(key, status, **how)
        except JournalError as error:
            self._halt(str(error))
            raise OutcomeUnknown(str(error), code="journal") from error

    def _failed(self, error: DeliveryError, attempts: int) -> Outcome:
        if isinstance(error, AccountRefused):
            self._halt(error.text)
        return Outcome(status=_status(error), attempts=attempts, error=_failure(error))

    def _halt(self, why: str) -> None:
        self.summary.stopped = why
        self._stop.set()


def _sent(send: Callable[[Payload], Receipt], payload: Payload) -> Receipt:
    """Call a transport; whatever it raises besides its own words may have left: unknown."""
    try:
        receipt = send(payload)
    except DeliveryError:
        raise
    except Exception as error:
        text = f"the transport failed: {type(error).__name__}"
        raise OutcomeUnknown(text, code="transport_error") from error
    if not isinstance(receipt, Receipt):
        raise OutcomeUnknown("the transport returned no receipt", code="transport_error")
    return receipt


def _skipped(planned: PlannedMessage) -> Outcome:
    """What is not sent: it was, or what it would say changed, or nobody knows whether it was."""
    if planned.status == "unknown":
        text = "an earlier attempt may have arrived; settle it, then send again"
        return Outcome(status="unknown", error=Failure(code="unsettled", text=text))
    error = None
    if planned.status == "changed":
        text = "it was sent with other content; raise its revision to send it once more"
        error = Failure(code="changed", text=text)
    return Outcome(status="skipped", id=planned.record.id if planned.record else None, error=error)


def _status(error: DeliveryError) -> Literal["failed", "unknown"]:
    return "unknown" if isinstance(error, OutcomeUnknown) else "failed"


def _failure(error: DeliveryError) -> Failure:
    return Failure(code=error.code, text=error.text)


def _retry_after(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after or 0.0) if isinstance(error, NotSent) else 0.0


def _wait(state: tenacity.RetryCallState) -> float:
    """Exponential with full jitter, and never less than the gateway asked for."""
    return max(_BACKOFF(state), _retry_after(state))


class _AskedForTooMuch(tenacity.stop.stop_base):
    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return _retry_after(retry_state) > _LONGEST_WAIT
