"""Turns the errors of a journal's database into sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Protocol

from dispatcher.errors import JournalError
from dispatcher.journal.connection import Connection

_STOPPED = ": its server stopped, or this run stood still"
_ENDS = {
    "due to idle-in-transaction timeout": ", as this run stood still while others waited for it",
    "due to administrator command": _STOPPED,
    "closed the connection unexpectedly": _STOPPED,
    "the connection is lost": _STOPPED,
}
_HELD = ("55P03", "40P01")  # PostgreSQL's codes: a lock timeout, a deadlock


class Database(Protocol):
    """A database that has a name for people; its driver raises `Error`."""

    name: str
    Error: type[Exception]


@contextmanager
def journal_errors(database: Database) -> Iterator[None]:
    """Turn what a database's driver raises into a JournalError about that journal."""
    try:
        yield
    except database.Error as error:
        # A cursor in one of the frames would keep the driver's connection open.
        clear_frames(error.__traceback__)
        raise JournalError(_sentence(database.name, error)) from error


@contextmanager
def ignoring_denial(connection: Connection) -> Iterator[None]:
    """Ignore it if a role may not use a table that is made when there is something to record."""
    denied = (connection.ProgrammingError, JournalError)
    with suppress(*denied), connection.savepoint():
        yield


def _sentence(name: str, error: Exception) -> str:
    cause = str(error).strip().partition("\n")[0]
    if cause == "file is not a database":
        return f"{name} is no journal: it is not an SQLite database"
    why = next((why for end, why in _ENDS.items() if cause.endswith(end)), None)
    if why is not None:
        return f"the journal {name} ended the connection{why}; run again"
    if getattr(error, "sqlstate", None) in _HELD:
        return (
            f"the journal {name} is held: another run renews its tables, or somebody has locked "
            f"them; run again when that is over ({cause})"
        )
    return f"the journal {name} failed: {cause}"
