"""When messages may leave, by a clock that each test sets: rates, pauses, many runs, other days."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.delivery import retries
from dispatcher.delivery.pacing import LONGEST_PAUSE, SHORT, Pace, Turns, parsed
from dispatcher.delivery.uploads import account
from dispatcher.errors import ConfigError, NotSent
from dispatcher.names import LONGEST_ADDRESS

HOUR, DAY = 3600.0, 24 * 3600.0
MS = 0.001  # what the turns are counted in


class Clock:
    """Seconds since 1970 that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pace.db"


def sender(rate: str | None = None, recipient_rate: str | None = None, account: str = "one") -> Any:
    return SimpleNamespace(name="t", account=account, rate=rate, recipient_rate=recipient_rate)


def leave(pace: Pace, transport: Any, clock: Clock, messages: int) -> list[float]:
    """When each message leaves whose sender does nothing but wait for the next turn."""
    times = []
    for number in range(messages):
        while (wait := pace.wait(transport, str(number))) > SHORT:
            clock.now += wait
        times.append(clock.now + wait)
        clock.now += wait
    return times


def most_in_a_second(times: list[float]) -> int:
    times = sorted(times)
    return max(sum(start <= time < start + 1 - MS for time in times) for start in times)


def test_rate_is_kept_and_used(path: Path, clock: Clock) -> None:
    """Never more than a second's worth and the burst in any second; and nearly all of it."""
    with Turns(path, clock) as turns:
        times = leave(Pace(turns), sender("50/s"), clock, 250)
    assert most_in_a_second(times) <= 50 + 5
    assert 250 / (times[-1] - times[0]) >= 0.95 * 50


RATES = st.builds("{}/{}".format, st.integers(1, 300), st.sampled_from(["s", "min", "h", "d"]))


@given(rate=RATES, pauses=st.lists(st.floats(0, 3), max_size=20))
def test_no_rate_is_ever_exceeded(
    tmp_path_factory: pytest.TempPathFactory, rate: str, pauses: list[float]
) -> None:
    """However long the senders do something else meanwhile (counted in the rate's intervals)."""
    clock, path = Clock(), tmp_path_factory.mktemp("pace") / "pace.db"
    interval = parsed(rate).interval / 1e6  # pyrate-limiter counts in ms, we in thousandths
    with Turns(path, clock) as turns:
        pace, times = Pace(turns), list[float]()
        for pause in [0.0, *pauses]:
            clock.now += pause * interval
            times += leave(pace, sender(rate), clock, 3)
    allowed = parsed(rate).limit / 1000
    for start in times:
        inside = sum(start <= time < start + interval - MS for time in times)
        assert inside <= allowed + parsed(rate).burst


def test_runs_share_the_rate_of_an_account(path: Path, clock: Clock) -> None:
    with Turns(path, clock) as first, Turns(path, clock) as second:
        paces = [Pace(first), Pace(second)]
        times = [leave(paces[number % 2], sender("50/s"), clock, 1)[0] for number in range(120)]
    assert most_in_a_second(times) <= 50 + 5
    assert len(times) / (times[-1] - times[0]) == pytest.approx(50, rel=0.05)


def test_account_of_any_length_is_told_from_others_in_a_few_letters() -> None:
    """It is a part of keys, which have an end in some databases."""
    names = [account(sender(account=longest)) for longest in ("a" * 5000, "a" * 4999 + "b")]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= LONGEST_ADDRESS


def test_accounts_do_not_hold_each_other_up(path: Path, clock: Clock) -> None:
    with Turns(path, clock) as turns:
        pace = Pace(turns)
        assert pace.wait(sender("1/min"), "a") == 0
        assert pace.wait(sender("1/min"), "b") > 0
        assert pace.wait(sender("1/min", account="two"), "b") == 0


def test_rate_outlives_the_run(path: Path, clock: Clock) -> None:
    with Turns(path, clock) as turns:
        assert Pace(turns).wait(sender("2/min"), "a") == 0
    clock.now += 10
    with Turns(path, clock) as turns:
        assert Pace(turns).wait(sender("2/min"), "b") == pytest.approx(20, abs=MS)


def test_recipient_has_a_rate_of_its_own(path: Path, clock: Clock) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender("50/s", "1/min")
        assert [pace.wait(transport, to) for to in "ab"] == [0, 0]
        assert pace.wait(transport, "a") == pytest.approx(60, abs=MS)
        assert pace.wait(transport, "c") == 0, "a wait that was not taken costs nobody anything"


@pytest.mark.parametrize("rate", ["50/s", "10/min", "1/d", None])
def test_pause_holds_everybody_of_the_account_back(
    path: Path, clock: Clock, rate: str | None
) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender(rate)
        pace.pause(transport, 60)
        assert pace.wait(transport, "a") == pytest.approx(60, abs=MS)
        assert pace.wait(sender(rate, account="two"), "a") == 0
    with Turns(path, clock) as turns:
        assert Pace(turns).wait(transport, "a") == pytest.approx(60, abs=MS), "nor the next run"
        clock.now += 60
        assert Pace(turns).wait(transport, "a") == pytest.approx(0, abs=MS)


def test_pause_ends_one_after_the_other(path: Path, clock: Clock) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender("50/s")
        pace.pause(transport, 1)
        clock.now += 1
        assert leave(pace, transport, clock, 10)[-1] - clock.now <= MS
        assert [pace.wait(transport, to) for to in "ab"] == pytest.approx([0.02, 0.04], abs=2 * MS)


def test_shorter_pause_does_not_end_a_longer_one(path: Path, clock: Clock) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender("50/s")
        pace.pause(transport, 60)
        pace.pause(transport, 1)
        assert pace.wait(transport, "a") == pytest.approx(60, abs=MS)


@pytest.mark.parametrize("seconds", [DAY, 1e9, float("inf")])
def test_nobody_is_held_back_for_longer_than_anybody_means(
    path: Path, clock: Clock, seconds: float
) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender("50/s")
        pace.pause(transport, seconds)
        assert pace.wait(transport, "a") == pytest.approx(LONGEST_PAUSE, abs=MS)


def test_turn_that_was_taken_is_lost_when_the_account_has_to_pause(
    path: Path, clock: Clock
) -> None:
    """Who sleeps until its turn finds out; so does another run."""
    with Turns(path, clock) as turns, Turns(path, clock) as others:
        pace, transport = Pace(turns), sender("1/s")
        assert [pace.wait(transport, to) for to in "abc"] == pytest.approx([0, 1, 2], abs=MS)
        assert pace.paused(transport) == 0
        pace.pause(transport, 60)
        clock.now += 2
        assert pace.paused(transport) == Pace(others).paused(transport)
        assert pace.paused(transport) == pytest.approx(58, abs=MS)
        clock.now += 58
        assert pace.paused(transport) == 0


@pytest.mark.parametrize("back", [HOUR, DAY, 30 * DAY])
@pytest.mark.parametrize("rate", ["50/s", "1/min", None])
def test_clock_set_back_holds_nobody_up(
    path: Path, clock: Clock, rate: str | None, back: float
) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender(rate)
        pace.wait(transport, "a")
        pace.pause(transport, 600)
        clock.now -= back
        assert pace.wait(transport, "a") <= 60
        assert pace.paused(transport) == 0


def test_clock_set_back_a_little_holds_nobody_up_for_long(path: Path, clock: Clock) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender("50/s")
        pace.wait(transport, "a")
        clock.now -= 10 * 60
        assert pace.wait(transport, "a") <= LONGEST_PAUSE


@pytest.mark.parametrize(("rate", "days"), [("1/d", 1), ("0.5/d", 2), ("0.1/d", 10)])
def test_slow_rates_are_kept_too(path: Path, clock: Clock, rate: str, days: int) -> None:
    with Turns(path, clock) as turns:
        pace, transport = Pace(turns), sender("50/s", rate)
        assert pace.wait(transport, "a") == 0
        clock.now += HOUR
        assert pace.wait(transport, "a") == pytest.approx(days * DAY - HOUR, abs=MS)


@pytest.mark.parametrize(
    "rate",
    ["", "50", "50/", "/s", "fast/s", "50/fortnight", "0/s", "-1/s", "inf/s", "nan/s", "0.0009/h"],
)
def test_what_is_no_rate_is_named(rate: str) -> None:
    with pytest.raises(ConfigError, match=f'"{rate}" is not a rate'):
        parsed(rate)


# what the gateway asks for


def asked_for(seconds: float | None) -> float:
    return retries.asked_for(NotSent("later", retry_after=seconds))


@pytest.mark.parametrize("seconds", [0.01, 1, 60, 900, 3600, DAY])
def test_pause_that_is_asked_for_is_kept_and_hardly_exceeded(seconds: float) -> None:
    assert all(seconds <= asked_for(seconds) <= min(seconds * 1.1, DAY) for _ in range(100))


@pytest.mark.parametrize(
    ("seconds", "pause"),
    [(None, 0), (0, 0), (-5, 0), (float("nan"), 0), (1e12, DAY), (float("inf"), DAY)],
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
