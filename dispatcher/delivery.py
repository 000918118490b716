"""A plan → outcomes: the only place that retries and decides what a failure means for the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

import tenacity

from dispatcher.config import Delivery as Settings
from dispatcher.errors import AccountRefused, DeliveryError, NotSent, OutcomeUnknown
from dispatcher.hookspecs import Engine
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
        """Deliver what is new or failed before, skip the rest. Raises JournalError."""
        queues: dict[str, list[str]] = {}
        for planned in plan:
            if planned.status in ("new", "retry"):
                self._plan[planned.message.key] = planned
                queues.setdefault(planned.message.to, []).append(planned.message.key)
            else:
                self._tell(planned.message, _skipped(planned))
        engine.run(queues.values(), self._deliver, self._settings.workers)
        return self.summary

    def stop(self) -> None:
        """Start no further message; what is in flight ends. May be called from a signal handler."""
        self.summary.interrupted = True
        self._stop.set()

    def _deliver(self, key: str) -> None:
        planned = self._plan.pop(key)
        if self._stop.is_set():
            self.summary.count("not_tried")
            return
        try:
            outcome = self._attempts(planned)
        except Exception:
            self._stop.set()
            raise
        self._tell(planned.message, outcome)

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
                | tenacity.stop_when_event_set(self._stop)
                | _AskedForTooMuch()
            ),
            sleep=tenacity.sleep_using_event(self._stop),
            reraise=True,
        )

    def _attempt(self, planned: PlannedMessage) -> Receipt:
        message = planned.message
        transport = self._transports(message.transport)
        try:
            payload = prepared(self._uploads, transport, planned.payload, planned.upload)
        except DeliveryError as error:
            self._journal.begin(message, planned.digest)
            self._journal.finish(message.key, "failed", error=_failure(error))
            raise
        self._journal.begin(message, planned.digest)
        try:
            receipt = _sent(transport.send, payload)
        except DeliveryError as error:
            self._journal.finish(message.key, _status(error), error=_failure(error))
            raise
        self._journal.finish(message.key, "sent", id=receipt.id)
        return receipt

    def _failed(self, error: DeliveryError, attempts: int) -> Outcome:
        if isinstance(error, AccountRefused):
            self.summary.stopped = error.text
            self._stop.set()
        return Outcome(status=_status(error), attempts=attempts, error=_failure(error))


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
