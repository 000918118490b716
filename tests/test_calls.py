"""Transports that do not return: who waits for them, for how long, and what is said of it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from pydantic_settings import BaseSettings

from dispatcher import (
    DeliveryError,
    Failure,
    MediaId,
    Message,
    NotSent,
    Outcome,
    OutcomeUnknown,
    PluginError,
    Receipt,
    Refused,
    Upload,
    bound_transports,
)
from dispatcher.bound_transports import BoundTransport, SendTimeout
from dispatcher.builtin.threads import Threads
from dispatcher.config import DeliverySettings
from dispatcher.delivery import Delivery, Summary, calls
from dispatcher.delivery.calls import GuardedCalls
from dispatcher.delivery.rate_file import RateFile
from dispatcher.delivery.rate_limiter import RateLimiter, SharedRateLimiter
from dispatcher.delivery.reconciliation import reconcile
from dispatcher.journal import AttemptResult, Journal, open_journal
from dispatcher.names import LONGEST_ADDRESS
from dispatcher.planning import PlannedMessage, compared
from dispatcher.registry import CallTimer, PluginInfo
from tests.support import messages
from tests.support.cases import cases
from tests.support.messages import FILE
from tests.support.waiting import wait_until

Guard = Callable[[Any], BoundTransport]
NewRun = Callable[..., "Run"]

SLOW = PluginInfo("slow", "slow-transports", "1.2")
PATIENCE = 0.5  # seconds


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MARGIN", 0.1)
    monkeypatch.setattr(bound_transports, "PATIENCE", PATIENCE)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set when whatever hangs is to go on; at the end of the test it is."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def guarded() -> Iterator[Guard]:
    """A transport as delivery calls it."""
    made = GuardedCalls(timer, pytest.fail)
    yield lambda transport: BoundTransport(transport, made)
    made.close()


class Slow:
    """Hangs in what `hangs` names, until it is released."""

    name: ClassVar[str] = "slow"
    Settings: ClassVar[type[BaseSettings]] = BaseSettings
    patience = PATIENCE

    def __init__(self, released: threading.Event, *hangs: str) -> None:
        self._released, self._hangs = released, hangs
        self.sent: list[str] = []
        self.late: Callable[[], Receipt] = lambda: Receipt(id="late")
        self.returned = threading.Event()

    def _hang(self, place: str) -> bool:
        return place in self._hangs and self._released.wait(30)

    @property
    def account(self) -> str:
        self._hang("account")
        return "one"

    def require_credentials(self) -> None:
        self._hang("require_credentials")

    def upload(self, file: Upload) -> MediaId:
        self._hang("upload")
        return MediaId(id="medium")

    def send(self, payload: Any, file: Upload | None = None) -> Receipt:
        self.sent.append(payload["id"])
        if not self._hang(payload["id"]):
            return Receipt(id="at once")
        self.returned.set()
        return self.late()

    def reconcile(self, payload: Any, since: datetime) -> Receipt:
        self._hang("reconcile")
        return Receipt(id="found")


def planned(id: str, file: Upload | None = None) -> PlannedMessage:
    return messages.planned(id, f"7900123{ord(id):04}", file, transport="slow")


class Run:
    """A run of these messages, each to somebody else."""

    def __init__(self, journal: Journal, folder: Path, transport: Slow, **options: Any) -> None:
        self.transport, self.journal = transport, journal
        self.outcomes, self.notices = dict[str, Outcome](), list[str]()
        settings = DeliverySettings(**{"workers": 2, "attempts": 1, **options})
        self._file = RateFile(folder / "pace.db")
        self._delivery = Delivery(
            journal,
            lambda name: transport,
            settings,
            RateLimiter(SharedRateLimiter(self._file)),
            self._finished,
            notice=self.notices.append,
            timer=timer,
        )

    def _finished(self, message: Message, outcome: Outcome) -> None:
        self.outcomes[message.id] = outcome

    def send(self, *plan: PlannedMessage, engine: Any = None) -> Summary:
        with self._file:
            return self._delivery.run(list(plan), engine or Threads(), len(plan))

    @property
    def statuses(self) -> dict[str, str]:
        return {id: outcome.status for id, outcome in self.outcomes.items()}

    def recorded(self, id: str) -> tuple[str, str | None]:
        key = planned(id).message.key
        record = self.journal.lookup([key])[key]
        return record.status, record.id


def timer(transport: str, method: str) -> CallTimer:
    return CallTimer(SLOW, f'{method} of transport "{transport}"')


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


@pytest.fixture
def new_run(journal: Journal, tmp_path: Path, released: threading.Event) -> NewRun:
    """Make a run whose transport hangs in what is named."""

    def make(*hangs: str, transport: type[Slow] = Slow, **options: Any) -> Run:
        return Run(journal, tmp_path, transport(released, *hangs), **options)

    return make


def test_a_message_whose_send_does_not_return_is_unknown_and_others_go_on(new_run: NewRun) -> None:
    run = new_run("b")
    summary = run.send(*map(planned, "abcd"))
    assert run.statuses == {"a": "sent", "b": "unknown", "c": "sent", "d": "sent"}
    assert run.outcomes["b"].error == Failure(
        code="hanging",
        text='plugin "slow" (slow-transports 1.2): send of transport "slow" did not return within '
        "0.6 s; it may have been accepted",
    )
    assert (summary.stopped, summary.not_tried) == (None, 0)
    assert run.recorded("b") == ("unknown", None)


@cases(
    "late, record",
    (lambda: Receipt(id="late"), ("sent", "late")),
    (lambda: _raise(NotSent("no")), ("failed", None)),
    (lambda: _raise(OSError("lost")), ("unknown", None)),
    (lambda: None, ("unknown", None)),
)
def test_what_comes_late_still_counts(
    new_run: NewRun, released: threading.Event, late: Any, record: tuple[str, str | None]
) -> None:
    run = new_run("a")
    run.transport.late = late
    run.send(planned("a"))
    assert (run.statuses, run.notices) == ({"a": "unknown"}, [])
    released.set()
    assert run.transport.returned.wait(10)
    wait_until(lambda: len(run.notices) == (record[0] != "unknown"))
    assert run.recorded("a") == record
    told = [f"{planned('a').message.key}: {record[0]} after all"]
    assert run.notices == (told if record[0] != "unknown" else [])


def _raise(error: Exception) -> Any:
    raise error


def test_where_most_calls_hang_the_run_ends_in_order(new_run: NewRun) -> None:
    run = new_run(*"abcdefghij")
    summary = run.send(*map(planned, "abcdefghij"))
    assert summary.stopped.startswith("3 calls did not return; plugin")
    assert set(run.statuses.values()) == {"unknown"}
    assert 3 <= summary.unknown <= 4
    assert summary.not_tried == 10 - summary.unknown
    assert sorted(run.transport.sent) == sorted(run.statuses)


def test_an_upload_that_does_not_return_is_surely_not_sent(new_run: NewRun) -> None:
    run = new_run("upload")
    run.send(planned("a", FILE), planned("b"))
    assert run.statuses == {"a": "failed", "b": "sent"}
    assert run.outcomes["a"].error.text.endswith("did not return within 0.6 s")
    assert run.transport.sent == ["b"]


def test_a_big_file_is_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch, guarded: Guard, released: threading.Event
) -> None:
    monkeypatch.setattr(bound_transports, "MIN_BYTES_PER_SECOND", 10)
    transport = guarded(Slow(released, "upload"))
    began = time.monotonic()
    with pytest.raises(NotSent, match=r"did not return within 1\.1 s"):
        transport.upload(FILE.model_copy(update={"size": 5}), planned("a").message)
    assert time.monotonic() - began > 1


def test_a_message_with_a_big_file_is_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch, guarded: Guard, released: threading.Event
) -> None:
    monkeypatch.setattr(bound_transports, "MIN_BYTES_PER_SECOND", 10)
    transport = guarded(Slow(released, "a"))
    with pytest.raises(SendTimeout, match=r"did not return within 1\.1 s; it may have been accep"):
        transport.send({"id": "a"}, FILE.model_copy(update={"size": 5}))
    assert transport.longest == 1.0  # an interrupted run waits that long for it


def test_who_does_not_return_tells_nothing_of_a_message(
    journal: Journal, released: threading.Event
) -> None:
    message = planned("a")
    claim = journal.claim(message.message, message.digest, None)
    assert claim is not None
    journal.conclude(claim, AttemptResult("unknown")).result()
    known = compared(message, journal.lookup([message.message.key])[message.message.key])
    transport = Slow(released, "reconcile")
    assert not reconcile([known], journal, lambda name: transport, timer)
    with pytest.raises(
        PluginError, match=r'3 calls did not return; .*reconcile of transport "slow"'
    ):
        reconcile([known] * 4, journal, lambda name: transport, timer)


def test_an_account_that_nobody_tells_ends_the_run(new_run: NewRun) -> None:
    run = new_run("account")
    with pytest.raises(PluginError, match='account of transport "slow" did not return within'):
        run.send(planned("a"), planned("b"))
    assert run.outcomes == {}


def test_credentials_that_never_come_are_told(guarded: Guard, released: threading.Event) -> None:
    transport = guarded(Slow(released, "require_credentials"))
    with pytest.raises(PluginError, match="require_credentials of transport"):
        transport.require_credentials()


@cases("patience", None, "soon", float("nan"), float("inf"), -1, 0)
def test_a_patience_that_is_none(guarded: Guard, released: threading.Event, patience: Any) -> None:
    transport = Slow(released)
    transport.patience = patience
    assert guarded(transport).patience == PATIENCE


def test_a_result_of_the_last_moment_is_not_lost(guarded: Guard, released: threading.Event) -> None:
    """Between being given up and being asked for what comes later."""
    transport = guarded(Slow(released, "a"))
    with pytest.raises(SendTimeout) as caught:
        transport.send({"id": "a"})
    released.set()
    caught.value.call.exception(10)
    told: list[Any] = []
    caught.value.call.add_done_callback(lambda call: told.append(call.result()))
    assert told == [Receipt(id="late")]


def test_who_promises_to_end_in_time_is_called_straight_away(
    guarded: Guard, released: threading.Event
) -> None:
    class Prompt(Slow):
        ends_in_time = True

        def send(self, payload: Any) -> Receipt:
            return Receipt(id=threading.current_thread().name)

    transport = guarded(Prompt(released))
    assert transport.send({}).id == threading.current_thread().name
    assert guarded(Slow(released)).send({"id": "a"})


def test_what_it_says_of_itself_is_asked_once(guarded: Guard, released: threading.Event) -> None:
    class Counting(Slow):
        asked = 0

        @property
        def account(self) -> str:
            self.asked += 1
            return "one"

    transport = Counting(released)
    seen = guarded(transport)
    assert [seen.account for _ in range(3)] == ["one"] * 3
    assert (transport.asked, seen.rate, seen.recipient_rate) == (1, None, None)


def test_account_of_any_length_is_told_from_others_in_a_few_letters(guarded: Guard) -> None:
    """It is a part of keys, which have an end in some databases."""
    accounts = [SimpleNamespace(name="t", account="a" * 4999 + last) for last in "ab"]
    keys = [guarded(account).account_key for account in accounts]
    assert len(set(keys)) == 2
    assert max(map(len, keys)) <= LONGEST_ADDRESS


def test_an_answer_comes_back_as_it_is(guarded: Guard, released: threading.Event) -> None:

    reconcile = guarded(Slow(released)).reconcile
    assert reconcile({}, datetime.now(UTC)) == Receipt(id="found")


@cases(
    "answer",
    Receipt(id=""),
    Receipt(id=" "),
    Receipt.model_construct(),
    Receipt.model_construct(id=5),
    Failure.model_construct(text=None),
    "yes",
)
def test_an_answer_that_is_none_leaves_a_message_unknown(guarded: Guard, answer: Any) -> None:
    transport: Any = SimpleNamespace(name="odd", reconcile=lambda payload, since: answer)
    assert guarded(transport).reconcile({}, datetime.now(UTC)) is None


# Answers that are not well formed


class Bare(NotSent):
    """An error of somebody who did not call the base's `__init__`."""

    def __init__(self) -> None:
        pass


class Touchy(NotSent):
    """An error that cannot be asked for its text."""

    text = property(lambda self: 1 / 0, lambda self, text: None)  # type: ignore[assignment]


class TouchyReceipt(Receipt):
    """A receipt that cannot be asked for its id."""

    def __getattribute__(self, name: str) -> Any:
        return 1 / 0 if name == "id" else super().__getattribute__(name)


class Odd(Slow):
    """Its message "b" ends as `answer` does, its files become `media`."""

    answer: Callable[[], Any]
    media: Callable[[], Any]

    def send(self, payload: Any) -> Receipt:
        receipt = super().send(payload)
        return self.answer() if payload["id"] == "b" else receipt

    def upload(self, file: Upload) -> MediaId:
        found: MediaId = self.media()
        return found


@cases(
    "answer, status, code, text",
    (lambda: _raise(OutcomeUnknown("no idea", code=502)), "unknown", "502", "no idea"),
    (lambda: _raise(Refused("bad", code=400)), "failed", "400", "bad"),
    (lambda: _raise(Refused(ValueError("bad"))), "failed", None, "bad"),
    (lambda: _raise(OutcomeUnknown(None)), "unknown", None, "OutcomeUnknown raised"),
    (lambda: _raise(NotSent("busy", retry_after="60")), "failed", None, "busy"),
    (lambda: _raise(NotSent("busy", retry_after=[])), "failed", None, "busy"),
    (lambda: _raise(Bare()), "failed", None, "Bare raised"),
    # None of the words that say that it surely was not sent.
    (lambda: _raise(DeliveryError("hm")), "unknown", "transport_error", "DeliveryError"),
    (lambda: _raise(Touchy("busy")), "unknown", "transport_error", "the transport failed: Touchy"),
    (lambda: TouchyReceipt(id="1"), "unknown", "transport_error", "no receipt"),
    (lambda: Receipt.model_construct(id=5), "unknown", "transport_error", "no receipt"),
    (lambda: Receipt.model_construct(), "unknown", "transport_error", "no receipt"),
    (lambda: Receipt(id=" "), "unknown", "transport_error", "no receipt"),
)
def test_whatever_a_transport_answers_is_the_end_of_one_message_only(
    new_run: NewRun, answer: Any, status: str, code: str | None, text: str
) -> None:
    run = new_run(transport=Odd)
    run.transport.answer = answer
    summary = run.send(*map(planned, "abc"))
    assert run.statuses == {"a": "sent", "b": status, "c": "sent"}
    assert (summary.stopped, summary.not_tried) == (None, 0)
    error = run.outcomes["b"].error
    assert error.code == code
    assert text in error.text
    assert run.recorded("b") == (status, None)


def test_a_wait_that_is_passed_on_as_the_header_has_it_counts(new_run: NewRun) -> None:
    run = new_run(transport=Odd)
    run.transport.answer = lambda: _raise(NotSent("busy", retry_after="60"))
    run.send(planned("b"))
    key = planned("b").message.key
    not_before = run.journal.lookup([key])[key].not_before
    assert 50 < (not_before - datetime.now(UTC)).total_seconds() < 70


@cases(
    "media",
    lambda: MediaId(id=""),
    lambda: MediaId(id="m", expires_at=datetime(2030, 1, 1)),
    lambda: MediaId.model_construct(id=5),
    lambda: "m",
    lambda: _raise(DeliveryError("hm")),
    lambda: _raise(OutcomeUnknown("hm", code=5)),
)
def test_whatever_is_no_media_id_is_posted_to_nobody(new_run: NewRun, media: Any) -> None:
    run = new_run(transport=Odd)
    run.transport.media = media
    summary = run.send(planned("a", FILE), planned("c"), planned("d", FILE))
    assert run.statuses == {"a": "failed", "c": "sent", "d": "failed"}
    assert (summary.stopped, run.transport.sent) == (None, ["c"])


class Raises:
    """A property that raises."""

    def __get__(self, *_: object) -> Any:
        raise KeyError("nothing")


@cases("name", "account", "rate", "recipient_rate", "patience")
def test_a_property_that_raises_is_named_before_anything_leaves(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(Slow, name, Raises(), raising=False)
    run = new_run()
    with pytest.raises(PluginError) as raised:
        run.send(planned("a"))
    blamed = f'plugin "slow" (slow-transports 1.2) failed in {name} of transport "slow": '
    assert str(raised.value).startswith(f"{blamed}KeyError")
    assert run.transport.sent == []


def test_a_rate_that_is_a_number_is_named(new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slow, "rate", 5, raising=False)
    with pytest.raises(PluginError, match='rate is 5, not a text like "5/s"'):
        new_run().send(planned("a"))


class Twice:
    """An engine that delivers each message once more while it is under way, and hears no error."""

    name: ClassVar[str] = "twice"

    def __init__(self, under_way: threading.Event) -> None:
        self._under_way = under_way

    def run(self, messages: Any, deliver: Callable[[Message], object], *_: object) -> None:
        for message in messages:
            first = threading.Thread(target=deliver, args=(message,))
            first.start()
            assert self._under_way.wait(10)
            with suppress(PluginError):
                deliver(message)
            first.join()


def test_an_engine_that_delivers_twice_at_a_time_loses_no_receipt(new_run: NewRun) -> None:
    run, under_way = new_run(), threading.Event()

    def send(payload: Any) -> Receipt:
        under_way.set()
        time.sleep(0.3)
        return Receipt(id="once")

    run.transport.send = send
    summary = run.send(planned("a"), planned("b"), engine=Twice(under_way))
    assert "twice at a time" in summary.stopped
    assert run.statuses == {"a": "sent"}
    assert run.recorded("a") == ("sent", "once")


def test_one_content_under_two_names_is_two_files(new_run: NewRun) -> None:
    given: list[tuple[str, str]] = []

    class Naming(Slow):
        def upload(self, file: Upload) -> MediaId:
            given.append((file.filename, file.mime_type))
            return MediaId(id=file.filename, expires_at=datetime(2100, 1, 1, tzinfo=UTC))

    picture = FILE.model_copy(update={"filename": "a.jpg", "mime_type": "image/jpeg"})
    run = new_run(transport=Naming, workers=1)
    run.send(planned("a", FILE), planned("b", picture), planned("c", picture))
    assert given == [("a.pdf", "application/pdf"), ("a.jpg", "image/jpeg")]
    assert set(run.statuses.values()) == {"sent"}
