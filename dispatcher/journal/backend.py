"""The interface of the databases that can hold a journal, and the one that a URL means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from dispatcher.errors import JournalError
from dispatcher.journal.connection import Connection


class Backend(Protocol):
    """A database that can hold a journal.

    Sentences call it `name`, which holds no password. If it is `exclusive`, only one run at a time
    can write to it. `schema` is where its tables are. `unless_locked` ends a SELECT that locks its
    rows, and leaves out those that others have locked. Its driver raises `Error`.
    """

    name: str
    exclusive: bool
    schema: str
    unless_locked: str
    Error: type[Exception]

    # opening

    def exists(self) -> bool:
        """Whether there is anything to read."""

    def defects(self) -> list[str]:
        """Return why it may be incomplete, as far as that shows before it is opened."""

    def prepared(self, run: str, wait: float) -> AbstractContextManager[None]:
        """Make it ready to be written, until the end only by this run if it is `exclusive`."""

    def connect(self, *, read_only: bool = False, settings: Sequence[str] = ()) -> Connection:
        """Return one connection, for one thread at a time; what it commits is on disk.

        `settings` are statements that it begins with.
        """

    # the tables

    def prepare_schema(self, connection: Connection) -> None:
        """Make sure that tables can be made; nobody else makes any until the transaction ends."""

    def version(self, connection: Connection) -> int:
        """Return the version of the tables, or 0 if there are none yet."""

    def set_version(self, connection: Connection, version: int) -> None:
        """Write the version of the tables that were just made."""

    def lock_table(self, connection: Connection, table: str) -> None:
        """Wait for pending changes of a table; then block others until the transaction ends."""

    def now(self) -> str:
        """Return SQL for the seconds since 1970, by a clock that all runs on this journal share."""

    def board_name(self, connection: Connection) -> str | None:
        """Return the name of its runs' boards, or None if it can have none, see `journal.board`.

        It has none if several runs can write to it at once, or if it has no id yet.
        """

    # whether it is whole, and the same as before

    def loss(self, connection: Connection) -> str | None:
        """Return what is missing from it, or may be; None if nothing is."""

    def require_whole(self, loss: str | None) -> None:
        """Raise JournalError if something is missing; it says what a person can do."""

    def accept_loss(self) -> None:
        """Accept it as complete from now on."""

    def verify(self, connection: Connection) -> None:
        """Raise JournalError if it is not the journal that runs have seen before.

        Called first in a transaction: when a run begins, and with each heartbeat.
        """

    def warnings(self, connection: Connection) -> list[str]:
        """Return why changes may be lost, or why that may not be noticed. Called after `verify`."""

    def require_unchanged(self) -> None:
        """Raise JournalError if another process that opened it now would find something else."""

    # a run

    def run_began(self, connection: Connection) -> None:
        """Called when the tables are ready and the run is registered."""

    def committed(self, connection: Connection) -> None:
        """Called after each commit of a run."""

    def usable(self) -> bool:
        """Whether what is written now can be read again."""

    def run_ended(self, connection: Connection) -> None:
        """Called when the run is no longer registered and writes nothing more."""

    def run_aborted(self, connection: Connection) -> None:
        """Called instead of `run_ended` if the end of the run could not be written."""

    def disconnect(self, connection: Connection) -> None:
        """Interrupt another thread that waits for the database."""


def backend(url: str, *, kept: bool = True) -> Backend:
    """Return the database that a journal's URL means. Raises JournalError.

    `kept` tells whether a file will still be there after the run, so that losses can be noticed.
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
