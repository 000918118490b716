"""Journal and delivery against a model: whatever the gateway does, whenever a run dies.

Runs are made one after the other, each message by message and recipients in any order; waits take
no time, the clock jumps. A crash leaves what was on disk at that moment, as `kill -9` does.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dispatcher import (
    AccountRefused,
    Message,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Payload,
    Receipt,
    Refused,
)
from dispatcher.config import DeliverySettings
from dispatcher.delivery import Delivery, retries
from dispatcher.delivery.rate_file import RateFile
from dispatcher.delivery.rate_limiter import LONGEST_PAUSE, RateLimiter, SharedRateLimiter
from dispatcher.journal import Journal, open_journal, writer
from dispatcher.models import PlanStatus, encode
from dispatcher.planning import PlannedMessage, compared
from tests.support import messages
from tests.support.messages import PlannedTransport

ATTEMPTS = 3
DEADLINE = 600.0
SOON, LATE = 60.0, 5000.0  # seconds: one wait is within the deadline, the other is not
Resend = Literal["changed", "unknown"]


class Crash(BaseException):
    """The process dies."""


class Clock:
    """What time it is for the journal."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class Known:
    """What must be true of a message.

    `copies`: that the gateway accepted since a person last said that it may get another.
    """

    status: str = "new"
    version: int = 0
    attempts: int = 0
    copies: int = 0
    not_before: datetime | None = None


class AnyEngine:
    """Recipients in an order that `seed` gives; each one's messages one after the other."""

    name: ClassVar[str] = "any"

    def __init__(self, seed: int, clock: Clock) -> None:
        self._random, self._clock = random.Random(seed), clock

    def run(
        self,
        messages: Iterable[Message],
        deliver: Callable[[Message], float | None],
        workers: int,
        stopped: Callable[[], bool],
    ) -> None:
        lanes = defaultdict[str, deque[Message]](deque)
        for message in messages:
            lanes[message.to].append(message)
        while lanes and not stopped():
            lane = lanes[self._random.choice(sorted(lanes))]
            wait = deliver(lane[0])
            if wait is not None:
                self._clock.wait(wait)
                continue
            done = lane.popleft()
            if not lane:
                del lanes[done.to]


class Gateway(PlannedTransport):
    """A transport whose every next answer is the next one of a script; at its end it accepts."""

    ends_in_time = True  # it is called by the engine's thread, where the tests' clock is

    def __init__(self, machine: AnyDelivery) -> None:
        self._machine = machine

    def send(self, payload: Payload) -> Receipt:
        return self._machine.arrived(payload["key"])


# What the gateway does: the status that follows; whether it accepts; how it answers.
BEHAVIOURS: dict[str, tuple[str, bool, Callable[[], Any]]] = {
    "accepts": ("sent", True, lambda: None),
    "refuses": ("failed", False, lambda: Refused("no", code="1022")),
    "later": ("failed", False, lambda: NotSent("later", code="1060")),
    "soon": ("failed", False, lambda: NotSent("soon", retry_after=SOON)),
    "late": ("failed", False, lambda: NotSent("late", retry_after=LATE)),
    "all soon": ("failed", False, lambda: NotSent("soon", retry_after=SOON, throttled=True)),
    "all late": ("failed", False, lambda: NotSent("late", retry_after=LATE, throttled=True)),
    "no account": ("failed", False, lambda: AccountRefused("pay", code="1062")),
    "lost": ("unknown", False, lambda: OutcomeUnknown("lost")),
    "lost answer": ("unknown", True, lambda: OutcomeUnknown("lost")),
    "bug": ("unknown", False, lambda: ZeroDivisionError("a bug in a plugin")),
    "bug after it": ("unknown", True, lambda: ZeroDivisionError("a bug in a plugin")),
    "no receipt": ("unknown", True, lambda: "thank you"),
    "stop": ("sent", True, lambda: None),
    "abandon": ("unknown", False, lambda: None),
    "abandon after it": ("unknown", True, lambda: None),
    "crash": ("unknown", False, lambda: Crash()),
    "crash after it": ("unknown", True, lambda: Crash()),
}
SCRIPTS = st.lists(st.sampled_from([*BEHAVIOURS, "accepts", "later", "soon"]), max_size=10)


class AnyDelivery(RuleBasedStateMachine):
    """Messages are added and changed, runs are made and die, a person decides, time passes."""

    clock: ClassVar[Clock]

    def __init__(self) -> None:
        super().__init__()
        self.clock.__init__()  # type: ignore[misc]
        self.resources = ExitStack()
        self.folder = Path(self.resources.enter_context(tempfile.TemporaryDirectory()))
        file = RateFile(self.folder / "pace.db", lambda: self.clock.time.timestamp())
        self.limiter = RateLimiter(SharedRateLimiter(self.resources.enter_context(file)))
        self.messages: dict[str, Message] = {}
        self.versions: dict[str, int] = {}
        self.known: dict[str, Known] = {}
        self.paused_until = self.clock.time
        self.lives = 0
        self.open()

    def open(self) -> None:
        self.context = open_journal(f"sqlite:///{self.life}/journal.db")
        self.journal = self.context.__enter__()

    @property
    def life(self) -> Path:
        """Where the journal lies; somewhere else after each crash."""
        return self.folder / str(self.lives)

    # what people do

    @rule(recipients=st.lists(st.sampled_from("123"), min_size=1, max_size=4))
    def add_messages(self, recipients: list[str]) -> None:
        for to in recipients:
            number = len(self.messages)
            added = messages.message(str(number), to)
            self.messages[added.key] = added
            self.versions[added.key] = 0

    @precondition(lambda self: self.messages)
    @rule(number=st.integers(0, 9), version=st.integers(0, 1))
    def change_content(self, number: int, version: int) -> None:
        self.versions[self.key(number)] = version

    @precondition(lambda self: self.messages)
    @rule(number=st.integers(0, 9), sent=st.booleans())
    def settle(self, number: int, sent: bool) -> None:
        known = self.known.get(self.key(number), Known())
        unknown = known.status == "unknown"
        assert self.journal.settle(self.key(number), sent=sent) == unknown
        if unknown:
            known.status, known.not_before = ("sent" if sent else "failed"), None
            known.copies = known.copies if sent else 0

    @rule(hours=st.sampled_from([0.1, 1.0, 25.0]))
    def let_time_pass(self, hours: float) -> None:
        self.clock.wait(3600 * hours)

    @rule()
    def end_and_begin(self) -> None:
        self.context.__exit__(None, None, None)
        self.open()

    # a run

    @precondition(lambda self: self.messages)
    @rule(
        script=SCRIPTS,
        resend=st.sets(st.sampled_from(["changed", "unknown"])),
        seed=st.integers(0, 9),
    )
    def run(self, script: list[str], resend: set[Resend], seed: int) -> None:
        plan = list(self.plan())
        self.script = iter(script)
        self.tries, self.told = Counter[str](), dict[str, Outcome]()
        self.ordered = {each.message.key for each in plan if each.status in resend}
        self.last_to = defaultdict[str, int](int)
        self.delivery = Delivery(
            self.journal,
            lambda name: Gateway(self),
            DeliverySettings(attempts=ATTEMPTS, deadline=f"{DEADLINE:g}s"),
            self.limiter,
            self.tell,
            resend,
        )
        began = self.clock.time
        try:
            summary = self.delivery.run(plan, AnyEngine(seed, self.clock), len(plan))
        except Crash:
            self.come_back()
            return
        assert sum(summary.counts.values()) == len(plan)
        assert Counter(each.status for each in self.told.values()) == +Counter(
            {name: count for name, count in summary.counts.items() if name != "not_tried"}
        )
        for each in plan:
            self.check_told(each, began, ended=not self.delivery._run.stop.is_set())

    def plan(self) -> Iterable[PlannedMessage]:
        records = self.journal.lookup(list(self.messages))
        for key, message in self.messages.items():
            digest = str(self.versions[key])
            planned = PlannedMessage(message, encode({"key": key}), None, digest)
            found = compared(planned, records.get(key))
            assert found.status == self.plan_status(key)
            yield found

    def plan_status(self, key: str) -> PlanStatus:
        known = self.known.get(key)
        if known is None:
            return "new"
        if known.status == "sent":
            return "sent" if known.version == self.versions[key] else "changed"
        return "retry" if known.status == "failed" else "unknown"

    def tell(self, message: Message, outcome: Outcome) -> None:
        assert message.key not in self.told
        self.told[message.key] = outcome

    def arrived(self, key: str) -> Receipt:
        """A request is at the gateway: was it allowed to be? Then what comes next happens."""
        known = self.known.setdefault(key, Known())
        if key in self.ordered:
            self.ordered.remove(key)
        else:
            assert known.status in ("new", "failed"), "nobody ordered a second copy"
        if not self.tries[key] and known.status != "failed":
            known.copies = 0
        assert known.copies == 0
        assert self.clock.time >= max(self.paused_until, known.not_before or self.paused_until)
        message = self.messages[key]
        assert int(message.id) >= self.last_to[message.to], "in the order of the plan"
        self.last_to[message.to] = int(message.id)
        self.tries[key] += 1
        assert self.tries[key] <= ATTEMPTS
        return self.behave(next(self.script, "accepts"), known, self.versions[key])

    def behave(self, behaviour: str, known: Known, version: int) -> Receipt:
        known.status, accepts, answer = BEHAVIOURS[behaviour]
        known.copies += accepts
        known.attempts += 1
        known.version, known.not_before = version, None
        does = answer()
        if isinstance(does, NotSent) and does.retry_after:
            known.not_before = self.clock.time + timedelta(seconds=does.retry_after)
            if does.throttled:
                pause = timedelta(seconds=min(does.retry_after, LONGEST_PAUSE))
                self.paused_until = max(self.paused_until, self.clock.time + pause)
        if behaviour == "stop":
            self.delivery.stop()
        if behaviour.startswith("abandon"):
            self.delivery.abandon()
        if isinstance(does, Crash):
            self.remember_the_disk()
        if isinstance(does, BaseException):
            raise does
        return does or Receipt(id="receipt")

    def check_told(self, planned: PlannedMessage, began: datetime, *, ended: bool) -> None:
        """`ended`: the run was not cut short."""
        key = planned.message.key
        outcome = self.told.get(key)
        if self.tries[key]:
            assert outcome is not None
            assert (outcome.status, outcome.attempts) == (self.known[key].status, self.tries[key])
        elif planned.status in ("new", "retry") or key in self.ordered:
            assert not ended or outcome is not None
            if outcome is not None:
                not_before = self.known[key].not_before
                assert (outcome.status, outcome.attempts) == ("failed", 0)
                assert not_before is not None
                assert not_before > began + timedelta(seconds=DEADLINE)
        elif outcome is not None:
            assert outcome.status == ("unknown" if planned.status == "unknown" else "skipped")

    # a crash

    def remember_the_disk(self) -> None:
        self.journal.lookup(["after all that was to be written"])
        after = self.folder / str(self.lives + 1)
        shutil.copytree(self.life, after, ignore=shutil.ignore_patterns("*.lock", "*-shm"))

    def come_back(self) -> None:
        self.context.__exit__(None, None, None)
        self.lives += 1
        self.open()

    # what always holds

    @invariant()
    def journal_knows_what_happened(self) -> None:
        rows = {row.key: (row.status, row.attempts) for row in self.journal.history()}
        assert rows == {key: (known.status, known.attempts) for key, known in self.known.items()}

    @invariant()
    def what_was_accepted_is_not_forgotten(self) -> None:
        for known in self.known.values():
            assert known.copies <= 1
            assert known.copies == 0 or known.status in ("sent", "unknown")

    def key(self, number: int) -> str:
        return list(self.messages)[number % len(self.messages)]

    def teardown(self) -> None:
        self.context.__exit__(None, None, None)
        self.resources.close()


def test_nothing_is_sent_twice_or_lost_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(AnyDelivery, "clock", clock, raising=False)
    monkeypatch.setattr(Journal, "now", lambda journal: clock.time)
    monkeypatch.setattr(retries, "BACKOFF", lambda state: 0.0)
    monkeypatch.setattr(writer, "_LINGER", 0.0)  # here nobody comes who would share the commit
    examples = settings.default.max_examples // 2 if settings.default else 50
    run_state_machine_as_test(
        AnyDelivery, settings=settings(max_examples=examples, stateful_step_count=12)
    )
