"""What the threads of one run share: when it ends, who is blocked, how outcomes are reported."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import NamedTuple, TypeAlias

from dispatcher.delivery.task import LeaseExpired, Write, Written, failure
from dispatcher.errors import ExitCode, JournalError
from dispatcher.inputs import Inputs
from dispatcher.journal import LATE
from dispatcher.manifest.former_names import MessageName
from dispatcher.models import Failure, Message, Outcome, Status

Finished = Callable[[Message, Outcome], None]
# The same, and the key under which the journal has the message.
Noted = Callable[[Message, Outcome, str], None]

# Why a message is skipped that was sent with other content.
CHANGED = Failure(
    code="changed", text="it was sent with other content; raise its revision to send it once more"
)

_DECIDED = Failure(
    code="claimed",
    text="another run, or a person, has decided on it meanwhile: see dispatcher history",
)

# How many outcomes may wait to be reported before workers wait, too.
_BACKLOG = 1000
# Seconds. Waking a thread for each outcome would take a good part of the time of a post.
_TICK = 0.05

# A recipient, or a recipient of one manifest.
_Scope: TypeAlias = tuple[str, ...]

_STOPPED = Failure(code="stop_on_failure", text="an earlier message to this recipient was not sent")
_LEASE_EXPIRED = failure(LeaseExpired())
_LATE = Failure(code="lease", text="this run stood still before an earlier message was sent")


@dataclass
class Unsettled:
    """The messages with an unknown outcome: their runs and manifests, and the key of the last one,
    as the journal has them. `decided` tells whether somebody has decided one of them already."""

    key: str = ""
    runs: set[str] = field(default_factory=set)
    manifests: set[str] = field(default_factory=set)
    decided: bool = False

    def add(self, key: str, *, decided: bool) -> None:
        """Add a message."""
        run, manifest, *_ = key.split("/", 2)
        self.key = key
        self.runs.add(run)
        self.manifests.add(manifest)
        self.decided = self.decided or decided


@dataclass
class Summary:
    """What became of a plan's messages. `stopped` is why the run ended early, if it did.

    `changed` counts the recipients of each message that was skipped because they have it with
    other content. `finished` and `failures` count the messages of each manifest that are finished,
    and that failed.
    """

    sent: int = 0
    skipped: int = 0
    failed: int = 0
    unknown: int = 0
    not_tried: int = 0
    stopped: str | None = None
    interrupted: bool = False
    changed: Counter[MessageName] = field(default_factory=Counter)
    unsettled: Unsettled = field(default_factory=Unsettled)
    finished: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, message: Message, outcome: Outcome, key: str) -> None:
        """Count a finished message; `key` is the one under which the journal has it."""
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.finished[message.manifest] += 1
        self.failures[message.manifest] += outcome.status == Status.FAILED
        if outcome.status == Status.UNKNOWN:
            self.unsettled.add(key, decided=outcome.error == LATE)
        elif outcome.status == Status.SKIPPED and outcome.error == CHANGED:
            self.changed[MessageName(message.manifest, message.id)] += 1

    @property
    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        names = ("sent", "skipped", "failed", "unknown", "not_tried")
        return {name: getattr(self, name) for name in names}

    @property
    def exit_code(self) -> ExitCode:
        """See docs/design.md, "Exit codes": an interruption wins, then an unknown outcome."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.unknown:
            return ExitCode.UNKNOWN
        if self.failed or self.stopped or self.not_tried:
            return ExitCode.PARTLY if self.sent else ExitCode.FAILED
        return ExitCode.DONE if sum(self.counts.values()) else ExitCode.NOTHING

    @property
    def strict_exit_code(self) -> ExitCode:
        """Return the exit code if a changed message that is not sent again counts as a failure."""
        good = self.exit_code in (ExitCode.DONE, ExitCode.NOTHING)
        return ExitCode.CHANGED if good and self.changed else self.exit_code


class Run:
    """One run.

    `inputs` are the files from which its messages are made. Any thread may call `notice` to explain
    a wait. `stop` is set when no further attempt may begin.
    """

    def __init__(self, inputs: Inputs, notice: Callable[[str], None]) -> None:
        self.inputs, self.notice = inputs, notice
        self.stop = threading.Event()
        self.summary = Summary()

    def halt(self, why: str) -> None:
        """Begin no further attempt. Of several reasons, the first is reported."""
        self.summary.stopped = self.summary.stopped or why
        self.stop.set()


class _Block(NamedTuple):
    """The reason for which nothing after a message of the plan is sent."""

    number: int
    why: Failure


class BlockedRecipients:
    """The recipients who get no more messages. Any thread may use it.

    Messages are noted in any order: the plan is read ahead of what is being sent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[_Scope, _Block] = {}

    def note(self, message: Message, number: int, outcome: Outcome, *, strict: bool) -> None:
        """Block what comes after a message, if its outcome demands it.

        `strict` tells whether the manifest says `stop_on_failure`.
        """
        if outcome.error == _LEASE_EXPIRED:
            self._block((message.to,), _Block(number, _LATE))
        elif strict and outcome.status in (Status.FAILED, Status.UNKNOWN):
            self._block((message.to, message.manifest), _Block(number, _STOPPED))

    def reason(self, message: Message, number: int) -> Failure | None:
        """Return why a message must not be sent, or None if it may."""
        scopes: list[_Scope] = [(message.to,), (message.to, message.manifest)]
        with self._lock:
            found = [self._blocks.get(scope) for scope in scopes]
        return next((block.why for block in found if block and block.number < number), None)

    def _block(self, scope: _Scope, block: _Block) -> None:
        with self._lock:
            self._blocks[scope] = min(
                block, self._blocks.get(scope, block), key=lambda each: each.number
            )


class _Pending(NamedTuple):
    """An outcome, which is reported once it is written, if it has to be written."""

    message: Message
    outcome: Outcome
    write: Write
    key: str


class OutcomeReporter:
    """Calls `finished` with every outcome; `close` raises what it raised.

    It calls `halt`, with a sentence, to end the run when the journal cannot keep an outcome or
    `finished` fails.
    """

    def __init__(self, finished: Noted, halt: Callable[[str], None]) -> None:
        self._finished, self._halt = finished, halt
        self._waiting: Queue[_Pending] = Queue(_BACKLOG)
        self._wanted, self._closed = threading.Event(), False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)
        self._thread.start()

    def report(self, message: Message, outcome: Outcome, write: Write, key: str) -> None:
        """Have an outcome reported. Any thread may call it. `key` is the journal's."""
        if self._waiting.full():
            self._wanted.set()
        self._waiting.put(_Pending(message, outcome, write, key))

    def close(self) -> None:
        """Report what is left."""
        self._closed = True
        self._wanted.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        going_on = True
        while going_on:
            self._wanted.wait(_TICK)
            self._wanted.clear()
            going_on = not self._closed
            while (pending := self._next()) is not None:
                self._tell(pending)

    def _tell(self, pending: _Pending) -> None:
        try:
            self._finished(pending.message, self._certain(pending), pending.key)
        except BaseException as error:
            self._error = self._error or error
            self._halt(f"an outcome cannot be reported: {str(error) or type(error).__name__}")

    def _next(self) -> _Pending | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _certain(self, pending: _Pending) -> Outcome:
        """Return the outcome once it is on disk; unknown if the journal cannot keep it.

        If somebody else has decided on the message meanwhile, a receipt becomes unknown, and
        anything else skipped.
        """
        outcome = pending.outcome
        try:
            written = pending.write.result()
        except JournalError as error:
            self._halt(str(error))
            if outcome.status != Status.FAILED:
                failure = Failure(code="journal", text=str(error))
                return outcome.model_copy(update={"status": Status.UNKNOWN, "error": failure})
            return outcome
        if written is not Written.LOST or outcome.status == Status.SKIPPED:
            return outcome
        if outcome.status == Status.SENT:
            return outcome.model_copy(update={"status": Status.UNKNOWN, "error": LATE})
        return outcome.model_copy(update={"status": Status.SKIPPED, "error": _DECIDED})
