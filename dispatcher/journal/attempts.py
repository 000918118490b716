"""An attempt to send a message: the right to make it, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from dispatcher.models import Failure


class Claim(NamedTuple):
    """The right to make one attempt: the key, and which attempt over all runs it is."""

    key: str
    attempt: int


class Ending(NamedTuple):
    """How an attempt ended: "sent", "failed" or "unknown".

    `not_before`: after a failure, the next attempt is not to be made earlier.
    """

    status: Literal["sent", "failed", "unknown"]
    id: str | None = None
    error: Failure | None = None
    not_before: datetime | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns that a message and its event have in common."""
        return {
            "receipt": _storable(self.id),
            "error_code": _storable(self.error.code) if self.error else None,
            "error_text": _storable(self.error.text) if self.error else None,
        }


def _storable(text: str | None) -> str | None:
    """What every database can keep: one text that it cannot would spoil a commit of many."""
    return text and text.encode(errors="replace").decode().replace("\0", "?")
