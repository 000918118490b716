"""Changes a journal: each function is part of a transaction, and changes a row only if it is as the
caller last saw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher import keys
from dispatcher.journal import queries
from dispatcher.journal.backend import Backend
from dispatcher.journal.schema import (
    events,
    gateways,
    ignoring_denial,
    manifest_files,
    messages,
    sending_runs,
    timestamp,
    uploads,
)
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

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.sql.elements import ClauseElement

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
_NO_RESULT: dict[str, str | None] = {"receipt": None, "error_code": None, "error_text": None}
_ENDING = ("status", "not_before", "changed_at", *_NO_RESULT)
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
        code, text = (self.error.code, self.error.text) if self.error else (None, None)
        columns = {"receipt": self.id, "error_code": code, "error_text": text}
        return {name: value and storable(value) for name, value in columns.items()}


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
    """Makes the updates of one run, `owner`; `now` returns the time that is written.

    The two that every message needs are compiled once, as that takes time.
    """

    def __init__(
        self, backend: Backend, owner: str, dialect: Dialect, now: Callable[[], datetime]
    ) -> None:
        self._backend, self.owner, self._now = backend, owner, now
        self._claim = CompiledStatement(_claim(backend.insert), dialect)
        self._conclude = CompiledStatement(_conclude(), dialect)

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
        rows = self._claim(
            connection,
            **_identity(message, known),
            digest=digest,
            owner=self.owner,
            changed_at=timestamp(self._now()),
            known_status=known.status if known else None,
            known_attempts=known.attempts if known else None,
        ).fetchall()
        key = key_in_journal(message, known)
        return Claim(key, rows[0][0], digest, message=message) if rows else None

    def withdraw(self, connection: Connection, claim: Claim) -> None:
        """Record that nothing was sent, in case the claim was committed, which is unknown."""
        self._backend.lock_table(connection, "messages")  # its commit may still be under way
        result = AttemptResult(Status.FAILED, error=_WITHDRAWN)
        self._conclude(connection, **self._expected(claim, result), **self._columns(result))

    def release(self, connection: Connection, owner: str | None, claim: Claim) -> None:
        """Delete the row of a first attempt that has surely not begun: the message is new again.

        Its event stays, and another one says what became of it. Idempotent.
        """
        mine = (
            messages.c.key == storable(claim.key),
            messages.c.owner == owner,
            messages.c.attempts == claim.attempt,
            messages.c.status == _literal(Status.SENDING),
        )
        if claim.attempt == 1 and connection.execute(sa.delete(messages).where(*mine)).rowcount:
            result = AttemptResult(Status.UNKNOWN, error=_RELEASED)
            event = {**result.columns, "status": Status.NEW, "attempt": claim.attempt}
            at = timestamp(self._now())
            connection.execute(sa.insert(events).values(key=storable(claim.key), at=at, **event))

    def conclude(self, connection: Connection, claim: Claim, result: AttemptResult) -> bool:
        """Record how an attempt ended; return False if somebody else has decided that. Idempotent.

        An attempt that others had to call unknown, because this run's lease had run out, may
        still end well; and a receipt proves more than a person's word that it was not sent.
        """
        expected = self._expected(claim, result)
        if self._conclude(connection, **expected, **self._columns(result)).rowcount > 0:
            return True
        return self._conclude_late(connection, claim, result)

    def _expected(self, claim: Claim, result: AttemptResult) -> dict[str, str | int]:
        return {
            "of_key": storable(claim.key),
            "of_attempt": claim.attempt,
            "of_owner": self.owner,
            "how": result.status,
        }

    def _conclude_late(self, connection: Connection, claim: Claim, result: AttemptResult) -> bool:
        """Handle a result that did not change the row; return whether the row has it already.

        A receipt for an attempt that was followed by another one is kept as an event, and what it
        sent counts as sent, whatever becomes of the later attempt. If the row does not have this
        attempt at all, the database was restored from an earlier state.
        """
        key = storable(claim.key)
        columns = (messages.c.status, messages.c.attempts, messages.c.owner)
        row = connection.execute(sa.select(*columns).where(messages.c.key == key)).first()
        if row is None or row.attempts < claim.attempt:
            return self._restore(connection, claim, result)
        if (row.attempts, row.owner) == (claim.attempt, self.owner):
            return bool(row.status == result.status)
        if result.status == Status.SENT:
            connection.execute(
                sa.update(messages).where(messages.c.key == key).values(sent_digest=claim.digest)
            )
            self._add_late_event(connection, claim, result)
        return False

    def _restore(self, connection: Connection, claim: Claim, result: AttemptResult) -> bool:
        """Write the row of an attempt that the database lost; False if it has a later one."""
        if claim.message is None:
            return False
        attempt = {
            "digest": claim.digest,
            "owner": self.owner,
            "attempts": claim.attempt,
            **self._columns(result),
        }
        identity = {**_identity(claim.message), "key": storable(claim.key)}
        upsert = self._backend.insert(messages).values(**identity, **attempt)
        older = messages.c.attempts < claim.attempt
        written = upsert.on_conflict_do_update(index_elements=["key"], set_=attempt, where=older)
        return connection.execute(written.returning(messages.c.key)).first() is not None

    def _add_late_event(self, connection: Connection, claim: Claim, result: AttemptResult) -> None:
        event = {
            "key": storable(claim.key),
            "status": Status.SENT,
            "attempt": claim.attempt,
            **result.columns,
            "error_code": LATE.code,
            "error_text": LATE.text,
        }
        same = (events.c[name].is_not_distinct_from(value) for name, value in event.items())
        if connection.execute(sa.select(events.c.id).where(*same)).first() is None:
            connection.execute(sa.insert(events).values(at=timestamp(self._now()), **event))

    def decide(
        self, connection: Connection, claim: Claim, status: RecordStatus, result: AttemptResult
    ) -> bool:
        """Change a row if it has this status and attempt, whoever owns it; return whether."""
        expected = (
            messages.c.key == storable(claim.key),
            messages.c.attempts == claim.attempt,
            messages.c.status == status,
        )
        statement = sa.update(messages).where(*expected).values(**self._columns(result))
        return connection.execute(statement).rowcount > 0

    def note_sent(self, connection: Connection, key: str) -> bool:
        """Record, by a person's word, that a message was sent that is missing, or has failed.

        It is missing if the journal was restored from an earlier state. Returns False if the
        journal says something else of it, or this is no key. Nobody knows with which content it was
        sent, so it counts as sent as it is.
        """
        found = keys.parsed(key)
        if found is None:
            return False
        names = {
            "run": found.run,
            "manifest": found.manifest,
            "message": found.id,
            "recipient": found.recipient,
        }
        sent = {**self._columns(AttemptResult(Status.SENT)), "digest": UNKNOWN_CONTENT}
        row = {
            "key": storable(queries.noted_as(connection, key)),
            **{name: storable(value) for name, value in names.items()},
            **sent,
            "transport": "",
            "attempts": 1,
        }
        upsert = self._backend.insert(messages).values(**row)
        failed = messages.c.status == _literal(Status.FAILED)
        written = upsert.on_conflict_do_update(index_elements=["key"], set_=sent, where=failed)
        return connection.execute(written.returning(messages.c.key)).first() is not None

    def recover(self, connection: Connection, boards: Boards) -> None:
        """Decide what dead runs left "sending", and delete those runs.

        What their boards do not know is unknown.
        """
        alive = sa.select(sending_runs.c.owner).where(sending_runs.c.lease > self._backend.now())
        dead = sa.or_(messages.c.owner.is_(None), messages.c.owner.not_in(alive))
        query = sa.select(messages.c.key, messages.c.attempts, messages.c.owner).where(
            messages.c.status == _literal(Status.SENDING), dead
        )
        rows = connection.execute(query.with_for_update(skip_locked=True)).all()
        for key, attempt, owner in rows:
            claim = Claim(key, attempt)
            if attempt == 1 and boards.is_spare(owner or "", key, attempt):
                self.release(connection, owner, claim)
                continue
            unknown = AttemptResult(Status.UNKNOWN, error=_INTERRUPTED)
            result = boards.result(owner or "", key, attempt) or unknown
            self.decide(connection, claim, Status.SENDING, result)
        expired = sa.select(sending_runs.c.owner).where(sending_runs.c.lease <= self._backend.now())
        gone = expired.with_for_update(skip_locked=True)
        connection.execute(sa.delete(sending_runs).where(sending_runs.c.owner.in_(gone)))

    def register(self, connection: Connection, process: Process, seconds: float) -> None:
        """Enter this run in the table, with a lease of `seconds`.

        If only one run at a time is possible, those that are still there are dead: delete them.
        """
        if self._backend.exclusive:
            connection.execute(sa.delete(sending_runs))
        self.renew(connection, process, seconds)

    def is_sending(self, connection: Connection) -> bool:
        """Whether an attempt of this run has no result in the journal."""
        mine = (messages.c.owner == self.owner, messages.c.status == _literal(Status.SENDING))
        return connection.execute(sa.select(messages.c.key).where(*mine)).first() is not None

    def renew(self, connection: Connection, process: Process, seconds: float) -> None:
        """Renew this run's lease, even if others have deleted its row meanwhile."""
        lease = self._backend.now() + seconds
        entry = self._backend.insert(sending_runs).values(
            owner=self.owner,
            run=storable(process.run),
            host=storable(process.host),
            pid=process.pid,
            started_at=timestamp(self._now()),
            lease=lease,
        )
        connection.execute(
            entry.on_conflict_do_update(index_elements=["owner"], set_={"lease": lease})
        )

    def unregister(self, connection: Connection) -> None:
        """Delete this run from the table; if only one is possible, delete all that are there."""
        mine = () if self._backend.exclusive else (sending_runs.c.owner == self.owner,)
        connection.execute(sa.delete(sending_runs).where(*mine))

    def remember_upload(
        self, connection: Connection, account: str, sha256: str, media: MediaId
    ) -> None:
        """Keep the id of an uploaded content, if it has an expiry."""
        if media.expires_at is None or storable(media.id) != media.id:
            return
        row = {"media_id": media.id, "expires_at": media.expires_at.isoformat()}
        upsert = self._backend.insert(uploads).values(
            account=storable(account), sha256=sha256, **row
        )
        connection.execute(
            upsert.on_conflict_do_update(index_elements=["account", "sha256"], set_=row)
        )

    def _columns(self, result: AttemptResult) -> dict[str, str | None]:
        return {
            "status": result.status,
            "not_before": timestamp(result.not_before) if result.not_before else None,
            "changed_at": timestamp(self._now()),
            **result.columns,
        }


def forget_upload(connection: Connection, account: str, sha256: str) -> None:
    """Forget the id of a content, so that it is uploaded again when it is needed."""
    chosen = (uploads.c.account == storable(account), uploads.c.sha256 == sha256)
    connection.execute(sa.delete(uploads).where(*chosen))


def note_manifest_paths(connection: Connection, backend: Backend, paths: Mapping[str, str]) -> None:
    """Record the path of each manifest, beside those it had before."""
    known = queries.manifest_paths(connection, paths)
    new = [
        {"manifest": name, "path": path}
        for name, path in paths.items()
        if path not in known.get(name, ()) and len(path.encode()) <= _LONGEST_PATH
    ]
    if not new:
        return
    with ignoring_denial(connection):
        if not sa.inspect(connection).has_table(manifest_files.name):
            backend.prepare_schema(connection)  # one of several runs makes it
            manifest_files.create(connection, checkfirst=True)
        connection.execute(backend.insert(manifest_files).on_conflict_do_nothing(), new)


def note_gateways(
    connection: Connection, backend: Backend, used: Iterable[queries.KnownGateway]
) -> None:
    """Record which gateways a run uses, beside those of earlier runs."""
    known = queries.known_gateways(connection)
    new = [
        {**each._asdict(), "local": int(each.local)}
        for each in used
        if each not in known and len(each.address.encode()) <= _LONGEST_PATH
    ]
    if not new:
        return
    with ignoring_denial(connection):
        if not sa.inspect(connection).has_table(gateways.name):
            backend.prepare_schema(connection)
            gateways.create(connection, checkfirst=True)
        key = [gateways.c.transport, gateways.c.address]
        for each in new:
            insert = backend.insert(gateways).values(each)
            # One that has been elsewhere once is no gateway of this machine any more.
            connection.execute(
                insert.on_conflict_do_nothing()
                if each["local"]
                else insert.on_conflict_do_update(index_elements=key, set_={"local": 0})
            )


class CompiledStatement:
    """A statement that is compiled once and goes straight to the driver: for each call, SQLAlchemy
    takes longer than the driver needs to carry it out (benchmarks/sending.py).

    Call it with values for all of the statement's named parameters; it returns the driver's cursor.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._sql, self._fixed = str(compiled), compiled.params
        self._in_order = itemgetter(*compiled.positiontup) if compiled.positiontup else None
        self._driver = dialect.loaded_dbapi

    def __call__(self, connection: Connection, **values: str | int | None) -> DBAPICursor:
        all_ = {**self._fixed, **values}
        parameters = self._in_order(all_) if self._in_order else all_
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._sql, parameters)
        except self._driver.Error as error:
            raise sa.exc.DBAPIError(self._sql, None, error) from error
        return cursor


def _parameters(*names: str) -> dict[str, Any]:
    return {name: sa.bindparam(name, type_=sa.Text) for name in names}


def _claim(insert: Callable[..., Any]) -> ClauseElement:
    """Return the statement that inserts a row as "sending", or makes one so that is as expected.

    It never changes one that is "sending": its owner is at work, or `recover` makes it unknown. It
    keeps the digest of what was sent before, as the attempt to send something else may fail.
    """
    sent = messages.c.status == _literal(Status.SENT)
    before = sa.case((sent, messages.c.digest), else_=messages.c.sent_digest)
    fresh = {"status": Status.SENDING, "not_before": None, **_NO_RESULT}
    again = _parameters("digest", "transport", "owner", "changed_at")
    new = {**_parameters(*_IDENTITY), **again, **fresh, "attempts": 1}
    believed = sa.and_(
        messages.c.status == sa.bindparam("known_status", type_=sa.Text),
        messages.c.attempts == sa.bindparam("known_attempts", type_=sa.Integer),
        messages.c.status != _literal(Status.SENDING),
        # Its receipt came after a later attempt had begun, which failed.
        sa.or_(
            messages.c.status != _literal(Status.FAILED),
            messages.c.sent_digest.is_(None),
            messages.c.sent_digest != sa.bindparam("digest", type_=sa.Text),
        ),
    )
    statement: ClauseElement = (
        insert(messages)
        .values(new)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                **again,
                **fresh,
                "attempts": messages.c.attempts + 1,
                "sent_digest": before,
            },
            where=believed,
        )
        .returning(messages.c.attempts)
    )
    return statement


def _conclude() -> ClauseElement:
    """Return the statement that sets how an attempt ended, if it is under way or unknown.

    A receipt also counts if a person or the gateway decided that it was not sent, or a person that
    it was.
    """
    status, receipt = messages.c.status, messages.c.receipt
    open_ = [status == _literal(each) for each in (Status.SENDING, Status.UNKNOWN)]
    failed, sent = (status == _literal(each) for each in (Status.FAILED, Status.SENT))
    came = sa.bindparam("how", type_=sa.Text) == _literal(Status.SENT)
    return (
        sa.update(messages)
        .where(
            messages.c.key == sa.bindparam("of_key", type_=sa.Text),
            messages.c.attempts == sa.bindparam("of_attempt", type_=sa.Integer),
            messages.c.owner == sa.bindparam("of_owner", type_=sa.Text),
            sa.or_(*open_, sa.and_(came, sa.or_(failed, sa.and_(sent, receipt.is_(None))))),
        )
        .values(_parameters(*_ENDING))
    )


def _literal(status: Status) -> sa.ColumnClause[str]:
    """Return a status as part of a statement's text, so that a partial index can be used."""
    return sa.literal_column(f"'{status}'")


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
