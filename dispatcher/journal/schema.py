"""The journal's tables, what their columns can hold, and how an older journal is migrated.

What a new column needs: docs/architecture.md, "Where a new feature goes".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from dispatcher.errors import JournalError
from dispatcher.journal.connection import Connection

SCHEMA_VERSION = 7

# The columns of a row, in the order of these tables; `{id}` differs.
_TABLES = {
    # `not_before`: no attempt earlier than this: the gateway asked for it. `owner`: the run whose
    # attempt it is or was. `sent_digest`: of what was sent before `digest` was tried.
    "messages": """
        "key" TEXT NOT NULL,
        run TEXT NOT NULL,
        manifest TEXT NOT NULL,
        message TEXT NOT NULL,
        recipient TEXT NOT NULL,
        transport TEXT NOT NULL,
        digest TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        receipt TEXT,
        error_code TEXT,
        error_text TEXT,
        changed_at TEXT NOT NULL,
        not_before TEXT,
        owner TEXT,
        sent_digest TEXT,
        PRIMARY KEY ("key")""",
    "events": """
        id {id} NOT NULL,
        "key" TEXT NOT NULL,
        at TEXT NOT NULL,
        status TEXT NOT NULL,
        receipt TEXT,
        error_code TEXT,
        error_text TEXT,
        attempt INTEGER,
        PRIMARY KEY (id)""",
    "uploads": """
        account TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        media_id TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        PRIMARY KEY (account, sha256)""",
    # The runs that are sending. What is "sending" by an owner that is not here, or whose lease has
    # ended, may or may not have arrived. `lease` is when it ends, in seconds since 1970.
    "workers": """
        owner TEXT NOT NULL,
        run TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        lease FLOAT NOT NULL,
        PRIMARY KEY (owner)""",
    # What one run at a time does for all, such as an upload: which run, and until when.
    "leases": """
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        until FLOAT NOT NULL,
        PRIMARY KEY (name)""",
    # When the next message of an account or to a recipient may leave: `delivery.rate_limiter`.
    "turns": """
        "key" TEXT NOT NULL,
        state BIGINT NOT NULL,
        PRIMARY KEY ("key")""",
    "pauses": """
        "key" TEXT NOT NULL,
        since BIGINT NOT NULL,
        until BIGINT NOT NULL,
        PRIMARY KEY ("key")""",
    # One row, whose id is 1: which journal this is, and on which server. See `journal.watermark`.
    "origin": """
        id INTEGER NOT NULL,
        journal TEXT NOT NULL,
        server TEXT NOT NULL,
        PRIMARY KEY (id)""",
}
# Only an INTEGER key counts up in SQLite.
_ID = {"sqlite": "INTEGER", "postgresql": "BIGSERIAL"}
# These are made when there is something to record.
_LATER_TABLES = {
    # The files from which manifests came; `path` is relative to the configuration's folder, so that
    # it is the same in every clone.
    "places": """
        manifest TEXT NOT NULL,
        path TEXT NOT NULL,
        PRIMARY KEY (manifest, path)""",
    # The gateways that runs have used: what went to one on this machine was a trial.
    "gateways": """
        transport TEXT NOT NULL,
        address TEXT NOT NULL,
        local INTEGER NOT NULL,
        PRIMARY KEY (transport, address)""",
    # What gateways say of accepted messages: of the receipt of each attempt, what is best known.
    # Made together with an index of the receipts.
    "deliveries": """
        "key" TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        status TEXT NOT NULL,
        at TEXT,
        reason TEXT,
        PRIMARY KEY ("key", attempt)""",
}


class MessageRow(NamedTuple):
    """A row of `messages`."""

    key: str
    run: str
    manifest: str
    message: str
    recipient: str
    transport: str
    digest: str
    status: str
    attempts: int
    receipt: str | None
    error_code: str | None
    error_text: str | None
    changed_at: str
    not_before: str | None
    owner: str | None
    sent_digest: str | None


class EventRow(NamedTuple):
    """A row of `events`."""

    id: int
    key: str
    at: str
    status: str
    receipt: str | None
    error_code: str | None
    error_text: str | None
    attempt: int | None


MESSAGES = f"SELECT {', '.join(MessageRow._fields)} FROM messages"
EVENTS = f"SELECT {', '.join(EventRow._fields)} FROM events"
# The beginning of a receipt, as a row of a PostgreSQL index cannot have more than some 2,700 bytes.
RECEIPT_KEY_LENGTH = 100
RECEIPT_KEY = f"substr({{}}, 1, {RECEIPT_KEY_LENGTH})"
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

_INDEX_OF_EVENTS = 'CREATE INDEX IF NOT EXISTS ix_events_key ON events ("key")'
# Every run looks for what others left "sending": a few rows, however long the journal is.
_INDEX_OF_SENDING = (
    "CREATE INDEX IF NOT EXISTS messages_sending ON messages (owner) WHERE status = 'sending'"
)

# A plan asks who has a message's content under another name. The beginning of a digest finds it, in
# a third of the space of the whole digest (benchmarks/journal.py).
DIGEST_KEY_LENGTH = 16
DIGEST_KEY = f"substr({{}}, 1, {DIGEST_KEY_LENGTH})"
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
    "messages": {"not_before": ("TEXT", 2), "owner": ("TEXT", 2), "sent_digest": ("TEXT", 4)},
    "events": {"attempt": ("INTEGER", 2)},
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


def show_as_current(connection: Connection, version: int, schema: str) -> None:
    """Let this connection's queries see the tables of an older version, in `schema`, as current
    ones.

    Nothing is made for that, not even for a moment: a replica and a read-only role refuse it.
    """
    views = []
    for table, added in _ADDED.items():
        missing = [(name, kind) for name, (kind, since) in added.items() if version < since]
        columns = "".join(f", CAST(NULL AS {kind}) AS {name}" for name, kind in missing)
        if missing:
            views.append(f"{table} AS (SELECT *{columns} FROM {schema}.{table})")
    connection.views = ", ".join(views)


def migrate(connection: Connection, version: int) -> None:
    """Migrate the tables from an older version, or make them if it is 0."""
    if version == SCHEMA_VERSION:
        return
    postgres = _MIGRATIONS_OF_POSTGRES if connection.dialect == "postgresql" else {}
    for older in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
        for statement in (*_MIGRATIONS[older], *postgres.get(older, ())):
            connection.execute(statement)
    for table, columns in _TABLES.items():
        _make(connection, table, columns.format(id=_ID[connection.dialect]))
    for statement in (
        _INDEX_OF_EVENTS,
        _INDEX_OF_SENDING,
        *_INDEXES_OF_DIGESTS,
        _INDEX_OF_INVALID,
        *_TRIGGERS[connection.dialect],
    ):
        connection.execute(statement)


def make_later(connection: Connection, table: str) -> None:
    """Make one of the tables that are made when there is something to record."""
    _make(connection, table, _LATER_TABLES[table])


def _make(connection: Connection, table: str, columns: str) -> None:
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")


def insert(table: str, columns: Iterable[str]) -> str:
    """Return the statement that inserts values of these names."""
    names = list(columns)
    places = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"


def assigned(columns: Iterable[str]) -> str:
    """Return what sets columns to values of their names."""
    return ", ".join(f"{name} = :{name}" for name in columns)


def timestamp(time: datetime) -> str:
    """Format a time as a column holds it: ISO 8601, to the millisecond."""
    return time.isoformat(timespec="milliseconds")
