"""Asks gateways what became of messages whose outcome is unknown.

That is done before a run counts what it sends: what it announces, what a person confirms and what
`--max` allows is what leaves.
"""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.bound_transports import BoundTransports, GetTransport
from dispatcher.delivery.calls import GuardedCalls
from dispatcher.errors import PluginError
from dispatcher.journal import AttemptResult, Journal
from dispatcher.models import Failure, Receipt, Status
from dispatcher.planning import PlannedMessage
from dispatcher.registry import GetTimer


def reconcile(
    plan: Iterable[PlannedMessage], journal: Journal, transports: GetTransport, timer: GetTimer
) -> bool:
    """Ask for each unknown message of a plan whose transport can ask; return whether the journal
    knows more of any now.

    Raises PluginError if several of these calls do not return.
    """
    hanging: list[str] = []
    calls = GuardedCalls(timer, hanging.append)
    bound, decided = BoundTransports(transports, calls), False
    try:
        for each in plan:
            decided = _decided(each, journal, bound) or decided
            if hanging:
                raise PluginError(hanging[0])
    finally:
        calls.close()
    return decided


def _decided(planned: PlannedMessage, journal: Journal, transports: BoundTransports) -> bool:
    """Ask what became of one message; return whether that is in the journal now."""
    message, record = planned.message, planned.record
    if record is None or record.status != Status.UNKNOWN:
        return False
    # The gateway that is asked must be the one that may have got it, and this is what it got.
    if (record.digest, record.transport) != (planned.digest, message.transport):
        return False
    transport, key = transports(message.transport), record.key or message.key
    if not transport.can_reconcile or (since := journal.began_at(key)) is None:
        return False
    result = _result(transport.reconcile(planned.payload, since))
    return result is not None and journal.decide(key, result)


def _result(found: Receipt | Failure | None) -> AttemptResult | None:
    match found:
        case Receipt():
            return AttemptResult(Status.SENT, id=found.id)
        case Failure():
            return AttemptResult(Status.FAILED, error=found.detached())
        case None:
            return None
