"""Identifies the PostgreSQL server of a journal, and warns if it may lose what it has."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from dispatcher.journal.connection import Connection

_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
# A server begins a new timeline when it is promoted, or restored to a moment in the past.
_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer"
_ALLOWING = (
    "GRANT EXECUTE ON FUNCTION pg_control_system(), pg_current_wal_lsn(), pg_walfile_name(pg_lsn) "
    "TO PUBLIC"
)
_LOCATION = (
    "SELECT pg_is_in_recovery(), "
    "(SELECT oid::bigint FROM pg_database WHERE datname = current_database()), "
    "to_regclass('{schema}.messages')::oid::bigint"
)
# Backups and archives of the log stream, too, but are no replicas. Not every role sees them.
_DURABILITY = (
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
    "current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication "
    "WHERE coalesce(application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal'))"
)


class ServerIdentity(NamedTuple):
    """On which server and in which table the messages are; None where the server does not tell.

    `system` is a number that a server and its replicas share. `database` and `table` are numbers
    that change when a journal is copied or restored from a dump.
    """

    system: str | None
    timeline: int | None
    database: int
    table: int | None

    def completed(self, before: ServerIdentity) -> ServerIdentity:
        """Return this identity, with gaps filled from what the server told `before`."""
        system, timeline = self.system or before.system, self.timeline or before.timeline
        return self._replace(system=system, timeline=timeline)

    def __str__(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def parse(cls, text: str) -> ServerIdentity:
        """Parse what `str()` returned. Raises ValueError."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from None


def identify(connection: Connection, schema: str) -> tuple[ServerIdentity, bool]:
    """Return the server of a journal in this schema, and whether it is a replica."""
    ((replica, database, table),) = connection.rows(_LOCATION.format(schema=schema))
    system = _asked(connection, _SYSTEM)
    timeline = None if replica else _asked(connection, _TIMELINE)
    return ServerIdentity(system, timeline, database, table), replica


def difference(before: ServerIdentity, now: ServerIdentity) -> str | None:
    """Return what happened if a journal is on another server than before, else None."""
    if before.system and now.system and before.system != now.system:
        return (
            "it is on another server than before: it was restored from a dump, or copied or "
            "upgraded to there"
        )
    if (before.database, before.table) != (now.database, now.table):
        return "it is in another database or table than before: it was restored from a dump"
    if before.timeline and now.timeline and before.timeline != now.timeline:
        return (
            f"its server has timeline {now.timeline} instead of {before.timeline} now: a replica "
            "was promoted (a fail-over), or it was put back to an earlier moment"
        )
    return None


def warnings(connection: Connection, server: ServerIdentity) -> list[str]:
    """Return why a server may lose what it committed, or why a fail-over may go unnoticed."""
    ((fsync, full_pages, synchronous, replicas),) = connection.rows(_DURABILITY)
    found = [
        f"{name} is off on the journal's server: a crash of its machine can lose what was sent"
        for name, value in (("fsync", fsync), ("full_page_writes", full_pages))
        if value == "off"
    ]
    if replicas and not synchronous.strip():
        found.append(
            "the journal's server has replicas and waits for none (synchronous_standby_names is "
            "empty): after a fail-over, what was sent last is not known"
        )
    if server.system is None or server.timeline is None:
        found.append(
            "the journal's server does not tell this role which one it is, so that a fail-over "
            f"would not be noticed; an administrator can allow it: {_ALLOWING}"
        )
    return found


def _asked(connection: Connection, query: str) -> Any:
    """Return the result of a query, or None if the server or this role does not support it."""
    try:
        with connection.savepoint():
            return connection.value(query)
    except connection.Error:
        if connection.is_lost:
            raise
        return None
