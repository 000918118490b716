"""What an answer of the gateway says; pure, and safe on any bytes.

Sources: greenapi-v1-messages, "Ответ" and "Ошибки"; RFC 9110, 10.2.3 for Retry-After.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import inf, isfinite
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What came back. `broken`: why the body could not be read; `body` is then empty."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: Exception | None = None

    def accepted_id(self, name: str) -> str | None:
        """`<name>[0].id` of a success; None: it is none, or does not say under which id."""
        if not 200 <= self.status < 300:
            return None
        identifier = self._first(name).get("id")
        if type(identifier) is int:
            return str(identifier)
        if isinstance(identifier, str) and identifier.strip() and identifier.isprintable():
            return identifier
        return None

    @property
    def error_code(self) -> int | None:
        """`errors[0].code`: an integer, also in digits of a string; True and 82.0 are none."""
        code = self._first("errors").get("code")
        if type(code) is int and abs(code) < 10**9:
            return code
        if isinstance(code, str) and re.fullmatch(r"[0-9]{1,9}", code):
            return int(code)
        return None

    @property
    def words(self) -> str:
        """`errors[0]`: details (English) and title (Russian), else the status."""
        error = self._first("errors")
        words = (error.get("details"), error.get("title"))
        said = " / ".join(word for word in words if isinstance(word, str) and word.strip())
        return said or f"the gateway answered {_named(self.status)}"

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait from now, never negative; None: not said, or not understood."""
        value = self.headers.get("Retry-After", "").strip()
        number = re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value)
        seconds = float(value) if number else _seconds_until(value)
        return max(0.0, seconds) if isfinite(seconds) else None

    def _first(self, name: str) -> dict[Any, Any]:
        """`<name>[0]`, if the body is JSON with such a table."""
        try:
            found = json.loads(self.body)[name][0]
        except (ValueError, LookupError, TypeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, LookupError, OverflowError):
        return inf
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
