"""The address of a PostgreSQL journal: what libpq is given, and what people see."""

import pytest

from dispatcher import JournalError
from dispatcher.journal.postgres_url import PostgresUrl
from tests.support.cases import cases


@cases(
    "url, parameters",
    ("postgresql://", ""),
    ("postgres://me@db/x", "dbname=x host=db user=me"),
    ("postgresql://db:5433", "host=db port=5433"),
    ("postgresql://[::1]:5433/x", "dbname=x host=::1 port=5433"),
    ("postgresql://m%40e:s%2Fe%3Ac@db/x%2Fy", "dbname=x/y host=db password=s/e:c user=m@e"),
    ("postgresql:///x?host=/run/db&sslmode=require", "dbname=x host=/run/db sslmode=require"),
    ("postgresql://me@/x?host=a,b&port=1,2", "dbname=x host=a,b port=1,2 user=me"),
    ("postgresql:///x?host=a:1&host=b:2", "dbname=x host=a,b port=1,2"),
    ("postgresql:///x?host=a&host=b", "dbname=x host=a,b port=,"),
    ("postgresql:///x?host=a:1", "dbname=x host=a port=1"),
    ("postgresql:///?options=-cjit%3Doff&options=-cx%3D1", "options=-cjit=off -cx=1"),
    ("postgresql://me:a@db?user=you&password=b", "host=db password=b user=you"),
)
def test_what_libpq_is_given(url: str, parameters: str) -> None:
    given = PostgresUrl.parse(url).parameters()
    assert " ".join(f"{name}={given[name]}" for name in sorted(given)) == parameters


@cases(
    "url, shown",
    ("postgres://me@db/x", "postgresql://me@db/x"),
    ("postgresql://m%40e:secret@db:5433/a%20b", "postgresql://m%40e:***@db:5433/a b"),
    ("postgresql://[::1]:5433/x", "postgresql://[::1]:5433/x"),
    ("postgresql:///x?host=db&password=secret", "postgresql:///x"),
)
def test_what_people_see(url: str, shown: str) -> None:
    assert PostgresUrl.parse(url).shown == shown


@cases(
    "url",
    "postgresql://me:secret@db:port/x",
    "postgresql://me:part@secret@db/x",
    "postgresql://me:part@of/secret@db/x",
)
def test_an_address_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(JournalError, match=r"cannot be read|write an @") as raised:
        PostgresUrl.parse(url)
    assert "secret" not in str(raised.value)
