"""The journal: a row for each message, an event for each change, a row for each upload.

A claim is on disk before the first byte of its request leaves. A row is changed only if it still is
as the run that changes it last saw it (compare and swap on status and attempt), so that of several
runs at most one makes an attempt. What a run that ended or died left "sending" may or may not have
arrived, and becomes "unknown".
"""

from __future__ import annotations

import math
import os
import socket
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.errors import JournalError, JournalMissing
from dispatcher.journal import deliveries, queries, watermark
from dispatcher.journal.backend import Backend, backend
from dispatcher.journal.board import Board, DeadBoards
from dispatcher.journal.clock import Clock, steady
from dispatcher.journal.deliveries import Delivery, NotedStatus, NotedStatuses
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
from dispatcher.journal.writer import Writer, journal_errors
from dispatcher.keys import Key
from dispatcher.models import Delivered, DeliveryStatus, Failure, MediaId, Message, Record, Status

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

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


class NewMessage(NamedTuple):
    """A message that the journal does not have, neither under its key nor under `former_keys`."""

    message: Message
    digest: str
    former_keys: Sequence[str] = ()


class Journal:
    """A journal, open for sending. Any thread may call its methods.

    Those that return a Future do not wait for the disk: the future has its result when the change
    is on disk, and changes get there in the order of the calls. `warnings` say why changes may be
    lost, or why that may not be noticed.
    """

    def __init__(self, backend: Backend, run: str, lease: float, *, create: bool = True) -> None:
        self._backend, self._engine = backend, backend.connect()
        self._lost: list[tuple[Claim, AttemptResult]] = []
        self._board: Board | None = None
        self._complete = False  # whether the journal has the result of every attempt
        self._clock = Clock()
        self._updates = Updates(backend, uuid.uuid4().hex, self._engine.dialect, self.now)
        self._process, self._lease = Process(run, socket.gethostname(), os.getpid()), lease
        began = steady()
        try:
            self._begin(backend, create)
            backend.run_began(self._engine)
        except BaseException:
            if backend.exclusive:
                self._end()
            self._engine.dispose()
            raise
        self._writer = Writer(self._engine, backend, self._heartbeat, lease / 4, began)

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

    def claim(
        self,
        message: Message,
        digest: str,
        known: Record | None,
        former_keys: Sequence[str] = (),
    ) -> Claim | None:
        """Record durably that an attempt begins, if the journal still says what `known` does.

        If nothing is known, the journal must not have the message under `former_keys` either.
        Returns None if it says something else: somebody else has the message. Raises JournalError.
        """
        key = key_in_journal(message, known)
        maybe = Claim(key, known.attempts + 1 if known else 1, digest)

        def claim(connection: Connection) -> Claim | None:
            until = self._lease_ends()  # read first: it may be renewed after others have taken over
            found = self._updates.claim(connection, message, digest, known, former_keys)
            return found and found._replace(until=until)

        return self._writer.commit(
            claim,
            key,
            lambda connection: self._updates.withdraw(connection, maybe),
            self._noted_as_begun,
        )

    def make_board(self, slots: int, reserved: int = 0) -> bool:
        """Make what claims ahead of their attempts need; return whether it could be had.

        `slots` is how many attempts can be noted at a time, `reserved` of them not for claims that
        wait. Several runs on a journal at once have no board, as only the one that opens the
        journal next may believe it.
        """
        name = self._writer.submit(self._backend.board_name).result()
        if self._board is None and name is not None:
            with suppress(OSError):
                self._board = Board(name, self._updates.owner, slots, reserved)
        return self._board is not None

    def claim_ahead(
        self, new: Sequence[NewMessage], *, may_wait: bool = False
    ) -> Future[dict[str, Claim]]:
        """Claim messages whose attempts begin later, each with `begin`; return claims by key.

        What the board has no room for is not claimed. Claims that never begin must be given back
        with `release`. With `may_wait`, they may wait a moment for others to share their commit.
        """
        board, updates = self._board, self._updates
        usable = board is not None and board.is_in_place()
        added = [each for each in new if board and usable and board.add_spare(each.message.key, 1)]

        def claim(connection: Connection) -> dict[str, Claim]:
            claims = (
                updates.claim(connection, each.message, each.digest, None, each.former_keys)
                for each in added
            )
            return {claim.key: claim for claim in claims if claim is not None}

        def undo(connection: Connection) -> None:
            for each in added:
                updates.release(connection, updates.owner, Claim(each.message.key, 1))

        def written(claims: dict[str, Claim]) -> None:
            for each in added:
                if each.message.key not in claims:
                    self._clear(each.message.key, 1)

        return self._writer.submit(claim, may_wait=may_wait, undo=undo, written=written)

    def begin(self, claim: Claim) -> None:
        """Begin the attempt of a claim ahead.

        Raises JournalError if no message may leave now; then the claim is given back. The next run
        must find it where it was written, however long ago that was.
        """
        try:
            self._writer.require_sound()
            self._backend.require_unchanged()
        except JournalError:
            self.release(claim.key)
            raise
        if self._board is None or not self._board.begin(claim.key, claim.attempt):
            raise JournalError(f"the journal {self._backend.name} is closed")

    def release(self, key: str) -> None:
        """Give a claim ahead back whose attempt has not begun: the message is new again."""
        claim, updates = Claim(key, 1), self._updates
        self._writer.submit(
            lambda connection: updates.release(connection, updates.owner, claim),
            key,
            may_wait=True,
            idempotent=True,
            written=lambda _: self._clear(key, 1),
        )

    def _noted_as_begun(self, claim: Claim | None) -> None:
        if self._board is not None and claim is not None:
            self._board.begin(claim.key, claim.attempt)

    def _clear(self, key: str, attempt: int) -> None:
        if self._board is not None:
            self._board.clear(key, attempt)

    def holds(self, claim: Claim) -> bool:
        """Whether the attempt may begin: nobody can have taken this run for dead yet."""
        return steady() < claim.until

    def conclude(self, claim: Claim, result: AttemptResult) -> Future[bool]:
        """Record how an attempt ended; the result is False if somebody else has decided that.

        What cannot be written is tried again until `drain` gives up.
        """
        conclude = self._updates.conclude
        # What is not noted is unknown; a run that gives up must not replace an answer by that.
        if self._board is not None and result.status != Status.UNKNOWN:
            self._board.add_result(claim.key, claim.attempt, result)
        written = self._writer.submit(
            lambda connection: conclude(connection, claim, result),
            claim.key,
            may_wait=True,
            idempotent=True,
            written=lambda _: self._clear(claim.key, claim.attempt),
        )
        written.add_done_callback(
            lambda done: self._lost.append((claim, result)) if done.exception() else None
        )
        return written

    def drain(self) -> None:
        """Flush pending writes, or fail them, as the run is over."""
        self._writer.drain(0.0 if self._backend.exclusive else _RETRY_FOR)

    def fail(
        self,
        message: Message,
        digest: str,
        known: Record | None,
        result: AttemptResult,
        former_keys: Sequence[str] = (),
    ) -> Future[Claim | None]:
        """Record an attempt that ended before anything was sent, and its result, in one change."""

        def fail(connection: Connection) -> Claim | None:
            claim = self._updates.claim(connection, message, digest, known, former_keys)
            if claim is not None:
                self._updates.conclude(connection, claim, result)
            return claim

        return self._writer.submit(fail, key_in_journal(message, known))

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
            return deliveries.note(connection, backend, transport, statuses)

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
            self._backend.run_ended(self._engine)
        else:
            self._backend.run_aborted(self._engine)
        if self._board is not None:
            self._board.close(delete=self._complete)
        self._engine.dispose()

    def _end_written(self) -> bool:
        try:
            with journal_errors(self._backend.name), self._engine.begin() as connection:
                for claim, result in self._lost:
                    self._updates.conclude(connection, claim, result)
                self._updates.unregister(connection)
                complete = not self._updates.is_sending(connection)
        except JournalError:
            return False
        self._complete = complete
        return True

    def _begin(self, backend: Backend, create: bool) -> None:
        with journal_errors(backend.name), self._engine.begin() as connection:
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
            self._clock.set(connection.execute(sa.select(self._backend.now())).scalar_one())

    def _lease_ends(self) -> float:
        return math.inf if self._backend.exclusive else self._writer.renewed + self._lease


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
