"""What the runs on one journal share besides its messages: the rate limiter's state, and leases.

It is for databases that many machines use; times are by the database's clock. It has a connection
of its own, as the one that writes messages waits for the disk. Nothing stays locked from one
statement to the next, so that a suspended run blocks no other: a state is changed only if it is
still as it was read (compare and swap); otherwise it is read again.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeVar

from dispatcher.journal import queries
from dispatcher.journal.backend import Backend
from dispatcher.journal.connection import Connection
from dispatcher.journal.errors import journal_errors
from dispatcher.models import Delivered, Record
from dispatcher.visible import storable

Answer = TypeVar("Answer")

# Seconds for which the end of a run waits for another thread's statement.
_MARGIN = 1.0

_SETTINGS = (
    "SET synchronous_commit TO off",  # at worst, a permit is forgotten
    # A plan is made while the tables are empty, and kept: it is to use their indexes.
    "SET enable_seqscan TO off",
)
# The database's clock, in seconds since 1970.
_CURRENT_TIME = "extract(epoch FROM clock_timestamp())"

_READ = """
SELECT key, turns.state, pauses.since, pauses.until, ({now} * 1000)::bigint
FROM unnest(:keys::text[]) AS asked (key)
LEFT JOIN turns USING (key) LEFT JOIN pauses USING (key)
"""
_MAKE = """
INSERT INTO turns SELECT key, 0 FROM unnest(:keys::text[]) AS asked (key)
ON CONFLICT DO NOTHING
"""
# All of the keys or none: a message needs a permit for both its account and its recipient.
_SWAP = """
WITH unchanged AS (
    SELECT key FROM turns
    JOIN unnest(:keys::text[], :before::bigint[]) AS read (key, state) USING (key, state)
    ORDER BY key FOR UPDATE OF turns
), verdict AS (
    SELECT count(*) = cardinality(:keys::text[]) AS all_are FROM unchanged
), paused AS (
    INSERT INTO pauses
    SELECT key, since, until FROM verdict, unnest(
        :paused::text[], :since::bigint[], :until::bigint[]
    ) AS new (key, since, until) WHERE all_are
    ON CONFLICT (key) DO UPDATE SET since = excluded.since, until = excluded.until
)
UPDATE turns SET state = new.state
FROM verdict, unnest(:keys::text[], :after::bigint[]) AS new (key, state)
WHERE turns.key = new.key AND all_are
"""
_LEASE = """
INSERT INTO leases VALUES (:name, :owner, {now} + :seconds)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE leases.until < {now} OR leases.owner = excluded.owner
"""
_RELEASE = "DELETE FROM leases WHERE name = :name AND owner = :owner"
_MESSAGES = "SELECT key, status, attempts FROM messages WHERE key = ANY(:keys)"
# Rows that another run is changing are left alone.
_DELETE_EXPIRED = (
    """DELETE FROM turns WHERE key IN (
    SELECT key FROM turns WHERE state < {now} * 1000000 FOR UPDATE SKIP LOCKED)""",
    """DELETE FROM pauses WHERE key IN (
    SELECT key FROM pauses WHERE until < {now} * 1000 FOR UPDATE SKIP LOCKED)""",
    """DELETE FROM leases WHERE name IN (
    SELECT name FROM leases WHERE until < {now} FOR UPDATE SKIP LOCKED)""",
)


class RateState(NamedTuple):
    """The rate limiter's state for some keys.

    `now` is by the store's clock. `pauses` say since when and until when a key pauses. Both are in
    milliseconds since 1970. `states` are those of GCRA, the algorithm.
    """

    now: int
    states: Mapping[str, int]
    pauses: Mapping[str, tuple[int, int]]


class RateChange(NamedTuple):
    """What a `RateState` changes to, and the milliseconds that the caller must wait."""

    wait: int
    states: Mapping[str, int]
    pauses: Mapping[str, tuple[int, int]] = {}


@dataclass(eq=False)
class _Question:
    """What a recipient has with this digest; the answer, once it is known."""

    digest: str
    recipient: str
    answer: list[Delivered] | None = None

    def is_about(self, copy: Delivered) -> bool:
        return (copy.digest, copy.recipient) == (self.digest, self.recipient)


class SharedState:
    """One run's access to the shared state. Any thread may use it; it raises JournalError.

    When a connection is lost, a statement is repeated once. All of them are idempotent, except that
    a permit may be taken twice, and then one is lost.
    """

    def __init__(self, backend: Backend, now: str = _CURRENT_TIME) -> None:
        self._backend, self._owner = backend, uuid.uuid4().hex
        self._lock, self._closed = threading.Lock(), False
        self._connection = backend.connect(settings=_SETTINGS)
        self._questions: list[_Question] = []
        self._read, self._lease = _READ.format(now=now), _LEASE.format(now=now)
        self._delete_expired = [each.format(now=now) for each in _DELETE_EXPIRED]

    def delete_expired(self) -> None:
        """Delete states, pauses and leases that are in the past."""
        for statement in self._delete_expired:
            self._execute(statement)

    def change(self, keys: Sequence[str], decide: Callable[[RateState], RateChange]) -> RateChange:
        """Change the state to what `decide` makes of it; nobody else changes it in between.

        `decide` may be called several times.
        """
        while True:
            found = self.read(keys)
            change = decide(found)
            if not change.states or self._swapped(found, change):
                return change

    def read(self, keys: Sequence[str]) -> RateState:
        """Return the state as it is now."""
        spelt = {storable(key): key for key in keys}
        rows = self._rows(self._read, keys=list(spelt))
        return RateState(
            max(row[4] for row in rows),
            {spelt[row[0]]: row[1] for row in rows if row[1] is not None},
            {spelt[row[0]]: (row[2], row[3]) for row in rows if row[2] is not None},
        )

    def _swapped(self, found: RateState, change: RateChange) -> bool:
        """Change the state if it is still as it was found; return whether it was."""
        names = {key: storable(key) for key in sorted(change.states)}
        if not names.keys() <= found.states.keys():
            self._execute(_MAKE, keys=list(names.values()))
        swapped = self._execute(
            _SWAP,
            keys=list(names.values()),
            before=[found.states.get(key, 0) for key in names],
            after=[change.states[key] for key in names],
            paused=[names[key] for key in change.pauses],
            since=[since for since, _ in change.pauses.values()],
            until=[until for _, until in change.pauses.values()],
        )
        return swapped > 0

    def lease(self, name: str, seconds: float) -> bool:
        """Take or renew a lease for `seconds`; return False if another run has it."""
        name = storable(name)
        leased = self._execute(self._lease, name=name, owner=self._owner, seconds=seconds)
        return leased > 0

    def release(self, name: str) -> None:
        """Release a lease before it ends."""
        self._execute(_RELEASE, name=storable(name), owner=self._owner)

    def changed(self, known: Mapping[str, Record | None]) -> dict[str, Record]:
        """Return the records of those messages whose rows are no longer as they were known."""
        spelt = {storable(key): key for key in known}
        rows = self._rows(_MESSAGES, keys=list(spelt))
        now = {spelt[key]: (status, attempts) for key, status, attempts in rows}
        believed = {key: (each.status, each.attempts) for key, each in known.items() if each}
        differing = [key for key, row in now.items() if row != believed.get(key)]
        return self._tried(lambda connection: queries.lookup(connection, differing))

    def delivered(self, digest: str, recipient: str) -> list[Delivered]:
        """Return the messages with this digest that this recipient has, or may have.

        It sees all that was committed before the call. Calls that wait are answered together.
        """
        question = _Question(digest, storable(recipient))
        self._questions.append(question)
        return self._tried(lambda connection: self._answer(connection, question))

    def _answer(self, connection: Connection, question: _Question) -> list[Delivered]:
        """Answer all questions that wait by now, unless this one was answered meanwhile.

        A query sees what was committed before it began. So it answers only what was asked before
        that; what is asked while it runs waits for the next one.
        """
        if question.answer is None:
            asked = self._questions.copy()
            digests, recipients = zip(
                *((each.digest, each.recipient) for each in asked), strict=True
            )
            found = list(queries.delivered(connection, digests, recipients))
            for each in asked:
                each.answer = [copy for copy in found if each.is_about(copy)]
            del self._questions[: len(asked)]
        return question.answer or []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection, even if a thread still waits for the server."""
        self._closed = True
        if not self._lock.acquire(timeout=_MARGIN):
            self._backend.disconnect(self._connection)
            if not self._lock.acquire(timeout=_MARGIN):
                return
        try:
            self._connection.close()
        finally:
            self._lock.release()

    def _rows(self, statement: str, **values: Any) -> list[Any]:
        return self._tried(lambda connection: connection.rows(statement, **values))

    def _execute(self, statement: str, **values: Any) -> int:
        return self._tried(lambda connection: connection.execute(statement, **values))

    def _tried(self, operation: Callable[[Connection], Answer]) -> Answer:
        with self._lock, journal_errors(self._backend):
            try:
                return operation(self._connection)
            except self._connection.Error:
                lost = self._connection.is_lost
                self._connection.close()
                if self._closed or not lost:
                    raise
            return operation(self._connection)
