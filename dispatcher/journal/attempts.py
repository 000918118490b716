"""An attempt to send a message: the right to make it, and how it ended."""

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple

from dispatcher.models import AttemptStatus, Failure, Message


class Claim(NamedTuple):
    """The right to make one attempt: the key, and which attempt over all runs it is.

    `digest`: of what is sent. `until`: when the lease ends under which it was noted, by
    `clock.steady`. `message`: of which it is an attempt.
    """

    key: str
    attempt: int
    digest: str = ""
    until: float = math.inf
    message: Message | None = None


class Ending(NamedTuple):
    """How an attempt ended.

    `not_before`: after a failure, the next attempt is not to be made earlier.
    """

    status: AttemptStatus
    id: str | None = None
    error: Failure | None = None
    not_before: datetime | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns that a message and its event have in common."""
        code, text = (self.error.code, self.error.text) if self.error else (None, None)
        columns = {"receipt": self.id, "error_code": code, "error_text": text}
        return {name: value and storable(value) for name, value in columns.items()}


def timestamp(time: datetime) -> str:
    """A time as it is noted: ISO 8601, to the millisecond."""
    return time.isoformat(timespec="milliseconds")


def storable(text: str) -> str:
    """A text as every database can keep it: what it cannot is shown by its code."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
