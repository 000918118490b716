"""On which PostgreSQL server a journal is, and what is doubtful about that one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
# A server begins a new timeline when it is promoted, or restored to a moment in the past.
_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer"
_ALLOWING = (
    "GRANT EXECUTE ON FUNCTION pg_control_system(), pg_current_wal_lsn(), pg_walfile_name(pg_lsn) "
    "TO PUBLIC"
)
_PLACE = (
    "SELECT pg_is_in_recovery(), "
    "(SELECT oid::bigint FROM pg_database WHERE datname = current_database()), "
    "to_regclass('{schema}.messages')::oid::bigint"
)
# Whoever makes a backup or keeps the log elsewhere streams, too. Not every role sees who does.
_DURABILITY = (
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
    "current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication "
    "WHERE coalesce(application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal'))"
)


class Server(NamedTuple):
    """Where the tables are. None: this server does not tell.

    `system`: a number that a server and its replicas share. `database` and `table`: numbers that a
    restored dump or a copy has others of.
    """

    system: str | None
    timeline: int | None
    database: int
    table: int | None

    def completed(self, before: Server) -> Server:
        """The same with what it told before and does not tell now."""
        system, timeline = self.system or before.system, self.timeline or before.timeline
        return self._replace(system=system, timeline=timeline)

    def __str__(self) -> str:
        return json.dumps(self._asdict())


def written(server: str) -> Server:
    """What `str()` made of one. Raises ValueError."""
    try:
        return Server(**json.loads(server))
    except TypeError as error:
        raise ValueError(str(error)) from None


def ask(connection: Connection, schema: str) -> tuple[Server, bool]:
    """On which server a journal in this schema is, and whether that one is a replica."""
    found = connection.exec_driver_sql(_PLACE.format(schema=schema))
    replica, database, table = found.one()
    system = _told(connection, _SYSTEM)
    timeline = None if replica else _told(connection, _TIMELINE)
    return Server(system, timeline, database, table), replica


def difference(before: Server, now: Server) -> str | None:
    """What happened to a journal that was on one server and now is on another."""
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


def doubts(connection: Connection, here: Server) -> list[str]:
    """Why a server may lose what it called written, or a fail-over may not be noticed."""
    found = connection.exec_driver_sql(_DURABILITY).one()
    fsync, full_pages, synchronous, replicas = found
    warnings = [
        f"{name} is off on the journal's server: a crash of its machine can lose what was sent"
        for name, value in (("fsync", fsync), ("full_page_writes", full_pages))
        if value == "off"
    ]
    if replicas and not synchronous.strip():
        warnings.append(
            "the journal's server has replicas and waits for none (synchronous_standby_names is "
            "empty): after a fail-over, what was sent last is not known"
        )
    if here.system is None or here.timeline is None:
        warnings.append(
            "the journal's server does not tell this role which one it is, so that a fail-over "
            f"would not be noticed; an administrator can allow it: {_ALLOWING}"
        )
    return warnings


def _told(connection: Connection, query: str) -> Any:
    """A server's answer, or None where it, or this role's rights, do not know the question."""
    try:
        with connection.begin_nested():
            return connection.exec_driver_sql(query).scalar()
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return None
