"""Unknown outcomes of which the gateway itself can tell, if its transport can ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dispatcher.errors import pass_on_interruption
from dispatcher.journal import Ending, Journal
from dispatcher.models import Failure, Payload, Receipt
from dispatcher.planning import GetTransport, PlannedMessage, PlanStatus


def reconciled(
    planned: PlannedMessage, transports: GetTransport, journal: Journal
) -> PlannedMessage:
    """The message as it is planned once its gateway was asked; itself, if nobody knows still."""
    record, key = planned.record, planned.message.key
    if planned.status != "unknown" or record is None or record.digest != planned.digest:
        return planned
    reconcile = getattr(transports(planned.message.transport), "reconcile", None)
    since = journal.began_at(key)
    ending = _found_out(reconcile, planned.payload, since) if reconcile and since else None
    if ending is None or not journal.decide(key, ending):
        return planned
    status: PlanStatus = "sent" if ending.status == "sent" else "retry"
    return planned._replace(status=status, record=journal.lookup([key])[key])


def _found_out(
    reconcile: Callable[[Payload, datetime], Receipt | Failure | None],
    payload: Payload,
    since: datetime,
) -> Ending | None:
    """What the gateway knows. An exception, even `NotSent`, may be about the question itself."""
    try:
        found = reconcile(payload, since)
    except BaseException as error:
        pass_on_interruption(error)
        return None
    match found:
        case Receipt():
            return Ending("sent", id=found.id)
        case Failure():
            return Ending("failed", error=found.detached())
        case _:
            return None
