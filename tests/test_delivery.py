"""Delivery with a transport that does what each test says, and a journal on disk."""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_settings import BaseSettings

from dispatcher import (
    AccountRefused,
    Attachment,
    MediaId,
    Message,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Payload,
    Problem,
    Receipt,
    Refused,
    Upload,
    delivery,
)
from dispatcher.builtin.threads import Threads
from dispatcher.config import Delivery as Settings
from dispatcher.delivery import Delivery, Summary
from dispatcher.journal import Journal, open_journal
from dispatcher.models import Text
from dispatcher.planning import PlannedMessage

FILE = Upload(
    filename="a.pdf",
    size=4,
    sha256="a" * 64,
    mime_type="application/pdf",
    open=lambda: io.BytesIO(b"four"),
)


class Scripted:
    """Does to each message, at each attempt, what its script says next; at its end it accepts."""

    name: ClassVar[str] = "scripted"
    Settings: ClassVar[type[BaseSettings]] = BaseSettings
    account = "one"

    def __init__(self, **script: Sequence[Any]) -> None:
        self._script: dict[str, Iterator[Any]] = {id: iter(does) for id, does in script.items()}
        self._guard = threading.Lock()
        self.sent: list[tuple[str, str]] = []
        self.times: list[float] = []
        self.uploads: list[str] = []
        self.upload_does: Callable[[Upload], Any] = lambda file: MediaId(
            id=f"medium-{len(self.uploads)}", expires_at=datetime.now(UTC) + timedelta(hours=24)
        )

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        raise NotImplementedError

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        raise NotImplementedError

    def upload(self, file: Upload) -> MediaId:
        self.uploads.append(file.sha256)
        found: MediaId = self.upload_does(file)
        return found

    def send(self, payload: Payload) -> Receipt:
        with self._guard:
            self.sent.append((payload["to"], payload["id"]))
            self.times.append(time.monotonic())
            does = next(self._script.get(payload["id"], iter(())), None)
        if isinstance(does, BaseException):
            raise does
        receipt: Receipt = Receipt(id=f"receipt-{payload['id']}") if does is None else does
        return receipt


def planned(id: str, to: str = "79001234567", file: Upload | None = None) -> PlannedMessage:
    message = Message(
        key=f"default/m/{id}/1/{to}",
        manifest="m",
        id=id,
        to=to,
        recipient_type="individual",
        type="text",
        text=Text(body="Hello"),
        transport="scripted",
    )
    payload = {"id": id, "to": to, "media": file.reference if file else None}
    return PlannedMessage(message, payload, file, "digest")


class Run:
    """One run: its outcomes by message id, what each said, and the journal it wrote."""

    def __init__(self, journal: Journal, transport: Scripted, **options: Any) -> None:
        self.journal = journal
        self.told: list[tuple[str, str]] = []
        self.outcomes: dict[str, Outcome] = {}
        given = Settings(**{"attempts": 3, **options})
        self.delivery = Delivery(journal, lambda name: transport, given, self.finished)

    def finished(self, message: Message, outcome: Outcome) -> None:
        self.told.append((message.to, message.id))
        self.outcomes[message.id] = outcome

    def deliver(self, *plan: PlannedMessage) -> Summary:
        return self.delivery.run(plan, Threads())

    def statuses(self) -> dict[str, str]:
        return {row.message: row.status for row in self.journal.history()}


@pytest.fixture
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path_factory.mktemp('journal')}/journal.db") as opened:
        yield opened


@pytest.fixture
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_BACKOFF", lambda state: 0.0)


@pytest.mark.parametrize(
    ("does", "status", "code"),
    [
        (Refused("no", code="1"), "failed", "1"),
        (NotSent("later", code="82"), "failed", "82"),
        (OutcomeUnknown("perhaps", code="http 500"), "unknown", "http 500"),
        (ZeroDivisionError("a bug in a plugin"), "unknown", "transport_error"),
        (OSError("outside requests"), "unknown", "transport_error"),
        ("not a receipt", "unknown", "transport_error"),
        ({"id": "1"}, "unknown", "transport_error"),
    ],
)
def test_whatever_a_transport_does_has_an_outcome(
    journal: Journal, does: Any, status: str, code: str
) -> None:
    run = Run(journal, Scripted(a=[does]), attempts=1)
    run.deliver(planned("a"), planned("b"))
    error = run.outcomes["a"].error
    assert error is not None
    assert (run.outcomes["a"].status, error.code) == (status, code)
    assert run.outcomes["b"].status == "sent", "and the next message leaves"
    assert run.statuses() == {"a": status, "b": "sent"}


@pytest.mark.parametrize(
    ("does", "code"),
    [
        (Refused("too large", code="413"), "413"),
        (ZeroDivisionError("a bug in a plugin"), "transport_error"),
        ("not a media id", "transport_error"),
        (None, "transport_error"),
    ],
)
def test_message_whose_upload_fails_has_failed(journal: Journal, does: Any, code: str) -> None:
    def upload(file: Upload) -> Any:
        if isinstance(does, Exception):
            raise does
        return does

    transport = Scripted()
    transport.upload_does = upload
    run = Run(journal, transport)
    run.deliver(planned("a", file=FILE), planned("b"))
    error = run.outcomes["a"].error
    assert error is not None
    assert (run.outcomes["a"].status, error.code) == ("failed", code)
    assert transport.sent == [("79001234567", "b")]
    assert run.statuses() == {"a": "failed", "b": "sent"}


def test_file_is_uploaded_once_however_many_threads_need_it(journal: Journal) -> None:
    transport = Scripted()
    transport.upload_does = lambda file: time.sleep(0.05) or MediaId(id="medium")  # type: ignore[func-returns-value]
    run = Run(journal, transport)
    run.deliver(*(planned(f"m{each}", f"7900123456{each}", FILE) for each in range(8)))
    assert len(transport.uploads) == 1
    assert len(transport.sent) == 8


@pytest.mark.parametrize(("minutes", "uploads"), [(24 * 60, 1), (16, 1), (14, 2), (-1, 2)])
def test_media_id_is_used_until_shortly_before_it_expires(
    journal: Journal, minutes: int, uploads: int
) -> None:
    transport = Scripted()
    expires_at = datetime.now(UTC) + timedelta(minutes=minutes)
    transport.upload_does = lambda file: MediaId(id="medium", expires_at=expires_at)
    for id in ("a", "b"):
        Run(journal, transport).deliver(planned(id, file=FILE))
    assert len(transport.uploads) == uploads


def test_attempts_are_at_least_as_far_apart_as_the_gateway_asks(journal: Journal) -> None:
    transport = Scripted(a=[NotSent("later", retry_after=0.3), NotSent("later", retry_after=0.4)])
    Run(journal, transport).deliver(planned("a"))
    first, second = (later - earlier for earlier, later in pairwise(transport.times))
    assert first >= 0.3
    assert second >= 0.4


def test_attempts_end_with_the_deadline(journal: Journal) -> None:
    transport = Scripted(a=[NotSent("later", retry_after=0.4)] * 9)
    run = Run(journal, transport, attempts=9, deadline=1.0)
    run.deliver(planned("a"))
    assert 1 <= len(transport.sent) <= 3
    assert run.outcomes["a"].status == "failed"


def test_stopped_run_makes_no_further_attempt(journal: Journal) -> None:
    """Not even the one for which a message waits."""
    transport = Scripted(a=[NotSent("later", retry_after=60)] * 2)
    run = Run(journal, transport)
    stopper = threading.Thread(target=lambda: stop_when(run, lambda: transport.sent))
    stopper.start()
    summary = run.deliver(planned("a"), planned("b"))
    stopper.join()
    assert transport.sent == [("79001234567", "a")]
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
    run = Run(journal, Scripted(), workers=2)
    under_way, broke = threading.Event(), threading.Event()

    def broken(message: Message, outcome: Outcome) -> None:
        if message.id == "other":
            under_way.set()
            assert broke.wait(20)
        if message.id == "first":
            assert under_way.wait(20)
            threading.Timer(0.1, broke.set).start()
            raise BrokenPipeError

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
        summary = run.deliver(planned("a"), planned("b"))
    error = run.outcomes["a"].error
    assert error is not None
    assert (run.outcomes["a"].status, error.code) == ("failed", "journal")
    assert summary.not_tried == 1
    assert summary.stopped is not None
    assert str(tmp_path / "journal.db") in summary.stopped
    assert transport.sent == []


# the engine


def test_engine_serves_each_queue_in_order_and_no_more_at_once_than_workers() -> None:
    guard, running, most = threading.Lock(), Counter[str](), 0
    served: dict[str, list[str]] = defaultdict(list)

    def deliver(key: str) -> None:
        nonlocal most
        queue, number = key.split("-")
        with guard:
            running[queue] += 1
            assert running[queue] == 1
            most = max(most, running.total())
        time.sleep(0.001)
        with guard:
            running[queue] -= 1
            served[queue].append(number)

    queues = [[f"q{queue}-{number}" for number in range(9)] for queue in range(12)]
    Threads().run(queues, deliver, 4)

    assert most == 4
    assert served == {f"q{queue}": [*"012345678"] for queue in range(12)}


def test_engine_takes_the_next_queue_only_when_a_worker_is_free() -> None:
    taken, delivered = 0, 0

    def queues() -> Iterator[list[str]]:
        nonlocal taken
        for number in range(50):
            taken += 1
            assert taken - delivered <= 3 + 1
            yield [str(number)]

    def deliver(key: str) -> None:
        nonlocal delivered
        delivered += 1

    Threads().run(queues(), deliver, 3)
    assert (taken, delivered) == (50, 50)


def test_engine_passes_on_what_delivering_raises() -> None:
    def deliver(key: str) -> None:
        if key == "bad":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Threads().run([["good"], ["bad"], ["good"]], deliver, 2)


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
    journal: Journal,
    scripts: list[list[type[Exception] | None]],
    recipients: int,
    attempts: int,
) -> None:
    """Message ids are new in each example: the journal is the same for all of them."""
    ids = [f"m{next(NUMBERS)}" for _ in scripts]
    transport = Scripted(
        **{
            id: [does and does("reason") for does in script]
            for id, script in zip(ids, scripts, strict=True)
        }
    )
    run = Run(journal, transport, attempts=attempts)
    plan = [planned(id, f"7900123456{number % recipients}") for number, id in enumerate(ids)]

    summary = run.deliver(*plan)

    assert sum(summary.counts.values()) == len(plan)
    tries = Counter(id for _, id in transport.sent)
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
        order = [id for recipient, id in transport.sent if recipient == to]
        assert order == sorted(order, key=ids.index), "one after the other, each to its end"


def expected(script: list[type[Exception] | None], attempts: int) -> tuple[str, int]:
    for number, does in enumerate([*script, None, None, None][:attempts], 1):
        if does is NotSent and number < attempts:
            continue
        failed = does is not None and issubclass(does, NotSent | Refused)
        return "sent" if does is None else "failed" if failed else "unknown", number
    raise AssertionError
