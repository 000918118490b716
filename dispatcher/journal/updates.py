"""Changes a journal: each function is part of a transaction, and changes a row only if it is as the
caller last saw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from dispatcher import keys
from dispatcher.journal import queries
from dispatcher.journal.backend import Backend
from dispatcher.journal.connection import Connection
from dispatcher.journal.errors import ignoring_denial
from dispatcher.journal.schema import EventRow, assigned, insert, make_later, timestamp
from dispatcher.models import (
    UNKNOWN_CONTENT,
    AttemptStatus,
    Failure,
    MediaId,
    Message,
    Record,
    RecordStatus,
    Status,
)
from dispatcher.visible import storable

_WITHDRAWN = Failure(
    code="journal", text="nothing was sent: the journal did not say whether it has the intent"
)
_INTERRUPTED = Failure(code="interrupted", text="the run ended before the gateway's answer")
LATE = Failure(
    code="late",
    text="the gateway's receipt came when a later attempt had begun: it may have arrived twice",
)
_RELEASED = Failure(code="released", text="nothing was sent: its claim was given back")
_IDENTITY = ("key", "run", "manifest", "message", "recipient", "transport")
_RESULT = ("receipt", "error_code", "error_text")
_ENDING = ("status", "not_before", "changed_at", *_RESULT)
_ATTEMPT = ("digest", "owner", "changed_at", "status", "attempts")
# A row as "sending", or one made so that is as it was known. One that is "sending" stays: its owner
# is at work, or `recover` makes it unknown. The digest of what was sent before is kept, as the
# attempt to send something else may fail; and what it had sent may have become known after a later
# attempt had begun, which failed.
_CLAIM = f"""
    {insert("messages", (*_IDENTITY, *_ATTEMPT))}
    ON CONFLICT (key) DO UPDATE SET
        digest = excluded.digest, transport = excluded.transport, owner = excluded.owner,
        changed_at = excluded.changed_at, status = excluded.status,
        attempts = messages.attempts + 1,
        not_before = NULL, receipt = NULL, error_code = NULL, error_text = NULL,
        sent_digest = CASE WHEN messages.status = 'sent' THEN messages.digest
                      ELSE messages.sent_digest END
    WHERE messages.status = :known_status AND messages.attempts = :known_attempts
        AND messages.status <> 'sending'
        AND (messages.status <> 'failed' OR messages.sent_digest IS NULL
             OR messages.sent_digest <> excluded.digest)
    RETURNING attempts"""
# How an attempt ended, if it is under way or unknown. A receipt also counts if a person or the
# gateway decided that it was not sent, or a person that it was.
_CONCLUDE = f"""
    UPDATE messages SET {assigned(_ENDING)}
    WHERE key = :key AND attempts = :attempts AND owner = :owner AND (
        status = 'sending' OR status = 'unknown' OR (
            :status = 'sent' AND (status = 'failed' OR (status = 'sent' AND receipt IS NULL))
        )
    )"""
_OF_A_MESSAGE = (*_IDENTITY, "digest", "owner", "attempts", *_ENDING)
_RESTORE = f"""
    {insert("messages", _OF_A_MESSAGE)}
    ON CONFLICT (key) DO UPDATE SET {assigned(_OF_A_MESSAGE[len(_IDENTITY) :])}
    WHERE messages.attempts < :attempts"""
_NOTE_SENT = f"""
    {insert("messages", (*_IDENTITY, "digest", "attempts", *_ENDING))}
    ON CONFLICT (key) DO UPDATE SET {assigned(("digest", *_ENDING))}
    WHERE messages.status = 'failed'"""
_ADD_EVENT = insert("events", EventRow._fields[1:])
# Bytes. A row of a PostgreSQL index cannot have many more, and a warning is not worth a run.
_LONGEST_PATH = 2000


class Claim(NamedTuple):
    """The right to make one attempt: the key, and the attempt's number over all runs.

    `digest` is that of the content sent. `until` is when the lease under which it was made ends, by
    `clock.steady`. `message` is what the attempt sends.
    """

    key: str
    attempt: int
    digest: str = ""
    until: float = math.inf
    message: Message | None = None


class AttemptResult(NamedTuple):
    """How an attempt ended. After a failure, the next one may be made at `not_before`."""

    status: AttemptStatus
    id: str | None = None
    error: Failure | None = None
    not_before: datetime | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """Return the columns that a message and its event have in common."""
        error = self.error
        return {
            "receipt": self.id and storable(self.id),
            "error_code": error.code and storable(error.code) if error else None,
            "error_text": storable(error.text) if error else None,
        }


class Boards(Protocol):
    """What runs that were killed had noted of their attempts: see `journal.board`."""

    def is_spare(self, owner: str, key: str, attempt: int) -> bool: ...

    def result(self, owner: str, key: str, attempt: int) -> AttemptResult | None: ...


class Process(NamedTuple):
    """The process that sends, as its row in the table of runs describes it to people."""

    run: str
    host: str
    pid: int


class Updates:
    """Makes the updates of one run, `owner`; `now` returns the time that is written."""

    def __init__(self, backend: Backend, owner: str, now: Callable[[], datetime]) -> None:
        self._backend, self.owner, self._now = backend, owner, now

    def claim(
        self,
        connection: Connection,
        message: Message,
        digest: str,
        known: Record | None,
        former_keys: Sequence[str] = (),
    ) -> Claim | None:
        """Record that an attempt begins; return None if the row is not as `known` says.

        A message known under a former name is changed there: other checkouts use that name.
        """
        if former_keys and not _is_known(connection, message.key, known, former_keys):
            return None
        attempt: int | None = connection.value(
            _CLAIM,
            **_identity(message, known),
            digest=digest,
            owner=self.owner,
            changed_at=timestamp(self._now()),
            status="sending",
            attempts=1,
            known_status=known and str(known.status),
            known_attempts=known and known.attempts,
        )
        if attempt is None:
            return None
        return Claim(key_in_journal(message, known), attempt, digest, message=message)

    def withdraw(self, connection: Connection, claim: Claim) -> None:
        """Record that nothing was sent, in case the claim was committed, which is unknown."""
        self._backend.lock_table(connection, "messages")  # its commit may still be under way
        result = AttemptResult(Status.FAILED, error=_WITHDRAWN)
        self._conclude(connection, claim, result)

    def release(self, connection: Connection, owner: str | None, claim: Claim) -> None:
        """Delete the row of a first attempt that has surely not begun: the message is new again.

        Its event stays, and another one says what became of it. Idempotent.
        """
        released = claim.attempt == 1 and connection.execute(
            "DELETE FROM messages "
            "WHERE key = :key AND owner = :owner AND attempts = 1 AND status = 'sending'",
            key=storable(claim.key),
            owner=owner,
        )
        if released:
            result = AttemptResult(Status.UNKNOWN, error=_RELEASED)
            self._add_event(connection, claim, Status.NEW, result)

    def conclude(self, connection: Connection, claim: Claim, result: AttemptResult) -> bool:
        """Record how an attempt ended; return False if somebody else has decided that. Idempotent.

        An attempt that others had to call unknown, because this run's lease had run out, may
        still end well; and a receipt proves more than a person's word that it was not sent.
        """
        if self._conclude(connection, claim, result):
            return True
        return self._conclude_late(connection, claim, result)

    def _conclude(self, connection: Connection, claim: Claim, result: AttemptResult) -> int:
        return connection.execute(
            _CONCLUDE,
            key=storable(claim.key),
            attempts=claim.attempt,
            owner=self.owner,
            **self._columns(result),
        )

    def _conclude_late(self, connection: Connection, claim: Claim, result: AttemptResult) -> bool:
        """Handle a result that did not change the row; return whether the row has it already.

        A receipt for an attempt that was followed by another one is kept as an event, and what it
        sent counts as sent, whatever becomes of the later attempt. If the row does not have this
        attempt at all, the database was restored from an earlier state.
        """
        key = storable(claim.key)
        row = connection.row(
            "SELECT status, attempts, owner FROM messages WHERE key = :key", key=key
        )
        status, attempts, owner = row or (None, 0, None)
        if attempts < claim.attempt:
            return self._restore(connection, claim, result)
        if (attempts, owner) == (claim.attempt, self.owner):
            return bool(status == result.status)
        if result.status == Status.SENT:
            connection.execute(
                "UPDATE messages SET sent_digest = :digest WHERE key = :key",
                digest=claim.digest,
                key=key,
            )
            self._add_late_event(connection, claim, result)
        return False

    def _restore(self, connection: Connection, claim: Claim, result: AttemptResult) -> bool:
        """Write the row of an attempt that the database lost; False if it has a later one."""
        if claim.message is None:
            return False
        identity = {**_identity(claim.message), "key": storable(claim.key)}
        attempt = {"digest": claim.digest, "owner": self.owner, "attempts": claim.attempt}
        return connection.execute(_RESTORE, **identity, **attempt, **self._columns(result)) > 0

    def _add_late_event(self, connection: Connection, claim: Claim, result: AttemptResult) -> None:
        late = result._replace(error=LATE)
        same = connection.row(
            "SELECT 1 FROM events WHERE key = :key AND attempt = :attempt AND status = 'sent' "
            "AND error_code = :error_code AND error_text = :error_text "
            "AND (receipt = :receipt OR (receipt IS NULL AND CAST(:receipt AS TEXT) IS NULL))",
            key=storable(claim.key),
            attempt=claim.attempt,
            **late.columns,
        )
        if same is None:
            self._add_event(connection, claim, Status.SENT, late)

    def _add_event(
        self, connection: Connection, claim: Claim, status: Status, result: AttemptResult
    ) -> None:
        connection.execute(
            _ADD_EVENT,
            key=storable(claim.key),
            at=timestamp(self._now()),
            status=str(status),
            attempt=claim.attempt,
            **result.columns,
        )

    def decide(
        self, connection: Connection, claim: Claim, status: RecordStatus, result: AttemptResult
    ) -> bool:
        """Change a row if it has this status and attempt, whoever owns it; return whether."""
        changed = connection.execute(
            f"UPDATE messages SET {assigned(_ENDING)} "
            "WHERE key = :key AND attempts = :attempts AND status = :expected",
            key=storable(claim.key),
            attempts=claim.attempt,
            expected=str(status),
            **self._columns(result),
        )
        return changed > 0

    def note_sent(self, connection: Connection, key: str) -> bool:
        """Record, by a person's word, that a message was sent that is missing, or has failed.

        It is missing if the journal was restored from an earlier state. Returns False if the
        journal says something else of it, or this is no key. Nobody knows with which content it was
        sent, so it counts as sent as it is.
        """
        found = keys.parsed(key)
        if found is None:
            return False
        names = (queries.noted_as(connection, key), found.run, found.manifest, found.id)
        identity = map(storable, (*names, found.recipient, ""))
        changed = connection.execute(
            _NOTE_SENT,
            **dict(zip(_IDENTITY, identity, strict=True)),
            digest=UNKNOWN_CONTENT,
            attempts=1,
            **self._columns(AttemptResult(Status.SENT)),
        )
        return changed > 0

    def recover(self, connection: Connection, boards: Boards) -> None:
        """Decide what dead runs left "sending", and delete those runs.

        What their boards do not know is unknown.
        """
        now, unless_locked = self._backend.now(), self._backend.unless_locked
        rows = connection.rows(
            "SELECT key, attempts, owner FROM messages WHERE status = 'sending' AND "
            f"(owner IS NULL OR owner NOT IN (SELECT owner FROM workers WHERE lease > {now})) "
            f"{unless_locked}"
        )
        for key, attempt, owner in rows:
            claim = Claim(key, attempt)
            if boards.is_spare(owner or "", key, attempt):
                self.release(connection, owner, claim)
                continue
            unknown = AttemptResult(Status.UNKNOWN, error=_INTERRUPTED)
            result = boards.result(owner or "", key, attempt) or unknown
            self.decide(connection, claim, Status.SENDING, result)
        connection.execute(
            "DELETE FROM workers WHERE owner IN "
            f"(SELECT owner FROM workers WHERE lease <= {now} {unless_locked})"
        )

    def register(self, connection: Connection, process: Process, seconds: float) -> None:
        """Enter this run in the table, with a lease of `seconds`.

        If only one run at a time is possible, those that are still there are dead: delete them.
        """
        if self._backend.exclusive:
            connection.execute("DELETE FROM workers")
        self.renew(connection, process, seconds)

    def is_sending(self, connection: Connection) -> bool:
        """Whether an attempt of this run has no result in the journal."""
        query = "SELECT 1 FROM messages WHERE owner = :owner AND status = 'sending' LIMIT 1"
        return connection.row(query, owner=self.owner) is not None

    def renew(self, connection: Connection, process: Process, seconds: float) -> None:
        """Renew this run's lease, even if others have deleted its row meanwhile."""
        connection.execute(
            "INSERT INTO workers (owner, run, host, pid, started_at, lease) "
            f"VALUES (:owner, :run, :host, :pid, :started_at, {self._backend.now()} + :seconds) "
            "ON CONFLICT (owner) DO UPDATE SET lease = excluded.lease",
            owner=self.owner,
            run=storable(process.run),
            host=storable(process.host),
            pid=process.pid,
            started_at=timestamp(self._now()),
            seconds=seconds,
        )

    def unregister(self, connection: Connection) -> None:
        """Delete this run from the table; if only one is possible, delete all that are there."""
        if self._backend.exclusive:
            connection.execute("DELETE FROM workers")
        else:
            connection.execute("DELETE FROM workers WHERE owner = :owner", owner=self.owner)

    def remember_upload(
        self, connection: Connection, account: str, sha256: str, media: MediaId
    ) -> None:
        """Keep the id of an uploaded content, if it has an expiry."""
        if media.expires_at is None or storable(media.id) != media.id:
            return
        connection.execute(
            "INSERT INTO uploads (account, sha256, media_id, expires_at) "
            "VALUES (:account, :sha256, :media_id, :expires_at) ON CONFLICT (account, sha256) "
            "DO UPDATE SET media_id = excluded.media_id, expires_at = excluded.expires_at",
            account=storable(account),
            sha256=sha256,
            media_id=media.id,
            expires_at=media.expires_at.isoformat(),
        )

    def _columns(self, result: AttemptResult) -> dict[str, str | None]:
        return {
            "status": str(result.status),
            "not_before": timestamp(result.not_before) if result.not_before else None,
            "changed_at": timestamp(self._now()),
            **result.columns,
        }


def forget_upload(connection: Connection, account: str, sha256: str) -> None:
    """Forget the id of a content, so that it is uploaded again when it is needed."""
    connection.execute(
        "DELETE FROM uploads WHERE account = :account AND sha256 = :sha256",
        account=storable(account),
        sha256=sha256,
    )


def note_manifest_paths(connection: Connection, backend: Backend, paths: Mapping[str, str]) -> None:
    """Record the path of each manifest, beside those it had before."""
    known = queries.manifest_paths(connection, paths)
    new = {
        name: path
        for name, path in paths.items()
        if path not in known.get(name, ()) and len(path.encode()) <= _LONGEST_PATH
    }
    if not new:
        return
    with ignoring_denial(connection):
        if not connection.has_table("places"):
            backend.prepare_schema(connection)  # one of several runs makes it
            make_later(connection, "places")
        for name, path in new.items():
            connection.execute(
                "INSERT INTO places (manifest, path) VALUES (:manifest, :path) "
                "ON CONFLICT DO NOTHING",
                manifest=name,
                path=path,
            )


def note_gateways(
    connection: Connection, backend: Backend, used: Iterable[queries.KnownGateway]
) -> None:
    """Record which gateways a run uses, beside those of earlier runs."""
    known = queries.known_gateways(connection)
    new = [
        each for each in used if each not in known and len(each.address.encode()) <= _LONGEST_PATH
    ]
    if not new:
        return
    with ignoring_denial(connection):
        if not connection.has_table("gateways"):
            backend.prepare_schema(connection)
            make_later(connection, "gateways")
        for each in new:
            # One that has been elsewhere once is no gateway of this machine any more.
            connection.execute(
                "INSERT INTO gateways (transport, address, local) "
                "VALUES (:transport, :address, :local) ON CONFLICT (transport, address) "
                "DO UPDATE SET local = excluded.local WHERE excluded.local = 0",
                transport=each.transport,
                address=each.address,
                local=int(each.local),
            )


def _identity(message: Message, known: Record | None = None) -> dict[str, str]:
    run = message.key.partition("/")[0]
    key = key_in_journal(message, known)
    values = (key, run, message.manifest, message.id, message.to, message.transport)
    return dict(zip(_IDENTITY, map(storable, values), strict=True))


def _is_known(
    connection: Connection, key: str, known: Record | None, former_keys: Sequence[str]
) -> bool:
    """Whether a message is still as `known`, under its former names, too."""
    record = queries.lookup(connection, [key], {key: former_keys}).get(key)
    if record is None or known is None:
        return record is known
    same = (record.key, record.status, record.attempts)
    return same == (known.key, known.status, known.attempts)


def key_in_journal(message: Message, known: Record | None) -> str:
    """Return the key under which the journal has a message, or will have it."""
    return known.key if known and known.key else message.key
