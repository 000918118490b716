"""Carries out a plan: sends its messages, in order and in parallel, and reports every outcome."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from dispatcher.bound_transports import BoundTransports, GetTransport
from dispatcher.config import DeliverySettings
from dispatcher.delivery.calls import GuardedCalls
from dispatcher.delivery.claims import Claims
from dispatcher.delivery.concurrent_runs import ConcurrentRuns, IsCopy
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
from dispatcher.errors import (
    DispatcherError,
    InputChanged,
    JournalError,
    PluginError,
    describe,
    pass_on_interruption,
)
from dispatcher.hookspecs import Engine
from dispatcher.inputs import Inputs
from dispatcher.journal import Journal, SharedState, key_in_journal
from dispatcher.models import Message, Outcome, Status
from dispatcher.planning import PlannedMessage
from dispatcher.planning.overview import SENDABLE
from dispatcher.registry import CallTimer, GetTimer, PluginInfo

__all__ = ["Abandoned", "Delivery", "RateLimiter", "Summary"]


_MOVED = "{} is what its recipient got meanwhile as {}; run again, which says what to do"


class Abandoned(KeyboardInterrupt):
    """Raised from a signal handler when the user no longer waits for what is in flight.

    It is a KeyboardInterrupt, so that no `except Exception` of an engine swallows it.
    """


class Delivery:
    """Carries out a plan, once. One thread calls `finished` with the outcome of every message.

    Messages whose status is in `resend` are sent, too, besides those that are new or retried. Any
    thread may call `notice` to explain a wait. `inputs` are the files from which the plan is made;
    once one of them has changed, nothing more leaves. `timer` returns the timer of a transport's
    method. `shared` is the state shared with runs on other machines, or None.
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
        is_copy: IsCopy = lambda planned, copy: False,
    ) -> None:
        self._run = Run(inputs or Inputs(), notice)
        self._calls = GuardedCalls(timer, self._run.halt)
        self._transports = BoundTransports(transports, self._calls)
        self._journal, self._finished = journal, finished
        self._workers = settings.workers
        self._sendable: set[str] = {*SENDABLE, *resend}
        self._running = self._read_all = self._tried = False
        self._tasks: dict[str, Task] = {}
        self._claims = Claims(journal, settings.workers)
        self._worker = Worker(
            self._run,
            journal,
            self._transports,
            Uploads(journal, self._run.stop, shared),
            ConcurrentRuns(shared, self._tasks, is_copy),
            limiter,
            Retries(settings.attempts, settings.deadline),
            self._claims,
        )
        self._blocked = BlockedRecipients()
        self._raised: list[BaseException] = []  # what the engine has to pass on
        self._owner = PluginInfo("engine")

    def run(
        self,
        plan: Iterable[PlannedMessage],
        engine: Engine,
        total: int,
        owner: PluginInfo | None = None,
    ) -> Summary:
        """Deliver what has to be sent, skip the rest, and return what became of all of it.

        `total` is the number of messages in the plan: a run that is stopped does not read them all.
        `owner` is the plugin that offers the engine. Raises the DispatcherError that ends a run
        before any message was tried; later, the summary says it.
        """
        broken: DispatcherError | None = None
        self._reporter = OutcomeReporter(self._tell, self._run.halt)
        try:
            self._running = True
            self._owner = owner or PluginInfo(engine.name)
            self._carry_out(engine, self._messages(plan))
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
            self._claims.close()
            self._journal.drain()
            self._calls.close()
            self._reporter.close()  # the last, as it raises what `finished` raised
        if broken is not None and not self._tried:
            raise broken
        self.summary.not_tried = max(0, total - sum(self.summary.counts.values()))
        return self.summary

    def _carry_out(self, engine: Engine, messages: Iterator[Message]) -> None:
        """Have the engine deliver messages. Raises PluginError, with its name, if it fails."""
        try:
            engine.run(messages, self._deliver, self._workers, self._run.stop.is_set)
        except DispatcherError:
            raise
        except BaseException as error:
            pass_on_interruption(error)
            cause: BaseException | None = error
            while cause is not None:  # it may have raised another one because of ours
                if any(cause is each for each in self._raised):
                    raise cause from None
                cause = cause.__cause__ or cause.__context__
            failed = f'{self._owner} failed in run of engine "{engine.name}"'
            raise PluginError(f"{failed}: {describe(error)}") from error

    @property
    def summary(self) -> Summary:
        """Return what has become of the messages so far."""
        return self._run.summary

    @property
    def patience(self) -> float:
        """Return the most seconds that an attempt under way may still take."""
        return self._transports.patience

    def stop(self) -> None:
        """Start no further message; let those in flight end. A signal handler may call it."""
        self.summary.interrupted = True
        self._run.stop.set()

    def abandon(self) -> None:
        """Stop waiting for what is in flight, which becomes unknown. A signal handler calls it."""
        if self._running:
            raise Abandoned

    def _messages(self, plan: Iterable[PlannedMessage]) -> Iterator[Message]:
        """Yield each message that has to be sent; report the others."""
        try:
            for number, planned in enumerate(plan):
                if self._run.stop.is_set():
                    return
                task = Task(planned, planned.record, number)
                if planned.status == Status.MOVED and Status.MOVED not in self._sendable:
                    raise InputChanged(_MOVED.format(planned.message.key, planned.was))
                if planned.status in self._sendable or task.other_run_is_sending:
                    self._tasks[planned.message.key] = task
                    self._claims.offer(task)
                    yield planned.message.detached()  # the engine may be a plugin's
                else:
                    self._report(planned, number, Done(_skipped(planned)))
            self._read_all = True
        except Exception as error:
            self._run.halt(str(error))
            self._raised.append(error)
            raise

    def _deliver(self, message: Message) -> float | None:
        """Advance a message: see `Engine.run`."""
        task = self._tasks.get(message.key)
        if task is None:
            raise self._halted(f"delivers {message.key} twice, or it is not in the plan")
        if self._run.stop.is_set():
            return None
        if not task.lock.acquire(blocking=False):
            raise self._halted(f"delivers {message.key} twice at a time")
        try:
            step = self._advance(task)
        except BaseException as error:
            self._run.halt(str(error))
            self._raised.append(error)
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
        why = self._blocked.reason(task.message, task.number)
        if why is not None:
            return task.without_attempt(Status.SKIPPED, why)
        try:
            return self._worker.advance(task)
        except (JournalError, InputChanged) as error:  # nothing was sent, and nothing more may be
            self._run.halt(str(error))
            return Stopped()

    def _end(self, task: Task, done: Done) -> None:
        # Whoever removes the task reports it: the run may have been abandoned meanwhile.
        if self._tasks.pop(task.message.key, None) is not None:
            self._claims.release(task)
            self._report(task.planned, task.number, done)

    def _report(self, planned: PlannedMessage, number: int, done: Done) -> None:
        message, outcome = planned.message, done.outcome
        self._blocked.note(message, number, outcome, strict=planned.stop_on_failure)
        key = key_in_journal(message, planned.record)
        self._reporter.report(message, outcome, done.write, key)

    def _give_up_the_rest(self) -> None:
        """Report every message that was tried and has no outcome yet."""
        for task in list(self._tasks.values()):
            step = self._worker.give_up(task)
            if isinstance(step, Done):
                self._end(task, step)

    def _require_everything(self, engine: Engine) -> None:
        if not self._run.stop.is_set() and (self._tasks or not self._read_all):
            left = f"{len(self._tasks) or 'some'} messages"
            raise PluginError(f'{self._owner}: engine "{engine.name}" left {left} undelivered')

    def _halted(self, fault: str) -> PluginError:
        """End the run, whatever the engine does with the error, and return the error."""
        error = PluginError(f"{self._owner}: its engine {fault}")
        self._run.halt(str(error))
        self._raised.append(error)
        return error

    def _tell(self, message: Message, outcome: Outcome, key: str) -> None:
        self._tried = self._tried or outcome.attempts > 0
        self.summary.add(message, outcome, key)
        self._finished(message, outcome)


def _skipped(planned: PlannedMessage) -> Outcome:
    """Return why a message is not sent: it was, its content changed, or its outcome is unknown."""
    if planned.status == Status.UNKNOWN:
        return Outcome(status=Status.UNKNOWN, error=unsettled(planned.record))
    error = CHANGED if planned.status == Status.CHANGED else None
    id = planned.record.id if planned.record else None
    return Outcome(status=Status.SKIPPED, id=id, error=error)
