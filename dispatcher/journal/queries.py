"""Reads from a journal, through any connection to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used
from pydantic import ValidationError

from dispatcher.errors import JournalError
from dispatcher.journal import deliveries
from dispatcher.journal.deliveries import Delivery
from dispatcher.journal.schema import (
    DIGEST_KEY,
    INVALID,
    INVALID_UPLOAD,
    events,
    gateways,
    ignoring_denial,
    manifest_files,
    messages,
    sending_runs,
    timestamp,
    uploads,
)
from dispatcher.keys import spellings
from dispatcher.models import Delivered, Failure, MediaId, Record, Status
from dispatcher.visible import storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# SQLite allows 32,766 variables in a statement; a batch of keys stays far below that.
_KEYS_AT_ONCE = 500


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


_RECORD = sa.select(
    messages.c.key,
    messages.c.digest,
    messages.c.status,
    messages.c.receipt,
    messages.c.attempts,
    messages.c.not_before,
    messages.c.changed_at,
    messages.c.sent_digest,
    messages.c.transport,
).where(messages.c.key.in_(sa.bindparam("keys", expanding=True)))


# What was sent, and what had been sent before something else was tried; each has an index. As text,
# since SQLAlchemy takes as long to write 500 parameters as SQLite to look (benchmarks/journal.py).
_DELIVERED = f"""
    SELECT digest, key, run, manifest, message, recipient, transport FROM messages
    WHERE {DIGEST_KEY.format("digest")} {{begins}} AND status <> 'failed'{{also}}
    UNION ALL
    SELECT sent_digest, key, run, manifest, message, recipient, transport FROM messages
    WHERE {DIGEST_KEY.format("sent_digest")} {{begins}} AND sent_digest IS NOT NULL{{also}}"""
# PostgreSQL uses an index for an array; for a subquery it may read the whole table.
_AMONG = {
    "sqlite": "IN (SELECT {} FROM json_each(:{}) AS each)",
    "postgresql": "= ANY (ARRAY(SELECT {} FROM "
    "json_array_elements_text(CAST(:{} AS json)) AS each (value)))",
}
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
    among = _AMONG[connection.dialect.name]
    begins = among.format(DIGEST_KEY.format("each.value"), "digests")
    also = f" AND recipient {among.format('each.value', 'recipients')}" if recipients else ""
    query = _DELIVERED.format(begins=begins, also=also).strip()
    named = list(map(storable, recipients))
    values = {"digests": json.dumps(list(digests)), "recipients": json.dumps(named)}
    wanted = set(digests)
    for row in connection.execute(sa.text(query), values):
        if row.digest in wanted:
            yield Delivered(**row._mapping)


def owners(connection: Connection) -> dict[str, str]:
    """Return the runs whose attempts have no result, by key."""
    sending = messages.c.status == sa.literal_column(f"'{Status.SENDING}'")
    rows = connection.execute(sa.select(messages.c.key, messages.c.owner).where(sending))
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
    undecided = messages.c.status.in_((Status.UNKNOWN, Status.SENDING))
    settled_at = (
        sa.select(sa.func.max(events.c.at))
        .where(
            events.c.key == messages.c.key,
            events.c.status == Status.SENT,
            events.c.receipt.is_(None),
        )
        .scalar_subquery()
    )
    # Of a message that a person added, nobody knows the transport.
    query = sa.select(
        messages.c.key, messages.c.recipient, messages.c.digest, undecided, settled_at
    ).where(
        messages.c.recipient.in_(sa.bindparam("recipients", expanding=True)),
        messages.c.transport.in_((storable(transport), "")),
        sa.or_(undecided, settled_at.is_not(None)),
    )
    spelt = {storable(each): each for each in recipients}
    names = list(spelt)
    for start in range(0, len(names), _KEYS_AT_ONCE):
        some = names[start : start + _KEYS_AT_ONCE]
        for key, recipient, digest, open, at in connection.execute(query, {"recipients": some}):
            settled = _time_of_event(key, at)
            yield WithoutReceipt(key, spelt[recipient], digest, bool(open), settled)


def known_receipts(connection: Connection, transport: str, ids: Iterable[str]) -> set[str]:
    """Return which of these are receipts that a message of a transport has, or had; reads all
    events."""
    query = (
        sa.select(events.c.receipt)
        .join(messages, messages.c.key == events.c.key)
        .where(
            messages.c.transport == storable(transport),
            events.c.receipt.in_(sa.bindparam("ids", expanding=True)),
        )
    )
    spelt = {storable(id): id for id in ids}
    names, found = list(spelt), set[str]()
    for start in range(0, len(names), _KEYS_AT_ONCE):
        some = names[start : start + _KEYS_AT_ONCE]
        found.update(spelt[id] for id in connection.execute(query, {"ids": some}).scalars())
    return found


def known_names(
    connection: Connection, names: Iterable[tuple[str, str]]
) -> set[tuple[str, str]] | None:
    """Return the pairs of manifest and message id that have a row; reads all rows.

    Returns None if there is no row at all.
    """
    if not connection.execute(sa.select(sa.exists(sa.select(messages.c.key)))).scalar_one():
        return None
    spelt = {
        (storable(manifest), storable(id)): name
        for name in names
        for manifest in spellings(name[0])
        for id in spellings(name[1])
    }
    columns = (messages.c.manifest, messages.c.message)
    query = sa.select(*columns).where(sa.tuple_(*columns).in_(list(spelt))).distinct()
    return {spelt[tuple(row)] for row in connection.execute(query)}


def _lookup(connection: Connection, keys: Sequence[str]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    kept = {storable(key): key for key in keys}
    names = list(kept)
    for start in range(0, len(names), _KEYS_AT_ONCE):
        for row in connection.execute(_RECORD, {"keys": names[start : start + _KEYS_AT_ONCE]}):
            found[kept[row.key]] = _record(row)
    return found


def _record(row: Any) -> Record:
    """Return a row's record. Raises JournalError for one that was changed by hand."""
    try:
        return Record(
            digest=row.digest,
            status=row.status,
            id=row.receipt,
            attempts=row.attempts,
            not_before=_time(row.not_before),
            changed_at=_time(row.changed_at),
            sent_digest=row.sent_digest,
            transport=row.transport,
        )
    except (ValueError, TypeError) as error:
        raise _invalid(row.key, error) from None


def _invalid(what: str, why: Exception | str) -> JournalError:
    if isinstance(why, ValidationError):
        error = why.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, error['loc']))} is {error['input']!r}"
    return JournalError(
        f"what the journal has of {what} was not written by a run ({why}); put it right"
    )


def require_valid(connection: Connection) -> None:
    """Raise JournalError if a row was changed by hand to values that no run writes."""
    invalid = sa.select(messages).where(sa.text(INVALID))
    row = connection.execute(invalid.order_by(messages.c.key).limit(1)).first()
    if row is not None:
        columns = ("status", "attempts", "changed_at", "not_before")
        values = (f"{name} is {getattr(row, name)!r}" for name in columns)
        raise _invalid(row.key, ", ".join(values))
    row = connection.execute(sa.select(uploads).where(sa.text(INVALID_UPLOAD))).first()
    if row is not None:
        raise _invalid_upload(row, f"expires_at is {row.expires_at!r}")


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
    query = sa.select(messages).order_by(messages.c.changed_at, messages.c.key)
    if since is not None:
        changed_at: ColumnElement[str] = messages.c.changed_at
        if connection.dialect.name == "postgresql":  # as bytes, whatever the database sorts by
            changed_at = sa.collate(changed_at, "C")
        query = query.where(changed_at >= timestamp(since.astimezone(UTC)))
    query = _chosen(query, filters)
    reported = deliveries.readable(connection)
    if delivery is not None:
        query = query.where(deliveries.said(delivery) if reported else sa.false())
    found = connection.execute(query.execution_options(yield_per=_KEYS_AT_ONCE))
    for rows in found.partitions():
        keys = [row.key for row in rows] if reported else []
        known = deliveries.of_messages(connection, keys)
        for row in rows:
            last = deliveries.of_message(row, known[row.key])
            if delivery is None or (last is not None and last.status == delivery):
                yield _history_row(connection, row, known[row.key], with_events)


def known_runs(connection: Connection, filters: Mapping[str, str | None]) -> list[KnownRun]:
    """Return the runs of messages with these values, as `history` takes them, the last one first;
    reads all rows."""
    changed_at = sa.func.max(messages.c.changed_at)
    query = sa.select(messages.c.run, sa.func.count(), changed_at).group_by(messages.c.run)
    query = _chosen(query, filters).order_by(changed_at.desc(), messages.c.run)
    return [KnownRun(*row) for row in connection.execute(query)]


def _chosen(query: Any, filters: Mapping[str, str | None]) -> Any:
    for column, value in filters.items():
        if value is not None:
            query = query.where(messages.c[column].in_(list(map(storable, spellings(value)))))
    return query


def _history_row(
    connection: Connection, row: Any, known: Mapping[int, Delivery], with_events: bool
) -> HistoryRow:
    """Return a message, if `known` is what is known of its attempts. Raises JournalError."""
    odd = next((name for name, value in row._mapping.items() if isinstance(value, bytes)), None)
    if odd:
        raise _invalid(row.key, f"{odd} is {row._mapping[odd]!r}")
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
    attempts = sa.select(events.c.at).where(
        events.c.key == spelt, events.c.status == Status.SENDING
    )
    # Not by time: the clock may have been set back.
    last = attempts.order_by(events.c.id.desc()).limit(1)
    return _time_of_event(key, connection.execute(last).scalar())


def _time_of_event(key: str, text: str | None) -> datetime | None:
    """Raises JournalError for what was changed by hand."""
    try:
        return _time(text)
    except (ValueError, TypeError) as error:
        raise _invalid(f"an event of {key}", error) from None


def media_id(connection: Connection, account: str, sha256: str) -> MediaId | None:
    """Return the gateway's id of a content that was uploaded before; it may have expired."""
    query = sa.select(uploads).where(
        uploads.c.account == storable(account), uploads.c.sha256 == sha256
    )
    row = connection.execute(query).first()
    try:
        return MediaId(id=row.media_id, expires_at=_time(row.expires_at)) if row else None
    except (ValueError, TypeError) as error:
        raise _invalid_upload(row, error) from None


def _invalid_upload(row: Any, why: Exception | str) -> JournalError:
    return _invalid(f"the upload {row.sha256} of {row.account}", why)


def manifest_paths(connection: Connection, manifests: Iterable[str]) -> dict[str, set[str]]:
    """Return the recorded paths from which each of these manifests came."""
    found: dict[str, set[str]] = {}
    names = list(manifests)
    with ignoring_denial(connection):
        if not sa.inspect(connection).has_table(manifest_files.name):
            return found
        for start in range(0, len(names), _KEYS_AT_ONCE):
            some = names[start : start + _KEYS_AT_ONCE]
            for row in connection.execute(
                sa.select(manifest_files).where(manifest_files.c.manifest.in_(some))
            ):
                found.setdefault(row.manifest, set()).add(row.path)
    return found


def known_gateways(connection: Connection) -> list[KnownGateway]:
    """Return the gateways that runs have used; none if that was not recorded yet."""
    with ignoring_denial(connection):
        if sa.inspect(connection).has_table(gateways.name):
            rows = connection.execute(sa.select(gateways).order_by(gateways.c.address))
            return [KnownGateway(row.transport, row.address, bool(row.local)) for row in rows]
    return []


def living_runs(
    connection: Connection, now: ColumnElement[float], but: str | None = None
) -> list[str]:
    """Describe the runs whose leases have not ended, except that of the owner `but`."""
    query = (
        sa.select(sending_runs)
        .where(sending_runs.c.lease > now, sending_runs.c.owner.is_distinct_from(but))
        .order_by(sending_runs.c.started_at)
    )
    return [
        f'run "{row.run}" on {row.host} (process {row.pid}) since {row.started_at}'
        for row in connection.execute(query)
    ]


def _events(connection: Connection, key: str, known: Mapping[int, Delivery]) -> tuple[Event, ...]:
    query = sa.select(events).where(events.c.key == key).order_by(events.c.id)
    return tuple(
        Event(
            row.at,
            row.attempt,
            row.status,
            row.receipt,
            _failure(row),
            known.get(row.attempt) if row.receipt is not None else None,
        )
        for row in connection.execute(query)
    )


def _time(text: str | None) -> datetime | None:
    """Parse a time as a column holds it; one without a zone is UTC, as all of them are."""
    found = datetime.fromisoformat(text) if text else None
    return found and (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))


def _failure(row: Any) -> Failure | None:
    return Failure(code=row.error_code, text=row.error_text) if row.error_text else None
