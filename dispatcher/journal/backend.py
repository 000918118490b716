"""What databases differ in."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from dispatcher.errors import JournalError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.sql.elements import ColumnElement


class Backend(Protocol):
    """A database that can hold a journal.

    `name`: what errors call it, without a password. `exclusive`: only one run at a time can write
    it. `schema`: where its tables are. `insert`: makes an INSERT statement that knows ON CONFLICT.
    """

    name: str
    exclusive: bool
    schema: str
    insert: Callable[..., Any]

    # opening

    def exists(self) -> bool:
        """Whether there is anything to read."""

    def faults(self) -> list[str]:
        """Why it may not be whole, as far as that shows before it is opened."""

    def prepared(self, run: str, wait: float) -> AbstractContextManager[None]:
        """Around a run: ready to be written, by this run alone if it is `exclusive`."""

    def connect(self, *, read_only: bool = False) -> Engine:
        """One connection, for one thread at a time; what is committed through it is on disk."""

    # the tables

    def prepare_schema(self, connection: Connection) -> None:
        """Make sure that tables can be made; nobody else makes any until the transaction ends."""

    def version(self, connection: Connection) -> int:
        """The version of the tables; 0: there are none yet."""

    def set_version(self, connection: Connection, version: int) -> None:
        """Write the version of the tables that were just made."""

    def lock_table(self, connection: Connection, table: str) -> None:
        """Wait until others have finished their changes of a table; then nobody else changes it
        until the transaction ends."""

    def now(self) -> ColumnElement[float]:
        """The time, in seconds since 1970, by a clock that all runs on this journal share."""

    # whether it is whole, and the same as before

    def loss(self, connection: Connection) -> str | None:
        """What is missing of it, or may be."""

    def require_whole(self, loss: str | None) -> None:
        """Raise JournalError if something is missing, and say what a person can do."""

    def accept_loss(self) -> None:
        """Take it for whole as it is from now on."""

    def verify(self, connection: Connection) -> None:
        """Raise JournalError if it is not the journal that runs have seen before.

        Comes first in a transaction: when a run begins, and with each heartbeat.
        """

    def warnings(self, connection: Connection) -> list[str]:
        """Why changes may be lost, or why that may not be noticed. Comes after `verify`."""

    def require_unchanged(self) -> None:
        """Raise JournalError if what is open is not what others would find there now."""

    # a run

    def run_began(self, engine: Engine) -> None:
        """The tables are ready, and the run is registered."""

    def committed(self, connection: Connection) -> None:
        """The connection of a run has committed."""

    def usable(self) -> bool:
        """Whether what is written now could be read again."""

    def run_ended(self, engine: Engine) -> None:
        """The run is no longer registered, and nothing more is written."""

    def run_aborted(self, engine: Engine) -> None:
        """The same, where the end of the run could not be written."""

    def disconnect(self, connection: Connection) -> None:
        """Interrupt another thread that waits for the database's answer."""


def backend(url: str, *, kept: bool = True) -> Backend:
    """The database that a journal's URL means. Raises JournalError.

    `kept`: whether a file will still be there after the run, so that losses can be noticed.
    """
    if url.startswith("sqlite:///"):
        from dispatcher.journal.sqlite import SqliteBackend

        return SqliteBackend(url, kept=kept)
    if url.startswith(("postgresql://", "postgres://")):
        from dispatcher.journal.postgres import PostgresBackend

        return PostgresBackend(url)
    if url.startswith("sqlite://") and len(url) > len("sqlite://"):
        path = url.removeprefix("sqlite://")
        raise JournalError(f'the journal "{url}" lacks a slash: "sqlite:///{path}"')
    scheme = re.split("[:=@]", url)[0]  # what follows may hold a password
    raise JournalError(
        'a journal is an SQLite file, "sqlite:///PATH", or a PostgreSQL database, '
        f'"postgresql://…", not "{scheme[:40]}"'
    )
