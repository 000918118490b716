"""Decides whether a failed attempt is repeated, and when.

Only what surely was not accepted is tried again. tenacity calculates the waits and the limits, but
does not wait itself, because a wait may outlast the process: it is kept in the journal.
"""

from __future__ import annotations

import random
import threading

import tenacity

from dispatcher.errors import DeliveryError, NotSent

# Full jitter: a random wait of at most this, which doubles with every attempt.
BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=60)
# Seconds. A gateway may ask for any pause; more than a day is surely a mistake.
LONGEST_PAUSE = 24 * 3600.0
_JITTER = 0.1  # of what the gateway asked for, so that not everybody comes back at once

# As the SDKs of large clouds do it: a retry costs tokens, a success gives a little back. They are
# spent after some 35 retries in an outage, and then the run ends.
_TOKENS = 500
_COST, _COST_THROTTLED, _REFUND = 14, 5, 1


class Budget:
    """Counts how many retries a whole run may still make."""

    def __init__(self, tokens: int = _TOKENS) -> None:
        self._tokens = self._full = tokens
        self._lock = threading.Lock()

    def spend(self, error: NotSent) -> bool:
        """Pay for a retry; return False if not enough is left."""
        cost = _COST_THROTTLED if error.throttled else _COST
        with self._lock:
            if self._tokens < cost:
                return False
            self._tokens -= cost
            return True

    def refund(self) -> None:
        """Give a little back, as a message was accepted."""
        with self._lock:
            self._tokens = min(self._full, self._tokens + _REFUND)


class Retries:
    """The limits of one run: a message gets at most `attempts`, and none begins later than
    `deadline` seconds after its first one began."""

    def __init__(self, attempts: int, deadline: float) -> None:
        self.deadline = deadline
        self._stop = tenacity.stop_after_attempt(attempts) | tenacity.stop_before_delay(deadline)

    def wait(
        self, error: DeliveryError, attempts: int, elapsed: float, asked: float
    ) -> float | None:
        """Return the seconds until the next attempt, or None if there is none.

        `attempts` have been made in `elapsed` seconds. The gateway wants none for `asked` seconds.
        """
        if not isinstance(error, NotSent):
            return None
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = attempts
        state.outcome_timestamp = state.start_time + elapsed
        state.upcoming_sleep = max(BACKOFF(state), asked)
        return None if self._stop(state) else state.upcoming_sleep


def asked_for(error: DeliveryError) -> float:
    """Return the seconds for which the gateway wants no further attempt; 0 if it did not say."""
    asked = error.retry_after if isinstance(error, NotSent) else None
    if asked is None or not asked > 0:
        return 0.0
    return min(asked * (1 + random.uniform(0, _JITTER)), LONGEST_PAUSE)
