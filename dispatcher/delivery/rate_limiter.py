"""The rate limiter: when a message may leave, at the rate that account and recipient allow.

The algorithm is GCRA, a bucket that refills steadily, as pyrate-limiter calculates it. Its state is
one number for each account and each recipient, kept where all runs find it: in a shared journal
(`journal.shared_state`), or in a file on this machine (`delivery.rate_file`).
"""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, Protocol

from pyrate_limiter import GCRA, Rate

from dispatcher.bound_transports import BoundTransport
from dispatcher.delivery.retries import LONGEST_PAUSE
from dispatcher.errors import ConfigError
from dispatcher.journal.clock import steady
from dispatcher.journal.shared_state import RateChange, RateState
from dispatcher.rate_syntax import number_per_seconds

# Seconds for which a thread may sleep until it may send; for more, no permit is given.
SHORT = 5.0

# The share of what the rate allows in a second that may leave at once.
BURST = 0.1
# For an account without a rate: the gateway may still ask it to pause.
_UNLIMITED = Rate(1000, 1, burst=1000)
_gcra = GCRA()

# Seconds for which permits that were taken ahead are valid, and may be used without asking whether
# the account was paused meanwhile; far less than the burst allows. Longer where the store is slow,
# so that taking permits costs at most this share of the time.
_HOLD, _LONGEST_HOLD = 0.01, 0.025
_SHARE = 0.05


@cache
def parsed(rate: str | None) -> Rate:
    """Parse a rate like "50/s", "10/min", "0.5/s", "1000/d". Raises ConfigError."""
    if rate is None:
        return _UNLIMITED
    try:
        number, seconds = number_per_seconds(rate)
    except ValueError as error:
        raise ConfigError(f'"{rate}" is not a rate: it {error}') from None
    burst = max(1, round(BURST * number / seconds))
    return Rate(round(number * 1000), seconds * 1_000_000, burst=burst)


def refill(rate: Rate) -> int:
    """Return the microseconds from one permit to the next."""
    return rate.interval * 1000 // rate.limit


class RateStore(Protocol):
    """Keeps the state and the pauses of rates, by a clock of its own."""

    def change(
        self, keys: Sequence[str], decide: Callable[[RateState], RateChange]
    ) -> RateChange: ...
    def read(self, keys: Sequence[str]) -> RateState: ...


class SharedRateLimiter:
    """The limits that all runs share, by key: of accounts, and of recipients."""

    def __init__(self, store: RateStore) -> None:
        self._store = store

    def take(self, rates: Mapping[str, Rate], within: float, count: int = 1) -> float:
        """Take permits for `count` messages at every key; return the seconds until they are valid.

        Nothing is taken if that is more than `within` seconds.
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
        """Allow nothing for `seconds`; then one message after the other, not many at once."""
        pause = round(min(seconds, LONGEST_PAUSE) * 1000)

        def paused(found: RateState) -> RateChange:
            until = max(found.now + pause, _pause(found, key))
            end = until * 1000 + refill(rate) * (rate.burst - 1)
            after = max(_state(found, key, until, rate), end)
            return RateChange(0, {key: after}, {key: (found.now, until)})

        self._store.change([key], paused)

    def paused(self, key: str) -> float:
        """Return the seconds for which nothing may leave, not even what has a permit."""
        found = self._store.read([key])
        return (_pause(found, key) - found.now) / 1000


def _pause(found: RateState, key: str) -> int:
    """Return when a key's pause ends, in milliseconds: now if there is none."""
    since, until = found.pauses.get(key, (0, 0))
    return max(found.now, until) if since <= found.now else found.now  # the clock was set back


def _state(found: RateState, key: str, start: int, rate: Rate) -> int:
    """Return a key's state; `start`, in milliseconds, is now or when the account's pause ends."""
    state = found.states.get(key, 0)
    furthest = start * 1000 + round((SHORT + 1) * 1e6) + refill(rate) * rate.burst
    # A state further in the future than any run can have put it: the clock was set back.
    return state if state <= furthest else 0


def _step(rate: Rate, state: int, now: int, count: int) -> tuple[int, int]:
    """Return the milliseconds until `count` messages may leave, and the state after that."""
    (after, *_), decision = _gcra.step([rate], (state,), now, count)
    return decision.retry_after_ms or 0, int(after)


class Window(NamedTuple):
    """The times, by the clock `steady`, between which the rate of one key allows a message.

    If it left later, it would leave together with those whose windows come next.
    """

    start: float
    end: float


class _Kept(NamedTuple):
    """Unused windows, `left` of them, that start together; after `end`, none may be used."""

    start: float
    end: float
    left: int


class Permit(NamedTuple):
    """How many seconds a message must wait, and the windows that were taken for it, by key."""

    wait: float
    windows: Mapping[str, Window]


class RateLimiter:
    """Gives this run's messages permits to leave; one that is not used serves the next message.

    `clock` is `steady`, except in tests.
    """

    def __init__(self, shared: SharedRateLimiter, clock: Callable[[], float] = steady) -> None:
        self._shared, self._clock = shared, clock
        self._lock = threading.Lock()
        self._hold = _HOLD
        self._kept: defaultdict[str, list[_Kept]] = defaultdict(list)

    def acquire(self, transport: BoundTransport, to: str) -> Permit:
        """Return a permit for a message to `to`; call it once for each attempt.

        If the wait is longer than `SHORT`, nothing is taken: ask again after it.
        """
        whole = transport.account_key
        rates = {whole: _rate(transport)}
        if own := transport.recipient_rate:
            rates[f"{whole}/{to}"] = parsed(own)
        with self._lock:
            found = {key: self._kept_window(key, rate, whole) for key, rate in rates.items()}
            windows = {key: window for key, window in found.items() if window}
            missing = {key: rate for key, rate in rates.items() if key not in windows}
            wait = self._take(missing, windows) if missing else 0.0
            if wait > SHORT:
                self._keep(windows)
                return Permit(wait, {})
            start = max(window.start for window in windows.values())
            return Permit(max(0.0, start - self._clock()), windows)

    def is_late(self, permit: Permit) -> bool:
        """Whether a permit was not used in time, as the process or the machine was suspended."""
        now = self._clock()
        return any(now > window.end for window in permit.windows.values())

    def release(self, permit: Permit) -> None:
        """Keep an unused permit for the run's next message, unless it is late."""
        with self._lock:
            self._keep(permit.windows)

    def pause(self, transport: BoundTransport, seconds: float) -> None:
        """Let nothing leave from a transport's account for `seconds`."""
        with self._lock:
            self._kept.pop(transport.account_key, None)
        self._shared.pause(transport.account_key, _rate(transport), seconds)

    def paused(self, transport: BoundTransport) -> float:
        """Return the seconds for which the account pauses; permits are lost then."""
        return self._shared.paused(transport.account_key)

    def _take(self, rates: Mapping[str, Rate], windows: dict[str, Window]) -> float:
        """Take the windows that are missing; return the seconds until the first of them.

        All that the rate allows while permits may be held is taken at once: to take each of them
        from the store would take longer than they last.
        """
        began = self._clock()
        count = 1
        if not windows and len(rates) == 1:
            (rate,) = rates.values()
            count = max(1, round(rate.burst / BURST * self._hold))
        wait = self._shared.take(rates, SHORT, count)
        now = self._clock()
        self._hold = min(max(_HOLD, (now - began) / _SHARE), _LONGEST_HOLD)
        if wait <= SHORT:
            start = now + wait
            for key, rate in rates.items():
                windows[key] = _window(start, rate)
                if count > 1:
                    heapq.heappush(self._kept[key], _Kept(start, start + self._hold, count - 1))
        return wait

    def _kept_window(self, key: str, rate: Rate, whole: str) -> Window | None:
        """Return a window that was kept, or None, also if the account has paused since."""
        now, kept = self._clock(), self._kept[key]
        while kept:
            start, end, left = heapq.heappop(kept)
            if now > end:
                continue
            if key == whole and now > start + self._hold and self._shared.paused(whole):
                break
            if left > 1:
                heapq.heappush(kept, _Kept(start, end, left - 1))
            return _window(start, rate)
        del self._kept[key]
        return None

    def _keep(self, windows: Mapping[str, Window]) -> None:
        now = self._clock()
        for key, window in windows.items():
            if now <= window.end:
                heapq.heappush(self._kept[key], _Kept(*window, left=1))


def _rate(transport: BoundTransport) -> Rate:
    return parsed(transport.rate)


def _window(start: float, rate: Rate) -> Window:
    """Return the window from `start`: a permit may be used late by as much as the burst allows."""
    return Window(start, start + max(BURST, refill(rate) * rate.burst / 1e6))
