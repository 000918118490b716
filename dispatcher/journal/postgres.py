"""A journal in a PostgreSQL database: any number of runs and machines at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from dispatcher.errors import JournalError
from dispatcher.journal import server, watermark
from dispatcher.journal.connection import Connection, PostgresConnection, Row
from dispatcher.journal.errors import journal_errors
from dispatcher.journal.postgres_url import PostgresUrl

if TYPE_CHECKING:
    import psycopg

# The tables have a schema of their own, so that they can live in any database.
_SCHEMA = "dispatcher"
# The number of an advisory lock, used for nothing else: two first runs make the tables once.
MAKING_TABLES = 0x64697370
# They notice soon that a server is gone, before a run and during it. The URL may set others; libpq
# defines them.
_TIMEOUTS = {
    "connect_timeout": "10",
    "tcp_user_timeout": "30000",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
_REPLICA = (
    "the journal {name} is on a replica, which can only be read; name the primary, or all servers "
    "and ?target_session_attrs=read-write"
)
# Rights that a role may lack, and the statements that grant them.
_ALLOWING = {
    "make the schema": "CREATE SCHEMA {schema} AUTHORIZATION {role}",
    "make tables in the schema": "GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}",
    "read the tables of the schema": "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "use the schema": (
        "GRANT USAGE ON SCHEMA {schema} TO {role}; "
        "GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}; "
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
    ),
}
# What a connection needs before anything can be set: the role's defaults may differ. A role that is
# read-only by default would fail a URL that asks for a server to write to.
_FROM_THE_START = {
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "10s",
    # A suspended run loses its locks before those that wait for them give up.
    "idle_in_transaction_session_timeout": "5s",
}
# What a run relies on, whatever the role, the database or the URL say, if the server knows it.
_SETTINGS = {
    **_FROM_THE_START,
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "default_transaction_isolation": "read committed",  # a stricter one fails what two runs change
    # To compile a query takes longer than any of these takes; without sequential scans (see
    # SharedState) the server would compile each that needs one.
    "jit": "off",
    "extra_float_digits": "1",  # the clock is a float: with fewer, it is years off
    "search_path": _SCHEMA,
    "synchronous_commit": "on",
}
# A reader may page through the output, and has locked no row.
_READING = {"idle_in_transaction_session_timeout": "10min"}
_SET = """
    SELECT count(set_config(name, setting, false)), current_setting('session_replication_role')
    FROM unnest(%s::text[], %s::text[]) AS ours (name, setting)
    WHERE name IN (SELECT pg_settings.name FROM pg_settings)
"""


class PostgresBackend:
    """A journal that many runs write to at once: each row says whose attempt it is."""

    exclusive = False
    schema = _SCHEMA
    unless_locked = "FOR UPDATE SKIP LOCKED"

    def __init__(self, url: str) -> None:
        self.Error = _driver_error()
        self._url = PostgresUrl.parse(url)
        self.name = self._url.shown
        self._mark: watermark.HighWaterMark | None = None
        self._here: server.ServerIdentity | None = None

    def exists(self) -> bool:
        """Return True: whether there are tables is for `version` to say."""
        return True

    @contextmanager
    def prepared(self, run: str, wait: float) -> Iterator[None]:
        """Do nothing: there is nothing to prepare, and no other run to wait for."""
        yield

    def connect(
        self, *, read_only: bool = False, settings: Sequence[str] = ()
    ) -> PostgresConnection:
        """Return one connection, durable with every commit, for one thread at a time."""

        def connect() -> psycopg.Connection[Row]:
            driver = self._connected()
            try:
                self._require_usable(driver, read_only=read_only)
                self._configure(driver, read_only=read_only)
                for each in settings:
                    driver.execute(each)
            except BaseException:
                driver.close()
                raise
            return driver

        return PostgresConnection(connect, read_only=read_only)

    def _connected(self) -> psycopg.Connection[Row]:
        import psycopg
        from psycopg.conninfo import make_conninfo

        given = self._url.parameters()
        ours = [f"-c {name}={setting}" for name, setting in _FROM_THE_START.items()]
        options = " ".join([*filter(None, [given.get("options")]), *ours])
        parameters = _TIMEOUTS | given | {"options": options, "client_encoding": "utf8"}
        return psycopg.connect(make_conninfo("", **parameters), autocommit=True)

    def _require_usable(self, driver: psycopg.Connection[Row], *, read_only: bool) -> None:
        """Raise JournalError if a server cannot be written to, or not everything to its database.

        Checked before any query: with some encodings not even a query works.
        """
        if not read_only and driver.info.parameter_status("in_hot_standby") == "on":
            raise JournalError(_REPLICA.format(name=self.name))
        encoding = driver.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise JournalError(
                f"the database of the journal {self.name} keeps texts as {encoding}, which "
                "cannot hold all; make one with UTF8: createdb -T template0 -E UTF8 NAME"
            )

    def _configure(self, driver: psycopg.Connection[Row], *, read_only: bool) -> None:
        settings = {**_SETTINGS, **(_READING if read_only else {})}
        ((_, role),) = driver.execute(_SET, [list(settings), list(settings.values())])
        if role == "origin" or read_only:
            return
        try:
            driver.execute("SET session_replication_role TO origin")
        except self.Error:
            raise JournalError(
                f"the journal {self.name} would note no events: session_replication_role is {role} "
                "for this user; an administrator can RESET that with ALTER ROLE or ALTER DATABASE"
            ) from None

    def defects(self) -> list[str]:
        """Return nothing: a defect shows only once the server is asked."""
        return []

    def verify(self, connection: Connection) -> None:
        """Raise JournalError if the server, or its state, is not the one that runs have seen."""
        self._here = here = self._server(connection)
        found = watermark.read_or_create(connection, str(here))
        if self._mark is None or self._mark.journal != found.journal:
            self._mark = watermark.HighWaterMark(found.journal)
        changes = watermark.count_changes(connection)
        self.require_whole(self._difference(found, here) or _missing(changes, self._mark))
        # All of them are on disk: this transaction has made none yet.
        self._mark.note(changes)
        whole = str(here.completed(server.ServerIdentity.parse(found.server)))
        if whole != found.server:  # the server tells more than before
            watermark.update_server(connection, whole)

    def warnings(self, connection: Connection) -> list[str]:
        """Return what the server's settings risk, and whether its changes cannot be counted."""
        assert self._here is not None
        assert self._mark is not None
        return [*server.warnings(connection, self._here), *self._mark.warnings]

    def run_began(self, connection: Connection) -> None:
        """Do nothing: every commit says whose attempt it is."""

    def loss(self, connection: Connection) -> str | None:
        """Return what may be missing: another server, or fewer changes than before; else None."""
        found = watermark.read(connection)
        if found is None:
            return None
        here, replica = server.identify(connection, _SCHEMA)
        seen = watermark.HighWaterMark(found.journal)
        changes = watermark.count_changes(connection)
        return self._difference(found, here) or _missing(changes, seen, replica=replica)

    def require_whole(self, loss: str | None) -> None:
        """Raise JournalError if something may be missing."""
        if loss:
            raise JournalError(
                f"the journal {self.name} may not be whole: {loss}. What was sent last before that "
                "may not be in it, and would be sent again: compare what the last runs reported. "
                "Then dispatcher journal check --accept-loss takes the journal as it is, and "
                "dispatcher settle --sent --missing KEY notes what is missing"
            )

    def accept_loss(self) -> None:
        """Accept the journal as complete, on this server, for all machines."""
        with closing(self.connect()) as connection, journal_errors(self), connection.begin():
            watermark.replace(connection, str(self._server(connection)))

    def committed(self, connection: Connection) -> None:
        """Do nothing: the commit is in the database."""

    def usable(self) -> bool:
        """Return True: a database always is."""
        return True

    def run_ended(self, connection: Connection) -> None:
        """Note how many changes the journal has."""
        if self._mark is not None:
            with suppress(self.Error):
                self._mark.note(watermark.count_changes(connection))

    def run_aborted(self, connection: Connection) -> None:
        """Do nothing: the run's lease ends by itself."""

    def prepare_schema(self, connection: Connection) -> None:
        """Make the schema for the tables, if it is missing."""
        connection.execute(f"SELECT pg_advisory_xact_lock({MAKING_TABLES})")
        allowed = self._allowed(connection, "CREATE")
        if allowed is None:  # the schema may have been made for a role that cannot make any
            self._make_schema(connection)
        elif not allowed:
            raise self._denied(connection, "make tables in the schema")

    def _make_schema(self, connection: Connection) -> None:
        may = "has_database_privilege(current_database(), 'CREATE')"
        if not connection.value(f"SELECT {may}"):
            raise self._denied(connection, "make the schema")
        connection.execute(f"CREATE SCHEMA {_SCHEMA}")

    def _allowed(self, connection: Connection, right: str) -> bool | None:
        """Whether this role has a right on the schema; None if there is no schema.

        It is read from the catalog's table: a lookup by name may be older than the statement.
        """
        may = f"SELECT has_schema_privilege(oid, '{right}') FROM pg_namespace"
        allowed: bool | None = connection.value(f"{may} WHERE nspname = '{_SCHEMA}'")
        return allowed

    def _denied(self, connection: Connection, what: str) -> JournalError:
        role = connection.value("SELECT quote_ident(current_user)")
        way = _ALLOWING[what].format(schema=_SCHEMA, role=role)
        return JournalError(
            f"the role {role} may not {what} {_SCHEMA} of the journal {self.name}; "
            f"its owner can allow it, in that database: {way}"
        )

    def version(self, connection: Connection) -> int:
        """Return the version of the tables, or 0 if there are none yet."""
        if self._allowed(connection, "USAGE") is False:
            raise self._denied(connection, "use the schema")
        table = f"to_regclass('{_SCHEMA}.version')"
        allowed = connection.value(f"SELECT has_table_privilege({table}, 'SELECT')")
        if allowed is None:  # there is no such table
            return 0
        if not allowed:
            raise self._denied(connection, "read the tables of the schema")
        found = [number for (number,) in connection.rows("SELECT number FROM version")]
        if len(found) != 1 or found[0] < 1:
            raise JournalError(
                f"the table {_SCHEMA}.version of the journal {self.name} is to say which schema "
                f"it has, in one row, and was changed by hand: it says {found}; put it right"
            )
        version: int = found[0]
        return version

    def set_version(self, connection: Connection, version: int) -> None:
        """Note the version of the tables that were just made."""
        connection.execute("CREATE TABLE IF NOT EXISTS version (number integer NOT NULL)")
        connection.execute("DELETE FROM version")
        connection.execute(f"INSERT INTO version VALUES ({version})")

    def lock_table(self, connection: Connection, table: str) -> None:
        """Wait for pending changes of a table, and block others."""
        connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")

    def disconnect(self, connection: Connection) -> None:
        """Shut the socket down, so that a thread that waits for the server gets an error."""
        assert isinstance(connection, PostgresConnection)
        with suppress(self.Error, OSError):
            descriptor = connection.fileno()
            if descriptor is not None:
                with socket.socket(fileno=os.dup(descriptor)) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def board_name(self, connection: Connection) -> None:
        """Return None: who recovers it cannot know whether a run is dead or only slow."""

    def require_unchanged(self) -> None:
        """Do nothing: the server itself sees to that."""

    def now(self) -> str:
        """Return the seconds since 1970, by the database's clock, the same for all machines."""
        return "extract(epoch FROM clock_timestamp())::float"

    def _server(self, connection: Connection) -> server.ServerIdentity:
        """Return the connected server. Raises JournalError if it cannot be written to."""
        found, replica = server.identify(connection, _SCHEMA)
        if replica:
            raise JournalError(_REPLICA.format(name=self.name))
        return found

    def _difference(self, noted: watermark.Identity, here: server.ServerIdentity) -> str | None:
        try:
            return server.difference(server.ServerIdentity.parse(noted.server), here)
        except ValueError:
            return "what it says of its server was not written by this program"


def _missing(changes: int, mark: watermark.HighWaterMark, *, replica: bool = False) -> str | None:
    if changes >= mark.changes:
        return None
    why = "the server was put back to an earlier state"
    return (
        f"{mark.changes - changes} of the {mark.changes} changes that this machine has seen are "
        f"missing: {'this replica has not got them yet, or ' if replica else ''}{why}"
    )


def _driver_error() -> type[Exception]:
    """Return the base of the driver's errors. Raises JournalError if that is not installed."""
    try:
        import psycopg
    except ImportError:
        raise JournalError(
            "a PostgreSQL journal needs psycopg: pip install 'message-dispatcher[postgres]'"
        ) from None
    kind: type[Exception] = psycopg.Error  # where psycopg is not installed, nobody knows
    return kind
