"""One connection to a journal's database: the same SQL means the same in both."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from dispatcher.journal.backend import backend
from dispatcher.journal.connection import Connection
from tests.support.postgres import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.db"
    database: Database = request.getfixturevalue("database")
    database.ask("CREATE SCHEMA dispatcher")
    return database.url


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with closing(backend(url).connect()) as connection:
        connection.execute('CREATE TABLE texts ("key" TEXT PRIMARY KEY, number INTEGER)')
        yield connection


def test_a_value_is_never_read_as_sql(connection: Connection) -> None:
    odd = ["'; DROP TABLE texts; --", "100%", "%s", ":key", "%(key)s", "a::b", '"', "\\", "😃"]
    for number, key in enumerate(odd):
        connection.execute("INSERT INTO texts VALUES (:key, :number)", key=key, number=number)
    query = f"SELECT key FROM texts WHERE {connection.among('key', 'keys')} ORDER BY number"
    assert connection.rows(query, keys=connection.array(odd)) == [(key,) for key in odd]
    assert connection.rows(query, keys=connection.array([])) == []


def test_what_is_in_quotes_is_no_place_for_a_value(connection: Connection) -> None:
    connection.execute("INSERT INTO texts VALUES ('12:30:00 100%', 1)")
    query = "SELECT key, '%s :number' FROM texts WHERE key LIKE '__:__:__ %' AND number = :number"
    assert connection.row(query, number=1) == ("12:30:00 100%", "%s :number")
    assert connection.row(query, number=2) is None


def test_a_type_is_no_value(database: Database) -> None:
    with closing(backend(database.url).connect()) as connection:
        assert connection.value("SELECT :number::text || 5 % 3", number=1) == "12"


def test_a_block_that_raises_changes_nothing(connection: Connection) -> None:
    insert = "INSERT INTO texts VALUES (:key, 0)"

    def add_and_fail() -> None:
        connection.execute(insert, key="undone")
        connection.execute("SELECT nothing FROM nowhere")

    with pytest.raises(connection.Error), connection.begin():
        add_and_fail()
    with connection.begin():
        connection.execute(insert, key="kept")
        with pytest.raises(connection.Error), connection.savepoint():
            add_and_fail()
        connection.execute(insert, key="also kept")
    assert connection.rows("SELECT key FROM texts ORDER BY key") == [("also kept",), ("kept",)]


def test_what_a_server_undid_does_not_count_as_committed(database: Database) -> None:
    with closing(backend(database.url).connect()) as connection:
        database.ask("CREATE SCHEMA dispatcher")
        connection.execute("CREATE TABLE numbers (number INTEGER)")

        def add_and_ignore_a_failure() -> None:
            connection.execute("INSERT INTO numbers VALUES (1)")
            with suppress(connection.Error):
                connection.execute("SELECT nothing FROM nowhere")

        with pytest.raises(connection.Error, match="undone"), connection.begin():
            add_and_ignore_a_failure()
        with connection.begin():
            connection.execute("INSERT INTO numbers VALUES (2)")
        assert connection.rows("SELECT number FROM numbers") == [(2,)]


def test_rows_come_a_few_at_a_time_while_others_are_asked_for(connection: Connection) -> None:
    for number in range(7):
        connection.execute(
            "INSERT INTO texts VALUES (:key, :number)", key=f"{number}", number=number
        )
    query = "SELECT number FROM texts WHERE number < :most ORDER BY number"
    with connection.begin():
        found = []
        for batch in connection.batches(3, query, most=5):
            assert connection.value("SELECT count(*) FROM texts") == 7
            found.append([number for (number,) in batch])
    assert found == [[0, 1, 2], [3, 4]]


def test_rows_that_nobody_wants_any_more_hold_nothing(connection: Connection) -> None:
    connection.execute("INSERT INTO texts VALUES ('a', 1), ('b', 2)")
    with connection.begin():
        next(connection.batches(1, "SELECT key FROM texts"))
        connection.execute("DELETE FROM texts")
    assert connection.rows("SELECT key FROM texts") == []


def test_a_lost_connection_is_made_anew_for_the_next_transaction(database: Database) -> None:
    with closing(backend(database.url).connect()) as connection:

        def go_on_with_the_transaction() -> None:
            database.cut()
            with pytest.raises(connection.Error):
                connection.value("SELECT 1")
            connection.value("SELECT 1")

        with pytest.raises(connection.Error), connection.begin():
            go_on_with_the_transaction()
        assert connection.is_lost
        with connection.begin():
            assert connection.value("SELECT 1") == 1


def test_a_closed_file_is_opened_anew(tmp_path: Path) -> None:
    connection = backend(f"sqlite:///{tmp_path}/journal.db").connect()
    connection.execute("CREATE TABLE texts (key TEXT)")
    connection.close()
    assert connection.has_table("texts")
    assert not connection.has_table("others")
    connection.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
