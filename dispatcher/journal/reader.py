"""A journal that is open for reading only."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property

from dispatcher.journal import queries, watermark
from dispatcher.journal.backend import Backend
from dispatcher.journal.board import DeadBoards
from dispatcher.journal.connection import Connection
from dispatcher.journal.errors import journal_errors
from dispatcher.journal.queries import NO_FORMER_KEYS, HistoryRow, KnownGateway, KnownRun
from dispatcher.journal.schema import show_as_current
from dispatcher.models import Delivered, Record, Status


class JournalReader:
    """A journal, open for reading, even during a run. `warnings` say why it may be incomplete."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.warnings = backend.defects()
        self._connection = backend.connect(read_only=True)

    def lookup(
        self, keys: Sequence[str], former: Mapping[str, Sequence[str]] = NO_FORMER_KEYS
    ) -> dict[str, Record]:
        """Return the records of these keys; one may be under a key's `former` keys."""
        with self._reading() as connection:
            found = queries.lookup(connection, keys, former)
            self._backend.require_unchanged()
            return _Boards(connection, self._backend).decided(found)

    def delivered(self, digests: Sequence[str], recipients: Sequence[str]) -> list[Delivered]:
        """Return the messages with these digests that were delivered, or may have been."""
        with self._reading() as connection:
            found = list(queries.delivered(connection, digests, recipients))
            boards = _Boards(connection, self._backend)
            open_ = {each.key for each in found if boards.can_know(each.key)}
            decided = boards.decided(queries.lookup(connection, list(open_)))
        return [
            each
            for each in found
            if each.key not in open_ or _may_have_arrived(each, decided.get(each.key))
        ]

    def known_names(self, names: Iterable[tuple[str, str]]) -> set[tuple[str, str]] | None:
        """Return the pairs of manifest and message id that the journal has; reads all rows.

        Returns None if it has no message at all.
        """
        with self._reading() as connection:
            return queries.known_names(connection, names)

    def history(
        self,
        *,
        with_events: bool = False,
        since: datetime | None = None,
        delivery: str | None = None,
        **filters: str | None,
    ) -> Generator[HistoryRow, None, None]:
        """Yield messages in the order of their last change, those changed at or after `since`.

        `filters` give a column's exact value; None means any. `delivery` is what the gateway said
        later.
        """
        with self._reading() as connection:
            boards = _Boards(connection, self._backend)
            for row in queries.history(connection, filters, with_events, since, delivery):
                self._backend.require_unchanged()
                if row.status != Status.SENDING or not boards.is_spare(row.key, row.attempts):
                    yield row

    def known_runs(self, **filters: str | None) -> list[KnownRun]:
        """Return the runs of messages with these values, as for `history`, the last one first."""
        with self._reading() as connection:
            return queries.known_runs(connection, filters)

    def id(self) -> str | None:
        """Return its id, which only its copies share; None, if it is of a version without."""
        with self._reading() as connection:
            return watermark.id_of(connection)

    def known_gateways(self) -> list[KnownGateway]:
        """Return the gateways that runs have used; none if that was not recorded yet."""
        with self._reading() as connection:
            return queries.known_gateways(connection)

    def manifest_paths(self, manifests: Iterable[str]) -> dict[str, set[str]]:
        """Return the recorded paths from which these manifests came."""
        with self._reading() as connection:
            return queries.manifest_paths(connection, manifests)

    def version(self) -> int:
        """Return the version of its tables, or 0 if there are none yet."""
        with self._reading() as connection:
            return self._backend.version(connection)

    def loss(self) -> str | None:
        """Return what is missing from it, as far as that is known, or None."""
        with self._reading() as connection:
            return self._backend.loss(connection)

    def show_as_current(self, version: int) -> None:
        """Read tables of this older version as if they were current."""
        show_as_current(self._connection, version, self._backend.schema)

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with journal_errors(self._backend), self._connection.begin():
            yield self._connection


class _Boards:
    """What runs have noted of attempts that have no result in the journal yet.

    So a plan says what the next run will find, and nothing is shown as sent that has not begun.
    """

    def __init__(self, connection: Connection, backend: Backend) -> None:
        self._connection, self._backend = connection, backend

    def can_know(self, key: str) -> bool:
        """Whether they may know more of a message than the journal."""
        return key in self._owners

    def decided(self, records: Mapping[str, Record]) -> dict[str, Record]:
        """Return records with what boards know beyond them, without those of nothing sent."""
        decided = {key: self.record(key, each) for key, each in records.items()}
        return {key: each for key, each in decided.items() if each is not None}

    def record(self, key: str, record: Record) -> Record | None:
        """Return what is known of a message beyond its record; None if nothing was sent yet."""
        if record.status != Status.SENDING:
            return record
        key = record.key or key
        if self.is_spare(key, record.attempts):
            return None
        result = self._boards.result(self._owners.get(key, ""), key, record.attempts)
        if result is None:
            return record
        changes = {"status": result.status, "id": result.id, "not_before": result.not_before}
        return record.model_copy(update=changes)

    def is_spare(self, key: str, attempt: int) -> bool:
        """Whether an attempt that is claimed has not begun."""
        return self._boards.is_spare(self._owners.get(key, ""), key, attempt)

    @cached_property
    def _boards(self) -> DeadBoards:
        return DeadBoards(self._backend.board_name(self._connection), also_living=True)

    @cached_property
    def _owners(self) -> dict[str, str]:
        return queries.owners(self._connection) if self._backend.exclusive else {}


def _may_have_arrived(copy: Delivered, record: Record | None) -> bool:
    if record is None:
        return False
    return record.status != Status.FAILED or record.sent_digest == copy.digest
