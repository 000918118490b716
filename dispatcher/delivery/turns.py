"""The turns of an account and its recipients: by GCRA, a bucket that refills steadily.

The calculation is pyrate-limiter's. Its state is one number for each account and each recipient,
kept where all runs find it: in a shared journal, or in a file of this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Protocol

from pyrate_limiter import GCRA, Rate

from dispatcher.delivery.retries import LONGEST_PAUSE
from dispatcher.errors import ConfigError
from dispatcher.journal.sharing import RateChange, RateState
from dispatcher.rates import number_per_seconds

# Seconds for which a thread may sleep until its turn, which then is taken.
SHORT = 5.0

# Of what the rate allows in a second, this much may leave at once.
BURST = 0.1
# Where no rate is set, there is still an account that can be told to pause.
_UNLIMITED = Rate(1000, 1, burst=1000)
_gcra = GCRA()


@cache
def parsed(rate: str | None) -> Rate:
    """A rate like "50/s", "10/min", "0.5/s", "1000/d". Raises ConfigError."""
    if rate is None:
        return _UNLIMITED
    try:
        number, seconds = number_per_seconds(rate)
    except ValueError as error:
        raise ConfigError(f'"{rate}" is not a rate: it {error}') from None
    burst = max(1, round(BURST * number / seconds))
    return Rate(round(number * 1000), seconds * 1_000_000, burst=burst)


def refill(rate: Rate) -> int:
    """Microseconds from one turn to the next."""
    return rate.interval * 1000 // rate.limit


class TurnStore(Protocol):
    """Where turns and pauses are kept, by a clock of its own."""

    def change(
        self, keys: Sequence[str], decide: Callable[[RateState], RateChange]
    ) -> RateChange: ...
    def read(self, keys: Sequence[str]) -> RateState: ...


class Turns:
    """Gives turns, and has accounts pause."""

    def __init__(self, store: TurnStore) -> None:
        self._store = store

    def take(self, rates: Mapping[str, Rate], within: float, count: int = 1) -> float:
        """Seconds until it is the turn at every key; taken, unless further away than `within`.

        `count`: so many turns at once.
        """

        def taken(found: RateState) -> RateChange:
            now = found.now
            start = max(_pause(found, key) for key in rates)
            states = {key: _state(found, key, start, rate) for key, rate in rates.items()}
            steps = {key: _step(rates[key], states[key], now, count) for key in rates}
            wait = max(wait for wait, _ in steps.values())
            if 0 < wait <= within * 1000:
                steps = {key: _step(rates[key], states[key], now + wait, count) for key in rates}
            if wait > within * 1000:
                return RateChange(wait, {})
            return RateChange(wait, {key: after for key, (_, after) in steps.items()})

        return self._store.change(list(rates), taken).wait / 1000

    def pause(self, key: str, rate: Rate, seconds: float) -> None:
        """Let nobody have a turn for so long; then one after the other, not many at once."""
        pause = round(min(seconds, LONGEST_PAUSE) * 1000)

        def paused(found: RateState) -> RateChange:
            until = max(found.now + pause, _pause(found, key))
            end = until * 1000 + refill(rate) * (rate.burst - 1)
            after = max(_state(found, key, until, rate), end)
            return RateChange(0, {key: after}, {key: (found.now, until)})

        self._store.change([key], paused)

    def paused(self, key: str) -> float:
        """Seconds for which nobody may use a turn, not even one that was taken before."""
        found = self._store.read([key])
        return (_pause(found, key) - found.now) / 1000


def _pause(found: RateState, key: str) -> int:
    """When, in milliseconds, an account may go on: now, if it does not pause."""
    since, until = found.pauses.get(key, (0, 0))
    return max(found.now, until) if since <= found.now else found.now  # the clock was set back


def _state(found: RateState, key: str, start: int, rate: Rate) -> int:
    """`start`: milliseconds; now, or when the account's pause ends."""
    state = found.states.get(key, 0)
    furthest = start * 1000 + round((SHORT + 1) * 1e6) + refill(rate) * rate.burst
    # Further in the future than anything can have put it: the clock was set back.
    return state if state <= furthest else 0


def _step(rate: Rate, state: int, now: int, count: int) -> tuple[int, int]:
    """Milliseconds until so many may have their turn, and the state after they have."""
    (after, *_), decision = _gcra.step([rate], (state,), now, count)
    return decision.retry_after_ms or 0, int(after)
