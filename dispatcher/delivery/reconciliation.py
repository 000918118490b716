"""Asks gateways what became of messages whose outcome is unknown.

That is done before a run counts what it sends: what it announces, what a person confirms and what
`--max` allows is what leaves.

A gateway without ids of ours can only look for a message that is alike. So what it finds counts
only if it cannot be another message: see `_certain`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dispatcher.bound_transports import BoundTransports, GetTransport
from dispatcher.delivery.calls import GuardedCalls
from dispatcher.errors import PluginError
from dispatcher.journal import AttemptResult, Journal
from dispatcher.models import Failure, Receipt, Status
from dispatcher.planning import PlannedMessage
from dispatcher.registry import GetTimer


class Found(NamedTuple):
    """What a gateway said of a message, with the key under which the journal knows it."""

    planned: PlannedMessage
    key: str
    answer: Receipt | Failure


def reconcile(
    plan: Iterable[PlannedMessage], journal: Journal, transports: GetTransport, timer: GetTimer
) -> bool:
    """Ask for each unknown message of a plan whose transport can ask; return whether the journal
    knows more of any now.

    Raises PluginError if several of these calls do not return.
    """
    hanging: list[str] = []
    calls = GuardedCalls(timer, hanging.append)
    bound, found = BoundTransports(transports, calls), list[Found]()
    try:
        for each in plan:
            found += _asked(each, journal, bound)
            if hanging:
                raise PluginError(hanging[0])
    finally:
        calls.close()
    decided = [journal.decide(each.key, _result(each.answer)) for each in _certain(found, journal)]
    return any(decided)


def _asked(
    planned: PlannedMessage, journal: Journal, transports: BoundTransports
) -> Iterator[Found]:
    """Ask what became of one message, and yield the answer, if there is one."""
    message, record = planned.message, planned.record
    if record is None or record.status != Status.UNKNOWN:
        return
    # The gateway that is asked must be the one that may have got it, and this is what it got.
    if (record.digest, record.transport) != (planned.digest, message.transport):
        return
    transport, key = transports(message.transport), record.key or message.key
    if not transport.can_reconcile or (since := journal.began_at(key)) is None:
        return
    answer = transport.reconcile(planned.payload, since)
    if answer is not None:
        yield Found(planned, key, answer)


def _certain(found: Sequence[Found], journal: Journal) -> Iterator[Found]:
    """Yield the answers that can be about no other message.

    A receipt that another message has, or had, or that was found for two, is nobody's. And of two
    messages to one recipient that say the same, both unknown, one may be taken for the other.
    """
    receipts = Counter(
        (each.planned.message.transport, each.answer.id)
        for each in found
        if isinstance(each.answer, Receipt)
    )
    for transport in {transport for transport, _ in receipts}:
        ids = [id for name, id in receipts if name == transport]
        receipts.update((transport, id) for id in journal.known_receipts(transport, ids))
    for each in found:
        transport = each.planned.message.transport
        if isinstance(each.answer, Receipt) and receipts[transport, each.answer.id] > 1:
            continue
        alike = journal.undecided(each.planned.digest, each.planned.message.to)
        if not alike - {each.key}:
            yield each


def _result(found: Receipt | Failure) -> AttemptResult:
    match found:
        case Receipt():
            return AttemptResult(Status.SENT, id=found.id)
        case Failure():
            return AttemptResult(Status.FAILED, error=found.detached())
