"""What the errors of an instance mean.

Sources: Green API, "Common errors" (the words of status 400) and "Reaching the limits on the
Developer plan" (status 466).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dispatcher import AccountRefused, NotSent, OutcomeUnknown, Refused
from dispatcher.http.responses import (
    BY_STATUS,
    HINTS,
    STATUS_FIRST,
    Classification,
    ErrorMap,
    Response,
)

QUOTA = 466  # the HTTP status if a quota is used up
# `correspondentsStatus.status`: this month's chats are with others. `invokeStatus.status`, beside
# it, says whether anything can be sent at all.
_OTHER_CHATS, _ALLOWED = "CORRESPONDENTS_QUOTE_EXCEEDED", "QUOTE_ALLOWED"


@dataclass(frozen=True)
class InstanceErrorMap(ErrorMap):
    """An instance's errors have a text and a status, but no code of their own."""

    def classify(
        self, response: Response, setting: str, token: str = "the token"
    ) -> Classification:
        """Return what a response means.

        A quota for a calendar month concerns this recipient, or else the whole account must wait.
        """
        classification = super().classify(response, setting, token)
        if response.status != QUOTA:
            return classification
        invoked = response.at(("invokeStatus", "status"))
        if response.at(("correspondentsStatus", "status")) == _OTHER_CHATS and (
            invoked is None or invoked == _ALLOWED
        ):
            return classification._replace(outcome=Refused)
        wait = _until_next_month(datetime.now(UTC))
        first = f"{datetime.now(UTC) + timedelta(seconds=wait):%Y-%m-%d}"
        text = f"{classification.text}; the quota begins anew on {first}"
        return classification._replace(text=text, retry_after=wait, throttled=True)


def _until_next_month(now: datetime) -> float:
    midnight = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    later = midnight + timedelta(days=31)
    return (later.replace(day=1) - now).total_seconds()


# Exactly these texts; "instance account not authorized" is something else.
_LATER = ("starting process", "starting or not authorized")
ERROR_MAP = InstanceErrorMap(
    words=(
        ("message",),
        ("reason",),
        ("invokeStatus", "description"),
        ("correspondentsStatus", "description"),
    ),
    # 499: the gateway saw us close the connection, and 502 should be repeated, says "Common
    # errors"; but either may have accepted. 404: there is no such method, for any message.
    by_status={
        **BY_STATUS,
        **dict.fromkeys((403, 404), AccountRefused),
        499: OutcomeUnknown,
        QUOTA: NotSent,
    },
    status_first=(*STATUS_FIRST, 499, QUOTA),
    by_phrase={
        **dict.fromkeys(_LATER, NotSent),
        "not authorized": AccountRefused,
        "account is expired": AccountRefused,
        "instance is deleted": AccountRefused,
    },
    throttled=_LATER,
    hints={**HINTS, 403: "check id_instance"},
)
