"""A journal that is open for reading only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from dispatcher.journal import queries, watermark
from dispatcher.journal.backend import Backend
from dispatcher.journal.queries import NO_FORMER_KEYS, HistoryRow, KnownGateway
from dispatcher.journal.schema import show_as_current
from dispatcher.journal.writer import journal_errors
from dispatcher.models import Delivered, Record

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class JournalReader:
    """A journal, open for reading, even during a run. `warnings` say why it may be incomplete."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.warnings = backend.defects()
        self._engine = backend.connect(read_only=True)

    def lookup(
        self, keys: Sequence[str], former: Mapping[str, Sequence[str]] = NO_FORMER_KEYS
    ) -> dict[str, Record]:
        """Return the records of these keys; one may be under a key's `former` keys."""
        with self._reading() as connection:
            found = queries.lookup(connection, keys, former)
            self._backend.require_unchanged()
            return found

    def delivered(self, digests: Sequence[str], recipients: Sequence[str]) -> list[Delivered]:
        """Return the messages with these digests that were delivered, or may have been."""
        with self._reading() as connection:
            return list(queries.delivered(connection, digests, recipients))

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
    ) -> Iterator[HistoryRow]:
        """Yield messages in the order of their last change, those changed at or after `since`.

        `filters` give a column's exact value; None means any. `delivery` is what the gateway said
        later.
        """
        with self._reading() as connection:
            for row in queries.history(connection, filters, with_events, since, delivery):
                self._backend.require_unchanged()
                yield row

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
        show_as_current(self._engine, version, self._backend.schema)

    def close(self) -> None:
        """Release the connection."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with journal_errors(self._backend.name), self._engine.connect() as connection:
            yield connection
