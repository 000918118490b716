"""Unknown outcomes of which the gateway itself can tell, if its transport can ask."""

from __future__ import annotations

from dispatcher.journal import Ending, Journal
from dispatcher.models import Failure, Receipt
from dispatcher.planning import PlannedMessage, PlanStatus
from dispatcher.transports import BoundTransports


def reconciled(
    planned: PlannedMessage, transports: BoundTransports, journal: Journal
) -> PlannedMessage:
    """The message as it is planned once its gateway was asked; itself, if nobody knows still."""
    record, key = planned.record, planned.message.key
    if planned.status != "unknown" or record is None or record.digest != planned.digest:
        return planned
    transport = transports(planned.message.transport)
    if not transport.can_reconcile or (since := journal.began_at(key)) is None:
        return planned
    ending = _ending(transport.reconcile(planned.payload, since))
    if ending is None or not journal.decide(key, ending):
        return planned
    status: PlanStatus = "sent" if ending.status == "sent" else "retry"
    return planned._replace(status=status, record=journal.lookup([key])[key])


def _ending(found: Receipt | Failure | None) -> Ending | None:
    match found:
        case Receipt():
            return Ending("sent", id=found.id)
        case Failure():
            return Ending("failed", error=found.detached())
        case None:
            return None
