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

    `name`: how errors call it, without a password. `exclusive`: whoever is `prepared` is the only
    one that writes. `schema`: where its tables are. `insert`: makes an INSERT statement that knows
    ON CONFLICT. `warnings`: what is doubtful about it; `loss`: what is missing of it, which
    `require` raises, until a person has accepted it. `recognise` comes first in a transaction, when
    a run begins, with each heartbeat and after each reconnect: it raises JournalError if it is not
    the journal that it was, and says what is doubtful about where it is. `run_began` and
    `run_ended` are called around a run, `committed` after each of its commits, and `run_broken_off`
    instead of `run_ended` when its end could not be written. Nothing more is to be written where it
    is not `usable`. `lock` lets others finish what they change in a table, and begin nothing until
    the transaction ends; `cut` has a thread that waits for the database's answer wait no longer.
    """

    name: str
    exclusive: bool
    schema: str
    insert: Callable[..., Any]

    def exists(self) -> bool: ...
    def prepared(self, run: str, patience: float) -> AbstractContextManager[None]: ...
    def warnings(self) -> list[str]: ...
    def connect(self, *, read_only: bool = False) -> Engine: ...
    def recognise(self, connection: Connection) -> list[str]: ...
    def run_began(self, engine: Engine) -> None: ...
    def loss(self, connection: Connection) -> str | None: ...
    def require(self, loss: str | None) -> None: ...
    def accept_loss(self) -> None: ...
    def committed(self, connection: Connection) -> None: ...
    def usable(self) -> bool: ...
    def run_ended(self, engine: Engine) -> None: ...
    def run_broken_off(self, engine: Engine) -> None: ...
    def make_room(self, connection: Connection) -> None: ...
    def version(self, connection: Connection) -> int: ...
    def set_version(self, connection: Connection, version: int) -> None: ...
    def lock(self, connection: Connection, table: str) -> None: ...
    def cut(self, connection: Connection) -> None: ...
    def require_in_place(self) -> None: ...
    def require_unchanged(self) -> None: ...
    def now(self) -> ColumnElement[float]: ...


def backend(url: str, *, kept: bool = True) -> Backend:
    """The database that a journal's URL means. Raises JournalError.

    `kept`: whether a file will be there for others, so that it is worth remembering.
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
