"""Reads what Meta posts to a webhook of messages that it has accepted.

Sources: Meta, "Cloud API: Webhooks", "messages: status" (`entry[].changes[].value.statuses[]`), and
"On-Premises API: Webhooks" (`statuses[]`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

from dispatcher import DeliveryStatus

# "sent" says nothing new. Who has played a voice message has read it.
_STATUSES: Final[dict[str, Literal["delivered", "read", "undelivered"]]] = {
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "undelivered",
}


def read(body: Any, number: str | None) -> Iterator[DeliveryStatus]:
    """Yield the statuses in a webhook's body, of this number's messages, if it is named there."""
    values = [
        _at(change, "value") for entry in _all(body, "entry") for change in _all(entry, "changes")
    ]
    for value in (body, *values):
        sender = _at(value, "metadata", "phone_number_id")
        if number is not None and sender is not None and str(sender) != number:
            continue
        for status in _all(value, "statuses"):
            id, word = _text(_at(status, "id")), _at(status, "status")
            if id and isinstance(word, str) and word in _STATUSES:
                yield DeliveryStatus(
                    id=id,
                    status=_STATUSES[word],
                    at=_moment(_at(status, "timestamp")),
                    reason=_reason(status),
                )


def _reason(status: Any) -> str | None:
    """Return the first error's code and sentences, as those of a refused message are written."""
    error = next(iter(_all(status, "errors")), None)
    words = [
        _text(_at(error, *path)) for path in (("title",), ("message",), ("error_data", "details"))
    ]
    said = " / ".join(dict.fromkeys(word for word in words if word))
    code = _at(error, "code")
    return (
        ": ".join(filter(None, [str(code) if isinstance(code, (int, str)) else "", said])) or None
    )


def _moment(timestamp: Any) -> datetime | None:
    """Return the moment of a number of seconds since 1970, which Meta writes as a text."""
    try:
        return datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _all(value: Any, key: str) -> list[Any]:
    found = _at(value, key)
    return found if isinstance(found, list) else []


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    """Return a text as UTF-8 can hold it, or None for anything else."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else None
