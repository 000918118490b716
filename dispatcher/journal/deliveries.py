"""What gateways say of messages that they have accepted: delivered, read, or not delivered.

A status is about the receipt of an attempt. It is noted beside the message, whose own status it
never changes. What is known only ever grows: see `_RANK`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import NamedTuple

from dispatcher.journal.backend import Backend
from dispatcher.journal.connection import Connection
from dispatcher.journal.errors import ignoring_denial
from dispatcher.journal.schema import (
    INDEX_OF_RECEIPTS,
    MESSAGES,
    RECEIPT_KEY,
    RECEIPT_KEY_LENGTH,
    MessageRow,
    insert,
    make_later,
    timestamp,
)
from dispatcher.models import DeliveryStatus, Status
from dispatcher.visible import storable

# Gateways report in any order, and more than once. What was read was delivered; and a message that
# arrived on one device may have been given up for another.
_RANK = {"undelivered": 1, "delivered": 2, "read": 3}
_KNOWN = ("key", "attempt", "status", "at", "reason")
# Without the messages: PostgreSQL may join them by reading all of them.
_WITH_RECEIPTS = """
    SELECT receipt, key, attempt FROM events WHERE {} AND receipt IS NOT NULL ORDER BY id"""
# A message of which a gateway said this about one of its attempts.
SAID = "key IN (SELECT key FROM deliveries WHERE status = :delivery)"


class _Attempt(NamedTuple):
    """An attempt that the gateway has accepted, and the row of its message."""

    number: int
    message: MessageRow


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
    if not connection.has_table("deliveries"):
        backend.prepare_schema(connection)
        make_later(connection, "deliveries")
    if alone:
        with ignoring_denial(connection):  # only the owner of the tables may
            connection.execute(INDEX_OF_RECEIPTS)


def note(
    connection: Connection, transport: str, statuses: Iterable[DeliveryStatus]
) -> NotedStatuses:
    """Note statuses of messages that this transport has sent. Idempotent, in any order."""
    given = list(statuses)
    found = _accepted(connection, transport, {storable(each.id) for each in given})
    known = of_messages(connection, {each.message.key for some in found.values() for each in some})
    changes: dict[tuple[str, int], Delivery] = {}
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
                changes[message.key, number] = delivery
            noted.append(NotedStatus(message.key, id, delivery, new, _arrived(message, delivery)))
    upsert = _upsert()
    for (key, number), delivery in changes.items():
        connection.execute(upsert, key=key, attempt=number, **delivery._asdict())
    return NotedStatuses(noted, missing, ambiguous)


def readable(connection: Connection) -> bool:
    """Whether anything has been noted that this role may read."""
    with ignoring_denial(connection):
        if connection.has_table("deliveries"):
            return connection.row("SELECT 1 FROM deliveries LIMIT 1") is not None
    return False


def of_messages(
    connection: Connection, keys: Iterable[str]
) -> defaultdict[str, dict[int, Delivery]]:
    """Return what is known of each attempt of these messages, by key and attempt."""
    found: defaultdict[str, dict[int, Delivery]] = defaultdict(dict)
    names = list(keys)
    if names:
        query = (
            f"SELECT {', '.join(_KNOWN)} FROM deliveries WHERE {connection.among('key', 'keys')}"
        )
        for key, attempt, *known in connection.rows(query, keys=connection.array(names)):
            found[key][attempt] = Delivery(*known)
    return found


def of_message(message: MessageRow, attempts: Mapping[int, Delivery]) -> Delivery | None:
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
    wanted = set(receipts)
    beginnings = sorted({each[:RECEIPT_KEY_LENGTH] for each in wanted})
    query = _WITH_RECEIPTS.format(connection.among(RECEIPT_KEY.format("receipt"), "receipts"))
    events = connection.rows(query, receipts=connection.array(beginnings))
    sent = _messages(connection, {key for _, key, _ in events})
    found: dict[str, list[_Attempt]] = {}
    for receipt, key, attempt in events:
        message = sent.get(key)
        if message is None or message.transport != storable(transport):
            continue
        # Of an event from the first version, only the message knows the attempt.
        last = message.receipt == receipt
        number = message.attempts if last else attempt or 0
        if receipt in wanted:
            found.setdefault(receipt, []).append(_Attempt(number, message))
    return found


def _messages(connection: Connection, keys: Iterable[str]) -> dict[str, MessageRow]:
    query = f"{MESSAGES} WHERE {connection.among('key', 'keys')}"
    rows = connection.rows(query, keys=connection.array(list(keys)))
    return {row.key: row for row in map(MessageRow._make, rows)}


def _delivery(status: DeliveryStatus) -> Delivery:
    at = timestamp(status.at.astimezone(UTC)) if status.at else None
    return Delivery(status.status, at, status.reason and storable(status.reason))


def _says_more(new: Delivery, known: Delivery | None) -> bool:
    if known is None or _RANK[new.status] != _RANK[known.status]:
        return known is None or _RANK[new.status] > _RANK[known.status]
    return known.at is None and new.at is not None


def _arrived(message: MessageRow, delivery: Delivery) -> bool:
    same = message.sent_digest == message.digest
    return bool(same and message.status == Status.UNKNOWN and delivery.status != "undelivered")


def _rank(status: str) -> str:
    cases = " ".join(f"WHEN '{name}' THEN {rank}" for name, rank in _RANK.items())
    return f"CASE {status} {cases} ELSE 0 END"


def _upsert() -> str:
    """Return the statement that writes what is new, unless another process knows more by now."""
    return f"""{insert("deliveries", _KNOWN)}
        ON CONFLICT (key, attempt) DO UPDATE
        SET status = excluded.status, at = excluded.at, reason = excluded.reason
        WHERE {_rank("excluded.status")} > {_rank("deliveries.status")}
        OR (excluded.status = deliveries.status
            AND deliveries.at IS NULL AND excluded.at IS NOT NULL)"""
