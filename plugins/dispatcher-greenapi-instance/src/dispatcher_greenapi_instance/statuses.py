"""Reads what an instance says of messages that it has accepted.

Sources: Green API, "Outgoing message status" (a webhook) and "LastOutgoingMessages" (polled).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

from dispatcher import DeliveryStatus

WEBHOOK = "outgoingMessageStatus"
# "pending" and "sent" say nothing new.
_STATUSES: Final[dict[str, Literal["delivered", "read", "undelivered"]]] = {
    "delivered": "delivered",
    "read": "read",
    **dict.fromkeys(("failed", "noAccount", "notInGroup", "yellowCard"), "undelivered"),
}
_REASONS = {
    "failed": "WhatsApp did not take it",
    "noAccount": "the recipient's number has no account",
    "notInGroup": "the sender is not in the group",
    "yellowCard": "sending is suspended, the message waits for 24 hours",
}


def of_webhook(body: Any, instance: str | None) -> Iterator[DeliveryStatus]:
    """Yield the status in a webhook's body, if it is one of this instance's messages."""
    if not isinstance(body, dict) or body.get("typeWebhook") != WEBHOOK:
        return
    data = body.get("instanceData")
    named = data.get("idInstance") if isinstance(data, dict) else None
    if instance is None or named is None or str(named) == instance:
        yield from _status(body, body.get("status"))


def of_journal(messages: list[Any]) -> Iterator[DeliveryStatus]:
    """Yield the statuses of messages as the instance's own journal lists them."""
    for each in messages:
        if isinstance(each, dict):
            yield from _status(each, each.get("statusMessage"))


def _status(fields: dict[str, Any], word: Any) -> Iterator[DeliveryStatus]:
    id = _text(fields.get("idMessage"))
    if id and isinstance(word, str) and word in _STATUSES:
        yield DeliveryStatus(
            id=id,
            status=_STATUSES[word],
            at=_moment(fields.get("timestamp")),
            reason=_reason(word, _text(fields.get("description"))),
        )


def _reason(word: str, description: str | None) -> str | None:
    why = _REASONS.get(word)
    return f"{word}: {description or why}" if why else None


def _moment(timestamp: Any) -> datetime | None:
    """Return the moment of a number of seconds since 1970."""
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _text(value: Any) -> str | None:
    """Return a text as UTF-8 can hold it, or None for anything else."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else None
