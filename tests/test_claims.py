"""Claims ahead of their attempts, as a delivery makes them: when, how many, and what they leave."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dispatcher import (
    AccountRefused,
    MediaId,
    Message,
    NotSent,
    OutcomeUnknown,
    Payload,
    Receipt,
    Refused,
    Upload,
)
from dispatcher.builtin.threads import Threads
from dispatcher.config import DeliverySettings
from dispatcher.delivery import Delivery, Summary, rate_limiter, retries, worker
from dispatcher.delivery.claims import DEEPEST, Claims
from dispatcher.delivery.rate_file import RateFile
from dispatcher.delivery.rate_limiter import RateLimiter, SharedRateLimiter
from dispatcher.delivery.task import Task
from dispatcher.errors import InputChanged
from dispatcher.inputs import Inputs
from dispatcher.journal import Claim, Journal, board, open_journal, read_journal
from dispatcher.journal.files import file_system
from dispatcher.models import Outcome, PlanStatus
from dispatcher.planning import PlannedMessage, compared
from tests.support.boards import MEMORY, boards_of, delete_boards
from tests.support.cases import cases
from tests.support.messages import FILE, PlannedTransport, message, planned
from tests.support.postgres import Database

OTHER, THIRD = "79007654321", "79007777777"

pytestmark = pytest.mark.skipif(
    file_system(MEMORY) != "tmpfs", reason="needs memory that outlives a process, /dev/shm"
)


class InOrder:
    """An engine that reads the whole plan, and then sends one message after the other."""

    name: ClassVar[str] = "in order"

    def __init__(self, waiting: Callable[[], object] = lambda: None, drops: str = "") -> None:
        self._waiting, self._drops = waiting, drops

    def run(
        self,
        messages: Iterable[Message],
        deliver: Callable[[Message], float | None],
        workers: int,
        stopped: Callable[[], bool],
    ) -> None:
        for each in [each for each in messages if each.id != self._drops]:
            waits = 0
            while not stopped() and (wait := deliver(each)) is not None:
                waits += 1
                assert waits < 20, f"{each.id} waits for something that does not come"
                self._waiting()
                time.sleep(wait)


class Watched(PlannedTransport):
    """Before it does to a message what is given, it looks what the journal says of all of them.

    Another attempt is accepted. `does`: an exception to raise, or something to call.
    """

    def __init__(self, **does: Any) -> None:
        self._does = does
        self.look: Callable[[], dict[str, str]] = dict
        self.seen: dict[str, dict[str, str]] = {}

    def upload(self, file: Upload) -> MediaId:
        self._do("upload")
        return MediaId(id="medium")

    def send(self, payload: Payload) -> Receipt:
        self.seen[payload["id"]] = self.look()
        self._do(payload["id"])
        return Receipt(id=f"receipt-{payload['id']}")

    def _do(self, what: str) -> None:
        does = self._does.pop(what, None)
        if isinstance(does, Exception):
            raise does
        if does is not None:
            does()


class Run:
    """A run with one worker on a journal of its own, to its end; what it saw and what it left.

    `seen`: what the journal said when each message was at the gateway, by id. `left`: what it says
    afterwards. `events`: what became of each message, one after the other.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self._folder = url, folder
        self.outcomes: dict[str, Outcome] = {}
        self.stop: Callable[[], None] = lambda: None

    def deliver(
        self,
        transport: Watched,
        *plan: PlannedMessage,
        engine: Any = None,
        resend: Iterable[PlanStatus] = (),
        compare: bool = True,
    ) -> Summary:
        with open_journal(self.url) as journal, RateFile(self._folder / "pace.db") as file:
            transport.look = lambda: {row.message: row.status for row in journal.history()}
            delivery = Delivery(
                journal,
                lambda name: transport,
                DeliverySettings(attempts=3, workers=1),
                RateLimiter(SharedRateLimiter(file)),
                lambda message, outcome: self.outcomes.__setitem__(message.id, outcome),
                list(resend),
            )
            self.stop = delivery.stop
            known = journal.lookup([each.message.key for each in plan]) if compare else {}
            found = (compared(each, known.get(each.message.key)) for each in plan)
            try:
                return delivery.run(found, engine or InOrder(), len(plan))
            finally:
                self.seen = transport.seen
                if journal._board is not None:
                    assert not journal._board._used, "no slot is kept for what is over"

    @property
    def events(self) -> dict[str, list[str]]:
        with read_journal(self.url) as reader:
            assert reader is not None
            rows = list(reader.history(with_events=True))
        return {row.message: [event.status for event in row.events] for row in rows}

    @property
    def left(self) -> dict[str, str]:
        return {id: events[-1] for id, events in self.events.items()}

    def statuses(self) -> dict[str, str]:
        return {id: outcome.status for id, outcome in self.outcomes.items()}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    yield Run(f"sqlite:///{tmp_path}/journal.db", tmp_path)
    assert not boards_of(tmp_path / "journal.db"), "nothing stays in memory"


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "BACKOFF", lambda state: 0.0)


def three() -> list[PlannedMessage]:
    return [planned("a"), planned("b", to=OTHER), planned("c", to=THIRD)]


ONCE = ["sending", "sent"]
GIVEN_BACK = ["sending", "new"]


def test_while_a_message_is_at_the_gateway_the_next_one_is_claimed(run: Run) -> None:
    assert run.deliver(Watched(), *three()).sent == 3
    assert run.seen == {
        "a": {"a": "sending", "b": "sending"},
        "b": {"a": "sent", "b": "sending", "c": "sending"},
        "c": {"a": "sent", "b": "sent", "c": "sending"},
    }
    assert run.events == dict.fromkeys("abc", ONCE)


def test_where_there_is_no_memory_each_is_claimed_when_its_turn_comes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "file_system", lambda folder: "ext4")
    assert run.deliver(Watched(), *three()).sent == 3
    assert [list(seen.values()).count("sending") for seen in run.seen.values()] == [1, 1, 1]
    assert run.events == dict.fromkeys("abc", ONCE)


def test_several_runs_on_a_journal_claim_nothing_ahead(database: Database, tmp_path: Path) -> None:
    run = Run(database.url, tmp_path)
    assert run.deliver(Watched(), *three()).sent == 3
    assert [list(seen.values()).count("sending") for seen in run.seen.values()] == [1, 1, 1]


def test_board_that_is_deleted_during_a_run_changes_nothing_else(run: Run, tmp_path: Path) -> None:
    delete = partial(delete_boards, tmp_path / "journal.db")
    assert run.deliver(Watched(a=delete), *three(), planned("d", to="79000000001")).sent == 4
    assert [list(seen.values()).count("sending") for seen in run.seen.values()] == [2, 1, 1, 1]


# given back


@pytest.fixture
def changing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Change what the plan was made of."""

    def changed(self: Inputs) -> None:
        raise InputChanged("a file was changed")

    return lambda: monkeypatch.setattr(Inputs, "require_unchanged", changed)


def test_what_was_claimed_ahead_is_new_when_the_run_is_stopped(run: Run) -> None:
    summary = run.deliver(Watched(a=lambda: run.stop()), *three())
    assert run.seen == {"a": {"a": "sending", "b": "sending"}}
    assert (summary.sent, summary.not_tried) == (1, 2)
    assert run.left == {"a": "sent"}
    assert run.deliver(Watched(), *three()).sent == 2
    assert run.events == {"a": ONCE, "b": GIVEN_BACK + ONCE, "c": ONCE}


def test_what_was_claimed_ahead_is_new_when_the_account_is_refused(run: Run) -> None:
    summary = run.deliver(Watched(a=AccountRefused("no such account")), *three())
    assert (summary.stopped, summary.not_tried) == ("no such account", 2)
    assert run.left == {"a": "failed"}


def test_what_was_claimed_ahead_is_new_when_files_change(
    run: Run, changing: Callable[[], None]
) -> None:
    summary = run.deliver(Watched(a=changing), *three())
    assert (summary.stopped, summary.not_tried) == ("a file was changed", 2)
    assert run.left == {"a": "sent"}


def test_what_was_claimed_ahead_is_new_when_the_engine_leaves_it(run: Run) -> None:
    summary = run.deliver(Watched(), *three(), engine=InOrder(drops="b"))
    assert "1 messages undelivered" in str(summary.stopped)
    assert run.seen["a"]["b"] == "sending"
    assert run.left == {"a": "sent", "c": "sent"}


def test_what_was_claimed_ahead_is_new_when_it_is_skipped(run: Run) -> None:
    plan = [planned(id)._replace(stop_on_failure=True) for id in ("a", "b")]
    run.deliver(Watched(a=Refused("no")), *plan, planned("c", to=OTHER))
    assert run.seen["a"]["b"] == "sending"
    assert "b" not in run.seen["c"], "its place is free for others"
    assert run.statuses() == {"a": "failed", "b": "skipped", "c": "sent"}
    assert run.left == {"a": "failed", "c": "sent"}


def test_nothing_is_claimed_during_a_long_pause(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was given back for one is claimed only once more."""
    monkeypatch.setattr(worker, "SHORT", 0.0)
    monkeypatch.setattr(rate_limiter, "SHORT", 0.0)
    transport, paused = Watched(), list[dict[str, str]]()
    transport.recipient_rate = "5/s"  # type: ignore[attr-defined]
    plan = [planned("a"), planned("b"), planned("c"), planned("d", to=OTHER)]
    engine = InOrder(waiting=lambda: paused.append(transport.look()))
    assert run.deliver(transport, *plan, engine=engine).sent == 4
    assert paused
    assert not [seen for seen in paused if "sending" in seen.values()]
    assert run.seen["a"]["b"] == run.seen["b"]["c"] == "sending"
    assert run.events == {**dict.fromkeys("bc", GIVEN_BACK + ONCE), "a": ONCE, "d": ONCE}


# other ends


@cases(
    "error, events",
    (Refused("too large", code="413"), [*GIVEN_BACK, "sending", "failed"]),
    (NotSent("later"), [*GIVEN_BACK, "sending", "failed", "sending", "sent"]),
)
def test_upload_that_fails_is_the_end_of_an_attempt_though_it_was_claimed(
    run: Run, error: Exception, events: list[str]
) -> None:
    run.deliver(Watched(upload=error), planned("a"), planned("b", OTHER, FILE), three()[2])
    assert run.seen["a"]["b"] == "sending"
    assert run.statuses() == {"a": "sent", "b": events[-1], "c": "sent"}
    assert run.outcomes["b"].attempts == events.count("sending") - 1
    assert run.events == {"a": ONCE, "b": events, "c": ONCE}
    assert run.outcomes["b"].status == "sent" or run.outcomes["b"].error.code == "413"


@cases(
    "error, events",
    (Refused("no"), ["sending", "failed"]),
    (OutcomeUnknown("perhaps"), ["sending", "unknown"]),
    (NotSent("later"), ["sending", "failed", "sending", "sent"]),
    (ZeroDivisionError(), ["sending", "unknown"]),
)
def test_message_that_was_claimed_ahead_ends_as_any_other(
    run: Run, error: Exception, events: list[str]
) -> None:
    run.deliver(Watched(b=error), *three())
    assert run.seen["a"]["b"] == "sending"
    assert run.events == {"a": ONCE, "b": events, "c": ONCE}
    assert run.outcomes["b"].attempts == events.count("sending")


def test_what_has_a_row_is_not_claimed_ahead(run: Run) -> None:
    """Of an attempt that is not the first, the row cannot be deleted as if nothing had been."""
    run.deliver(Watched(b=Refused("no")), *three())
    again = [each._replace(digest="other") for each in three()]
    assert run.deliver(Watched(), *again, resend=["changed"]).sent == 3
    assert [list(seen.values()).count("sending") for seen in run.seen.values()] == [1, 1, 1]
    assert run.events == {"a": ONCE + ONCE, "b": ["sending", "failed", *ONCE], "c": ONCE + ONCE}


def test_message_that_is_known_under_a_former_name_is_not_claimed_ahead(run: Run) -> None:
    """Another checkout has sent it since this run was planned."""
    run.deliver(Watched(), planned("former", to=OTHER))
    renamed = planned("b", to=OTHER)._replace(former_keys=[message("former", OTHER).key])
    run.deliver(Watched(), planned("a"), renamed, three()[2], compare=False)
    assert "b" not in run.seen["a"]
    assert run.statuses() == {"former": "sent", "a": "sent", "b": "skipped", "c": "sent"}
    assert run.left == {"former": "sent", "a": "sent", "c": "sent"}


def test_message_under_a_new_name_is_claimed_ahead_like_a_new_one(run: Run) -> None:
    renamed = planned("b", to=OTHER)._replace(former_keys=[message("former", OTHER).key])
    run.deliver(Watched(), planned("a"), renamed)
    assert run.seen["a"]["b"] == "sending"
    assert run.events == {"a": ONCE, "b": ONCE}


def test_many_workers_leave_nothing_claimed(run: Run, tmp_path: Path) -> None:
    """Some fail, some are skipped for that, some are tried again, and then the run is stopped."""
    many = [
        planned(f"m{number}", to=f"7900000{number % 40:04}")._replace(stop_on_failure=True)
        for number in range(200)
    ]
    errors = [Refused("no"), OutcomeUnknown("perhaps"), NotSent("later"), AccountRefused("over")]
    transport = Watched(
        **{f"m{number}": error for number, error in zip((3, 31, 57, 170), errors, strict=True)}
    )
    with open_journal(run.url) as journal, RateFile(tmp_path / "pace.db") as file:
        delivery = Delivery(
            journal,
            lambda name: transport,
            DeliverySettings(workers=8),
            RateLimiter(SharedRateLimiter(file)),
            lambda message, outcome: run.outcomes.__setitem__(message.id, outcome),
        )
        delivery.run(many, Threads(), len(many))
        assert journal._board is not None
        assert not journal._board._used
    counted = {id: each for id, each in run.statuses().items() if each != "skipped"}
    assert run.left == counted
    assert {"sent", "failed", "unknown"} == set(counted.values())


# how many


class Disk(Journal):
    """Of a journal, only what `Claims` needs; its commits take long while it is `slow`."""

    def __init__(self) -> None:
        self.slow, self.ahead = False, set[str]()

    def make_board(self, slots: int, reserved: int = 0) -> bool:
        self.slots = slots - reserved
        return True

    def claim_ahead(self, new: Any, *, may_wait: bool = False) -> "Future[dict[str, Claim]]":
        class Commit(Future[dict[str, Claim]]):
            def done(commit) -> bool:
                return not self.slow

        self.ahead |= {each.message.key for each in new}
        committed = Commit()
        committed.set_result({each.message.key: Claim(each.message.key, 1) for each in new})
        return committed

    def claim(self, message: Message, *given: Any) -> Claim:
        return Claim(message.key, 1)

    def begin(self, claim: Claim) -> None:
        self.ahead.remove(claim.key)

    def release(self, key: str) -> None:
        self.ahead.remove(key)


@pytest.mark.parametrize("workers", [1, 8])
def test_more_is_claimed_ahead_only_while_workers_wait_for_the_disk(workers: int) -> None:
    disk = Disk()
    claims = Claims(disk, workers)
    tasks = (Task(planned(f"m{number}"), None) for number in range(10_000))

    def send(count: int) -> int:
        """Send so many for each worker; the most that was claimed ahead at the end of that."""
        seen = []
        for _ in range(count * workers):
            claims.offer(offered := next(tasks))
            waiting.append(offered)
            assert claims.claim(waiting.pop(0))
            seen.append(len(disk.ahead))
        return max(seen[-2 * workers :])

    waiting = [next(tasks) for _ in range(workers * (DEEPEST + 1))]
    for each in waiting:
        claims.offer(each)
    assert send(50) == workers
    disk.slow = True
    assert send(200) == workers * DEEPEST
    disk.slow = False
    assert send(200) == workers
    assert disk.slots >= workers * (1 + DEEPEST), "there is room for all of them"
    claims.release_all()
    assert disk.ahead == set()
