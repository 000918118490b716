"""Whether a failed attempt is repeated, and when.

Only what surely was not accepted is tried again. The waits and the limits are tenacity's; what is
decided by them is decided here, because a wait may outlast the process: it lives in the journal.
"""

from __future__ import annotations

import random
import threading

import tenacity

from dispatcher.errors import DeliveryError, NotSent

# Full jitter: anything between nothing and this, which doubles with every attempt.
BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=60)
# Seconds. A gateway can ask for any pause; nobody means more than a day by it.
LONGEST_PAUSE = 24 * 3600.0
_JITTER = 0.1  # of what the gateway asked for, so that not everybody comes back at once

# As the SDKs of large clouds do it: retries cost, successes give a little back. What is left after
# some 35 retries in an outage is nothing, and then the run ends instead of hammering.
_TOKENS = 500
_COST, _COST_THROTTLED, _REFUND = 14, 5, 1


class Budget:
    """How many retries a whole run may still make."""

    def __init__(self, tokens: int = _TOKENS) -> None:
        self._tokens = self._full = tokens
        self._lock = threading.Lock()

    def spend(self, error: NotSent) -> bool:
        """Pay for a retry; False: there is not enough left."""
        cost = _COST_THROTTLED if error.throttled else _COST
        with self._lock:
            if self._tokens < cost:
                return False
            self._tokens -= cost
            return True

    def refund(self) -> None:
        """A message was accepted."""
        with self._lock:
            self._tokens = min(self._full, self._tokens + _REFUND)


class Retries:
    """The limits of one run: `attempts` a message; `deadline` seconds after the first one began,
    no other begins."""

    def __init__(self, attempts: int, deadline: float) -> None:
        self.deadline = deadline
        self._stop = tenacity.stop_after_attempt(attempts) | tenacity.stop_before_delay(deadline)

    def wait(
        self, error: DeliveryError, attempts: int, elapsed: float, asked: float
    ) -> float | None:
        """Seconds until the next attempt after so many in so many seconds; None: there is none.

        `asked`: seconds for which the gateway wants none.
        """
        if not isinstance(error, NotSent):
            return None
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = attempts
        state.outcome_timestamp = state.start_time + elapsed
        state.upcoming_sleep = max(BACKOFF(state), asked)
        return None if self._stop(state) else state.upcoming_sleep


def asked_for(error: DeliveryError) -> float:
    """Seconds for which the gateway wants no further attempt; 0 if it did not say."""
    asked = error.retry_after if isinstance(error, NotSent) else None
    if asked is None or not asked > 0:
        return 0.0
    return min(asked * (1 + random.uniform(0, _JITTER)), LONGEST_PAUSE)
