"""Delivery with a transport that does what each test says, and a journal on disk."""

import sqlite3
import threading
import time
from asyncio import CancelledError
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher import (
    AccountRefused,
    Failure,
    ManifestError,
    MediaId,
    Message,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Payload,
    Receipt,
    Refused,
    Upload,
)
from dispatcher.builtin import threads
from dispatcher.builtin.threads import Threads
from dispatcher.config import DeliverySettings
from dispatcher.delivery import Delivery, Summary, rate_limiter, retries, worker
from dispatcher.delivery.rate_file import RateFile
from dispatcher.delivery.rate_limiter import RateLimiter, SharedRateLimiter, parsed
from dispatcher.errors import ConfigError, DispatcherError, JournalError
from dispatcher.journal import AttemptResult, Claim, Journal, open_journal
from dispatcher.models import AttemptStatus, PlanStatus
from dispatcher.planning import PlannedMessage, compared
from tests.support.cases import cases
from tests.support.messages import FILE, PlannedTransport, planned


class Scripted(PlannedTransport):
    """Does to each message, at each attempt, what its script says next; at its end it accepts.

    `upload`: what it does with files, each of which gets a media id unless that is given.
    """

    def __init__(
        self, upload: Callable[[Upload], Any] | None = None, **script: Sequence[Any]
    ) -> None:
        self._script: dict[str, Iterator[Any]] = {id: iter(does) for id, does in script.items()}
        self._guard = threading.Lock()
        self.sent: list[tuple[str, str]] = []
        self.times: list[float] = []
        self.uploads: list[str] = []
        self._upload = upload or self._accept

    def upload(self, file: Upload) -> MediaId:
        self.uploads.append(file.sha256)
        found: MediaId = self._upload(file)
        return found

    def _accept(self, file: Upload) -> MediaId:
        tomorrow = datetime.now(UTC) + timedelta(hours=24)
        return MediaId(id=f"medium-{len(self.uploads)}", expires_at=tomorrow)

    def send(self, payload: Payload) -> Receipt:
        with self._guard:
            self.sent.append((payload["to"], payload["id"]))
            self.times.append(time.monotonic())
            does = next(self._script.get(payload["id"], iter(())), None)
        if isinstance(does, BaseException):
            raise does
        receipt: Receipt = Receipt(id=f"receipt-{payload['id']}") if does is None else does
        return receipt


OTHER = "79007654321"


OPENED = ExitStack()


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Nothing that a run opened stays open after its test."""
    with OPENED:
        yield


class Run:
    """One run: its outcomes by message id, what each said, and the journal it wrote."""

    def __init__(
        self,
        journal: Journal,
        transport: Scripted,
        resend: Collection[PlanStatus] = (),
        **options: Any,
    ) -> None:
        self.journal, self.transport = journal, transport
        self.told: list[tuple[str, str]] = []
        self.outcomes: dict[str, Outcome] = {}
        given = DeliverySettings(**{"attempts": 3, **options})
        shared = SharedRateLimiter(OPENED.enter_context(RateFile(Path(mkdtemp()) / "pace.db")))
        self.delivery = Delivery(
            journal, lambda name: transport, given, RateLimiter(shared), self.finished, resend
        )

    def finished(self, message: Message, outcome: Outcome) -> None:
        self.told.append((message.to, message.id))
        self.outcomes[message.id] = outcome

    def deliver(self, *plan: PlannedMessage) -> Summary:
        return self.delivery.run(self.compared(plan), Threads(), len(plan))

    def compared(self, plan: Sequence[PlannedMessage]) -> Iterator[PlannedMessage]:
        """The plan with what the journal says of it, as the planner makes it."""
        records = self.journal.lookup([each.message.key for each in plan])
        return (compared(each, records.get(each.message.key)) for each in plan)

    def ended(self, id: str) -> tuple[str, str | None]:
        """How a message ended, and the code of its error."""
        outcome = self.outcomes[id]
        return outcome.status, outcome.error and outcome.error.code

    def statuses(self) -> dict[str, str]:
        return {row.message: row.status for row in self.journal.history()}


def claim(journal: Journal, theirs: PlannedMessage) -> Claim:
    """Another run begins an attempt."""
    found = journal.claim(theirs.message, theirs.digest, None)
    assert found is not None
    return found


@pytest.fixture
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path_factory.mktemp('journal')}/journal.db") as opened:
        yield opened


@pytest.fixture
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "BACKOFF", lambda state: 0.0)


@cases(
    "does, status, code",
    (Refused("no", code="1"), "failed", "1"),
    (NotSent("later", code="82"), "failed", "82"),
    (OutcomeUnknown("perhaps", code="http 500"), "unknown", "http 500"),
    (ZeroDivisionError("a bug in a plugin"), "unknown", "transport_error"),
    (OSError("outside requests"), "unknown", "transport_error"),
    (CancelledError(), "unknown", "transport_error"),
    (KeyboardInterrupt(), "unknown", "transport_error"),
    ("not a receipt", "unknown", "transport_error"),
    ({"id": "1"}, "unknown", "transport_error"),
)
def test_any_behaviour_has_an_outcome(journal: Journal, does: Any, status: str, code: str) -> None:
    run = Run(journal, Scripted(a=[does]), attempts=1)
    run.deliver(planned("a"), planned("b"))
    assert run.ended("a") == (status, code)
    assert run.outcomes["b"].status == "sent", "and the next message leaves"
    assert run.statuses() == {"a": status, "b": "sent"}


@pytest.mark.parametrize("error", [ZeroDivisionError, CancelledError])
def test_who_cannot_be_told_ends_the_run(journal: Journal, error: type[BaseException]) -> None:
    class Deaf(Run):
        def finished(self, message: Message, outcome: Outcome) -> None:
            raise error

    run = Deaf(journal, Scripted())
    with pytest.raises(error):
        run.deliver(planned("a"), planned("b"))
    assert run.statuses()["a"] == "sent"
    assert error.__name__ in str(run.delivery.summary.stopped)


@cases(
    "does, code",
    (Refused("too large", code="413"), "413"),
    (ZeroDivisionError("a bug in a plugin"), "transport_error"),
    (CancelledError(), "transport_error"),
    ("not a media id", "transport_error"),
    (None, "transport_error"),
)
def test_message_whose_upload_fails_has_failed(journal: Journal, does: Any, code: str) -> None:
    def upload(file: Upload) -> Any:
        if isinstance(does, BaseException):
            raise does
        return does

    run = Run(journal, Scripted(upload))
    run.deliver(planned("a", file=FILE), planned("b"))
    assert run.ended("a") == ("failed", code)
    assert run.transport.sent == [("79001234567", "b")]
    assert run.statuses() == {"a": "failed", "b": "sent"}


@pytest.mark.parametrize("place", [0, 512, 4096, 8192], ids=["head", "schema", "table", "index"])
def test_damaged_rate_file_is_begun_anew(tmp_path: Path, place: int) -> None:
    file = tmp_path / "pace.db"
    with RateFile(file):
        pass
    with file.open("r+b") as stream:
        stream.seek(place)
        stream.write(bytes(3584))
    Path(f"{file}-journal").write_bytes(b"torn")

    with RateFile(file) as again:
        assert SharedRateLimiter(again).take({"account": parsed("1/s")}, 0) == 0


def test_file_is_uploaded_once_however_many_threads_need_it(journal: Journal) -> None:
    run = Run(journal, Scripted(lambda file: time.sleep(0.05) or MediaId(id="medium")))
    run.deliver(*(planned(f"m{each}", f"7900123456{each}", FILE) for each in range(8)))
    assert len(run.transport.uploads) == 1
    assert len(run.transport.sent) == 8


@pytest.mark.parametrize(("minutes", "uploads"), [(24 * 60, 1), (16, 1), (14, 2), (-1, 2)])
def test_media_id_is_used_nearly_to_its_end(journal: Journal, minutes: int, uploads: int) -> None:
    expires_at = datetime.now(UTC) + timedelta(minutes=minutes)
    transport = Scripted(lambda file: MediaId(id="medium", expires_at=expires_at))
    for id in ("a", "b"):
        Run(journal, transport).deliver(planned(id, file=FILE))
    assert len(transport.uploads) == uploads


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@cases(
    "digest, ends, status, code",
    ("digest", "sent", "skipped", "claimed"),
    ("theirs", "sent", "skipped", "changed"),
    ("digest", "unknown", "unknown", "unsettled"),
    ("digest", "failed", "sent", None),
    ids=["sent", "sent with other words", "unknown", "failed"],
)
def test_message_that_another_run_is_sending_is_waited_for(
    journal: Journal, when: str, digest: str, ends: AttemptStatus, status: str, code: str | None
) -> None:
    """As where several runs share a journal: what a living one has in flight is not unknown."""
    plan = [planned("a"), planned("b", to=OTHER), planned("c")]
    theirs = claim(journal, plan[0]._replace(digest=digest))
    run = Run(journal, Scripted())
    known = run.compared(plan) if when == "before" else iter(plan)
    result = AttemptResult(ends, id="1" if ends == "sent" else None)
    ending = threading.Timer(0.5, journal.conclude, [theirs, result])
    ending.start()
    run.delivery.run(known, Threads(), len(plan))
    ending.join()
    assert run.ended("a") == (status, code)
    to_one = [id for to, id in run.transport.sent if to != OTHER]
    assert to_one == (["a", "c"] if ends == "failed" else ["c"]), "c waits for the end of a"
    assert run.outcomes["b"].status == run.outcomes["c"].status == "sent"


def test_message_that_another_run_has_just_sent_holds_nobody_back(journal: Journal) -> None:
    ours = planned("a")
    journal.conclude(claim(journal, ours), AttemptResult("sent", id="1"))
    run = Run(journal, Scripted())
    summary = run.delivery.run(iter([ours, planned("b")]), Threads(), 2)  # as if planned before
    assert (summary.skipped, summary.sent) == (1, 1)
    assert run.outcomes["a"].error is not None


@cases(
    "before",
    [],
    ["before"],
    ["digest", "before"],
    ["before", "digest"],
    ids=["new", "resent", "resent to and fro", "sent already"],
)
def test_message_that_another_run_has_just_sent_with_other_words_has_changed(
    journal: Journal, before: list[str]
) -> None:
    """Two checkouts of one plan: who comes second is told as if it had come much later."""
    ours = planned("a")
    for digest in before:
        Run(journal, Scripted(), resend=["changed"]).deliver(ours._replace(digest=digest))
        ours = compared(ours, journal.lookup([ours.message.key])[ours.message.key])
    # As it was planned, whatever has become of it meanwhile.
    ours = ours._replace(status="changed" if before else "new")
    theirs = Run(journal, Scripted(), resend=["changed"])
    theirs.deliver(ours._replace(digest="theirs"))
    run = Run(journal, Scripted(), resend=["changed"])
    summary = run.delivery.run(iter([ours, planned("b")]), Threads(), 2)  # as if planned before
    assert run.ended("a") == ("skipped", "changed")
    assert "sent it with other content; raise its" in run.outcomes["a"].error.text
    assert (summary.skipped, [id for _, id in run.transport.sent]) == (1, ["b"])


def test_upload_that_failed_while_another_run_sent_it_changes_nothing(journal: Journal) -> None:
    ours = planned("a", file=FILE)

    def upload(file: Upload) -> MediaId:
        journal.conclude(claim(journal, ours), AttemptResult("sent", id="1")).result()
        raise Refused("too large", code="413")

    run = Run(journal, Scripted(upload))
    summary = run.deliver(ours)
    assert (summary.skipped, summary.failed) == (1, 0)
    assert run.statuses() == {"a": "sent"}


@pytest.mark.parametrize("how", ["sent", "unknown"])
def test_what_was_sent_stays_so_when_a_file_for_another_copy_cannot_be_uploaded(
    journal: Journal, how: Literal["sent", "unknown"]
) -> None:
    result = AttemptResult(how, id="1" if how == "sent" else None)
    journal.conclude(claim(journal, planned("a")), result)
    transport = Scripted(lambda file: (_ for _ in ()).throw(NotSent("later")))
    again = planned("a", file=FILE)._replace(digest="other")
    status: PlanStatus = "changed" if how == "sent" else "unknown"
    run = Run(journal, transport, resend=[status])
    summary = run.deliver(again)
    assert (summary.failed, len(transport.uploads)) == (1, 3)
    assert run.statuses() == {"a": how}
    assert run.outcomes["a"].attempts == 3


def test_failed_copy_does_not_hide_what_was_sent_before(journal: Journal) -> None:
    """The text was changed, sent on purpose, refused, and changed back."""
    first, second = planned("a"), planned("a")._replace(digest="second")
    Run(journal, Scripted()).deliver(first)
    transport = Scripted(a=[Refused("no")])
    Run(journal, transport, resend=["changed"]).deliver(second)
    run = Run(journal, transport)
    third = planned("a")._replace(digest="third")
    statuses = [each.status for each in run.compared([first, second, third])]
    assert statuses == ["sent", "retry", "changed"]
    assert run.deliver(first).skipped == 1
    assert run.deliver(second).sent == 1
    assert [each.status for each in run.compared([second, first])] == ["sent", "changed"]


def test_what_ends_a_run_in_the_middle_is_in_its_summary(journal: Journal) -> None:
    def plan() -> Iterator[PlannedMessage]:
        yield from (planned(f"m{number}", f"7900{number:07}") for number in range(1500))
        raise ManifestError([])

    run = Run(journal, Scripted())
    summary = run.delivery.run(plan(), Threads(), 1500)
    assert summary.stopped is not None
    assert summary.sent + summary.not_tried == 1500
    assert 0 < summary.sent == len(run.told)


def test_what_ends_a_run_before_its_first_message_is_raised(journal: Journal) -> None:
    def plan() -> Iterator[PlannedMessage]:
        raise ManifestError([])
        yield

    with pytest.raises(ManifestError):
        Run(journal, Scripted()).delivery.run(plan(), Threads(), 1)


def test_plan_that_grew_meanwhile_has_nothing_left(journal: Journal) -> None:
    run = Run(journal, Scripted())
    summary = run.delivery.run(iter([planned("a"), planned("b")]), Threads(), 1)
    assert (summary.sent, summary.not_tried) == (2, 0)


def test_stop_on_failure_holds_what_comes_later_only(journal: Journal) -> None:
    """The plan is read ahead of what is sent: z is known to be unknown before a is tried."""
    strict = [planned(id)._replace(stop_on_failure=True) for id in ("a", "z", "later")]
    lost = AttemptResult("unknown", error=Failure(code=None, text="lost"))
    journal.conclude(claim(journal, strict[1]), lost)
    first = planned("first", to=OTHER)
    run = Run(journal, Scripted(lambda file: time.sleep(0.2) or MediaId(id="medium")), workers=1)
    run.deliver(first._replace(upload=FILE), *strict)
    assert [id for _, id in run.transport.sent] == ["first", "a"]
    ends = {id: each.status for id, each in run.outcomes.items()}
    assert ends == {"first": "sent", "a": "sent", "z": "unknown", "later": "skipped"}


def test_nothing_leaves_once_a_run_is_to_stop_during_an_upload(journal: Journal) -> None:
    def upload(file: Upload) -> MediaId:
        run.delivery.stop()
        return MediaId(id="medium")

    run = Run(journal, Scripted(upload))
    summary = run.deliver(*(planned(f"m{each}", f"7900123456{each}", FILE) for each in range(4)))
    assert (run.transport.sent, summary.not_tried) == ([], 4)
    assert run.statuses() == {}


def test_stopped_run_reads_its_plan_no_further(journal: Journal) -> None:
    run = Run(journal, Scripted())
    read: list[str] = []

    def plan() -> Iterator[PlannedMessage]:
        for number in range(100):
            read.append(str(number))
            if number == 10:
                run.delivery.stop()
            yield planned(str(number))._replace(status="sent")

    summary = run.delivery.run(plan(), Threads(), 100)
    assert len(read) < 15
    assert summary.not_tried > 80


def test_slow_rate_is_no_pause(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets "6/min" wants to wait, however short a message's deadline is."""
    monkeypatch.setattr(worker, "SHORT", 0.0)
    monkeypatch.setattr(rate_limiter, "SHORT", 0.0)
    transport = Scripted()
    transport.recipient_rate = "2/s"  # type: ignore[attr-defined]
    run = Run(journal, transport, deadline="0.1s")
    summary = run.deliver(planned("a"), planned("b"), planned("c"))
    assert (summary.sent, summary.stopped) == (3, None)


def test_pause_that_is_longer_than_anybody_may_wait_ends_the_run(journal: Journal) -> None:
    run = Run(journal, Scripted(a=[NotSent("slow down", retry_after=7200, throttled=True)]))
    began = time.monotonic()
    summary = run.deliver(planned("a"), planned("b"), planned("c", to=OTHER))
    assert time.monotonic() - began < 5
    assert str(summary.stopped).startswith("the account is to pause until ")
    assert summary.failed == 1


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("error", [JournalError, ConfigError])
def test_pause_that_cannot_be_kept_ends_the_run_and_leaves_nothing_unknown(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, error: type[DispatcherError], attempts: int
) -> None:
    def pause(*_: object) -> None:
        raise error("the connection was lost")

    monkeypatch.setattr(RateLimiter, "pause", pause)
    transport = Scripted(a=[NotSent("slow down", code="429", throttled=True)])
    run = Run(journal, transport, attempts=attempts)
    summary = run.deliver(planned("a"), planned("b"))
    assert (summary.stopped, summary.not_tried) == ("the connection was lost", 1)
    assert run.outcomes["a"].status == "failed"
    assert run.outcomes["a"].error == Failure(code="429", text="slow down")
    assert run.statuses() == {"a": "failed"}
    assert transport.sent == [("79001234567", "a")]


def test_refusal_stands_though_the_media_id_that_caused_it_cannot_be_forgotten(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(*_: object) -> None:
        raise JournalError("the connection was lost")

    Run(journal, Scripted()).deliver(planned("a", file=FILE))
    monkeypatch.setattr(Journal, "forget_upload", forget)
    run = Run(journal, Scripted(b=[Refused("no such media", code="100")]))
    summary = run.deliver(planned("b", file=FILE))
    assert summary.stopped == "the connection was lost"
    assert run.outcomes["b"].status == "failed"
    assert run.statuses() == {"a": "sent", "b": "failed"}


def test_attempts_are_at_least_as_far_apart_as_the_gateway_asks(journal: Journal) -> None:
    transport = Scripted(a=[NotSent("later", retry_after=0.3), NotSent("later", retry_after=0.4)])
    Run(journal, transport).deliver(planned("a"))
    first, second = (later - earlier for earlier, later in pairwise(transport.times))
    assert first >= 0.3
    assert second >= 0.4


def test_attempts_end_with_the_deadline(journal: Journal) -> None:
    transport = Scripted(a=[NotSent("later", retry_after=0.4)] * 9)
    run = Run(journal, transport, attempts=9, deadline="1s")
    run.deliver(planned("a"))
    assert 1 <= len(transport.sent) <= 3
    assert run.outcomes["a"].status == "failed"


def test_stopped_run_makes_no_further_attempt(journal: Journal) -> None:
    """Not even the one for which a message waits."""
    run = Run(journal, Scripted(a=[NotSent("later", retry_after=60)] * 2))
    stopper = threading.Thread(target=lambda: stop_when(run, lambda: run.transport.sent))
    stopper.start()
    summary = run.deliver(planned("a"), planned("b"))
    stopper.join()
    assert run.transport.sent == [("79001234567", "a")]
    assert (summary.failed, summary.not_tried, summary.interrupted) == (1, 1, True)
    assert run.statuses() == {"a": "failed"}


def stop_when(run: Run, condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    run.delivery.stop()


def test_refused_account_ends_the_waiting_of_others(journal: Journal) -> None:
    transport = Scripted(
        waits=[NotSent("later", retry_after=60)] * 2,
        stops=[AccountRefused("no money", code="1062")],
    )
    run = Run(journal, transport, workers=2)
    summary = run.deliver(planned("waits", "79001234561"), planned("stops", "79001234562"))
    assert summary.stopped == "no money"
    assert summary.failed + summary.not_tried == 2


def test_failure_to_report_ends_the_run_and_loses_no_outcome(journal: Journal) -> None:
    under_way, broke = threading.Event(), threading.Event()

    class Slow(Scripted):
        def send(self, payload: Payload) -> Receipt:
            receipt = super().send(payload)
            if payload["id"] == "other":
                under_way.set()
                assert broke.wait(20)
            return receipt

    def broken(message: Message, outcome: Outcome) -> None:
        assert under_way.wait(20)
        threading.Timer(0.1, broke.set).start()
        raise BrokenPipeError

    run = Run(journal, Slow(), workers=2)
    run.delivery._finished = broken
    others = [planned(id, "79001234562") for id in ("other", "never")]
    with pytest.raises(BrokenPipeError):
        run.deliver(planned("first", "79001234561"), *others)
    assert run.statuses() == {"first": "sent", "other": "sent"}


def test_without_its_journal_nothing_leaves(tmp_path: Path) -> None:
    """As on a full disk: what cannot be remembered is not sent, and the run ends."""
    transport = Scripted()
    with open_journal(f"sqlite:///{tmp_path}/journal.db") as opened:
        with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
            connection.execute("DROP TABLE messages")
        run = Run(opened, transport)
        plan = [planned("a"), planned("b")]
        summary = run.delivery.run(plan, Threads(), len(plan))
    assert run.outcomes == {}
    assert summary.not_tried == 2
    assert str(tmp_path / "journal.db") in str(summary.stopped)
    assert transport.sent == []


# the engine


def never() -> bool:
    return False


def test_engine_serves_each_recipient_in_order_and_no_more_at_once_than_workers() -> None:
    guard, running, most = threading.Lock(), Counter[str](), 0
    served: dict[str, list[str]] = defaultdict(list)

    def deliver(message: Message) -> None:
        nonlocal most
        with guard:
            running[message.to] += 1
            assert running[message.to] == 1
            most = max(most, running.total())
        time.sleep(0.001)
        with guard:
            running[message.to] -= 1
            served[message.to].append(message.id)

    numbers = "012345678"
    messages = (planned(n, f"7900123450{to}").message for n in numbers for to in range(9))
    Threads().run(messages, deliver, 4, never)

    assert most == 4
    assert served == {f"7900123450{to}": [*numbers] for to in range(9)}


def test_message_that_waits_holds_back_its_recipient_and_nobody_else() -> None:
    served: list[tuple[str, str, float]] = []
    began = time.monotonic()

    def deliver(message: Message) -> float | None:
        first = not any(id == message.id and to == message.to for id, to, _ in served)
        served.append((message.id, message.to, time.monotonic() - began))
        return 0.3 if first and (message.id, message.to) == ("a", "79001234561") else None

    plan = [planned(id, to).message for id in "ab" for to in ("79001234561", "79001234562")]
    Threads().run(plan, deliver, 1, never)

    first = [(id, at) for id, to, at in served if to == "79001234561"]
    second = [(id, at) for id, to, at in served if to == "79001234562"]
    assert [id for id, _ in first] == ["a", "a", "b"]
    assert first[1][1] - first[0][1] >= 0.3
    assert [id for id, _ in second] == ["a", "b"]
    assert second[1][1] < 0.3, "the only worker was free meanwhile"


def test_engine_never_holds_more_messages_than_its_window() -> None:
    taken = delivered = most = 0

    def messages() -> Iterator[Message]:
        nonlocal taken, most
        for number in range(5 * threads.WINDOW):
            taken += 1
            most = max(most, taken - delivered)
            yield planned(str(number), f"7{number:010}").message

    def deliver(message: Message) -> None:
        nonlocal delivered
        delivered += 1

    Threads().run(messages(), deliver, 1, never)
    assert taken == delivered == 5 * threads.WINDOW
    assert most <= threads.WINDOW + 1


def test_stopped_engine_starts_nothing_and_returns_when_nothing_is_under_way() -> None:
    begun, ended = [], []
    stop = threading.Event()

    def deliver(message: Message) -> None:
        begun.append(message.id)
        stop.set()
        time.sleep(0.2)
        ended.append(message.id)

    plan = [planned(str(number), "79001234567").message for number in range(5)]
    Threads().run(plan, deliver, 2, stop.is_set)
    assert begun == ended == ["0"]


@cases(
    "where, error",
    ("deliver", ZeroDivisionError),
    ("deliver", CancelledError),
    ("deliver", KeyboardInterrupt),
    ("messages", ZeroDivisionError),
)
def test_engine_passes_on_what_is_raised(where: str, error: type[BaseException]) -> None:
    ended: list[str] = []
    under_way = threading.Event()

    def messages() -> Iterator[Message]:
        yield planned("slow", "79001234561").message
        yield planned("bad", "79001234562").message
        if where == "messages" and under_way.wait(5):
            raise error

    def deliver(message: Message) -> None:
        if message.id == "bad" and where == "deliver" and under_way.wait(5):
            raise error
        if message.id == "slow":
            under_way.set()
        time.sleep(0.1)
        ended.append(message.id)

    with pytest.raises(error):
        Threads().run(messages(), deliver, 2, never)
    assert "slow" in ended, "what is under way is waited for"


# any plan, any misfortune

NUMBERS = count()
MISFORTUNES = st.sampled_from(
    [None, NotSent, NotSent, Refused, OutcomeUnknown, ZeroDivisionError, AccountRefused]
)


@pytest.mark.usefixtures("_no_backoff")
@settings(
    max_examples=settings.default.max_examples // 2 if settings.default else 50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    scripts=st.lists(st.lists(MISFORTUNES, max_size=4), min_size=1, max_size=8),
    recipients=st.integers(1, 4),
    attempts=st.integers(1, 3),
)
def test_nothing_is_sent_twice_out_of_order_or_without_being_told(
    journal: Journal, scripts: list[list[type[Exception] | None]], recipients: int, attempts: int
) -> None:
    """Message ids are new in each example: the journal is the same for all of them."""
    ids = [f"m{next(NUMBERS)}" for _ in scripts]
    raised = ([does and does("reason") for does in script] for script in scripts)
    run = Run(journal, Scripted(**dict(zip(ids, raised, strict=True))), attempts=attempts)
    plan = [planned(id, f"7900123456{number % recipients}") for number, id in enumerate(ids)]

    summary = run.deliver(*plan)

    assert sum(summary.counts.values()) == len(plan)
    tries = Counter(id for _, id in run.transport.sent)
    for id, script in zip(ids, scripts, strict=True):
        outcome = run.outcomes.get(id)
        if outcome is None:
            assert tries[id] == 0
            continue
        fate, used = expected(script, attempts)
        if summary.stopped is None:
            assert (outcome.status, outcome.attempts) == (fate, used)
        assert tries[id] == outcome.attempts <= used
        record = journal.lookup([f"default/m/{id}/1/{plan[ids.index(id)].message.to}"])
        assert [each.status for each in record.values()] == [outcome.status]
    for number in range(recipients):
        to = f"7900123456{number}"
        order = [id for recipient, id in run.transport.sent if recipient == to]
        assert order == sorted(order, key=ids.index), "one after the other, each to its end"


def expected(script: list[type[Exception] | None], attempts: int) -> tuple[str, int]:
    for number, does in enumerate([*script, None, None, None][:attempts], 1):
        if does is NotSent and number < attempts:
            continue
        failed = does is not None and issubclass(does, NotSent | Refused)
        return "sent" if does is None else "failed" if failed else "unknown", number
    raise AssertionError
