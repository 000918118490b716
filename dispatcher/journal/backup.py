"""Makes backups of a journal at any moment, and checks whether a journal or a copy is complete."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from dispatcher.errors import ConfigError, JournalError
from dispatcher.journal.backend import Backend, backend
from dispatcher.journal.connection import Connection
from dispatcher.journal.errors import journal_errors
from dispatcher.journal.files import sync_folder
from dispatcher.journal.schema import SCHEMA_VERSION
from dispatcher.journal.sqlite import SqliteBackend
from dispatcher.state_folder import state_file

_BACKUPS = "backups.json"


class Condition(NamedTuple):
    """The condition of a journal. `defects` say why it is incomplete, `notes` what else matters.

    `version` is that of its tables, 0 if there are none. `counts` are its messages by status;
    `changed_at` is when one of them was changed last.
    """

    defects: list[str]
    notes: list[str]
    version: int = 0
    counts: Mapping[str, int] = MappingProxyType({})
    changed_at: str | None = None


def back_up(url: str, target: Path) -> None:
    """Copy the journal at a URL, as it is at this moment, into a new file, even during a run.

    Raises JournalError, also if the file exists or the journal is incomplete.
    """
    source = backend(url)
    if not isinstance(source, SqliteBackend):
        raise JournalError(
            f"{source.name} is a PostgreSQL database; its backup is: pg_dump --schema=dispatcher"
        )
    if not source.exists():
        raise JournalError(f"there is no journal {source.name} yet")
    if defects := source.defects():
        raise JournalError(defects[0])
    if os.path.lexists(target):
        raise JournalError(f"{target} is there already; name another file")
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(descriptor)
    except OSError as error:
        raise JournalError(f"cannot write to {target.parent}: {error.strerror}") from None
    try:
        _copy(source, Path(name))
        _put(Path(name), target)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"cannot make the backup {target}: {error}") from error
    finally:
        Path(name).unlink(missing_ok=True)
    _note_backup(url)


def last_backup(url: str) -> datetime | None:
    """Return when this user last made a backup of the journal at a URL on this machine, if ever."""
    found = _backups().get(url)
    return None if found is None else datetime.fromisoformat(found)


def _note_backup(url: str) -> None:
    with suppress(OSError, ConfigError):  # it is only to be asked for later
        path = state_file(_BACKUPS)
        made = _backups() | {url: datetime.now(UTC).isoformat(timespec="seconds")}
        path.write_text(json.dumps(made, indent=1), encoding="utf-8")


def _backups() -> dict[str, str]:
    """Return the moments of this user's backups on this machine, by the URL of the journal."""
    with suppress(OSError, ConfigError, ValueError):
        read = json.loads(state_file(_BACKUPS, make=False).read_text(encoding="utf-8"))
        if isinstance(read, dict):
            return {str(url): str(at) for url, at in read.items()}
    return {}


def check(url: str) -> Condition:
    """Return the condition of the journal at a URL. Raises JournalError if it cannot be read."""
    found = backend(url)
    if not found.exists():
        raise JournalError(f"there is no journal {found.name}")
    if isinstance(found, SqliteBackend):
        return _check_file(found)
    with _reading(found) as connection:
        return _examined(found, connection)  # a server has tools of its own for the rest


def _check_file(found: SqliteBackend) -> Condition:
    defects, notes = found.defects(), _notes(found)
    try:
        with _reading(found) as connection:
            verdict = connection.value("PRAGMA integrity_check(1)")
            if verdict != "ok":
                raise JournalError(f"the journal {found.name} is damaged: {verdict}")
            examined = _examined(found, connection)
    except JournalError as error:
        return Condition([*defects, str(error)], notes)
    return examined._replace(defects=defects or examined.defects, notes=notes)


def _notes(found: SqliteBackend) -> list[str]:
    notes = []
    if found.files.has_log():
        notes.append(f"{found.files.log.name} belongs to it: a run is on, or was not ended")
    if found.path.stat().st_mode & 0o077:
        notes.append(f"others may use the file, which holds phone numbers: chmod 600 {found.path}")
    return notes


@contextmanager
def _reading(found: Backend) -> Iterator[Connection]:
    connection = found.connect(read_only=True)
    with closing(connection), journal_errors(found), connection.begin():
        yield connection


def _examined(found: Backend, connection: Connection) -> Condition:
    """Return the version, the messages, and which changes are missing. Raises JournalError."""
    version = found.version(connection)
    if version > SCHEMA_VERSION:
        raise JournalError(f"a newer dispatcher wrote {found.name} (schema {version})")
    if not version:
        raise JournalError(f"{found.name} is no journal: it has none of its tables")
    loss = found.loss(connection)
    counts = "SELECT status, count(*) FROM messages GROUP BY status ORDER BY status"
    changed_at = connection.value("SELECT max(changed_at) FROM messages")
    return Condition([loss] if loss else [], [], version, dict(connection.rows(counts)), changed_at)


def accept_loss(url: str) -> None:
    """Accept the journal at a URL as complete from now on, whatever it has lost."""
    found = backend(url)
    if not found.exists():
        raise JournalError(f"there is no journal {found.name}")
    found.accept_loss()


def _copy(source: SqliteBackend, target: Path) -> None:
    """Copy the whole journal, the log included, into one file.

    A message that is "sending" there becomes unknown when a run uses the copy.
    """
    with closing(source.connect(read_only=True)) as connection:
        with journal_errors(source), connection.begin():
            if loss := source.loss(connection):
                raise JournalError(f"the journal {source.name} may not be whole: {loss}")
        with (
            journal_errors(source),
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            connection.driver.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        source.require_unchanged()


def _put(made: Path, target: Path) -> None:
    """Sync a file to disk and give it its name, unless another file has that name by now."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(made, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise
        made.rename(target)
    sync_folder(target.parent)
