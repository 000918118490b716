"""The durable memory: one row a message key, one event a change, one row an uploaded file.

A message's intent is on disk before the first byte of its request leaves. Every change is made only
if the row is still as the one who changes it believes (compare and swap on status and attempt), so
that of several runs at most one makes an attempt. What a run that ended or died left "sending" may
or may not have arrived, and becomes "unknown".
"""

from __future__ import annotations

import math
import os
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from dispatcher.errors import JournalError
from dispatcher.journal import places, queries
from dispatcher.journal.attempts import Claim, Ending
from dispatcher.journal.backend import Backend, backend
from dispatcher.journal.changes import LATE, Changes, forget_upload
from dispatcher.journal.queries import Event, HistoryRow
from dispatcher.journal.schema import SCHEMA_VERSION, migrate
from dispatcher.journal.sharing import Sharing
from dispatcher.journal.writer import Writer, blamed
from dispatcher.models import Failure, MediaId, Message, Record

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

__all__ = [
    "LATE",
    "Claim",
    "Ending",
    "Event",
    "HistoryRow",
    "Journal",
    "JournalReader",
    "Sharing",
    "open_journal",
    "read_journal",
]

# Seconds. A worker that does not show for so long is dead to the others.
LEASE = 60.0


class JournalReader:
    """A journal, open for reading beside a run. `warnings`: what is doubtful about it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.warnings = backend.warnings()
        self._engine = backend.connect(read_only=True)

    def lookup(self, keys: Sequence[str]) -> dict[str, Record]:
        """What is known of these keys."""
        with self._reading() as connection:
            found = queries.lookup(connection, keys)
            self._backend.require_unchanged()
            return found

    def history(self, *, with_events: bool = False, **filters: str | None) -> Iterator[HistoryRow]:
        """Messages in the order of their last change; filters by column, exact, None: any."""
        with self._reading() as connection:
            for row in queries.history(connection, filters, with_events):
                self._backend.require_unchanged()
                yield row

    def places(self, manifests: Iterable[str]) -> dict[str, set[str]]:
        """From which paths these manifests came, as far as it is noted."""
        with self._reading() as connection:
            return places.lookup(connection, manifests)

    def version(self) -> int:
        """The version of its tables; 0: there are none yet."""
        with self._reading() as connection:
            return self._backend.version(connection)

    def loss(self) -> str | None:
        """What is known to be missing of it."""
        with self._reading() as connection:
            return self._backend.loss(connection)

    def show_as_current(self, version: int) -> None:
        """Read tables of this older version as if they were of today's."""
        with self._reading() as connection:
            self._backend.show_as_current(connection, version)

    def close(self) -> None:
        """Release the connection."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with blamed(self._backend.name), self._engine.connect() as connection:
            yield connection


class Journal:
    """A journal, open for sending. Its methods may be called from any thread.

    Those that give a Future do not wait for the disk: it has its answer when the change is there,
    and what is called later is never there earlier.
    """

    def __init__(self, backend: Backend, run: str, lease: float) -> None:
        self._backend, self._engine = backend, backend.connect()
        self._lost: list[tuple[Claim, Ending]] = []
        self._changes = Changes(backend, uuid.uuid4().hex, self._engine.dialect)
        self._lease = lease
        try:
            self._begin(backend, run)
            backend.run_began(self._engine)
        except BaseException:
            if backend.exclusive:
                self._end()
            self._engine.dispose()
            raise
        period = math.inf if backend.exclusive else lease / 4
        self._writer = Writer(
            self._engine,
            backend.name,
            backend.require_in_place,
            self._heartbeat,
            period,
            backend.committed,
        )

    def lookup(self, keys: Sequence[str]) -> dict[str, Record]:
        """What is known of these keys."""
        return self._writer.submit(lambda connection: queries.lookup(connection, keys)).result()

    def history(self, **filters: str | None) -> list[HistoryRow]:
        """Messages in the order of their last change; filters by column, exact, None: any."""
        return self._writer.submit(
            lambda connection: list(queries.history(connection, filters))
        ).result()

    def places(self, manifests: Iterable[str]) -> dict[str, set[str]]:
        """From which paths these manifests came, as far as it is noted."""
        return self._writer.submit(lambda connection: places.lookup(connection, manifests)).result()

    def note_places(self, paths: Mapping[str, str]) -> None:
        """Note from which path each manifest comes."""
        backend = self._backend
        self._writer.submit(lambda connection: places.note(connection, backend, paths)).result()

    def claim(self, message: Message, digest: str, known: Record | None) -> Claim | None:
        """Note durably that an attempt begins, if the journal still says what `known` does.

        None: it does not, somebody else has the message. Raises JournalError.
        """
        claim = self._changes.claim
        return self._writer.carry_out(
            lambda connection: claim(connection, message, digest, known), message.key
        )

    def conclude(self, claim: Claim, ending: Ending) -> Future[bool]:
        """Note how an attempt ended; False: somebody else has decided that meanwhile."""
        conclude = self._changes.conclude
        written = self._writer.submit(
            lambda connection: conclude(connection, claim, ending), claim.key, patient=True
        )
        written.add_done_callback(
            lambda done: self._lost.append((claim, ending)) if done.exception() else None
        )
        return written

    def fail(
        self, message: Message, digest: str, known: Record | None, ending: Ending
    ) -> Future[Claim | None]:
        """Note an attempt that ended before anything could leave, at once with its end."""

        def fail(connection: Connection) -> Claim | None:
            claim = self._changes.claim(connection, message, digest, known)
            if claim is not None:
                self._changes.conclude(connection, claim, ending)
            return claim

        return self._writer.submit(fail, message.key)

    def began_at(self, key: str) -> datetime | None:
        """When the last attempt to send this message began."""
        return self._writer.submit(lambda connection: queries.began_at(connection, key)).result()

    def settle(self, key: str, *, sent: bool) -> bool:
        """Decide an unknown outcome by a person's word; False if this key's is not unknown."""
        error = None if sent else Failure(code="settled", text="settled: it was not sent")
        return self.decide(key, Ending("sent" if sent else "failed", error=error))

    def decide(self, key: str, ending: Ending) -> bool:
        """Decide an unknown outcome; False if this key's is not unknown."""

        def decide(connection: Connection) -> bool:
            spelt = queries.noted_as(connection, key)
            known = queries.lookup(connection, [spelt]).get(spelt)
            return known is not None and self._changes.decide(
                connection, Claim(spelt, known.attempts), "unknown", ending
            )

        return self._writer.submit(decide, key).result()

    def media_id(self, account: str, sha256: str) -> MediaId | None:
        """The gateway's id of this content, if it was uploaded before; it may have expired."""
        return self._writer.submit(
            lambda connection: queries.media_id(connection, account, sha256)
        ).result()

    def remember_upload(self, account: str, sha256: str, media: MediaId) -> None:
        """Keep the id of an uploaded content; without an expiry it is not worth keeping."""
        remember = self._changes.remember_upload
        self._writer.submit(
            lambda connection: remember(connection, account, sha256, media), f"{account}/{sha256}"
        ).result()

    def forget_upload(self, account: str, sha256: str) -> None:
        """Have this content uploaded again when it is needed next."""
        self._writer.submit(
            lambda connection: forget_upload(connection, account, sha256),
            f"{account}/{sha256}",
        ).result()

    @contextmanager
    def sharing(self) -> Iterator[Sharing | None]:
        """What is shared with runs on other machines; None: there can be none."""
        if self._backend.exclusive:
            yield None
            return
        with Sharing(self._backend) as sharing:
            sharing.tidy()
            yield sharing

    def close(self) -> None:
        """Write what is still to be written, and release the connection.

        What could not be written when it came is tried once more: the database may be back.
        """
        self._writer.close()
        self._end()

    def _end(self) -> None:
        # One that failed may be broken for good; but that to a file is the last to know its log.
        renew = self._lost and not self._backend.exclusive
        engine = self._backend.connect() if renew else self._engine
        if self._backend.usable() and self._written_at_the_end(engine):
            self._backend.run_ended(engine)
        else:
            self._backend.run_broken_off(engine)
        engine.dispose()
        self._engine.dispose()

    def _written_at_the_end(self, engine: Engine) -> bool:
        try:
            with blamed(self._backend.name), engine.begin() as connection:
                for claim, ending in self._lost:
                    self._changes.conclude(connection, claim, ending)
                self._changes.leave(connection)
        except JournalError:
            return False
        return True

    def _begin(self, backend: Backend, run: str) -> None:
        with blamed(backend.name), self._engine.begin() as connection:
            _prepare(connection, backend)
            self._changes.enter(connection, run, socket.gethostname(), os.getpid())
            self._heartbeat(connection)

    def _heartbeat(self, connection: Connection) -> None:
        self._changes.renew(connection, self._lease)
        self._changes.recover(connection)


@contextmanager
def open_journal(url: str, patience: float = 0.0, run: str = "default") -> Iterator[Journal]:
    """The journal at a URL for a sending run, made if need be.

    `patience`: seconds to wait for another run to end. Raises JournalError, JournalLocked.
    """
    database = backend(url)
    with database.prepared(run, patience):
        if database.exclusive and database.exists():
            _refuse(database)
        journal = Journal(database, run, LEASE)
        try:
            yield journal
        finally:
            journal.close()


@contextmanager
def read_journal(url: str) -> Iterator[JournalReader | None]:
    """The journal at a URL for reading beside a run, or None where there is none yet."""
    database = backend(url)
    if not database.exists():
        yield None
        return
    with closing(JournalReader(database)) as reader:
        version = _known(reader.version(), database.name)
        if version and not reader.warnings and (loss := reader.loss()):
            reader.warnings.append(f"the journal {database.name} may not be whole: {loss}")
        if 0 < version < SCHEMA_VERSION:
            reader.show_as_current(version)
        yield reader if version else None


def _refuse(database: Backend) -> None:
    """Asked before it is opened for writing: the log of a newer one, or of one of which something
    is missing, is not to be touched."""
    with closing(JournalReader(database)) as reader:
        if _known(reader.version(), database.name):
            database.require(reader.loss())


def _prepare(connection: Connection, backend: Backend) -> None:
    if _known(backend.version(connection), backend.name) < SCHEMA_VERSION:
        backend.make_room(connection)
        # Asked again: while it waited for the room, others may have made the tables.
        migrate(connection, _known(backend.version(connection), backend.name))
        backend.set_version(connection, SCHEMA_VERSION)


def _known(version: int, name: str) -> int:
    """The version, if this program can handle it. Raises JournalError."""
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{name} was written by a newer dispatcher (schema {version}); update this one"
        )
    return version
