"""The clocks of a journal: a monotonic one, and the database's, which all machines share."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# It goes on while the machine sleeps, as CLOCK_MONOTONIC does on macOS.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Return the seconds since some moment, including sleep of the machine; nobody can set it."""
    return time.clock_gettime(_STEADY)


class Clock:
    """Gives the machine's time until it is set; from then on that time, carried forward."""

    def __init__(self) -> None:
        self._started: float | None = None

    def set(self, now: float) -> None:
        """Set the time to `now`, in seconds since 1970."""
        self._started = now - steady()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        if self._started is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._started + steady(), UTC)
