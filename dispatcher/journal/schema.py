"""The journal's tables, what their columns can hold, and how an older journal is migrated.

What a new column needs: docs/architecture.md, "Where a new feature goes".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.errors import JournalError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

SCHEMA_VERSION = 7

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # only an INTEGER key counts up there

metadata = sa.MetaData()
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("transport", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("receipt", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_text", sa.Text),
    sa.Column("changed_at", sa.Text, nullable=False),
    sa.Column("not_before", sa.Text),  # no attempt earlier than this: the gateway asked for it
    sa.Column("owner", sa.Text),  # the run whose attempt it is or was
    sa.Column("sent_digest", sa.Text),  # of what was sent before `digest` was tried
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", _BIG, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("receipt", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_text", sa.Text),
    sa.Column("attempt", sa.Integer),
)
uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("media_id", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
)
# The runs that are sending. What is "sending" by an owner that is not here, or whose lease has
# ended, may or may not have arrived. `lease` is when it ends, in seconds since 1970.
sending_runs = sa.Table(
    "workers",
    metadata,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("lease", sa.Float, nullable=False),
)

# What one run at a time does for all, such as an upload: which run, and until when.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)
# When the next message of an account or to a recipient may leave: see `delivery.rate_limiter`.
turns = sa.Table(
    "turns",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("state", sa.BigInteger, nullable=False),
)
pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)
# One row: which journal this is, and on which server. See `journal.watermark`.
origin = sa.Table(
    "origin",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    sa.Column("journal", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
)

# The files from which manifests came; `path` is relative to the configuration's folder, so that it
# is the same in every clone. Not part of `metadata`: it is made when there is something to record.
manifest_files = sa.Table(
    "places",
    sa.MetaData(),
    sa.Column("manifest", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
)

# The gateways that runs with this journal have used: what went to one on this machine was a trial.
# Made, like `manifest_files`, when there is something to record.
gateways = sa.Table(
    "gateways",
    sa.MetaData(),
    sa.Column("transport", sa.Text, primary_key=True),
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("local", sa.Integer, nullable=False),
)

# What gateways say of accepted messages: of the receipt of each attempt, what is best known. Made,
# like `manifest_files`, when there is something to record, together with an index of the receipts.
deliveries = sa.Table(
    "deliveries",
    sa.MetaData(),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("at", sa.Text),
    sa.Column("reason", sa.Text),
)
# The beginning of a receipt, as a row of a PostgreSQL index cannot have more than some 2,700 bytes.
RECEIPT_KEY = "substr({}, 1, 100)"
INDEX_OF_RECEIPTS = (
    f"CREATE INDEX IF NOT EXISTS events_receipt ON events ({RECEIPT_KEY.format('receipt')}) "
    "WHERE receipt IS NOT NULL"
)

# From each version to the next; new tables, indexes and triggers are made afterwards.
# One that is there already is not made anew: what has changed is dropped here.
_MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE messages ADD COLUMN not_before TEXT",
        "ALTER TABLE messages ADD COLUMN owner TEXT",
        "ALTER TABLE events ADD COLUMN attempt INTEGER",
    ),
    2: (),
    3: ("ALTER TABLE messages ADD COLUMN sent_digest TEXT",),
    4: (),
    5: (),
    6: ("DROP INDEX IF EXISTS messages_digest", "DROP INDEX IF EXISTS messages_sent_digest"),
}
_MIGRATIONS_OF_POSTGRES = {
    4: (
        "ALTER TABLE events ALTER COLUMN id TYPE bigint",
        "ALTER SEQUENCE events_id_seq AS bigint",
    )
}

# Every run looks for what others left "sending": a few rows, however long the journal is.
# Not an `Index` of the table: SQLAlchemy would load each dialect that its options name.
_INDEX = "CREATE INDEX IF NOT EXISTS messages_sending ON messages (owner) WHERE status = 'sending'"

# A plan asks who has a message's content under another name. The beginning of a digest finds it, in
# a third of the space of the whole digest (benchmarks/journal.py).
DIGEST_KEY = "substr({}, 1, 16)"
_INDEXES_OF_DIGESTS = (
    f"CREATE INDEX IF NOT EXISTS messages_digest ON messages ({DIGEST_KEY.format('digest')})",
    "CREATE INDEX IF NOT EXISTS messages_sent_digest ON messages "
    f"({DIGEST_KEY.format('sent_digest')}) WHERE sent_digest IS NOT NULL",
)

# What no run writes: somebody has changed it by hand. Every run looks for such messages before it
# begins, so they have an index, which is usually empty.
_TIME = "'____-__-_____:__:__%'"
INVALID = (
    "status NOT IN ('sending', 'sent', 'failed', 'unknown')"
    " OR attempts < 1 OR attempts >= 2147483647"
    f" OR changed_at NOT LIKE {_TIME} OR not_before NOT LIKE {_TIME}"
)
INVALID_UPLOAD = f"expires_at NOT LIKE {_TIME}"
_INDEX_OF_INVALID = f"CREATE INDEX IF NOT EXISTS messages_foreign ON messages (key) WHERE {INVALID}"

# The database itself adds an event for every change of a message, so that none is without one.
_NOTE = """
    INSERT INTO events (key, at, status, receipt, error_code, error_text, attempt)
    VALUES (NEW.key, NEW.changed_at, NEW.status,
            NEW.receipt, NEW.error_code, NEW.error_text, NEW.attempts);"""
_TRIGGERS = {
    "sqlite": (
        f"CREATE TRIGGER IF NOT EXISTS message_made AFTER INSERT ON messages BEGIN {_NOTE} END",
        f"CREATE TRIGGER IF NOT EXISTS message_changed "
        f"AFTER UPDATE OF status ON messages BEGIN {_NOTE} END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION note_event() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path FROM CURRENT AS "  # whoever changes a row by hand may have another path
        f"$$ BEGIN {_NOTE} RETURN NULL; END $$",
        "DROP TRIGGER IF EXISTS message_changed ON messages",
        "CREATE TRIGGER message_changed AFTER INSERT OR UPDATE OF status ON messages "
        "FOR EACH ROW EXECUTE FUNCTION note_event()",
    ),
}


# What each version added to the tables, for readers of an older one.
_ADDED = {
    "messages": {"not_before": 2, "owner": 2, "sent_digest": 4},
    "events": {"attempt": 2},
}


def version_by_columns(columns: Collection[str]) -> int:
    """Return a version whose table `messages` has these columns, or 0 without any.

    Only for a journal that has lost the number of its version. That is at most 4, the last version
    with a new column: what came later is made only where it is missing, so that a migration from 4
    is right for every later version, too.
    """
    if not columns:
        return 0
    if not {"key", "digest", "status"} <= set(columns):
        raise JournalError('this is no journal: its table "messages" is somebody else\'s')
    if "sent_digest" in columns:
        return 4
    return 3 if "owner" in columns else 1


def show_as_current(engine: Engine, version: int, schema: str) -> None:
    """Let this engine's queries see the tables of an older version, in `schema`, as current ones.

    Nothing is made for that, not even for a moment: a replica and a read-only role refuse it.
    """
    views = []
    for table, added in _ADDED.items():
        missing = [name for name, since in added.items() if version < since]
        kinds = {name: metadata.tables[table].c[name].type for name in missing}
        columns = "".join(f", CAST(NULL AS {kinds[name]}) AS {name}" for name in missing)
        if missing:
            views.append(f"{table} AS (SELECT *{columns} FROM {schema}.{table})")

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def with_views(_: Any, cursor: Any, statement: str, given: Any, *__: Any) -> tuple[str, Any]:
        if views and statement.startswith("SELECT"):
            statement = f"WITH {', '.join(views)} {statement}"
        return statement, given


def migrate(connection: Connection, version: int) -> None:
    """Migrate the tables from an older version, or make them if it is 0."""
    if version == SCHEMA_VERSION:
        return
    postgres = _MIGRATIONS_OF_POSTGRES if connection.dialect.name == "postgresql" else {}
    for older in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
        for statement in (*_MIGRATIONS[older], *postgres.get(older, ())):
            connection.exec_driver_sql(statement)
    metadata.create_all(connection)
    for index in (_INDEX, *_INDEXES_OF_DIGESTS):
        connection.exec_driver_sql(index)
    connection.execute(sa.text(_INDEX_OF_INVALID))
    for trigger in _TRIGGERS[connection.dialect.name]:
        connection.exec_driver_sql(trigger)


@contextmanager
def ignoring_denial(connection: Connection) -> Iterator[None]:
    """Ignore it if a role may not use a table that is made when there is something to record."""
    with suppress(sa.exc.ProgrammingError, JournalError), connection.begin_nested():
        yield


def timestamp(time: datetime) -> str:
    """Format a time as a column holds it: ISO 8601, to the millisecond."""
    return time.isoformat(timespec="milliseconds")
