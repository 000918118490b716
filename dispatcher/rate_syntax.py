"""Parses rates as people write them: "50/s", "10/min"."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "min": 60, "h": 60 * 60, "d": 24 * 60 * 60}
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)/(s|min|h|d)")
_LEAST, _MOST = 0.001, 1_000_000_000  # the rate limiter counts thousandths of a message


def number_per_seconds(rate: str) -> tuple[float, int]:
    """Return the number of messages and the seconds of a rate: (10, 60) for "10/min".

    Raises ValueError with a sentence for people.
    """
    found = _RATE.fullmatch(rate)
    if not found:
        raise ValueError('must be like "50/s", "10/min" or "100/h"')
    if not _LEAST <= float(found[1]) <= _MOST:
        raise ValueError(f"must be a number from {_LEAST} to {_MOST}")
    return float(found[1]), _SECONDS[found[2]]
