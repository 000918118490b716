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
_WITH_RECEIPTS = f"""
    SELECT events.receipt, events.key, messages.status, messages.sent_digest, messages.digest,
        CASE WHEN messages.receipt = events.receipt THEN messages.attempts
            ELSE coalesce(events.attempt, 0) END AS attempt
    FROM events JOIN messages ON messages.key = events.key
    WHERE {RECEIPT_KEY.format("events.receipt")} {{among}} AND events.receipt IS NOT NULL
        AND messages.transport = :transport
    ORDER BY events.id"""
_AT_ONCE = 500


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
    found = _with_receipts(connection, transport, {storable(each.id) for each in given})
    known = of_messages(connection, {row.key for rows in found.values() for row in rows})
    changes: dict[tuple[str, int], dict[str, Any]] = {}
    noted: list[NotedStatus] = []
    missing = ambiguous = 0
    for status in given:
        rows = found.get(storable(status.id), [])
        if len({row.key for row in rows}) > 1:  # of two accounts, say
            ambiguous += 1
        elif not rows:
            missing += 1
        else:
            row, delivery = rows[-1], _delivery(status)
            attempts = known[row.key]
            new = _says_more(delivery, attempts.get(row.attempt))
            if new:
                attempts[row.attempt] = delivery
                place = {"key": row.key, "attempt": row.attempt}
                changes[row.key, row.attempt] = {**place, **delivery._asdict()}
            noted.append(NotedStatus(row.key, row.receipt, delivery, new, _arrived(row, delivery)))
    if changes:
        connection.execute(_upsert(backend), list(changes.values()))
    return NotedStatuses(noted, missing, ambiguous)


def readable(connection: Connection) -> bool:
    """Whether anything has been noted that this role may read."""
    with ignoring_denial(connection):
        if sa.inspect(connection).has_table(deliveries.name):
            return connection.execute(sa.select(deliveries.c.key).limit(1)).first() is not None
    return False


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


def of_message(row: Any, attempts: Mapping[int, Delivery]) -> Delivery | None:
    """Return what is known of a message, if `attempts` is what is known of each.

    It is about the receipt that the message has, or without one, about the last that came for the
    same content.
    """
    if row.receipt is not None:
        return attempts.get(row.attempts)
    return attempts[max(attempts)] if attempts and row.sent_digest == row.digest else None


def _with_receipts(
    connection: Connection, transport: str, receipts: Iterable[str]
) -> dict[str, list[Any]]:
    """Return the events that have one of these receipts, the oldest first, with their messages."""
    among = _AMONG[connection.dialect.name].format(RECEIPT_KEY.format("each.value"))
    query = sa.text(_WITH_RECEIPTS.format(among=among))
    given = {"receipts": json.dumps(sorted(receipts)), "transport": storable(transport)}
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query, given):
        found.setdefault(row.receipt, []).append(row)
    return found


def _delivery(status: DeliveryStatus) -> Delivery:
    at = timestamp(status.at.astimezone(UTC)) if status.at else None
    return Delivery(status.status, at, status.reason and storable(status.reason))


def _says_more(new: Delivery, known: Delivery | None) -> bool:
    if known is None or _RANK[new.status] != _RANK[known.status]:
        return known is None or _RANK[new.status] > _RANK[known.status]
    return known.at is None and new.at is not None


def _arrived(row: Any, delivery: Delivery) -> bool:
    same = row.sent_digest == row.digest
    return bool(same and row.status == Status.UNKNOWN and delivery.status != "undelivered")


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
