"""The boards of runs, in memory: see dispatcher/journal/board.py."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from dispatcher.journal import LEASE, Claim, Journal, NewMessage
from dispatcher.journal.sqlite import SqliteBackend
from tests.support.messages import message

MEMORY = Path("/dev/shm")


def boards_of(journal: Path) -> list[Path]:
    """The boards of all runs on a journal that are there now; none if it cannot be read."""
    rows: list[tuple[str]] = []
    with suppress(OSError, sqlite3.Error):
        uri = f"{journal.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
            rows = connection.execute("SELECT journal FROM origin").fetchall()
    return [board for (id,) in rows for board in MEMORY.glob(f"message-dispatcher-{id}-*")]


def delete_boards(journal: Path) -> None:
    """Delete the boards of a journal that nobody will open again."""
    for board in boards_of(journal):
        board.unlink(missing_ok=True)


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
        database.run_aborted(journal._connection)


def ahead(journal: Journal, *ids: str) -> dict[str, Claim]:
    """Claim messages ahead; the claims of those that could be claimed, by id."""
    new = [NewMessage(message(id), "digest") for id in ids]
    claims = journal.claim_ahead(new).result()
    return {id: claims[message(id).key] for id in ids if message(id).key in claims}
