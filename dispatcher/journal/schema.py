"""The journal's tables, their version, and how SQLite is opened for them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.errors import JournalError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

SCHEMA_VERSION = 1

_metadata = sa.MetaData()
messages = sa.Table(
    "messages",
    _metadata,
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
)
events = sa.Table(
    "events",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("receipt", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_text", sa.Text),
)
uploads = sa.Table(
    "uploads",
    _metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("media_id", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
)


def connect(path: Path, *, read_only: bool = False) -> Engine:
    """One connection to an SQLite file, made if need be, durable with every commit."""
    # Not by SQLAlchemy's URL: in one, a "?" or "%" of the path would have a meaning of its own.
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, check_same_thread=False),
        poolclass=sa.pool.StaticPool,
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA busy_timeout=5000")
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

    return engine


def prepare(connection: Connection, path: Path) -> None:
    """Make the tables where there are none yet. Raises JournalError for a newer schema."""
    check_version(connection, path)
    _metadata.create_all(connection)
    connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")


def check_version(connection: Connection, path: Path) -> int:
    """The version of the schema; 0: there is none yet. Raises JournalError for a newer one."""
    version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by a newer dispatcher (schema {version}); update this one"
        )
    return version
