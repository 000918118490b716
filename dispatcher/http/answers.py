"""What an answer says; pure, and safe on any bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import reduce
from math import inf, isfinite
from typing import Any, NamedTuple

_LONGEST_ID = 2000  # characters; a URL may be one


class Answer(NamedTuple):
    """What came back. `broken`: why the body could not be read; `body` is then empty."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: Exception | None = None

    def accepted_id(self, path: tuple[str | int, ...]) -> str | None:
        """The id at a place in the body of a success; None: it is none, or has no id there."""
        if not 200 <= self.status < 300:
            return None
        identifier = self.at(path)
        if type(identifier) is int and identifier > 0:
            identifier = str(identifier)
        if not isinstance(identifier, str) or len(identifier) > _LONGEST_ID:
            return None
        return identifier if identifier.strip() and identifier.isprintable() else None

    def at(self, path: tuple[str | int, ...]) -> Any:
        """What the body, if it is JSON, has at a path of keys and positions; None: nothing."""
        try:
            return reduce(_inside, path, json.loads(self.body))
        except (ValueError, LookupError, RecursionError):
            return None

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait from now, never negative; None: not said, or not understood.

        RFC 9110, 10.2.3. A date is one by the gateway's clock, as its answer's own date is.
        """
        value = self.headers.get("Retry-After", "").strip()
        number = re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value)
        seconds = float(value) if number else self._seconds_until(value)
        return max(0.0, seconds) if isfinite(seconds) else None

    def _seconds_until(self, date: str) -> float:
        then, now = _moment(date), _moment(self.headers.get("Date", ""))
        return (then - (now or datetime.now(UTC))).total_seconds() if then else inf


def _inside(found: Any, step: str | int) -> Any:
    kind: type[Any] = dict if isinstance(step, str) else list
    if isinstance(found, kind):
        return found[step]
    raise LookupError


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
