"""What holds messages back, by the clock on the wall: pauses that gateways ask for, and outages."""

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support.gateway import Reply, asks_to_wait
from tests.support.project import Held, Project
from tests.support.waiting import wait_until

# what the gateway asks for


ASKS: dict[str, tuple[int, bytes]] = {
    "429": (429, b""),
    "code 82": (400, b'{"errors":[{"code":82}]}'),
}


@pytest.mark.parametrize(("status", "body"), ASKS.values(), ids=ASKS)
def test_nothing_leaves_while_the_account_is_to_pause(held: Held, status: int, body: bytes) -> None:
    """Not even what had only to wait for its permit when the gateway said so.

    It says so in the middle: what leaves first, leaves while requests is still being imported.
    """
    held.config('[transports.greenapi]\nrate = "1/s"')
    held.text_to_many(4)
    replies = iter([Reply()] * 2 + [Reply(status, body, {"Retry-After": "1"})])
    held.gateway.reply = lambda asked: next(replies, Reply())

    assert held.call("send").code == 0

    times = [asked.at for asked in held.gateway.requests]
    asked_to_wait = times[2]
    assert len(times) == 4 + 1
    assert min(times[3:]) >= asked_to_wait + 1


RETRY_AFTER: dict[str, tuple[Callable[[], str], float]] = {
    "seconds": (lambda: "1", 1),
    "a fraction": (lambda: "0.7", 0.7),
    "a date": (lambda: http_date(2), 1),
    "a date in the past": (lambda: http_date(-3600), 0),
    "a date long ago": (lambda: "Thu, 01 Jan 1970 00:00:00 GMT", 0),
    "negative": (lambda: "-5", 0),
    "nothing": (lambda: "", 0),
    "garbage": (lambda: "soon, I promise", 0),
    "not a number": (lambda: "nan", 0),
}


def http_date(seconds: float) -> str:
    """An HTTP date knows no fractions: it is up to a second earlier."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(("value", "wait"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_retry_after_is_the_least_wait(held: Held, value: Callable[[], str], wait: float) -> None:
    # The date is made when it is told: until then, the command has to start.
    replies = iter([lambda: Reply(429, b"", {"Retry-After": value()})])
    held.gateway.reply = lambda asked: next(replies, Reply)()
    assert held.send_texts("a").statuses == {"a": "sent"}
    first, second = (asked.at for asked in held.gateway.requests)
    assert wait <= second - first <= wait + 3


@pytest.mark.parametrize("value", ["999999999", "1e99", "9" * 300, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_absurd_pause_is_cut_to_a_day(held: Held, value: str) -> None:
    """And nobody sits and waits for it; what is no number at all counts as not said."""
    held.gateway.reply = asks_to_wait(value)
    held.config('[delivery]\ndeadline = "1s"\nattempts = 2')
    held.send_texts("a", "b", code=1)
    understood = value not in ("1e99", "9" * 300)
    row = next(line for line in held.call("history", "--json").lines if line["message"] == "a")
    if understood:
        assert len(held.gateway.requests) == 1
        left = datetime.fromisoformat(row["not_before"]) - datetime.now(UTC)
        assert timedelta(hours=23) < left <= timedelta(hours=24)


def test_pause_that_is_too_long_ends_this_run_and_the_next_one_at_once(held: Held) -> None:
    """Longer than the default of `deadline`, 15 minutes; nobody sits and waits in silence."""
    held.gateway.reply = asks_to_wait("3600")
    held.text_to_many(2)
    for _ in range(2):
        began = datetime.now(UTC)
        result = held.call("send")
        assert datetime.now(UTC) - began < timedelta(seconds=20)
        assert result.code == 1
        assert "stopped: the account is to pause until " in result.stderr
        assert "UTC; run again then" in result.stderr
    assert len(held.gateway.requests) <= 2, "one for each recipient, of the first run"


# what people see meanwhile


def test_people_hear_why_nothing_happens(held: Held) -> None:
    held.gateway.reply = asks_to_wait("20")
    held.config('[delivery]\ndeadline = "30s"')
    held.texts("a", "b")
    process = held.start("send", "--json")
    line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    result = held.finish(process)
    said = datetime.strptime(line[:26], "waiting until %H:%M:%S UTC").replace(tzinfo=UTC)
    now = datetime.now(UTC)
    wait = (now.replace(hour=said.hour, minute=said.minute, second=said.second) - now) % timedelta(
        days=1
    )
    assert timedelta(seconds=10) < wait < timedelta(seconds=23)
    assert "waiting" not in result.stderr, "once is enough"
    assert [line["event"] for line in result.lines] == ["start", "result", "summary"]


def test_people_hear_that_the_rate_is_slow(held: Held) -> None:
    held.config('[transports.greenapi]\nrate = "2/min"')
    held.text_to_many(3)
    process = held.start("send")
    announced = [process.stderr.readline() for _ in range(3)]
    assert announced[-1] == "to send: 3 messages to 3 people\n"
    assert process.stderr.readline().startswith("waiting until ")
    process.send_signal(signal.SIGINT)
    result = held.finish(process)
    assert result.code == 130
    assert "waiting" not in result.stderr, "all wait for the same permit"
    assert len(held.gateway.requests) == 1


# outages


OUTAGE = {"fault": "status", "status": 400, "code": 1060}


@pytest.mark.parametrize(("accepted", "code"), [(0, 1), (5, 4)])
def test_outage_ends_the_run_early(project: Project, accepted: int, code: int) -> None:
    """The retries that all messages together have are spent; what was not tried stays new."""
    count = 200
    project.text_to_many(count)
    project.inbox.faults([{"fault": "delay", "times": accepted}, OUTAGE])

    result = project.call("send")

    requests = project.inbox.stats()["requests"]
    assert result.code == code
    assert "stopped: too many attempts fail: " in result.stderr
    plan = project.planned()
    tried = count - plan.count("new")
    assert plan.count("sent") == accepted
    assert requests <= tried + 500 // 14
    assert 0 < plan.count("new") < count
    project.inbox.faults([])
    project.config('[transports.greenapi]\nrate = "1000/s"')
    assert project.call("send").code == 0
    assert project.inbox.stats()["accepted"] == count


def kill_while_it_waits(held: Held, seconds: str) -> None:
    """Have a run killed whose only message is to pause so long; later answers accept."""
    body = json.dumps({"errors": [{"code": 1060}]}).encode()
    replies = iter([Reply(400, body, {"Retry-After": seconds})])
    held.gateway.reply = lambda asked: next(replies, Reply())
    held.texts("a")
    process = held.start("send")
    wait_until(lambda: waiting(held))
    process.kill()
    held.finish(process)


def waiting(project: Project) -> bool:
    try:
        return bool(project.journal()["a"]["not_before"])
    except (sqlite3.OperationalError, KeyError):
        return False  # it is being made


def test_killed_run_leaves_its_waits_to_the_next(held: Held) -> None:
    kill_while_it_waits(held, "3")
    assert held.call("send", "--json").statuses == {"a": "sent"}
    first, second = (asked.at for asked in held.gateway.requests)
    assert second - first >= 3


def test_next_run_does_not_sit_and_wait_longer_than_for_any_message(held: Held) -> None:
    kill_while_it_waits(held, "600")
    held.config('[delivery]\ndeadline = "1m"')
    result = held.call("send", "--json")
    assert (result.code, result.statuses) == (1, {"a": "failed"})
    assert result.results["a"]["error"]["code"] == "not_before"
    assert result.results["a"]["attempts"] == 0
    assert len(held.gateway.requests) == 1


def test_wait_of_a_clock_that_was_set_back_is_none(held: Held) -> None:
    kill_while_it_waits(held, "600")
    days = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    with closing(sqlite3.connect(f"{held.journal_file.as_uri()}?mode=ro", uri=True)) as last:
        last.execute("PRAGMA user_version").fetchone()  # so that the log of the dead run stays
        held.execute("UPDATE messages SET not_before = ?", days)
    assert held.call("send", "--json").statuses == {"a": "sent"}
