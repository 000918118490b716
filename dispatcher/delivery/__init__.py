"""A plan → outcomes: what is to be sent is sent, in order and in parallel; everything is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator

from dispatcher.config import Delivery as Settings
from dispatcher.delivery.announcing import Announcer, Finished
from dispatcher.delivery.calls import Calls
from dispatcher.delivery.courier import Courier
from dispatcher.delivery.holding import Holds
from dispatcher.delivery.others import OtherRuns
from dispatcher.delivery.pacing import Pace
from dispatcher.delivery.reconciling import reconciled
from dispatcher.delivery.retries import Retries
from dispatcher.delivery.summary import Summary
from dispatcher.delivery.task import Result, Task, claimed
from dispatcher.delivery.uploads import Uploads
from dispatcher.errors import DispatcherError, InputChanged, JournalError, PluginError
from dispatcher.hookspecs import Engine
from dispatcher.inputs import Inputs
from dispatcher.journal import Journal, Sharing
from dispatcher.models import Failure, Message, Outcome
from dispatcher.planning import GetTransport, PlannedMessage, PlanStatus
from dispatcher.registry import Clock, GetClock, PluginInfo

__all__ = ["Abandoned", "Delivery", "Pace", "Summary"]


class Abandoned(KeyboardInterrupt):
    """Nobody waits any longer for what is in flight: the user's word, which no plugin gets."""


class Delivery:
    """Carries out a plan, once. `finished` is told of every message, by one thread.

    `resend`: statuses besides new and retry whose messages are sent, too. `notice` is told, by any
    thread, why nothing happens for a while. `inputs`: the files of which the plan is made; once one
    of them has changed, nothing more leaves. `clock` times a transport's method. `sharing`: what
    there is of the journal for runs on other machines, if any.
    """

    def __init__(
        self,
        journal: Journal,
        transports: GetTransport,
        settings: Settings,
        pace: Pace,
        finished: Finished,
        resend: Collection[PlanStatus] = (),
        notice: Callable[[str], None] = lambda text: None,
        inputs: Inputs | None = None,
        clock: GetClock = lambda transport, method: Clock(PluginInfo(transport), method),
        sharing: Sharing | None = None,
    ) -> None:
        self._calls = Calls(clock, self._halt)
        self._transports = transports = self._calls.through(transports)
        self._journal, self._finished = journal, finished
        self._workers = settings.workers
        self._sendable = {"new", "retry", *resend}
        self._stop = threading.Event()
        retries = Retries(settings.attempts, settings.deadline)
        self._running = self._read_all = self._tried = False
        self._tasks: dict[str, Task] = {}
        self._courier = Courier(
            journal,
            transports,
            pace,
            Uploads(journal, self._stop, sharing),
            OtherRuns(sharing, self._tasks),
            retries,
            self._stop,
            self._halt,
            notice,
            inputs or Inputs(),
        )
        self._holds = Holds()
        self.summary = Summary()

    def run(self, plan: Iterable[PlannedMessage], engine: Engine, total: int) -> Summary:
        """Deliver what is to be sent, skip the rest.

        `total`: how many messages the plan has; a run that is stopped does not read it to its end.
        What ends a run before any message was tried is raised, a DispatcherError; later, the
        summary says it.
        """
        broken: DispatcherError | None = None
        self._announcer = Announcer(self._tell, self._halt)
        try:
            self._running = True
            engine.run(self._messages(plan), self._deliver, self._workers, self._stop.is_set)
            self._require_everything(engine)
        except Abandoned:
            self._stop.set()
        except InputChanged as error:
            self._halt(str(error))
        except DispatcherError as error:
            self._halt(str(error))
            broken = error
        finally:
            self._running = False
            self._give_up_the_rest()
            self._journal.drain()
            self._announcer.close()
            self._calls.close()
        if broken is not None and not self._tried:
            raise broken
        self.summary.not_tried = max(0, total - sum(self.summary.counts.values()))
        return self.summary

    @property
    def patience(self) -> float:
        """Seconds that an attempt which is under way takes at the most."""
        return self._calls.patience

    def stop(self) -> None:
        """Start no further message; what is in flight ends. May be called from a signal handler."""
        self.summary.interrupted = True
        self._stop.set()

    def abandon(self) -> None:
        """Wait no longer for what is in flight: it is unknown. For a signal handler."""
        if self._running:
            raise Abandoned

    def _messages(self, plan: Iterable[PlannedMessage]) -> Iterator[Message]:
        """What is to be sent, one by one; the rest is told."""
        try:
            for place, each in enumerate(plan):
                if self._stop.is_set():
                    return
                planned = reconciled(each, self._transports, self._journal)
                if planned.status in self._sendable:
                    self._tasks[planned.message.key] = Task(planned, planned.record, place)
                    yield planned.message.detached()  # the engine may be a plugin's
                else:
                    self._announce(planned, place, Result(_skipped(planned)))
            self._read_all = True
        except Exception as error:
            self._halt(str(error))
            raise

    def _deliver(self, message: Message) -> float | None:
        """Carry a message further: see `Engine.run`."""
        task = self._tasks.get(message.key)
        if task is None:
            raise self._halted(f"the engine delivers {message.key} twice, or it is not in the plan")
        if self._stop.is_set():
            return None
        if not task.alone.acquire(blocking=False):
            raise self._halted(f"the engine delivers {message.key} twice at a time")
        try:
            result = self._carry(task)
        except BaseException as error:
            self._halt(str(error))
            raise
        finally:
            task.alone.release()
        if not isinstance(result, Result):
            return result
        self._end(task, result)
        return None

    def _carry(self, task: Task) -> Result | float | None:
        why = self._holds.reason(task.message, task.place)
        if why is not None:
            return task.left("skipped", why)
        try:
            return self._courier.advance(task)
        except (JournalError, InputChanged) as error:  # nothing left, and nothing more is to leave
            self._halt(str(error))
            return None

    def _end(self, task: Task, result: Result) -> None:
        # Whoever takes the task away has the word: the run may have been abandoned meanwhile.
        if self._tasks.pop(task.message.key, None) is not None:
            self._announce(task.planned, task.place, result)

    def _announce(self, planned: PlannedMessage, place: int, result: Result) -> None:
        message, outcome = planned.message, result.outcome
        self._holds.note(message, place, outcome, strict=planned.stop_on_failure)
        self._announcer.tell(message, outcome, result.written)

    def _give_up_the_rest(self) -> None:
        """Tell of every message that was tried and has no outcome yet."""
        for task in list(self._tasks.values()):
            result = self._courier.give_up(task)
            if result is not None:
                self._end(task, result)

    def _require_everything(self, engine: Engine) -> None:
        if not self._stop.is_set() and (self._tasks or not self._read_all):
            left = len(self._tasks) or "some"
            raise PluginError(f'the engine "{engine.name}" left {left} messages undelivered')

    def _halted(self, why: str) -> PluginError:
        """An engine's fault, which ends the run, whatever the engine makes of the error."""
        self._halt(why)
        return PluginError(why)

    def _halt(self, why: str) -> None:
        self.summary.stopped = self.summary.stopped or why
        self._stop.set()

    def _tell(self, message: Message, outcome: Outcome) -> None:
        self._tried = self._tried or outcome.attempts > 0
        self.summary.count(outcome.status)
        self._finished(message, outcome)


def _skipped(planned: PlannedMessage) -> Outcome:
    """What is not sent: it was, or what it would say changed, or nobody knows whether it was."""
    if planned.record and planned.record.status == "sending":  # of a run that is known to live
        return Outcome(status="skipped", error=claimed(planned.record, planned.digest))
    if planned.status == "unknown":
        text = "an earlier attempt may have arrived; settle it, then send again"
        return Outcome(status="unknown", error=Failure(code="unsettled", text=text))
    error = None
    if planned.status == "changed":
        text = "it was sent with other content; raise its revision to send it once more"
        error = Failure(code="changed", text=text)
    return Outcome(status="skipped", id=planned.record.id if planned.record else None, error=error)
