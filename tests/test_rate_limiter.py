"""When messages may leave, by a clock that each test sets: rates, pauses, many runs, other days."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.delivery import retries
from dispatcher.delivery.rate_file import RateFile
from dispatcher.delivery.rate_limiter import (
    LONGEST_PAUSE,
    SHORT,
    RateLimiter,
    SharedRateLimiter,
    parsed,
)
from dispatcher.errors import ConfigError, NotSent
from dispatcher.journal import open_journal
from dispatcher.journal.backend import backend
from dispatcher.journal.clock import steady
from dispatcher.journal.shared_state import SharedState
from tests.support.cases import cases
from tests.support.postgres import Database

Open: TypeAlias = "Callable[..., RateLimiter]"

HOUR, DAY = 3600.0, 24 * 3600.0
MS = 0.001  # what the shared are counted in


class Clock:
    """Seconds since 1970 that pass when told to."""

    def __init__(self, set_: Callable[[float], object] = lambda now: None) -> None:
        self._set = set_
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        self._now = now
        self._set(now)


@pytest.fixture(scope="module")
def shared(module_database: Database) -> Database:
    """A database with a journal, and with a clock that a test sets."""
    with open_journal(module_database.url):
        module_database.ask("CREATE TABLE dispatcher.clock AS SELECT 0.0::float AS now")
    return module_database


@pytest.fixture(params=["file", "database"])
def store(request: pytest.FixtureRequest) -> str:
    """Where shared are kept."""
    kind: str = request.param
    return kind


@pytest.fixture
def clock(store: str, request: pytest.FixtureRequest) -> Iterator[Clock]:
    if store == "file":
        yield Clock()
        return
    database: Database = request.getfixturevalue("shared")
    for table in ("turns", "pauses"):
        database.ask(f"TRUNCATE dispatcher.{table}")
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield Clock(lambda now: connection.execute("UPDATE dispatcher.clock SET now = %s", [now]))


@pytest.fixture
def opened(
    store: str, clock: Clock, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """The limiter of one more run; `own`: the clock by which it looks at its permits."""
    with ExitStack() as stack:

        def opened(own: Callable[[], float] = clock) -> RateLimiter:
            if store == "file":
                kept = RateFile(tmp_path / "pace.db", clock)
            else:
                url = request.getfixturevalue("shared").url
                kept = SharedState(backend(url), now="(SELECT now FROM clock)")
            return RateLimiter(SharedRateLimiter(stack.enter_context(kept)), own)

        yield opened


def sender(rate: str | None = None, recipient_rate: str | None = None, account: str = "one") -> Any:
    key = f"t:{account}"
    return SimpleNamespace(name="t", account_key=key, rate=rate, recipient_rate=recipient_rate)


def leave(limiter: RateLimiter, transport: Any, clock: Clock, messages: int) -> list[float]:
    """When each message leaves whose sender does nothing but wait for the next permit."""
    times = []
    for number in range(messages):
        while (wait := limiter.acquire(transport, str(number)).wait) > SHORT:
            clock.now += wait
        times.append(clock.now + wait)
        clock.now += wait
    return times


def near(seconds: Any, off: float = MS) -> Any:
    return pytest.approx(seconds, abs=off)


def most_in_a_second(times: list[float]) -> int:
    times = sorted(times)
    return max(sum(start <= time < start + 1 - MS for time in times) for start in times)


def test_rate_is_kept_and_used(opened: Open, clock: Clock) -> None:
    """Never more than a second's worth and the burst in any second; and nearly all of it."""
    times = leave(opened(), sender("50/s"), clock, 250)
    assert most_in_a_second(times) <= 50 + 5
    assert 250 / (times[-1] - times[0]) >= 0.95 * 50


RATES = st.builds("{}/{}".format, st.integers(1, 300), st.sampled_from(["s", "min", "h", "d"]))


@given(rate=RATES, pauses=st.lists(st.floats(0, 3), max_size=20))
def test_no_rate_is_ever_exceeded(
    tmp_path_factory: pytest.TempPathFactory, rate: str, pauses: list[float]
) -> None:
    """However long the senders do something else meanwhile (counted in the rate's intervals)."""
    clock, path = Clock(), tmp_path_factory.mktemp("limiter") / "pace.db"
    interval = parsed(rate).interval / 1e6  # pyrate-limiter counts in ms, we in thousandths
    with RateFile(path, clock) as file:
        limiter, times = RateLimiter(SharedRateLimiter(file), clock), list[float]()
        for pause in [0.0, *pauses]:
            clock.now += pause * interval
            times += leave(limiter, sender(rate), clock, 3)
    allowed = parsed(rate).limit / 1000
    for start in times:
        inside = sum(start <= time < start + interval - MS for time in times)
        assert inside <= allowed + parsed(rate).burst


def test_runs_share_the_rate_of_an_account(opened: Open, clock: Clock) -> None:
    limiters = [opened(), opened()]
    times = [leave(limiters[number % 2], sender("50/s"), clock, 1)[0] for number in range(120)]
    assert most_in_a_second(times) <= 50 + 5
    assert len(times) / (times[-1] - times[0]) == pytest.approx(50, rel=0.05)


def test_accounts_do_not_hold_each_other_up(opened: Open, clock: Clock) -> None:
    limiter = opened()
    assert limiter.acquire(sender("1/min"), "a").wait == 0
    assert limiter.acquire(sender("1/min"), "b").wait > 0
    assert limiter.acquire(sender("1/min", account="two"), "b").wait == 0


def test_rate_outlives_the_run(opened: Open, clock: Clock) -> None:
    assert opened().acquire(sender("2/min"), "a").wait == 0
    clock.now += 10
    assert opened().acquire(sender("2/min"), "b").wait == near(20)


def test_recipient_has_a_rate_of_its_own(opened: Open, clock: Clock) -> None:
    limiter, transport = opened(), sender("50/s", "1/min")
    assert [limiter.acquire(transport, to).wait for to in "ab"] == [0, 0]
    assert limiter.acquire(transport, "a").wait == near(60)
    assert limiter.acquire(transport, "c").wait == 0, "a wait that was not taken costs nothing"


@pytest.mark.parametrize("rate", ["50/s", "10/min", "1/d", None])
def test_pause_holds_the_whole_account_back(opened: Open, clock: Clock, rate: str | None) -> None:
    limiter, transport = opened(), sender(rate)
    limiter.pause(transport, 60)
    assert limiter.acquire(transport, "a").wait == near(60)
    assert limiter.acquire(sender(rate, account="two"), "a").wait == 0
    later = opened()
    assert later.acquire(transport, "a").wait == near(60), "nor the next run"
    clock.now += 60
    assert opened().acquire(transport, "a").wait == near(0)


def test_pause_ends_one_after_the_other(opened: Open, clock: Clock) -> None:
    limiter, transport = opened(), sender("50/s")
    limiter.pause(transport, 1)
    clock.now += 1
    assert leave(limiter, transport, clock, 10)[-1] - clock.now <= MS
    assert [limiter.acquire(transport, to).wait for to in "ab"] == near([0.02, 0.04], 2 * MS)


def test_shorter_pause_does_not_end_a_longer_one(opened: Open, clock: Clock) -> None:
    limiter, transport = opened(), sender("50/s")
    limiter.pause(transport, 60)
    limiter.pause(transport, 1)
    assert limiter.acquire(transport, "a").wait == near(60)


@pytest.mark.parametrize("seconds", [DAY, 1e9, float("inf")])
def test_nobody_is_held_back_for_too_long(opened: Open, clock: Clock, seconds: float) -> None:
    limiter, transport = opened(), sender("50/s")
    limiter.pause(transport, seconds)
    assert limiter.acquire(transport, "a").wait == near(LONGEST_PAUSE)


def test_turn_that_was_taken_is_lost_when_an_account_pauses(opened: Open, clock: Clock) -> None:
    """Who sleeps until its permit begins finds out; so does another run."""
    limiter, other, transport = opened(), opened(), sender("1/s")
    assert [limiter.acquire(transport, to).wait for to in "abc"] == near([0, 1, 2])
    assert limiter.paused(transport) == 0
    limiter.pause(transport, 60)
    clock.now += 2
    assert limiter.paused(transport) == other.paused(transport)
    assert limiter.paused(transport) == near(58)
    clock.now += 58
    assert limiter.paused(transport) == 0


@pytest.mark.parametrize("back", [HOUR, DAY, 30 * DAY])
@pytest.mark.parametrize("rate", ["50/s", "1/min", None])
def test_clock_set_back_holds_nobody_up(
    opened: Open, clock: Clock, rate: str | None, back: float
) -> None:
    limiter, transport = opened(steady), sender(rate)
    limiter.acquire(transport, "a")
    limiter.pause(transport, 600)
    clock.now -= back
    assert limiter.acquire(transport, "a").wait <= 60
    assert limiter.paused(transport) == 0


def test_clock_set_back_a_little_holds_nobody_up_for_long(opened: Open, clock: Clock) -> None:
    limiter, transport = opened(steady), sender("50/s")
    limiter.acquire(transport, "a")
    clock.now -= 10 * 60
    assert limiter.acquire(transport, "a").wait <= LONGEST_PAUSE


@pytest.mark.parametrize(("rate", "days"), [("1/d", 1), ("0.5/d", 2), ("0.1/d", 10)])
def test_slow_rates_are_kept_too(opened: Open, clock: Clock, rate: str, days: int) -> None:
    limiter, transport = opened(), sender("50/s", rate)
    assert limiter.acquire(transport, "a").wait == 0
    clock.now += HOUR
    assert limiter.acquire(transport, "a").wait == near(days * DAY - HOUR)


@cases(
    "rate",
    "",
    "50",
    "50/",
    "/s",
    "fast/s",
    "50/fortnight",
    "0/s",
    "-1/s",
    "inf/s",
    "nan/s",
    "0.0009/h",
)
def test_what_is_no_rate_is_named(rate: str) -> None:
    with pytest.raises(ConfigError, match=f'"{rate}" is not a rate'):
        parsed(rate)


# shared that are not used, or not in time


def test_turn_that_was_not_used_is_the_next_ones(opened: Open, clock: Clock) -> None:
    """Another run had the message; the run's next one need not wait once more."""
    limiter, transport = opened(), sender("2/min")
    limiter.release(limiter.acquire(transport, "a"))
    assert [limiter.acquire(transport, to).wait for to in "bc"] == near([0, 30])


def test_recipients_turn_that_was_not_used_is_the_recipients(opened: Open, clock: Clock) -> None:
    limiter, transport = opened(), sender("4/min", "1/min")
    limiter.release(limiter.acquire(transport, "a"))
    assert limiter.acquire(transport, "b").wait == 0, "the account's is anybody's"
    clock.now += 15
    assert limiter.acquire(transport, "a").wait == 0, "it is late by no more than the burst allows"
    assert limiter.acquire(transport, "a").wait == near(45)


def test_turn_that_was_not_used_is_lost_when_an_account_pauses(opened: Open, clock: Clock) -> None:
    here, elsewhere, transport = opened(), opened(), sender("2/min")
    here.release(here.acquire(transport, "a"))
    clock.now += 1
    elsewhere.pause(transport, 60)
    assert here.acquire(transport, "b").wait == near(60)


@pytest.mark.parametrize("rate", ["2/s", "50/s", "20/min"])
def test_no_burst_follows_when_a_process_was_frozen(opened: Open, clock: Clock, rate: str) -> None:
    """Its workers were waiting, each for its permit; those are past, and taken anew."""
    limiter, transport = opened(), sender(rate)
    leave(limiter, transport, clock, 20)  # what may leave at once has left
    taken = [limiter.acquire(transport, str(number)) for number in range(8)]
    waiting = [permit for permit in taken if permit.windows]
    clock.now += 60
    assert waiting
    assert all(limiter.is_late(permit) for permit in waiting)
    for permit in waiting:
        limiter.release(permit)
    assert most_in_a_second(leave(limiter, transport, clock, 100)) <= max(
        1, parsed(rate).limit * 1000 / parsed(rate).interval + parsed(rate).burst
    )


@pytest.mark.parametrize("rate", ["2/s", "50/s", "1000/s", None])
def test_permit_of_a_thread_that_wakes_up_a_little_late_is_good(
    opened: Open, clock: Clock, rate: str | None
) -> None:
    limiter, transport = opened(), sender(rate)
    permit = limiter.acquire(transport, "a")
    clock.now += permit.wait + 0.05
    assert not limiter.is_late(permit)


@pytest.mark.parametrize("store", ["database"])
def test_permits_are_shared_when_many_take_them(store: str, opened: Open, clock: Clock) -> None:
    """Four runs of eight threads: no permit is given twice, and none is lost."""
    runs = [opened() for _ in range(4)]
    transport = sender("1000/min")
    with ThreadPoolExecutor(32) as pool:
        asked = [pool.submit(runs[each % 4].acquire, transport, "a") for each in range(60)]
        waits = sorted(each.result().wait for each in asked)
    assert waits == pytest.approx([max(0, each - 1) * 0.06 for each in range(60)], abs=2 * MS)


@pytest.mark.parametrize("store", ["database"])
def test_connection_that_is_lost_is_made_again(
    store: str, opened: Open, clock: Clock, shared: Database
) -> None:
    limiter, transport = opened(), sender("2/min")
    assert limiter.acquire(transport, "a").wait == 0
    shared.ask(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND strpos(query, 'shared') > 0"
        " AND pid <> pg_backend_pid()"
    )
    assert limiter.acquire(transport, "b").wait == near(30)


# what the gateway asks for


def asked_for(seconds: float | None) -> float:
    return retries.asked_for(NotSent("later", retry_after=seconds))


@pytest.mark.parametrize("seconds", [0.01, 1, 60, 900, 3600, DAY])
def test_pause_that_is_asked_for_is_kept_and_hardly_exceeded(seconds: float) -> None:
    assert all(seconds <= asked_for(seconds) <= min(seconds * 1.1, DAY) for _ in range(100))


@cases(
    "seconds, pause",
    (None, 0),
    (0, 0),
    (-5, 0),
    (float("nan"), 0),
    (1e12, DAY),
    (float("inf"), DAY),
)
def test_pause_that_nobody_means(seconds: float | None, pause: float) -> None:
    assert asked_for(seconds) == pause


@settings(max_examples=200)
@given(asked=st.floats(0, 100), attempts=st.integers(1, 10), elapsed=st.floats(0, 2000))
def test_wait_between_attempts(asked: float, attempts: int, elapsed: float) -> None:
    """Never sooner than asked for; never beyond the limits, which are of attempts and of time."""
    asked = asked_for(asked)
    wait = retries.Retries(5, 900).wait(NotSent("later"), attempts, elapsed, asked)
    if wait is None:
        backoff = 0.5 * 2 ** (attempts - 1)
        assert attempts >= 5 or elapsed + max(asked, backoff) >= 900
    else:
        assert attempts < 5
        assert wait >= asked
        assert elapsed + wait < 900


def spent(budget: retries.Budget, *, throttled: bool) -> int:
    """How many retries there are until the budget is empty."""
    error = NotSent("later", throttled=throttled)
    return next(number for number in count() if not budget.spend(error))


@pytest.mark.parametrize(("throttled", "number"), [(False, 500 // 14), (True, 500 // 5)])
def test_budget_of_retries_ends(throttled: bool, number: int) -> None:
    assert spent(retries.Budget(), throttled=throttled) == number


@pytest.mark.parametrize(("successes", "more"), [(13, 0), (14, 1), (28, 2), (100_000, 35)])
def test_success_gives_retries_back_up_to_the_whole_budget(successes: int, more: int) -> None:
    budget = retries.Budget(35 * 14)
    spent(budget, throttled=False)
    for _ in range(successes):
        budget.refund()
    assert spent(budget, throttled=False) == more
