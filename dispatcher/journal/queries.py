"""Reads from a journal, through any connection to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from dispatcher.errors import JournalError
from dispatcher.journal import deliveries
from dispatcher.journal.connection import Connection
from dispatcher.journal.deliveries import Delivery
from dispatcher.journal.errors import ignoring_denial
from dispatcher.journal.schema import (
    DIGEST_KEY,
    DIGEST_KEY_LENGTH,
    EVENTS,
    INVALID,
    INVALID_UPLOAD,
    MESSAGES,
    EventRow,
    MessageRow,
    timestamp,
)
from dispatcher.keys import spellings
from dispatcher.models import Delivered, Failure, MediaId, Record, RecordStatus, Status
from dispatcher.visible import storable

# Rows that are in memory together.
_AT_ONCE = 500


class KnownGateway(NamedTuple):
    """A gateway that runs have used: its transport, its address, whether it is on this machine."""

    transport: str
    address: str
    local: bool


class Event(NamedTuple):
    """A change of a message; `at` is UTC, ISO 8601; `attempt` counts over all runs."""

    at: str
    attempt: int | None
    status: str
    id: str | None
    error: Failure | None
    delivery: Delivery | None = None


class KnownRun(NamedTuple):
    """A run, how many messages it has, and when the last of them changed: UTC, ISO 8601."""

    name: str
    messages: int
    changed_at: str


class HistoryRow(NamedTuple):
    """A message as the journal knows it; times are UTC, ISO 8601.

    The gateway asked for no attempt before `not_before`. `delivery` is what it said of the message
    after it had accepted it. `events` are all its changes, the oldest first, if they were asked
    for.
    """

    key: str
    run: str
    manifest: str
    message: str
    recipient: str
    transport: str
    status: str
    attempts: int
    id: str | None
    error: Failure | None
    changed_at: str
    not_before: str | None
    delivery: Delivery | None = None
    events: tuple[Event, ...] = ()


_RECORD = """
    SELECT key, digest, status, receipt, attempts, not_before, changed_at, sent_digest, transport
    FROM messages WHERE {}"""
# What was sent, and what had been sent before something else was tried; each has an index.
_COPY = "key, run, manifest, message, recipient, transport FROM messages"
_DELIVERED = f"""
    SELECT digest, {_COPY} WHERE {{digest}} AND status <> 'failed'{{also}}
    UNION ALL
    SELECT sent_digest, {_COPY} WHERE {{sent_digest}} AND sent_digest IS NOT NULL{{also}}"""
_WITHOUT_RECEIPT = """
    SELECT key, recipient, digest, undecided, settled_at FROM (
        SELECT key, recipient, digest, status IN ('unknown', 'sending') AS undecided, (
            SELECT max(at) FROM events
            WHERE events.key = messages.key AND events.status = 'sent' AND receipt IS NULL
        ) AS settled_at
        FROM messages WHERE {} AND transport IN (:transport, '')
    ) AS noted WHERE undecided OR settled_at IS NOT NULL"""
NO_FORMER_KEYS: Mapping[str, Sequence[str]] = MappingProxyType({})


def lookup(
    connection: Connection,
    keys: Sequence[str],
    former: Mapping[str, Sequence[str]] = NO_FORMER_KEYS,
) -> dict[str, Record]:
    """Return the records of these keys, found under them or under their other names.

    These are a key's other spellings, as keys were not always written in one Unicode normal form,
    and its `former` keys. What a recipient has, or may have, counts before what failed, whatever
    its name: another checkout may have sent it under a former one meanwhile. A record found under
    another name has that as its `key`; if there are several, it has what the others say was sent.
    """
    found = _lookup(connection, keys)
    others = {
        key: list(_other_names(key, former.get(key, ())))
        for key in keys
        if key in former or not (key.isascii() or (key in found and _may_have_arrived(found[key])))
    }
    noted = _lookup(connection, [name for names in others.values() for name in names])
    for key, names in others.items():
        records = [noted[name].model_copy(update={"key": name}) for name in names if name in noted]
        if records:
            found[key] = _one_of([found[key], *records] if key in found else records)
    return found


def _one_of(records: Sequence[Record]) -> Record:
    """Return the record that counts of a message that has several: what is unknown first, then its
    own, then the latest."""
    if len(records) == 1:
        return records[0]
    arrived = filter(_may_have_arrived, records)
    chosen = max(arrived, key=_weight, default=records[0])
    others = (each for each in records if each is not chosen)
    sent = {each.digest if each.status == Status.SENT else each.sent_digest for each in others}
    return chosen.model_copy(update={"also_sent": frozenset(sent - {None})})


def _weight(record: Record) -> tuple[bool, bool, datetime]:
    undecided = record.status not in (Status.SENT, Status.FAILED)
    return undecided, not record.key, record.changed_at or datetime.min.replace(tzinfo=UTC)


def _may_have_arrived(record: Record) -> bool:
    return record.status != Status.FAILED or record.sent_digest is not None


def _other_names(key: str, former: Sequence[str]) -> Iterator[str]:
    yield from islice(spellings(key), 1, None)
    for each in former:
        yield from spellings(each)


def noted_as(connection: Connection, key: str) -> str:
    """Return a key as the journal spells it, or as it is if the journal does not know it."""
    return next((each for each in spellings(key) if _lookup(connection, [each])), key)


def delivered(
    connection: Connection, digests: Sequence[str], recipients: Sequence[str] = ()
) -> Iterator[Delivered]:
    """Yield what was delivered, or may have been, with these digests; to these recipients only, if
    any are given."""
    beginnings = connection.array(sorted({each[:DIGEST_KEY_LENGTH] for each in digests}))
    names = connection.array(list(map(storable, recipients)))
    also = f" AND {connection.among('recipient', 'recipients')}" if recipients else ""
    query = _DELIVERED.format(
        digest=connection.among(DIGEST_KEY.format("digest"), "digests"),
        sent_digest=connection.among(DIGEST_KEY.format("sent_digest"), "digests"),
        also=also,
    )
    wanted = set(digests)
    for digest, *copy in connection.rows(query, digests=beginnings, recipients=names):
        if digest in wanted:
            key, run, manifest, message, recipient, transport = copy
            yield Delivered(
                digest=digest,
                key=key,
                run=run,
                manifest=manifest,
                message=message,
                recipient=recipient,
                transport=transport,
            )


def owners(connection: Connection) -> dict[str, str]:
    """Return the runs whose attempts have no result, by key."""
    rows = connection.rows("SELECT key, owner FROM messages WHERE status = 'sending'")
    return {key: owner or "" for key, owner in rows}


class WithoutReceipt(NamedTuple):
    """A message that may have reached its recipient, though no receipt says so.

    It is undecided, or a person settled it as sent at `settled_at`, or both, one after the other.
    """

    key: str
    recipient: str
    digest: str
    is_undecided: bool
    settled_at: datetime | None


def without_receipt(
    connection: Connection, transport: str, recipients: Iterable[str]
) -> Iterator[WithoutReceipt]:
    """Yield what these recipients may have got by a transport without a receipt; reads all rows."""
    spelt = {storable(each): each for each in recipients}
    query = _WITHOUT_RECEIPT.format(connection.among("recipient", "recipients"))
    # Of a message that a person added, nobody knows the transport.
    rows = connection.rows(
        query, recipients=connection.array(list(spelt)), transport=storable(transport)
    )
    for key, recipient, digest, undecided, at in rows:
        settled = _time_of_event(key, at)
        yield WithoutReceipt(key, spelt[recipient], digest, bool(undecided), settled)


def known_receipts(connection: Connection, transport: str, ids: Iterable[str]) -> set[str]:
    """Return which of these are receipts that a message of a transport has, or had; reads all
    events."""
    spelt = {storable(id): id for id in ids}
    rows = connection.rows(
        "SELECT events.receipt FROM events JOIN messages ON messages.key = events.key "
        f"WHERE transport = :transport AND {connection.among('events.receipt', 'ids')}",
        transport=storable(transport),
        ids=connection.array(list(spelt)),
    )
    return {spelt[receipt] for (receipt,) in rows}


def known_names(
    connection: Connection, names: Iterable[tuple[str, str]]
) -> set[tuple[str, str]] | None:
    """Return the pairs of manifest and message id that have a row; reads all rows.

    Returns None if there is no row at all.
    """
    if connection.row("SELECT 1 FROM messages LIMIT 1") is None:
        return None
    spelt = {
        (storable(manifest), storable(id)): name
        for name in names
        for manifest in spellings(name[0])
        for id in spellings(name[1])
    }
    rows = connection.rows(
        "SELECT DISTINCT manifest, message FROM messages "
        f"WHERE {connection.among('manifest', 'manifests')}",
        manifests=connection.array(sorted({manifest for manifest, _ in spelt})),
    )
    return {spelt[row] for row in rows if row in spelt}


def _lookup(connection: Connection, keys: Sequence[str]) -> dict[str, Record]:
    kept = {storable(key): key for key in keys}
    if not kept:
        return {}
    query = _RECORD.format(connection.among("key", "keys"))
    rows = connection.rows(query, keys=connection.array(list(kept)))
    return {kept[key]: _record(key, *columns) for key, *columns in rows}


def _record(
    key: str,
    digest: str,
    status: RecordStatus,
    receipt: str | None,
    attempts: int,
    not_before: str | None,
    changed_at: str,
    sent_digest: str | None,
    transport: str,
) -> Record:
    """Return a row's record. Raises JournalError for one that was changed by hand."""
    try:
        return Record(
            digest=digest,
            status=status,
            id=receipt,
            attempts=attempts,
            not_before=_time(not_before),
            changed_at=_time(changed_at),
            sent_digest=sent_digest,
            transport=transport,
        )
    except (ValueError, TypeError) as error:
        raise changed_by_hand(key, error) from None


def changed_by_hand(what: str, why: Exception | str) -> JournalError:
    """Return the error for what no run writes; `why` says what it is."""
    if isinstance(why, ValidationError):
        error = why.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, error['loc']))} is {error['input']!r}"
    return JournalError(
        f"what the journal has of {what} was not written by a run ({why}); put it right"
    )


def require_valid(connection: Connection) -> None:
    """Raise JournalError if a row was changed by hand to values that no run writes."""
    invalid = connection.row(f"{MESSAGES} WHERE {INVALID} ORDER BY key LIMIT 1")
    if invalid is not None:
        row = MessageRow._make(invalid)
        columns = ("status", "attempts", "changed_at", "not_before")
        values = (f"{name} is {getattr(row, name)!r}" for name in columns)
        raise changed_by_hand(row.key, ", ".join(values))
    upload = connection.row(
        f"SELECT account, sha256, expires_at FROM uploads WHERE {INVALID_UPLOAD} LIMIT 1"
    )
    if upload is not None:
        account, sha256, expires_at = upload
        raise _invalid_upload(account, sha256, f"expires_at is {expires_at!r}")


def history(
    connection: Connection,
    filters: Mapping[str, str | None],
    with_events: bool = False,
    since: datetime | None = None,
    delivery: str | None = None,
) -> Iterator[HistoryRow]:
    """Yield messages in the order of their last change, those changed at or after `since`.

    `filters` give a column's value, found in any Unicode normal form; None means any. `delivery` is
    what the gateway said later.
    """
    conditions, values = _chosen(connection, filters)
    if since is not None:
        # As bytes, whatever a PostgreSQL database sorts by.
        sorting = ' COLLATE "C"' if connection.dialect == "postgresql" else ""
        conditions.append(f"changed_at{sorting} >= :since")
        values["since"] = timestamp(since.astimezone(UTC))
    reported = deliveries.readable(connection)
    if delivery is not None:
        conditions.append(deliveries.SAID if reported else "FALSE")
        values["delivery"] = delivery
    for rows in _in_order(connection, " AND ".join(conditions), values):
        known = deliveries.of_messages(connection, [row.key for row in rows] if reported else [])
        for row in rows:
            last = deliveries.of_message(row, known[row.key])
            if delivery is None or (last is not None and last.status == delivery):
                yield _history_row(connection, row, known[row.key], with_events)


def _in_order(
    connection: Connection, condition: str, values: Mapping[str, Any]
) -> Iterator[list[MessageRow]]:
    """Yield messages in the order of their last change.

    A file's first ones come before all others are sorted, which takes four times as long as to find
    them (benchmarks/history.py).
    """
    query, order = f"{MESSAGES} WHERE {condition}", "ORDER BY changed_at, key"
    if connection.dialect == "sqlite":  # where one transaction has one state of the journal
        found = connection.rows(f"{query} {order} LIMIT {_AT_ONCE}", **values)
        first = list(map(MessageRow._make, found))
        yield first
        if len(first) < _AT_ONCE:
            return
        query = f"{query} AND (changed_at, key) > (:last_at, :last_key)"
        values = {**values, "last_at": first[-1].changed_at, "last_key": first[-1].key}
    for batch in connection.batches(_AT_ONCE, f"{query} {order}", **values):
        yield list(map(MessageRow._make, batch))


def known_runs(connection: Connection, filters: Mapping[str, str | None]) -> list[KnownRun]:
    """Return the runs of messages with these values, as `history` takes them, the last one first;
    reads all rows."""
    conditions, values = _chosen(connection, filters)
    rows = connection.rows(
        "SELECT run, count(*), max(changed_at) AS last FROM messages "
        f"WHERE {' AND '.join(conditions)} GROUP BY run ORDER BY last DESC, run",
        **values,
    )
    found = list(map(KnownRun._make, rows))
    for each in found:
        if isinstance(each.name, bytes):
            raise changed_by_hand("a run", f"its name is {each.name!r}")
    return found


def _chosen(
    connection: Connection, filters: Mapping[str, str | None]
) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions that columns have these values, and the values as parameters."""
    conditions, values = ["TRUE"], {}
    for column, value in filters.items():
        assert column in MessageRow._fields
        if value is not None:
            conditions.append(connection.among(column, column))
            values[column] = connection.array(list(map(storable, spellings(value))))
    return conditions, values


def _history_row(
    connection: Connection, row: MessageRow, known: Mapping[int, Delivery], with_events: bool
) -> HistoryRow:
    """Return a message, if `known` is what is known of its attempts. Raises JournalError."""
    for name, value in zip(row._fields, row, strict=True):
        if isinstance(value, bytes):
            raise changed_by_hand(row.key, f"{name} is {value!r}")
    return HistoryRow(
        row.key,
        row.run,
        row.manifest,
        row.message,
        row.recipient,
        row.transport,
        row.status,
        row.attempts,
        row.receipt,
        _failure(row),
        row.changed_at,
        row.not_before,
        deliveries.of_message(row, known),
        _events(connection, row.key, known) if with_events else (),
    )


def began_at(connection: Connection, key: str) -> datetime | None:
    """Return when the last attempt to send this message began."""
    spelt = storable(noted_as(connection, key))
    last = connection.value(  # not by time: the clock may have been set back
        "SELECT at FROM events WHERE key = :key AND status = 'sending' ORDER BY id DESC LIMIT 1",
        key=spelt,
    )
    return _time_of_event(key, last)


def _time_of_event(key: str, text: str | None) -> datetime | None:
    """Raises JournalError for what was changed by hand."""
    try:
        return _time(text)
    except (ValueError, TypeError) as error:
        raise changed_by_hand(f"an event of {key}", error) from None


def media_id(connection: Connection, account: str, sha256: str) -> MediaId | None:
    """Return the gateway's id of a content that was uploaded before; it may have expired."""
    row = connection.row(
        "SELECT media_id, expires_at FROM uploads WHERE account = :account AND sha256 = :sha256",
        account=storable(account),
        sha256=sha256,
    )
    if row is None:
        return None
    id, expires_at = row
    try:
        return MediaId(id=id, expires_at=_time(expires_at))
    except (ValueError, TypeError) as error:
        raise _invalid_upload(storable(account), sha256, error) from None


def _invalid_upload(account: str, sha256: str, why: Exception | str) -> JournalError:
    return changed_by_hand(f"the upload {sha256} of {account}", why)


def manifest_paths(connection: Connection, manifests: Iterable[str]) -> dict[str, set[str]]:
    """Return the recorded paths from which each of these manifests came."""
    found: dict[str, set[str]] = {}
    with ignoring_denial(connection):
        if connection.has_table("places"):
            rows = connection.rows(
                "SELECT manifest, path FROM places "
                f"WHERE {connection.among('manifest', 'manifests')}",
                manifests=connection.array(list(manifests)),
            )
            for manifest, path in rows:
                found.setdefault(manifest, set()).add(path)
    return found


def known_gateways(connection: Connection) -> list[KnownGateway]:
    """Return the gateways that runs have used; none if that was not recorded yet."""
    with ignoring_denial(connection):
        if connection.has_table("gateways"):
            rows = connection.rows(
                "SELECT transport, address, local FROM gateways ORDER BY address"
            )
            return [KnownGateway(name, address, bool(local)) for name, address, local in rows]
    return []


def living_runs(connection: Connection, now: str, but: str = "") -> list[str]:
    """Describe the runs whose leases have not ended, except that of the owner `but`."""
    rows = connection.rows(
        f"SELECT run, host, pid, started_at FROM workers WHERE lease > {now} AND owner <> :but "
        "ORDER BY started_at",
        but=but,
    )
    return [
        f'run "{run}" on {host} (process {pid}) since {started_at}'
        for run, host, pid, started_at in rows
    ]


def _events(connection: Connection, key: str, known: Mapping[int, Delivery]) -> tuple[Event, ...]:
    rows = connection.rows(f"{EVENTS} WHERE key = :key ORDER BY id", key=key)
    return tuple(
        Event(
            row.at,
            row.attempt,
            row.status,
            row.receipt,
            _failure(row),
            known.get(row.attempt or 0) if row.receipt is not None else None,
        )
        for row in map(EventRow._make, rows)
    )


def _time(text: str | None) -> datetime | None:
    """Parse a time as a column holds it; one without a zone is UTC, as all of them are."""
    found = datetime.fromisoformat(text) if text else None
    return found and (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))


def _failure(row: MessageRow | EventRow) -> Failure | None:
    return Failure(code=row.error_code, text=row.error_text) if row.error_text else None
