"""What changes a journal: each function is part of a transaction, and none changes a row that is
not as its caller believes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.journal.attempts import Claim, Ending, storable, timestamp
from dispatcher.journal.backend import Backend
from dispatcher.journal.schema import events, messages, uploads, workers
from dispatcher.models import Failure, MediaId, Message, Record, RecordStatus, Status

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
_IDENTITY = ("key", "run", "manifest", "message", "recipient", "transport")
_NOTHING: dict[str, str | None] = {"receipt": None, "error_code": None, "error_text": None}
_ENDING = ("status", "not_before", "changed_at", *_NOTHING)


class Sender(NamedTuple):
    """Who is sending, as people are told of it: a row of the table of workers."""

    run: str
    host: str
    pid: int


class Changes:
    """The changes that one worker, `owner`, makes. Statements are made once: that takes time.

    `now`: the time that is noted.
    """

    def __init__(
        self, backend: Backend, owner: str, dialect: Dialect, now: Callable[[], datetime]
    ) -> None:
        self._backend, self._owner, self._now = backend, owner, now
        self._claim = Prepared(_claim(backend.insert), dialect)
        self._conclude = Prepared(_conclude(), dialect)

    def claim(
        self, connection: Connection, message: Message, digest: str, known: Record | None
    ) -> Claim | None:
        """Note that an attempt begins; None: the row is not as `known` says, so it must not."""
        rows = self._claim(
            connection,
            **_identity(message),
            digest=digest,
            owner=self._owner,
            changed_at=timestamp(self._now()),
            known_status=known.status if known else None,
            known_attempts=known.attempts if known else None,
        ).fetchall()
        return Claim(message.key, rows[0][0], digest, message=message) if rows else None

    def withdraw(self, connection: Connection, claim: Claim) -> None:
        """Note that nothing was sent, if this attempt was noted: of a lost commit nobody knows."""
        self._backend.lock(connection, "messages")  # it may be under way
        ending = Ending(Status.FAILED, error=_WITHDRAWN)
        self._conclude(connection, **self._whose(claim, ending), **self._ending(ending))

    def conclude(self, connection: Connection, claim: Claim, ending: Ending) -> bool:
        """Note how an attempt ended; False: somebody else has decided that meanwhile.

        An attempt that others had to call unknown, because this worker did not show for too long,
        may still end well; and a receipt proves more than a person's word that it was not sent.
        Noted once more, it changes nothing.
        """
        whose = self._whose(claim, ending)
        if self._conclude(connection, **whose, **self._ending(ending)).rowcount > 0:
            return True
        return self._too_late(connection, claim, ending)

    def _whose(self, claim: Claim, ending: Ending) -> dict[str, str | int]:
        return {
            "of_key": storable(claim.key),
            "of_attempt": claim.attempt,
            "of_owner": self._owner,
            "how": ending.status,
        }

    def _too_late(self, connection: Connection, claim: Claim, ending: Ending) -> bool:
        """Whether the row says what an attempt's end says; a receipt beside a later attempt is kept
        as an event, and what was sent counts as sent, whatever becomes of that attempt.

        Where the attempt itself is not there any more, the database went back in time.
        """
        key = storable(claim.key)
        columns = (messages.c.status, messages.c.attempts, messages.c.owner)
        row = connection.execute(sa.select(*columns).where(messages.c.key == key)).first()
        if row is None or row.attempts < claim.attempt:
            return self._put_back(connection, claim, ending)
        if (row.attempts, row.owner) == (claim.attempt, self._owner):
            return bool(row.status == ending.status)
        if ending.status == Status.SENT:
            connection.execute(
                sa.update(messages).where(messages.c.key == key).values(sent_digest=claim.digest)
            )
            self._note_late(connection, claim, ending)
        return False

    def _put_back(self, connection: Connection, claim: Claim, ending: Ending) -> bool:
        if claim.message is None:
            return False
        attempt = {
            "digest": claim.digest,
            "owner": self._owner,
            "attempts": claim.attempt,
            **self._ending(ending),
        }
        upsert = self._backend.insert(messages).values(**_identity(claim.message), **attempt)
        older = messages.c.attempts < claim.attempt
        put = upsert.on_conflict_do_update(index_elements=["key"], set_=attempt, where=older)
        return connection.execute(put.returning(messages.c.key)).first() is not None

    def _note_late(self, connection: Connection, claim: Claim, ending: Ending) -> None:
        event = {
            "key": storable(claim.key),
            "status": Status.SENT,
            "attempt": claim.attempt,
            **ending.columns,
            "error_code": LATE.code,
            "error_text": LATE.text,
        }
        noted = (events.c[name].is_not_distinct_from(value) for name, value in event.items())
        if connection.execute(sa.select(events.c.id).where(*noted)).first() is None:
            connection.execute(sa.insert(events).values(at=timestamp(self._now()), **event))

    def decide(
        self, connection: Connection, claim: Claim, status: RecordStatus, ending: Ending
    ) -> bool:
        """Change a row that has this status and attempt, whoever's it is; False: it has not."""
        as_believed = (
            messages.c.key == storable(claim.key),
            messages.c.attempts == claim.attempt,
            messages.c.status == status,
        )
        statement = sa.update(messages).where(*as_believed).values(**self._ending(ending))
        return connection.execute(statement).rowcount > 0

    def recover(self, connection: Connection) -> None:
        """Call unknown what workers that are no more left "sending", and forget those."""
        alive = sa.select(workers.c.owner).where(workers.c.lease > self._backend.now())
        dead = sa.or_(messages.c.owner.is_(None), messages.c.owner.not_in(alive))
        query = sa.select(messages.c.key, messages.c.attempts).where(
            messages.c.status == _literal(Status.SENDING), dead
        )
        rows = connection.execute(query.with_for_update(skip_locked=True)).all()
        for row in rows:
            ending = Ending(Status.UNKNOWN, error=_INTERRUPTED)
            self.decide(connection, Claim(*row), Status.SENDING, ending)
        over = sa.select(workers.c.owner).where(workers.c.lease <= self._backend.now())
        gone = over.with_for_update(skip_locked=True)
        connection.execute(sa.delete(workers).where(workers.c.owner.in_(gone)))

    def enter(self, connection: Connection, worker: Sender, seconds: float) -> None:
        """Be one of the workers; where only one can be, those of before are no more."""
        if self._backend.exclusive:
            connection.execute(sa.delete(workers))
        self.renew(connection, worker, seconds)

    def renew(self, connection: Connection, worker: Sender, seconds: float) -> None:
        """Show that this worker lives, for so long; others may have forgotten it meanwhile."""
        lease = self._backend.now() + seconds
        entry = self._backend.insert(workers).values(
            owner=self._owner,
            run=storable(worker.run),
            host=storable(worker.host),
            pid=worker.pid,
            started_at=timestamp(self._now()),
            lease=lease,
        )
        connection.execute(
            entry.on_conflict_do_update(index_elements=["owner"], set_={"lease": lease})
        )

    def leave(self, connection: Connection) -> None:
        """Be a worker no more; where only one can be, there is none then."""
        mine = () if self._backend.exclusive else (workers.c.owner == self._owner,)
        connection.execute(sa.delete(workers).where(*mine))

    def remember_upload(
        self, connection: Connection, account: str, sha256: str, media: MediaId
    ) -> None:
        """Keep the id of an uploaded content; without an expiry it is not worth keeping."""
        if media.expires_at is None or storable(media.id) != media.id:
            return
        row = {"media_id": media.id, "expires_at": media.expires_at.isoformat()}
        upsert = self._backend.insert(uploads).values(
            account=storable(account), sha256=sha256, **row
        )
        connection.execute(
            upsert.on_conflict_do_update(index_elements=["account", "sha256"], set_=row)
        )

    def _ending(self, ending: Ending) -> dict[str, str | None]:
        return {
            "status": ending.status,
            "not_before": timestamp(ending.not_before) if ending.not_before else None,
            "changed_at": timestamp(self._now()),
            **ending.columns,
        }


def forget_upload(connection: Connection, account: str, sha256: str) -> None:
    """Have this content uploaded again when it is needed next."""
    chosen = (uploads.c.account == storable(account), uploads.c.sha256 == sha256)
    connection.execute(sa.delete(uploads).where(*chosen))


class Prepared:
    """A statement that is compiled once and goes straight to the driver: what SQLAlchemy does for
    each call takes longer than carrying it out. Works with values for all of the statement's named
    parameters, and gives the driver's cursor."""

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
    """Insert a row that is "sending", or make one so that is exactly as it is believed to be.

    Never one that is "sending": somebody is at it, or will be found dead and make it unknown.
    What was sent is remembered, though the attempt to send something else may fail.
    """
    sent = messages.c.status == _literal(Status.SENT)
    before = sa.case((sent, messages.c.digest), else_=messages.c.sent_digest)
    fresh = {"status": Status.SENDING, "not_before": None, **_NOTHING}
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
    """Of what is under way or unknown, every end is noted; a receipt is also where a person or the
    gateway decided that it was not sent, or a person that it was."""
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
    """A status written into a statement: only so can a database use an index of some statuses."""
    return sa.literal_column(f"'{status}'")


def _identity(message: Message) -> dict[str, str]:
    run = message.key.partition("/")[0]
    values = (message.key, run, message.manifest, message.id, message.to, message.transport)
    return dict(zip(_IDENTITY, map(storable, values), strict=True))
