"""A plan → outcomes: what is to be sent is sent, in order and in parallel; everything is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from dispatcher.config import DeliverySettings
from dispatcher.delivery.calls import GuardedCalls
from dispatcher.delivery.concurrent_runs import ConcurrentRuns
from dispatcher.delivery.rate_limiter import RateLimiter
from dispatcher.delivery.retries import Retries
from dispatcher.delivery.run import (
    CHANGED,
    BlockedRecipients,
    Finished,
    OutcomeReporter,
    Run,
    Summary,
)
from dispatcher.delivery.task import Done, RetryAfter, Step, Stopped, Task, unsettled
from dispatcher.delivery.uploads import Uploads
from dispatcher.delivery.worker import Worker
from dispatcher.errors import DispatcherError, InputChanged, JournalError, PluginError
from dispatcher.hookspecs import Engine
from dispatcher.inputs import Inputs
from dispatcher.journal import AttemptResult, Journal, SharedState, key_in_journal
from dispatcher.models import Failure, Message, Outcome, Receipt, Status
from dispatcher.planning import PlannedMessage
from dispatcher.registry import CallTimer, GetTimer, PluginInfo
from dispatcher.transports import BoundTransports, GetTransport

__all__ = ["Abandoned", "Delivery", "RateLimiter", "Summary"]


_MOVED = "{} is what its recipient got meanwhile as {}; run again, which says what to do"


class Abandoned(KeyboardInterrupt):
    """Raised from a signal handler when the user waits no longer for what is in flight.

    A KeyboardInterrupt, so that no `except Exception` of an engine swallows it.
    """


class Delivery:
    """Carries out a plan, once. `finished` is told of every message, by one thread.

    `resend`: statuses besides new and retry whose messages are sent, too. `notice` is told, by any
    thread, why nothing happens for a while. `inputs`: the files of which the plan is made; once one
    of them has changed, nothing more leaves. `timer` times a transport's method. `shared`: what
    there is of the journal for runs on other machines, if any.
    """

    def __init__(
        self,
        journal: Journal,
        transports: GetTransport,
        settings: DeliverySettings,
        limiter: RateLimiter,
        finished: Finished,
        resend: Collection[str] = (),
        notice: Callable[[str], None] = lambda text: None,
        inputs: Inputs | None = None,
        timer: GetTimer = lambda transport, method: CallTimer(PluginInfo(transport), method),
        shared: SharedState | None = None,
    ) -> None:
        self._run = Run(inputs or Inputs(), notice)
        self._calls = GuardedCalls(timer, self._run.halt)
        self._transports = BoundTransports(transports, self._calls)
        self._journal, self._finished = journal, finished
        self._workers = settings.workers
        self._sendable: set[str] = {Status.NEW, Status.RETRY, *resend}
        self._running = self._read_all = self._tried = False
        self._tasks: dict[str, Task] = {}
        self._worker = Worker(
            self._run,
            journal,
            self._transports,
            Uploads(journal, self._run.stop, shared),
            ConcurrentRuns(shared, self._tasks),
            limiter,
            Retries(settings.attempts, settings.deadline),
        )
        self._blocked = BlockedRecipients()

    def run(self, plan: Iterable[PlannedMessage], engine: Engine, total: int) -> Summary:
        """Deliver what is to be sent, skip the rest.

        `total`: how many messages the plan has; a run that is stopped does not read it to its end.
        What ends a run before any message was tried is raised, a DispatcherError; later, the
        summary says it.
        """
        broken: DispatcherError | None = None
        self._reporter = OutcomeReporter(self._tell, self._run.halt)
        try:
            self._running = True
            engine.run(self._messages(plan), self._deliver, self._workers, self._run.stop.is_set)
            self._require_everything(engine)
        except Abandoned:
            self._run.stop.set()
        except InputChanged as error:
            self._run.halt(str(error))
        except DispatcherError as error:
            self._run.halt(str(error))
            broken = error
        finally:
            self._running = False
            self._give_up_the_rest()
            self._journal.drain()
            self._calls.close()
            self._reporter.close()  # the last, as it raises what `finished` raised
        if broken is not None and not self._tried:
            raise broken
        self.summary.not_tried = max(0, total - sum(self.summary.counts.values()))
        return self.summary

    @property
    def summary(self) -> Summary:
        """What has become of the messages so far."""
        return self._run.summary

    @property
    def patience(self) -> float:
        """Seconds that an attempt which is under way takes at the most."""
        return self._transports.patience

    def stop(self) -> None:
        """Start no further message; what is in flight ends. May be called from a signal handler."""
        self.summary.interrupted = True
        self._run.stop.set()

    def abandon(self) -> None:
        """Wait no longer for what is in flight: it is unknown. For a signal handler."""
        if self._running:
            raise Abandoned

    def _messages(self, plan: Iterable[PlannedMessage]) -> Iterator[Message]:
        """What is to be sent, one by one; the rest is told."""
        try:
            for place, each in enumerate(plan):
                if self._run.stop.is_set():
                    return
                planned = _reconciled(each, self._transports, self._journal)
                task = Task(planned, planned.record, place)
                if planned.status == Status.MOVED and Status.MOVED not in self._sendable:
                    raise InputChanged(_MOVED.format(planned.message.key, planned.was))
                if planned.status in self._sendable or task.other_run_is_sending:
                    self._tasks[planned.message.key] = task
                    yield planned.message.detached()  # the engine may be a plugin's
                else:
                    self._report(planned, place, Done(_skipped(planned)))
            self._read_all = True
        except Exception as error:
            self._run.halt(str(error))
            raise

    def _deliver(self, message: Message) -> float | None:
        """Carry a message further: see `Engine.run`."""
        task = self._tasks.get(message.key)
        if task is None:
            raise self._halted(f"the engine delivers {message.key} twice, or it is not in the plan")
        if self._run.stop.is_set():
            return None
        if not task.lock.acquire(blocking=False):
            raise self._halted(f"the engine delivers {message.key} twice at a time")
        try:
            step = self._advance(task)
        except BaseException as error:
            self._run.halt(str(error))
            raise
        finally:
            task.lock.release()
        match step:
            case Done():
                self._end(task, step)
            case RetryAfter(seconds):
                return seconds
            case Stopped():
                pass
        return None

    def _advance(self, task: Task) -> Step:
        why = self._blocked.reason(task.message, task.place)
        if why is not None:
            return task.without_attempt(Status.SKIPPED, why)
        try:
            return self._worker.advance(task)
        except (JournalError, InputChanged) as error:  # nothing was sent, and nothing more is to be
            self._run.halt(str(error))
            return Stopped()

    def _end(self, task: Task, done: Done) -> None:
        # Whoever removes the task reports it: the run may have been abandoned meanwhile.
        if self._tasks.pop(task.message.key, None) is not None:
            self._report(task.planned, task.place, done)

    def _report(self, planned: PlannedMessage, place: int, done: Done) -> None:
        message, outcome = planned.message, done.outcome
        self._blocked.note(message, place, outcome, strict=planned.stop_on_failure)
        key = key_in_journal(message, planned.record)
        self._reporter.report(message, outcome, done.write, key)

    def _give_up_the_rest(self) -> None:
        """Tell of every message that was tried and has no outcome yet."""
        for task in list(self._tasks.values()):
            step = self._worker.give_up(task)
            if isinstance(step, Done):
                self._end(task, step)

    def _require_everything(self, engine: Engine) -> None:
        if not self._run.stop.is_set() and (self._tasks or not self._read_all):
            left = len(self._tasks) or "some"
            raise PluginError(f'the engine "{engine.name}" left {left} messages undelivered')

    def _halted(self, why: str) -> PluginError:
        """An engine's fault, which ends the run, whatever the engine makes of the error."""
        self._run.halt(why)
        return PluginError(why)

    def _tell(self, message: Message, outcome: Outcome, key: str) -> None:
        self._tried = self._tried or outcome.attempts > 0
        self.summary.add(message, outcome, key)
        self._finished(message, outcome)


def _skipped(planned: PlannedMessage) -> Outcome:
    """What is not sent: it was, or what it would say changed, or nobody knows whether it was."""
    if planned.status == Status.UNKNOWN:
        return Outcome(status=Status.UNKNOWN, error=unsettled(planned.record))
    error = CHANGED if planned.status == Status.CHANGED else None
    id = planned.record.id if planned.record else None
    return Outcome(status=Status.SKIPPED, id=id, error=error)


def _reconciled(
    planned: PlannedMessage, transports: BoundTransports, journal: Journal
) -> PlannedMessage:
    """An unknown message as it is planned once its gateway was asked, if its transport can ask."""
    record = planned.record
    if planned.status != Status.UNKNOWN or record is None or record.digest != planned.digest:
        return planned
    transport, key = transports(planned.message.transport), record.key or planned.message.key
    if not transport.can_reconcile or (since := journal.began_at(key)) is None:
        return planned
    result = _result(transport.reconcile(planned.payload, since))
    if result is None or not journal.decide(key, result):
        return planned
    status = Status.SENT if result.status == Status.SENT else Status.RETRY
    decided = journal.lookup([key])[key].model_copy(update={"key": record.key})
    return planned._replace(status=status, record=decided)


def _result(found: Receipt | Failure | None) -> AttemptResult | None:
    match found:
        case Receipt():
            return AttemptResult(Status.SENT, id=found.id)
        case Failure():
            return AttemptResult(Status.FAILED, error=found.detached())
        case None:
            return None
