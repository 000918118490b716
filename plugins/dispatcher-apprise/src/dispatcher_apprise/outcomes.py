"""What it means that Apprise says no: only what is sure is said to be sure.

Apprise tells True or False. What left meanwhile is known of services that use `requests` or
`smtplib` (nearly all of them do); of the others nothing is.
"""

from __future__ import annotations

from dispatcher import DeliveryError, NotSent, OutcomeUnknown, Refused
from dispatcher_apprise.watching import Watch

_LATER = {408, 425}  # a request that timed out at the server; one that came too early
# Others may mean "done, look there" (RFC 9110, 15.4).
_MOVED = {301, 302, 307, 308}
_HINTS = {
    401: "; check the target's URL",
    403: "; check the target's URL",
    404: "; check the target's URL",
}


def verdict(watch: Watch, traceable: bool) -> DeliveryError:
    """How an attempt ended of which Apprise says that it failed."""
    if not traceable:
        return _unknown("whether anything was delivered cannot be told for this service")
    if not watch.sent:
        return _nothing_left(watch)
    if watch.requests:
        return _answered(watch)
    if not watch.mail_begun:
        return Refused("the mail server did not let a message begin", code="smtp")
    return _unknown("the mail may have been accepted")


def _nothing_left(watch: Watch) -> DeliveryError:
    if watch.tried:
        return NotSent("no connection to the service", code="connection_failed")
    return Refused("Apprise did not try to send it; check the target and the files", code="apprise")


def _answered(watch: Watch) -> DeliveryError:
    if watch.requests > 1 or len(watch.statuses) != 1:
        return _unknown("no usable answer, or several requests of which some may have arrived")
    [status] = watch.statuses
    code = f"http {status}"
    if status == 429:
        return NotSent("too many requests", code=code)
    if status in _MOVED:
        return Refused("the service answers with a redirect, which is not followed", code=code)
    if 400 <= status < 500 and status not in _LATER:
        return Refused(f"the service refused it{_HINTS.get(status, '')}", code=code)
    return _unknown("the service answered that it failed", code)


def _unknown(why: str, code: str = "apprise") -> OutcomeUnknown:
    return OutcomeUnknown(f"Apprise reports a failure: {why}", code=code)
