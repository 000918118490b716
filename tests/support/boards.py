"""The boards of runs, in memory: see dispatcher/journal/board.py."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dispatcher.journal import LEASE, Journal
from dispatcher.journal.sqlite import SqliteBackend

MEMORY = Path("/dev/shm")


def boards_of(journal: Path) -> list[Path]:
    """The boards of all runs on a journal that are there now."""
    if not journal.exists():
        return []
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute("SELECT journal FROM origin").fetchall()
        except sqlite3.Error:  # a run was killed before it had made the tables
            return []
    return [board for (id,) in rows for board in MEMORY.glob(f"message-dispatcher-{id}-*")]


@contextmanager
def killed(url: str) -> Iterator[Journal]:
    """A run in this process, which ends with the block as if it were killed: what it has asked for
    is written, and that is all."""
    database = SqliteBackend(url)
    with database.prepared("default", 0):
        journal = Journal(database, "default", LEASE)
        yield journal
        journal._writer.close()
        if journal._board is not None:
            journal._board.close(delete=False)
        database.run_aborted(journal._engine)
