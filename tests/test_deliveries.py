"""What the journal keeps of what gateways say after they have accepted a message."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import DeliveryStatus
from dispatcher.journal import AttemptResult, Journal, open_journal, read_journal
from dispatcher.journal.backend import backend
from tests.support.messages import TO, message
from tests.support.postgres import Database
from tests.support.waiting import wait_until

KEY = f"default/m/a/1/{TO}"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
RANK = ["undelivered", "delivered", "read"]
# Of each status, the gateway always says the same moment, or none.
MOMENTS = {name: NOON + timedelta(minutes=number) for number, name in enumerate(RANK)}
said = st.builds(
    lambda status, timed: DeliveryStatus(
        id="R", status=status, at=MOMENTS[status] if timed else None
    ),
    st.sampled_from(RANK),
    st.booleans(),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('journal')}/journal.db"
    database: Database = request.getfixturevalue("database")
    return database.emptied()


def send(journal: Journal, id: str, receipt: str | None, to: str = TO) -> None:
    """Send a message; without a receipt, its outcome is unknown."""
    each = message(id, to)
    claim = journal.claim(each, "digest", journal.lookup([each.key]).get(each.key))
    assert claim is not None
    result = AttemptResult("sent", receipt) if receipt else AttemptResult("unknown")
    assert journal.conclude(claim, result).result()


def statuses(*ids: str, status: Any = "read") -> list[DeliveryStatus]:
    return [DeliveryStatus(id=id, status=status) for id in ids]


def delivery(url: str, key: str = KEY) -> tuple[str, str | None] | None:
    with read_journal(url) as reader:
        assert reader is not None
        (row,) = (row for row in reader.history() if row.key == key)
        return row.delivery and (row.delivery.status, row.delivery.at)


def by_hand(url: str, *changes: str) -> None:
    with closing(backend(url).connect()) as connection:
        for each in changes:
            connection.execute(each)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[list[DeliveryStatus]], tuple[str, str | None] | None]]:
    """Notes statuses of a message of which nothing is known yet; returns what is known then."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('journal')}/journal.db"
    else:
        database: Database = request.getfixturevalue("module_database")
        url = database.emptied()
    with open_journal(url) as journal:
        numbers = iter(range(10**6))

        def note(each: list[DeliveryStatus], at_once: bool) -> Any:
            number = next(numbers)
            send(journal, f"m{number}", f"R{number}")
            own = [status.model_copy(update={"id": f"R{number}"}) for status in each]
            for some in [own] if at_once else [[status] for status in own]:
                journal.note_statuses("greenapi", some)
            again = journal.note_statuses("greenapi", own)
            assert not any(status.new for status in again.noted), "it is known already"
            (row,) = journal.history(message=f"m{number}")
            return row.delivery and (row.delivery.status, row.delivery.at)

        yield note


@given(each=st.lists(said, min_size=1, max_size=6), at_once=st.booleans())
def test_order_and_repetition_make_no_difference(
    shared: Callable[..., Any], each: list[DeliveryStatus], at_once: bool
) -> None:
    best = max((status.status for status in each), key=RANK.index)
    timed = any(status.at for status in each if status.status == best)
    at = MOMENTS[best].isoformat(timespec="milliseconds") if timed else None
    assert shared(each, at_once) == (best, at)


def test_message_itself_is_left_alone(url: str) -> None:
    with open_journal(url) as journal:
        send(journal, "a", "R")
        before = journal.history()
        journal.note_statuses("greenapi", statuses("R", status="undelivered"))
        (after,) = journal.history()
        assert after.delivery is not None
        assert [after._replace(delivery=None)] == before


def test_nothing_is_kept_of_others_messages(url: str) -> None:
    with open_journal(url) as journal:
        send(journal, "a", "R")
        noted = journal.note_statuses("greenapi", statuses("S", "R\0", "R" * 10_000))
        other = journal.note_statuses("another", statuses("R"))
    assert (noted.missing, other.missing) == (3, 1)
    assert delivery(url) is None


def test_receipts_of_any_length_are_told_apart(url: str) -> None:
    """An index has the beginning of them only: no database indexes a long text."""
    with open_journal(url) as journal:
        journal.note_statuses("greenapi", statuses("R"))  # the index is there from now on
        long = ["é" * 9_000 + end for end in "ab"]
        send(journal, "a", long[0])
        send(journal, "b", long[1])
        assert len(journal.note_statuses("greenapi", statuses(long[0])).noted) == 1
    assert delivery(url) == ("read", None)
    assert delivery(url, KEY.replace("/a/", "/b/")) is None


def test_status_belongs_to_the_attempt_with_its_id(url: str) -> None:
    with open_journal(url) as journal:
        send(journal, "a", "R1")
        send(journal, "a", "R2")
        journal.note_statuses("greenapi", statuses("R1"))
        assert [row.delivery for row in journal.history()] == [None]
        journal.note_statuses("greenapi", statuses("R2", status="delivered"))
    assert delivery(url) == ("delivered", None)


def test_history_shows_what_a_gateway_said_last(url: str) -> None:
    def shown(delivery: str) -> list[str]:
        with read_journal(url) as reader:
            assert reader is not None
            return [row.message for row in reader.history(delivery=delivery)]

    with open_journal(url) as journal:
        for each in "abcd":
            send(journal, each, f"R-{each}")
        assert shown("read") == []
        for id, status in (("R-a", "delivered"), ("R-a", "read"), ("R-b", "delivered")):
            journal.note_statuses("greenapi", statuses(id, status=status))
        journal.note_statuses("greenapi", statuses("R-c", status="undelivered"))
        assert [shown(each) for each in RANK] == [["c"], ["b"], ["a"]]
        send(journal, "c", "R-again")  # of which nothing is known yet
    assert [shown(each) for each in RANK] == [[], ["b"], ["a"]]


def test_gateway_may_give_a_resent_message_its_old_id(url: str) -> None:
    with open_journal(url) as journal:
        send(journal, "a", "R")
        send(journal, "a", "R")
        journal.note_statuses("greenapi", statuses("R"))
    assert delivery(url) == ("read", None)


def test_event_of_an_old_version_has_no_attempt(url: str) -> None:
    with open_journal(url) as journal:
        send(journal, "a", "R")
    by_hand(url, "UPDATE events SET attempt = NULL")
    with open_journal(url) as journal:
        assert journal.note_statuses("greenapi", statuses("R")).noted
    assert delivery(url) == ("read", None)


def test_two_processes_note_at_once(database: Database) -> None:
    """Who comes second has read that nothing was known: what is known best remains."""
    url = database.emptied()
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM "
    waiting += "pg_stat_activity WHERE datname = current_database())"
    with (
        open_journal(url) as journal,
        closing(backend(url).connect()) as connection,
        ThreadPoolExecutor(1) as other,
    ):
        send(journal, "a", "R")
        journal.note_statuses("greenapi", statuses("S"))
        with connection.begin():
            read = f"INSERT INTO deliveries VALUES ('{KEY}', 1, 'read', NULL, NULL)"
            connection.execute(read)
            lower = statuses("R", status="delivered")
            noting = other.submit(journal.note_statuses, "greenapi", lower)
            wait_until(lambda: database.ask(waiting))
        noting.result()
    assert delivery(url) == ("read", None)


def test_long_index_is_left_for_later_while_others_send(database: Database) -> None:
    """They could not write for as long as it takes to make it."""
    index = "SELECT count(*) FROM pg_indexes WHERE indexname = 'events_receipt'"
    url = database.emptied()
    with open_journal(url) as sending:
        send(sending, "a", "R")
        with open_journal(url) as noting:
            assert noting.note_statuses("greenapi", statuses("R")).noted
        assert database.ask(index) == [(0,)]
    with open_journal(url) as noting:
        noting.note_statuses("greenapi", statuses("R"))
    assert database.ask(index) == [(1,)]


def test_who_may_not_read_them_reads_the_rest(database: Database) -> None:
    url = database.emptied()
    with open_journal(url) as journal:
        send(journal, "a", "R")
        journal.note_statuses("greenapi", statuses("R"))
    database.ask("DROP ROLE IF EXISTS reader_of_history")
    database.ask("CREATE ROLE reader_of_history LOGIN")
    try:
        database.ask("GRANT USAGE ON SCHEMA dispatcher TO reader_of_history")
        database.ask(
            "GRANT SELECT ON dispatcher.messages, dispatcher.events, dispatcher.version, "
            "dispatcher.origin TO reader_of_history"
        )
        assert delivery(url.replace("postgres@", "reader_of_history@")) is None
    finally:
        database.ask("DROP OWNED BY reader_of_history")
        database.ask("DROP ROLE reader_of_history")
    assert delivery(url) == ("read", None)
