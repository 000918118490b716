"""Asks gateways what became of messages whose outcome is unknown.

That is done before a run counts what it sends: what it announces, what a person confirms and what
`--max` allows is what leaves.

A gateway without ids of ours can only look for a message that is alike. So what it finds counts
only if it cannot be another message: see `_certain`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from dispatcher.bound_transports import BoundTransports, GetTransport
from dispatcher.delivery.calls import GuardedCalls
from dispatcher.errors import PluginError
from dispatcher.journal import AttemptResult, Journal, WithoutReceipt
from dispatcher.models import Failure, Receipt, Status
from dispatcher.planning import PlannedMessage
from dispatcher.registry import GetTimer

# A gateway may keep a message as long as that before it leaves.
_QUEUED = timedelta(days=1)


class Found(NamedTuple):
    """What a gateway said of a message, with the key under which the journal knows it."""

    planned: PlannedMessage
    key: str
    since: datetime
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
        yield Found(planned, key, since, answer)


def _certain(found: Sequence[Found], journal: Journal) -> Iterator[Found]:
    """Yield the answers that can be about no other message.

    A receipt that another message has, or had, or that was found for two, is nobody's. And what the
    gateway found may be anything that its recipient may have got without a receipt: to a gateway,
    messages may look alike that are not the same, such as two files of one name.
    """
    for transport in {each.planned.message.transport for each in found}:
        asked = [each for each in found if each.planned.message.transport == transport]
        receipts = Counter(each.answer.id for each in asked if isinstance(each.answer, Receipt))
        receipts.update(journal.known_receipts(transport, list(receipts)))
        own = [
            each
            for each in asked
            if isinstance(each.answer, Failure) or receipts[each.answer.id] < 2
        ]
        answered = {each.key for each in own}
        recipients = {each.planned.message.to for each in own}
        others = defaultdict[str, list[WithoutReceipt]](list)
        for other in journal.without_receipt(transport, recipients):
            others[other.recipient].append(other)
        for each in own:
            alike = others[each.planned.message.to]
            if not any(_may_be(other, each, answered) for other in alike if other.key != each.key):
                yield each


def _may_be(other: WithoutReceipt, found: Found, answered: Collection[str]) -> bool:
    """Whether what was found may be another message. If that is unknown, too, and says the same,
    not even an answer of its own tells them apart."""
    if other.is_undecided and other.digest == found.planned.digest:
        return True
    if isinstance(found.answer, Failure):
        return False
    if other.is_undecided and other.key not in answered:
        return True
    return other.settled_at is not None and other.settled_at >= found.since - _QUEUED


def _result(found: Receipt | Failure) -> AttemptResult:
    match found:
        case Receipt():
            return AttemptResult(Status.SENT, id=found.id)
        case Failure():
            return AttemptResult(Status.FAILED, error=found.detached())
