"""One connection to the database of a journal, which speaks plain SQL.

A statement is written once for SQLite and PostgreSQL, and a value in it as `:name`; values never
become part of its text. Where the two differ, a connection says how.
"""

from __future__ import annotations

import json
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]
# A text in quotes is no place for a value, nor is the colon of PostgreSQL's `::type` its beginning.
_PLACES = re.compile(r"'[^']*'|::|:(?P<name>\w+)|%")


class Cursor(Protocol):
    """What the drivers' cursors have in common."""

    @property
    def rowcount(self) -> int: ...

    def fetchall(self) -> list[Any]: ...


class Connection(ABC):
    """A connection that is made when it is needed, and anew after `close`; for one thread at a
    time.

    What is carried out outside of `begin` is committed at once. It raises the driver's errors: all
    are an `Error`, what a role may not do is a `ProgrammingError`. `dialect` is the language of its
    database. `views`, if any, stand before each SELECT, as what follows WITH.
    """

    dialect: ClassVar[str]
    Error: type[Exception]
    ProgrammingError: type[Exception]

    def __init__(self) -> None:
        self.views = ""

    def execute(self, sql: str, /, **values: Any) -> int:
        """Carry out a statement, and return how many rows it has changed."""
        return self._carried_out(sql, values).rowcount

    def rows(self, sql: str, /, **values: Any) -> list[Any]:
        """Return all rows of a query, each as a tuple."""
        return self._carried_out(sql, values).fetchall()

    def row(self, sql: str, /, **values: Any) -> Row | None:
        """Return the first row of a query that has few, or None."""
        found = self._carried_out(sql, values).fetchall()
        return found[0] if found else None

    def value(self, sql: str, /, **values: Any) -> Any:
        """Return the first value of the first row, or None."""
        found = self.row(sql, **values)
        return found[0] if found else None

    @abstractmethod
    def batches(self, size: int, sql: str, /, **values: Any) -> Iterator[list[Any]]:
        """Yield the rows of a query, so many at a time, and keep no more of them in memory.

        It must be in a transaction; other statements can be carried out meanwhile.
        """

    @contextmanager
    def begin(self) -> Iterator[None]:
        """Commit what is done in this block, or nothing of it if it raises."""
        if self.is_lost:
            self.close()
        self._begin()
        try:
            yield
            self._commit()
        except BaseException:
            with suppress(self.Error):
                self._roll_back()
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what was done in this block if it raises; the transaction goes on."""
        self.execute("SAVEPOINT here")
        try:
            yield
        except BaseException:
            with suppress(self.Error):
                self.execute("ROLLBACK TO SAVEPOINT here")
                self.execute("RELEASE SAVEPOINT here")
            raise
        self.execute("RELEASE SAVEPOINT here")

    def refresh(self) -> None:
        """End the transaction, undo it, and begin another, which sees what was committed since."""
        self._roll_back()
        self._begin()

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether the other end has closed it."""

    @abstractmethod
    def close(self) -> None:
        """Release it; a transaction is undone."""

    @abstractmethod
    def has_table(self, name: str) -> bool:
        """Whether there is a table of this name."""

    @abstractmethod
    def among(self, column: str, name: str) -> str:
        """Return the condition that a column has one of the texts `:name`, made by `array`."""

    @abstractmethod
    def array(self, texts: Sequence[str]) -> Any:
        """Return texts as one value."""

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _roll_back(self) -> None: ...

    @abstractmethod
    def _carried_out(self, sql: str, values: Mapping[str, Any]) -> Cursor: ...


class SqliteConnection(Connection):
    """A connection to an SQLite file, made by `connect`."""

    dialect = "sqlite"
    Error, ProgrammingError = sqlite3.Error, sqlite3.ProgrammingError

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__()
        self._connect = connect
        self._driver: sqlite3.Connection | None = None

    @property
    def driver(self) -> sqlite3.Connection:
        """The driver's connection."""
        if self._driver is None:
            self._driver = self._connect()
        return self._driver

    @property
    def is_lost(self) -> bool:
        return False

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def batches(self, size: int, sql: str, /, **values: Any) -> Iterator[list[Any]]:
        with closing(self._carried_out(sql, values)) as cursor:
            while rows := cursor.fetchmany(size):
                yield rows

    def has_table(self, name: str) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name"
        return self.value(query, name=name) is not None

    def among(self, column: str, name: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(:{name}))"

    def array(self, texts: Sequence[str]) -> str:
        return json.dumps(texts)

    def _begin(self) -> None:
        self.driver.execute("BEGIN")

    def _commit(self) -> None:
        assert self._driver is not None  # a new one would have nothing to commit
        self._driver.execute("COMMIT")

    def _roll_back(self) -> None:
        if self._driver is not None:
            self._driver.execute("ROLLBACK")

    def _carried_out(self, sql: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
        if self.views:
            sql = _with_views(sql, self.views)
        return (self._driver or self.driver).execute(sql, values)


class PostgresConnection(Connection):
    """A connection to a PostgreSQL server, made by `connect`, which commits each statement."""

    dialect = "postgresql"

    def __init__(self, connect: Callable[[], psycopg.Connection[Row]], *, read_only: bool) -> None:
        import psycopg

        super().__init__()
        self.Error, self.ProgrammingError = psycopg.Error, psycopg.ProgrammingError
        self._connect = connect
        self._driver: psycopg.Connection[Row] | None = None
        # A stricter isolation fails what two runs change.
        access = "ONLY" if read_only else "WRITE"
        self._beginning = f"BEGIN ISOLATION LEVEL READ COMMITTED READ {access}"

    @property
    def is_lost(self) -> bool:
        return self._driver is not None and self._driver.closed

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def fileno(self) -> int | None:
        """Return the descriptor of its socket, or None if it is not connected.

        Any thread may ask, even while the one that uses it closes it.
        """
        driver = self._driver
        return None if driver is None or driver.closed else driver.fileno()

    def batches(self, size: int, sql: str, /, **values: Any) -> Iterator[list[Any]]:
        # The server keeps the rows: to have a client take no more of a result blocks other queries.
        with self._connected().cursor(name="batches") as cursor:
            cursor.execute(self._written(sql, values), values or None)
            while rows := cursor.fetchmany(size):
                yield rows

    def has_table(self, name: str) -> bool:
        return self.value("SELECT to_regclass(:name)", name=name) is not None

    def among(self, column: str, name: str) -> str:
        # For an array, it uses an index; for a subquery it may read the whole table.
        return f"{column} = ANY (:{name}::text[])"

    def array(self, texts: Sequence[str]) -> list[str]:
        return list(texts)

    def _begin(self) -> None:
        self._connected().execute(self._beginning, prepare=False)

    def _commit(self) -> None:
        assert self._driver is not None  # a new one would have nothing to commit
        # The server would undo everything, and call that no error.
        if self._driver.info.transaction_status.name == "INERROR":
            raise self.Error("a statement has failed, and what was done with it is undone")
        self._driver.commit()

    def _roll_back(self) -> None:
        if self._driver is not None:
            self._driver.rollback()

    def _connected(self) -> psycopg.Connection[Row]:
        if self._driver is None:
            self._driver = self._connect()
        return self._driver

    def _carried_out(self, sql: str, values: Mapping[str, Any]) -> psycopg.Cursor[Row]:
        return self._connected().execute(self._written(sql, values), values or None)

    def _written(self, sql: str, values: Mapping[str, Any]) -> str:
        if self.views:
            sql = _with_views(sql, self.views)
        return _for_psycopg(sql) if values else sql


def _with_views(sql: str, views: str) -> str:
    return f"WITH {views} {sql}" if sql.lstrip().startswith("SELECT") else sql


@cache
def _for_psycopg(sql: str) -> str:
    """Write the places of values as psycopg reads them, for which a percent sign is special."""

    def written(found: re.Match[str]) -> str:
        name = found["name"]
        return f"%({name})s" if name else found[0].replace("%", "%%")

    return _PLACES.sub(written, sql)
