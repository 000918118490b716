"""The durable memory: one row a message key, one event a change, one row an uploaded file.

A message's intent is on disk before the first byte of its request leaves; what is found "sending"
when the next run opens the journal may or may not have arrived, and becomes "unknown".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports this module where it is used
from sqlalchemy.dialects.sqlite import insert  # noqa: TID253

from dispatcher.errors import JournalError
from dispatcher.journal.locking import locked
from dispatcher.journal.schema import (
    check_version,
    connect,
    events,
    messages,
    prepare,
    uploads,
)
from dispatcher.models import Failure, MediaId, Message, Record

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# SQLite allows 32,766 variables in a statement; a batch of keys stays far below.
_KEYS_AT_ONCE = 500


class HistoryRow(NamedTuple):
    """A message as the journal knows it; `changed_at` is UTC, ISO 8601."""

    key: str
    run: str
    manifest: str
    message: str
    recipient: str
    transport: str
    status: str
    attempts: int
    id: str | None
    error: Failure | None
    changed_at: str


class Journal:
    """A journal in an SQLite file, open for writing. Its methods may be called from any thread."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._engine = connect(path, read_only=read_only)
        self._lock = threading.Lock()

    def lookup(self, keys: list[str]) -> Mapping[str, Record]:
        """What is known of these keys."""
        columns = (
            messages.c.key,
            messages.c.digest,
            messages.c.status,
            messages.c.receipt,
        )
        found: dict[str, Record] = {}
        with self._transaction() as connection:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                chosen = messages.c.key.in_(keys[start : start + _KEYS_AT_ONCE])
                for row in connection.execute(sa.select(*columns).where(chosen)):
                    found[row.key] = Record(digest=row.digest, status=row.status, id=row.receipt)
        return found

    def begin(self, message: Message, digest: str) -> None:
        """Record, durably, that an attempt to send is about to start."""
        run = message.key.partition("/")[0]
        row = {
            "key": message.key,
            "run": run,
            "manifest": message.manifest,
            "message": message.id,
            "recipient": message.to,
            "transport": message.transport,
            "digest": digest,
            "status": "sending",
            "attempts": 1,
            "receipt": None,
            "error_code": None,
            "error_text": None,
            "changed_at": _now(),
        }
        with self._transaction() as connection:
            again = {**row, "attempts": messages.c.attempts + 1}
            upsert = insert(messages).values(row)
            connection.execute(upsert.on_conflict_do_update(index_elements=["key"], set_=again))
            _add_event(connection, message.key, "sending")

    def finish(
        self, key: str, status: str, *, id: str | None = None, error: Failure | None = None
    ) -> None:
        """Record how an attempt ended: "sent", "failed" or "unknown"."""
        with self._transaction() as connection:
            _change(connection, key, status, id, error)

    def settle(self, key: str, *, sent: bool) -> bool:
        """Decide an unknown outcome by a person's word; False if this key's is not unknown."""
        chosen = sa.and_(messages.c.key == key, messages.c.status == "unknown")
        error = None if sent else Failure(code="settled", text="settled: it was not sent")
        with self._transaction() as connection:
            if connection.execute(sa.select(messages.c.key).where(chosen)).first() is None:
                return False
            _change(connection, key, "sent" if sent else "failed", None, error)
        return True

    def recover(self) -> int:
        """Turn what an ended run left "sending" into "unknown"; how many there were."""
        error = Failure(code="interrupted", text="the run ended before the gateway's answer")
        with self._transaction() as connection:
            query = sa.select(messages.c.key).where(messages.c.status == "sending")
            keys = connection.execute(query).scalars().all()
            for key in keys:
                _change(connection, key, "unknown", None, error)
        return len(keys)

    def media_id(self, account: str, sha256: str) -> MediaId | None:
        """The gateway's id of this content, if it was uploaded before; it may have expired."""
        query = sa.select(uploads.c.media_id, uploads.c.expires_at).where(
            uploads.c.account == account, uploads.c.sha256 == sha256
        )
        with self._transaction() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return MediaId(id=row.media_id, expires_at=datetime.fromisoformat(row.expires_at))

    def remember_upload(self, account: str, sha256: str, media: MediaId) -> None:
        """Keep the id of an uploaded content; without an expiry it is not worth keeping."""
        if media.expires_at is None:
            return
        row = {"media_id": media.id, "expires_at": media.expires_at.isoformat()}
        upsert = insert(uploads).values(account=account, sha256=sha256, **row)
        with self._transaction() as connection:
            connection.execute(
                upsert.on_conflict_do_update(index_elements=["account", "sha256"], set_=row)
            )

    def forget_upload(self, account: str, sha256: str) -> None:
        """Have this content uploaded again when it is needed next."""
        where = (uploads.c.account == account, uploads.c.sha256 == sha256)
        with self._transaction() as connection:
            connection.execute(sa.delete(uploads).where(*where))

    def history(self, **filters: str | None) -> Iterator[HistoryRow]:
        """Messages in the order of their last change; filters by column, exact."""
        query = sa.select(messages).order_by(messages.c.changed_at, messages.c.key)
        for column, value in filters.items():
            if value is not None:
                query = query.where(messages.c[column] == value)
        with self._transaction() as connection:
            for row in connection.execute(query):
                yield _history_row(row)

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._lock, self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", error)
            raise JournalError(f"the journal {self._path} failed: {cause}") from error


@contextmanager
def open_journal(url: str, patience: float = 0.0, run: str = "default") -> Iterator[Journal]:
    """The journal at a URL, made if need be, for one run alone; interrupted attempts are settled.

    `patience`: seconds to wait for another run to end. Raises JournalError, JournalLocked.
    """
    path = _path(url)
    _make_folder(path.parent)
    with locked(path, run, patience):
        journal = Journal(path)
        try:
            with journal._transaction() as connection:
                prepare(connection, path)
            journal.recover()
            yield journal
        finally:
            journal.close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if folder.name == ".dispatcher" and not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise JournalError(
            f"cannot write to the journal's folder {folder}: {error.strerror}"
        ) from None


@contextmanager
def read_journal(url: str) -> Iterator[Journal | None]:
    """The journal at a URL for reading beside a run, or None where there is none yet."""
    path = _path(url)
    if not path.exists():
        yield None
        return
    journal = Journal(path, read_only=True)
    try:
        with journal._transaction() as connection:
            version = check_version(connection, path)
        yield journal if version else None
    finally:
        journal.close()


def _path(url: str) -> Path:
    if not url.startswith("sqlite:///"):
        scheme = url.partition("://")[0] if "://" in url else url
        raise JournalError(f'a journal is an SQLite file, "sqlite:///PATH", not "{scheme[:40]}"')
    path = Path(url.removeprefix("sqlite:///"))
    if not path.name:
        raise JournalError(f'the journal "{url}" names no file: "sqlite:///PATH"')
    return path


def _change(
    connection: Connection, key: str, status: str, id: str | None, error: Failure | None
) -> None:
    values = {
        "receipt": id,
        "error_code": error.code if error else None,
        "error_text": error.text if error else None,
    }
    update = sa.update(messages).where(messages.c.key == key)
    connection.execute(update.values(status=status, changed_at=_now(), **values))
    _add_event(connection, key, status, **values)


def _add_event(connection: Connection, key: str, status: str, **values: str | None) -> None:
    connection.execute(sa.insert(events).values(key=key, at=_now(), status=status, **values))


def _history_row(row: Any) -> HistoryRow:
    error = Failure(code=row.error_code, text=row.error_text) if row.error_text else None
    return HistoryRow(
        row.key,
        row.run,
        row.manifest,
        row.message,
        row.recipient,
        row.transport,
        row.status,
        row.attempts,
        row.receipt,
        error,
        row.changed_at,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
