"""The clocks of a journal: one that nobody sets, and the database's, which all machines share."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# It goes on while the machine sleeps, as does what macOS calls monotonic.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds since some moment, including those for which the machine slept; nobody sets it."""
    return time.clock_gettime(_STEADY)


class Clock:
    """The machine's time until it is set; from then on that time, carried forward."""

    def __init__(self) -> None:
        self._started: float | None = None

    def set(self, now: float) -> None:
        """Set the time to `now`, in seconds since 1970."""
        self._started = now - steady()

    def now(self) -> datetime:
        """The time, in UTC."""
        if self._started is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._started + steady(), UTC)
