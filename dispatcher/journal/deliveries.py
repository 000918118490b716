"""What gateways say of messages that they have accepted: delivered, read, or not delivered.

A status is about the receipt of an attempt. It is noted beside the message, whose own status it
never changes. What is known only ever grows: see `_RANK`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.journal.backend import Backend
from dispatcher.journal.schema import (
    INDEX_OF_RECEIPTS,
    RECEIPT_KEY,
    deliveries,
    ignoring_denial,
    messages,
    timestamp,
)
from dispatcher.models import DeliveryStatus, Status
from dispatcher.visible import storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# Gateways report in any order, and more than once. What was read was delivered; and a message that
# arrived on one device may have been given up for another.
_RANK = {"undelivered": 1, "delivered": 2, "read": 3}
_AMONG = {
    "sqlite": "IN (SELECT {} FROM json_each(:receipts) AS each)",
    "postgresql": "= ANY (ARRAY(SELECT {} FROM "
    "json_array_elements_text(CAST(:receipts AS json)) AS each (value)))",
}
# Without the messages: PostgreSQL may join them by reading all of them.
_WITH_RECEIPTS = f"""
    SELECT receipt, key, attempt FROM events
    WHERE {RECEIPT_KEY.format("receipt")} {{among}} AND receipt IS NOT NULL ORDER BY id"""
_AT_ONCE = 500


class _Attempt(NamedTuple):
    """An attempt that the gateway has accepted, and the row of its message."""

    number: int
    message: Any


class Delivery(NamedTuple):
    """What a gateway says of a message that it has accepted; `at` is UTC, ISO 8601."""

    status: str
    at: str | None
    reason: str | None


class NotedStatus(NamedTuple):
    """What a gateway says of a message, and what both call it: its `key` and the gateway's `id`.

    `new` tells whether it says more than was known. `arrived` tells that it decides an outcome that
    is unknown: the message's recipient has this content.
    """

    key: str
    id: str
    delivery: Delivery
    new: bool
    arrived: bool


class NotedStatuses(NamedTuple):
    """The statuses of messages that the journal has.

    `missing` is how many others there were, `ambiguous` how many of ids that several messages have.
    """

    noted: list[NotedStatus]
    missing: int
    ambiguous: int


def prepare(connection: Connection, backend: Backend, *, alone: bool) -> None:
    """Make the table, and the index without which every row is read for a status.

    To make that of a long journal takes a while, for which others cannot write: it is left for
    later, unless this run is `alone`.
    """
    if not sa.inspect(connection).has_table(deliveries.name):
        backend.prepare_schema(connection)
        deliveries.create(connection, checkfirst=True)
    if alone:
        with ignoring_denial(connection):  # only the owner of the tables may
            connection.exec_driver_sql(INDEX_OF_RECEIPTS)


def note(
    connection: Connection, backend: Backend, transport: str, statuses: Iterable[DeliveryStatus]
) -> NotedStatuses:
    """Note statuses of messages that this transport has sent. Idempotent, in any order."""
    given = list(statuses)
    found = _accepted(connection, transport, {storable(each.id) for each in given})
    known = of_messages(connection, {each.message.key for some in found.values() for each in some})
    changes: dict[tuple[str, int], dict[str, Any]] = {}
    noted: list[NotedStatus] = []
    missing = ambiguous = 0
    for status in given:
        id, delivery = storable(status.id), _delivery(status)
        attempts = found.get(id, [])
        if len({each.message.key for each in attempts}) > 1:  # of two accounts, say
            ambiguous += 1
        elif not attempts:
            missing += 1
        else:
            number, message = attempts[-1]
            new = _says_more(delivery, known[message.key].get(number))
            if new:
                known[message.key][number] = delivery
                place = {"key": message.key, "attempt": number}
                changes[message.key, number] = {**place, **delivery._asdict()}
            noted.append(NotedStatus(message.key, id, delivery, new, _arrived(message, delivery)))
    if changes:
        connection.execute(_upsert(backend), list(changes.values()))
    return NotedStatuses(noted, missing, ambiguous)


def readable(connection: Connection) -> bool:
    """Whether anything has been noted that this role may read."""
    with ignoring_denial(connection):
        if sa.inspect(connection).has_table(deliveries.name):
            return connection.execute(sa.select(deliveries.c.key).limit(1)).first() is not None
    return False


def said(status: str) -> ColumnElement[bool]:
    """Return the condition that a gateway said this of an attempt of a message."""
    return messages.c.key.in_(sa.select(deliveries.c.key).where(deliveries.c.status == status))


def of_messages(
    connection: Connection, keys: Iterable[str]
) -> defaultdict[str, dict[int, Delivery]]:
    """Return what is known of each attempt of these messages, by key and attempt."""
    found: defaultdict[str, dict[int, Delivery]] = defaultdict(dict)
    names = list(keys)
    for start in range(0, len(names), _AT_ONCE):
        some = deliveries.c.key.in_(names[start : start + _AT_ONCE])
        for row in connection.execute(sa.select(deliveries).where(some)):
            found[row.key][row.attempt] = Delivery(row.status, row.at, row.reason)
    return found


def of_message(message: Any, attempts: Mapping[int, Delivery]) -> Delivery | None:
    """Return what is known of a message, if `attempts` is what is known of each.

    It is about the receipt that the message has, or without one, about the last that came for the
    same content.
    """
    if message.receipt is not None:
        return attempts.get(message.attempts)
    same = message.sent_digest == message.digest
    return attempts[max(attempts)] if attempts and same else None


def _accepted(
    connection: Connection, transport: str, receipts: Iterable[str]
) -> dict[str, list[_Attempt]]:
    """Return the attempts by this transport that have these receipts, the oldest first."""
    among = _AMONG[connection.dialect.name].format(RECEIPT_KEY.format("each.value"))
    query = sa.text(_WITH_RECEIPTS.format(among=among))
    wanted = set(receipts)
    events = connection.execute(query, {"receipts": json.dumps(sorted(wanted))}).all()
    sent = _messages(connection, {event.key for event in events})
    found: dict[str, list[_Attempt]] = {}
    for event in events:
        message = sent.get(event.key)
        if message is None or message.transport != storable(transport):
            continue
        # Of an event from the first version, only the message knows the attempt.
        last = message.receipt == event.receipt
        number = message.attempts if last else event.attempt or 0
        if event.receipt in wanted:
            found.setdefault(event.receipt, []).append(_Attempt(number, message))
    return found


def _messages(connection: Connection, keys: Iterable[str]) -> dict[str, Any]:
    names = list(keys)
    found: dict[str, Any] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = messages.c.key.in_(names[start : start + _AT_ONCE])
        found |= {row.key: row for row in connection.execute(sa.select(messages).where(some))}
    return found


def _delivery(status: DeliveryStatus) -> Delivery:
    at = timestamp(status.at.astimezone(UTC)) if status.at else None
    return Delivery(status.status, at, status.reason and storable(status.reason))


def _says_more(new: Delivery, known: Delivery | None) -> bool:
    if known is None or _RANK[new.status] != _RANK[known.status]:
        return known is None or _RANK[new.status] > _RANK[known.status]
    return known.at is None and new.at is not None


def _arrived(message: Any, delivery: Delivery) -> bool:
    same = message.sent_digest == message.digest
    return bool(same and message.status == Status.UNKNOWN and delivery.status != "undelivered")


def _upsert(backend: Backend) -> Any:
    """Return the statement that writes what is new, unless another process knows more by now."""
    statement = backend.insert(deliveries)
    new, known = statement.excluded, deliveries.c
    more = sa.or_(
        _rank(new.status) > _rank(known.status),
        sa.and_(new.status == known.status, known.at.is_(None), new.at.is_not(None)),
    )
    values = {name: new[name] for name in ("status", "at", "reason")}
    return statement.on_conflict_do_update(
        index_elements=["key", "attempt"], set_=values, where=more
    )


def _rank(status: ColumnElement[str]) -> ColumnElement[int]:
    return sa.case(
        *((status == sa.literal_column(f"'{name}'"), rank) for name, rank in _RANK.items()),
        else_=0,
    )
