"""The journal: a row for each message, an event for each change, a row for each upload.

A claim is on disk before the first byte of its request leaves. A row is changed only if it still is
as the run that changes it last saw it (compare and swap on status and attempt), so that of several
runs at most one makes an attempt. What a run that ended or died left "sending" may or may not have
arrived, and becomes "unknown".
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from dispatcher.errors import JournalError, JournalMissing
from dispatcher.journal import deliveries, queries, watermark
from dispatcher.journal.attempts import Attempts, NewMessage
from dispatcher.journal.backend import Backend, backend
from dispatcher.journal.board import DeadBoards
from dispatcher.journal.clock import Clock, steady
from dispatcher.journal.connection import Connection
from dispatcher.journal.deliveries import Delivery, NotedStatus, NotedStatuses
from dispatcher.journal.errors import journal_errors
from dispatcher.journal.near_keys import Near, Noted, near_keys
from dispatcher.journal.queries import (
    NO_FORMER_KEYS,
    Event,
    HistoryRow,
    KnownGateway,
    KnownRun,
    WithoutReceipt,
)
from dispatcher.journal.reader import JournalReader
from dispatcher.journal.schema import SCHEMA_VERSION, migrate
from dispatcher.journal.shared_state import SharedState
from dispatcher.journal.sqlite import SqliteBackend
from dispatcher.journal.updates import (
    LATE,
    AttemptResult,
    Claim,
    Process,
    Updates,
    forget_upload,
    key_in_journal,
    note_gateways,
    note_manifest_paths,
)
from dispatcher.journal.writer import Writer
from dispatcher.keys import Key
from dispatcher.models import Delivered, DeliveryStatus, Failure, MediaId, Record, Status

__all__ = [
    "LATE",
    "AttemptResult",
    "Claim",
    "Delivery",
    "Event",
    "HistoryRow",
    "Journal",
    "JournalReader",
    "KnownGateway",
    "KnownRun",
    "Near",
    "NewMessage",
    "Noted",
    "NotedStatus",
    "NotedStatuses",
    "SharedState",
    "WithoutReceipt",
    "journal_name",
    "key_in_journal",
    "open_journal",
    "read_journal",
]

# Seconds. A run that has not renewed its lease for that long counts as dead.
LEASE = 60.0
# Seconds after its end for which a run still tries to write how its attempts ended.
_RETRY_FOR = 30.0


class Journal(Attempts):
    """A journal, open for sending. Any thread may call its methods.

    Those that return a Future do not wait for the disk: the future has its result when the change
    is on disk, and changes get there in the order of the calls. `warnings` say why changes may be
    lost, or why that may not be noticed.
    """

    def __init__(self, backend: Backend, run: str, lease: float, *, create: bool = True) -> None:
        self._backend, self._connection = backend, backend.connect()
        self._lost, self._board = [], None
        self._complete = False  # whether the journal has the result of every attempt
        self._clock = Clock()
        self._updates = Updates(backend, uuid.uuid4().hex, self.now)
        self._process, self._lease = Process(run, socket.gethostname(), os.getpid()), lease
        began = steady()
        try:
            self._begin(backend, create)
            backend.run_began(self._connection)
        except BaseException:
            if backend.exclusive:
                self._end()
            self._connection.close()
            raise
        self._writer = Writer(self._connection, backend, self._heartbeat, lease / 4, began)

    def now(self) -> datetime:
        """Return the time by the database's clock, or by this machine's if no other can write."""
        return self._clock.now()

    def lookup(
        self, keys: Sequence[str], former: Mapping[str, Sequence[str]] = NO_FORMER_KEYS
    ) -> dict[str, Record]:
        """Return the records of these keys; one may be under a key's `former` keys."""
        return self._writer.submit(
            lambda connection: queries.lookup(connection, keys, former)
        ).result()

    def id(self) -> str | None:
        """Return its id, which only its copies share."""
        return self._writer.submit(watermark.id_of).result()

    def delivered(self, digests: Sequence[str], recipients: Sequence[str]) -> list[Delivered]:
        """Return the messages with these digests that were delivered, or may have been."""
        return self._writer.submit(
            lambda connection: list(queries.delivered(connection, digests, recipients))
        ).result()

    def without_receipt(self, transport: str, recipients: Iterable[str]) -> list[WithoutReceipt]:
        """Return what these recipients may have got by a transport without a receipt."""
        wanted = set(recipients)
        return self._writer.submit(
            lambda connection: list(queries.without_receipt(connection, transport, wanted))
        ).result()

    def known_receipts(self, transport: str, ids: Iterable[str]) -> set[str]:
        """Return which of these are receipts that a message of a transport has, or had."""
        wanted = list(ids)
        return self._writer.submit(
            lambda connection: queries.known_receipts(connection, transport, wanted)
        ).result()

    def known_names(self, names: Iterable[tuple[str, str]]) -> set[tuple[str, str]] | None:
        """Return the pairs of manifest and message id that the journal has; reads all rows.

        Returns None if it has no message at all.
        """
        return self._writer.submit(
            lambda connection: queries.known_names(connection, names)
        ).result()

    def history(self, **filters: str | None) -> list[HistoryRow]:
        """Return messages in the order of their last change.

        `filters` give a column's exact value; None means any.
        """
        return self._writer.submit(
            lambda connection: list(queries.history(connection, filters))
        ).result()

    def manifest_paths(self, manifests: Iterable[str]) -> dict[str, set[str]]:
        """Return the recorded paths from which these manifests came."""
        return self._writer.submit(
            lambda connection: queries.manifest_paths(connection, manifests)
        ).result()

    def note_manifest_paths(self, paths: Mapping[str, str]) -> None:
        """Record from which path each manifest comes."""
        backend = self._backend
        self._writer.submit(
            lambda connection: note_manifest_paths(connection, backend, paths)
        ).result()

    def known_gateways(self) -> list[KnownGateway]:
        """Return the gateways that runs have used; none if that was not recorded yet."""
        return self._writer.submit(queries.known_gateways).result()

    def note_gateways(self, used: Sequence[KnownGateway]) -> None:
        """Record which gateways a run uses."""
        backend = self._backend
        self._writer.submit(lambda connection: note_gateways(connection, backend, used)).result()

    def drain(self) -> None:
        """Flush pending writes, or fail them, as the run is over."""
        self._writer.drain(0.0 if self._backend.exclusive else _RETRY_FOR)

    def began_at(self, key: str) -> datetime | None:
        """Return when the last attempt to send this message began."""
        return self._writer.submit(lambda connection: queries.began_at(connection, key)).result()

    def settle(self, key: str, *, sent: bool) -> bool:
        """Decide an unknown outcome by a person's word; return False if it is not unknown."""
        if sent:
            return self.decide(key, AttemptResult(Status.SENT))
        error = Failure(code="settled", text="settled: it was not sent")
        return self.decide(key, AttemptResult(Status.FAILED, error=error))

    def note_sent(self, key: str) -> bool:
        """Record, by a person's word, that a message was sent that is missing or has failed.

        Returns False if the journal says something else of it.
        """
        note_sent = self._updates.note_sent
        return self._writer.submit(lambda connection: note_sent(connection, key), key).result()

    def decide(self, key: str, result: AttemptResult) -> bool:
        """Decide an unknown outcome; return False if it is not unknown."""

        def decide(connection: Connection) -> bool:
            spelt = queries.noted_as(connection, key)
            known = queries.lookup(connection, [spelt]).get(spelt)
            return known is not None and self._updates.decide(
                connection, Claim(spelt, known.attempts), Status.UNKNOWN, result
            )

        return self._writer.submit(decide, key).result()

    def note_statuses(self, transport: str, statuses: Sequence[DeliveryStatus]) -> NotedStatuses:
        """Record what gateways say of accepted messages; it changes no message's own status."""
        backend, owner = self._backend, self._updates.owner

        def note(connection: Connection) -> NotedStatuses:
            others = queries.living_runs(connection, backend.now(), but=owner)
            deliveries.prepare(connection, backend, alone=not others)
            return deliveries.note(connection, transport, statuses)

        return self._writer.submit(note).result()

    def near_keys(self, key: Key, former: Sequence[str], recipients: Iterable[str]) -> Near:
        """Return known keys that are near an unknown one: see `near_keys`."""
        return self._writer.submit(
            lambda connection: near_keys(connection, key, former, recipients)
        ).result()

    def media_id(self, account: str, sha256: str) -> MediaId | None:
        """Return the gateway's id of a content that was uploaded before; it may have expired."""
        return self._writer.submit(
            lambda connection: queries.media_id(connection, account, sha256)
        ).result()

    def remember_upload(self, account: str, sha256: str, media: MediaId) -> None:
        """Keep the id of an uploaded content, if it has an expiry."""
        remember = self._updates.remember_upload
        self._writer.submit(
            lambda connection: remember(connection, account, sha256, media), f"{account}/{sha256}"
        ).result()

    def forget_upload(self, account: str, sha256: str) -> None:
        """Forget the id of a content, so that it is uploaded again when it is needed."""
        self._writer.submit(
            lambda connection: forget_upload(connection, account, sha256),
            f"{account}/{sha256}",
        ).result()

    @contextmanager
    def shared_state(self) -> Iterator[SharedState | None]:
        """Open the state shared with runs on other machines, or give None if there can be none."""
        if self._backend.exclusive:
            yield None
            return
        with SharedState(self._backend) as shared:
            shared.delete_expired()
            yield shared

    def close(self) -> None:
        """Write what is still pending, and release the connection.

        What could not be written before is tried once more. If a server does not answer, for
        example because it waits for its replica, this returns all the same: the lease ends by
        itself.
        """
        self.drain()
        if self._backend.exclusive:
            self._close()
            return
        closing = threading.Thread(target=self._close, name="journal's end", daemon=True)
        closing.start()
        closing.join(_RETRY_FOR)

    def _close(self) -> None:
        self._writer.close()
        self._end()

    def _end(self) -> None:
        if self._backend.usable() and self._end_written():
            self._backend.run_ended(self._connection)
        else:
            self._backend.run_aborted(self._connection)
        if self._board is not None:
            self._board.close(delete=self._complete)
        self._connection.close()

    def _end_written(self) -> bool:
        try:
            with journal_errors(self._backend), self._connection.begin():
                for claim, result in self._lost:
                    self._updates.conclude(self._connection, claim, result)
                self._updates.unregister(self._connection)
                complete = not self._updates.is_sending(self._connection)
        except JournalError:
            return False
        self._complete = complete
        return True

    def _begin(self, backend: Backend, create: bool) -> None:
        connection = self._connection
        with journal_errors(backend), connection.begin():
            if not create and not backend.version(connection):
                raise JournalMissing(f"the journal {backend.name} is not there any more")
            _migrate(connection, backend)
            backend.verify(connection)
            self.warnings = backend.warnings(connection)
            queries.require_valid(connection)
            self._set_clock(connection)
            self._updates.register(connection, self._process, self._lease)
            # Asked again: who migrates the tables lets nobody register until that is done.
            _supported(backend.version(connection), backend.name)
            boards = DeadBoards(backend.board_name(connection))
            self._updates.recover(connection, boards)
        boards.delete()

    def _heartbeat(self, connection: Connection) -> None:
        version = self._backend.version(connection)
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"a newer dispatcher has taken over the journal {self._backend.name} (schema "
                f"{version}) since this run began; update this one, and run again"
            )
        self._backend.verify(connection)
        self._set_clock(connection)
        self._updates.renew(connection, self._process, self._lease)
        self._updates.recover(connection, DeadBoards(None))

    def _set_clock(self, connection: Connection) -> None:
        if not self._backend.exclusive:
            self._clock.set(connection.value(f"SELECT {self._backend.now()}"))


@contextmanager
def open_journal(
    url: str, wait: float = 0.0, run: str = "default", *, kept: bool = True, create: bool = True
) -> Iterator[Journal]:
    """Open the journal at a URL for a sending run; with `create`, make a missing one.

    It waits up to `wait` seconds for another run to end. `kept` tells whether the journal outlives
    the run. Raises JournalError, JournalLocked, JournalMissing.
    """
    database = backend(url, kept=kept)
    with database.prepared(run, wait):
        if database.exclusive and database.exists():
            _require_usable(database)
        journal = Journal(database, run, LEASE, create=create)
        try:
            yield journal
        finally:
            journal.close()


def journal_name(url: str) -> str:
    """Return where a journal is, for people: a path, or a URL without a password."""
    return backend(url).name


def journal_file(url: str) -> Path | None:
    """Return the file of a journal, or None if it is on a server."""
    found = backend(url)
    return found.path if isinstance(found, SqliteBackend) else None


@contextmanager
def read_journal(url: str) -> Iterator[JournalReader | None]:
    """Open the journal at a URL for reading, even during a run; give None if there is none yet."""
    database = backend(url)
    if not database.exists():
        yield None
        return
    with closing(JournalReader(database)) as reader:
        version = _supported(reader.version(), database.name)
        if version and not reader.warnings and (loss := reader.loss()):
            reader.warnings.append(f"the journal {database.name} may not be whole: {loss}")
        if 0 < version < SCHEMA_VERSION:
            reader.show_as_current(version)
        yield reader if version else None


def _require_usable(database: Backend) -> None:
    """Raise JournalError if a journal is of a newer version, or incomplete.

    It is checked before it is opened for writing, as that would change its log.
    """
    with closing(JournalReader(database)) as reader:
        if _supported(reader.version(), database.name):
            database.require_whole(reader.loss())


def _migrate(connection: Connection, backend: Backend) -> None:
    if _supported(backend.version(connection), backend.name) < SCHEMA_VERSION:
        backend.prepare_schema(connection)
        # Read again: another run may have made the tables while this one waited.
        version = _supported(backend.version(connection), backend.name)
        if 1 < version < SCHEMA_VERSION and not backend.exclusive:
            _require_no_older_runs(connection, backend)
        migrate(connection, version)
        backend.set_version(connection, SCHEMA_VERSION)


def _require_no_older_runs(connection: Connection, backend: Backend) -> None:
    """Raise JournalError if runs of an older version are active, which know no new tables."""
    backend.lock_table(connection, "workers")  # nobody registers meanwhile
    if living := queries.living_runs(connection, backend.now()):
        raise JournalError(
            f"the journal {backend.name} is of an older dispatcher, and can be upgraded only when "
            f"no run of that is active: {', '.join(living)}; try again when they have ended"
        )


def _supported(version: int, name: str) -> int:
    """Return the version if this program supports it. Raises JournalError."""
    if version < 0:
        raise JournalError(f"{name} has the version {version}, which no run gave it; put it right")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{name} was written by a newer dispatcher (schema {version}); update this one"
        )
    return version
