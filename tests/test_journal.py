"""The journal and its lock, apart from the commands that use them."""

import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from dispatcher import Failure, JournalError, MediaId, Message, names
from dispatcher.errors import JournalLocked
from dispatcher.journal import (
    LEASE,
    AttemptResult,
    Claim,
    HistoryRow,
    Journal,
    JournalReader,
    open_journal,
    read_journal,
)
from dispatcher.journal.backend import backend
from dispatcher.journal.board import DeadBoards
from dispatcher.journal.clock import steady
from dispatcher.journal.connection import Connection
from dispatcher.journal.locking import locked
from dispatcher.journal.schema import SCHEMA_VERSION
from dispatcher.journal.sqlite import SqliteBackend
from dispatcher.journal.updates import Updates
from dispatcher.models import Record
from tests.support.cases import cases
from tests.support.messages import TO, message
from tests.support.postgres import Database
from tests.support.waiting import wait_until

REFUSED = Failure(code="1022", text="Subscriber was not found")
SENT = AttemptResult("sent", id="1")
FAILED = AttemptResult("failed", error=REFUSED)
UNKNOWN = AttemptResult("unknown", error=REFUSED)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/.dispatcher/journal.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Where a journal may be that is not there yet."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('journal')}/journal.db"
    database: Database = request.getfixturevalue("database")
    return database.emptied


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def opened(url: str) -> Iterator[Journal]:
    with open_journal(url) as opened:
        yield opened


def status(opened: Journal | JournalReader, key: str) -> str | None:
    record = opened.lookup([key]).get(key)
    return record.status if record else None


def read_history(url: str) -> list[HistoryRow]:
    """What the journal tells when no run is on."""
    with read_journal(url) as reader:
        assert reader is not None
        return list(reader.history(with_events=True))


def by_hand(url: str, statement: str) -> None:
    """Change a journal as people do who know SQL."""
    with closing(backend(url).connect()) as connection:
        connection.execute(statement)


def claim(opened: Journal, each: Message, digest: str = "digest") -> Claim:
    """Begin an attempt from whatever the journal says now."""
    found = opened.claim(each, digest, opened.lookup([each.key]).get(each.key))
    assert found is not None
    return found


def begin(url: str, *ids: str) -> None:
    """A run that ends while these messages are under way."""
    with open_journal(url) as opened:
        for id in ids or ("a",):
            claim(opened, message(id))


def is_refused(url: str, why: str) -> None:
    with pytest.raises(JournalError, match=why), open_journal(url):
        pass


def medium(id: str) -> MediaId:
    """One that lasts for a day."""
    return MediaId(id=id, expires_at=datetime.now(UTC) + timedelta(hours=24))


def event_statuses(url: str) -> list[str]:
    """What became of the only message, one after the other."""
    (row,) = read_history(url)
    return [event.status for event in row.events]


def test_what_is_known_of_a_message_from_intent_to_receipt(url: str) -> None:
    sent = message()
    with open_journal(url) as opened:
        assert opened.lookup([sent.key]) == {}
        first = claim(opened, sent, "digest-1")
        assert status(opened, sent.key) == "sending"
        assert opened.conclude(first, FAILED).result()
        (row,) = opened.history()
        assert (row.status, row.error) == ("failed", REFUSED)
        second = claim(opened, sent, "digest-2")
        (row,) = opened.history()
        assert (row.status, row.error) == ("sending", None), "nothing of the last attempt stays"
        opened.conclude(second, AttemptResult("sent", id="1234"))
    (row,) = read_history(url)
    with read_journal(url) as reader:
        assert reader is not None
        record = reader.lookup([sent.key])[sent.key]
    assert (record.status, record.digest, record.id) == ("sent", "digest-2", "1234")
    assert (row.attempts, row.error, row.id) == (2, None, "1234")
    assert [(each.attempt, each.status, each.id, each.error) for each in row.events] == [
        (1, "sending", None, None),
        (1, "failed", None, REFUSED),
        (2, "sending", None, None),
        (2, "sent", "1234", None),
    ]


def test_the_last_attempt_is_the_one_made_last_whatever_the_clock_said(sqlite_url: str) -> None:
    """Asked for one that began earlier, a gateway might find an older message in its place."""
    with open_journal(sqlite_url) as opened:
        opened.conclude(claim(opened, message()), FAILED).result()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE events SET at = '2999-01-01T00:00:00.000+00:00'")
    with open_journal(sqlite_url) as opened:
        assert opened.began_at(message().key) == datetime(2999, 1, 1, tzinfo=UTC)
        claim(opened, message())
        began = opened.began_at(message().key)
        assert began is not None
        assert abs(began - datetime.now(UTC)) < timedelta(minutes=1)
        assert opened.began_at(message("b").key) is None


def test_history_of_one_run(opened: Journal) -> None:
    for run in ("morning", "evening"):
        claim(opened, message(run=run))
    assert [row.key for row in opened.history(run="evening")] == ["evening/m/a/1/79001234567"]


def test_only_one_of_many_makes_an_attempt(opened: Journal) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(opened.claim, message(), "digest", None) for _ in range(8)]
    won = [each.result() for each in asked if each.result()]
    assert [each[:3] for each in won] == [(message().key, 1, "digest")]


def test_attempt_is_made_only_from_what_it_was_decided_on(opened: Journal) -> None:
    first = claim(opened, message())
    before = opened.lookup([message().key])[message().key]
    assert opened.claim(message(), "digest", before) is None, "it is under way"
    opened.conclude(first, FAILED)
    assert opened.claim(message(), "digest", None) is None, "it is no longer new"
    assert opened.claim(message(), "digest", before) is None, "it is no longer under way"
    second = claim(opened, message())
    assert not opened.conclude(first, SENT).result(), "that attempt is over"
    assert opened.conclude(second, AttemptResult("sent", id="2")).result()
    assert not opened.conclude(second, FAILED).result()
    assert opened.lookup([message().key])[message().key].id == "2"


def test_late_answer_still_counts(opened: Journal) -> None:
    """A worker that was taken for dead may yet learn how its attempt ended."""
    mine = claim(opened, message())
    opened.decide(message().key, FAILED)
    assert status(opened, message().key) == "sending", "only what is unknown is decided"
    opened.conclude(mine, UNKNOWN)
    assert opened.conclude(mine, SENT).result()
    assert status(opened, message().key) == "sent"


@pytest.mark.parametrize("sent", [False, True])
def test_receipt_proves_more_than_a_persons_word(url: str, sent: bool) -> None:
    with open_journal(url) as opened:
        mine = claim(opened, message())
        opened.conclude(mine, UNKNOWN)
        opened.settle(message().key, sent=sent)
        assert opened.conclude(mine, SENT).result()
        assert not opened.conclude(mine, FAILED).result()
    (row,) = read_history(url)
    assert (row.status, row.id, row.error) == ("sent", "1", None)
    assert [(event.status, event.id) for event in row.events][-2:] == [
        ("sent" if sent else "failed", None),
        ("sent", "1"),
    ]


@pytest.mark.parametrize("later", ["sending", "sent", "failed", "unknown"])
def test_receipt_beside_a_later_attempt_is_kept_and_nothing_goes_out_again(
    url: str, later: Literal["sending", "sent", "failed", "unknown"]
) -> None:
    with open_journal(url) as opened:
        first = claim(opened, message())
        opened.conclude(first, UNKNOWN)
        opened.settle(message().key, sent=False)
        second = claim(opened, message())
        ends = {"sent": AttemptResult("sent", id="2"), "unknown": UNKNOWN}.get(later, FAILED)
        if later != "sending":
            opened.conclude(second, ends)
        assert not opened.conclude(first, SENT).result()
        if later == "sending":
            opened.conclude(second, ends)
        record = opened.lookup([message().key])[message().key]
        if record.status == "failed":
            assert opened.claim(message(), first.digest, record) is None, "it was sent"
            assert opened.claim(message(), "other", record) is not None
    (row,) = read_history(url)
    (late,) = [event for event in row.events if event.error and event.error.code == "late"]
    assert (late.attempt, late.status, late.id) == (1, "sent", "1")
    assert record.sent_digest == first.digest


def test_receipt_that_could_not_be_written_waits_for_the_database(database: Database) -> None:
    with open_journal(database.url) as opened:
        mine = claim(opened, message())
        database.cut()
        assert opened.conclude(mine, SENT).result()
        with pytest.raises(JournalError, match="ended the connection"):
            opened.claim(message("b"), "digest", None)
    assert database.journal()["a"]["receipt"] == "1"
    assert "b" not in database.journal()
    assert database.ask("SELECT * FROM dispatcher.workers") == []


def test_of_a_failed_commit_receipts_are_written_again_and_no_intent_is(database: Database) -> None:
    with open_journal(database.url) as opened, ThreadPoolExecutor(2) as pool:
        mine = claim(opened, message("a"))
        with opened._writer._writing:
            began = pool.submit(opened.claim, message("b"), "digest", None)
            wait_until(lambda: not opened._writer._jobs.empty())
            written = opened.conclude(mine, SENT)
            database.cut()
        with pytest.raises(JournalError):
            began.result()
        assert written.result()
    assert database.statuses() == {"a": "sent"}


def test_receipt_is_waited_for_no_longer_than_it_may_take(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.journal._RETRY_FOR", 0.5)
    with open_journal(database.url) as opened:
        mine = claim(opened, message())
        database.ask("ALTER TABLE dispatcher.messages RENAME TO elsewhere")
        written = opened.conclude(mine, SENT)
        assert not written.done()
    with pytest.raises(JournalError, match="messages"):
        written.result()


@pytest.mark.parametrize("left", ["nothing", "an older attempt"])
@pytest.mark.parametrize("how", ["sent", "unknown"])
def test_what_a_database_that_went_back_has_forgotten_is_noted_anew(
    opened: Journal, left: str, how: Literal["sent", "unknown"]
) -> None:
    def go_back(connection: Connection) -> None:
        if left == "nothing":
            connection.execute("DELETE FROM messages")
        else:
            connection.execute("UPDATE messages SET attempts = 1, status = 'failed'")

    result = SENT if how == "sent" else UNKNOWN
    opened.conclude(claim(opened, message()), FAILED)
    second = claim(opened, message())
    opened._writer.submit(go_back).result()
    assert opened.conclude(second, result).result()
    (row,) = opened.history()
    assert row[:6] == (message().key, "default", "m", "a", TO, "greenapi")
    assert (row.status, row.id, row.attempts) == (how, result.id, 2)


def test_receipt_beside_a_later_attempt_is_kept_once(url: str) -> None:
    with open_journal(url) as opened:
        first = claim(opened, message())
        opened.conclude(first, FAILED)
        claim(opened, message())
        for _ in range(2):  # as where the first answer was lost
            assert not opened.conclude(first, SENT).result()
    (row,) = read_history(url)
    assert [event.id for event in row.events].count("1") == 1


@pytest.mark.parametrize("odd", ["\ud800", "a\0b", "\udcff😃"])
def test_message_of_any_name_can_be_kept(opened: Journal, odd: str) -> None:
    """A transport of a third party may have addresses of any kind."""
    mine = claim(opened, message(to=odd, run=odd))
    assert opened.conclude(mine, UNKNOWN).result()
    assert status(opened, message(to=odd, run=odd).key) == "unknown"
    assert opened.settle(message(to=odd, run=odd).key, sent=True)
    assert len(opened.history(recipient=odd)) == 1
    opened.remember_upload(odd, "sha", medium(odd))
    assert opened.media_id(odd, "sha") is None, "an id that is not the gateway's"


def test_settling_one_message_settles_no_other(opened: Journal) -> None:
    for id in "abc":
        opened.conclude(claim(opened, message(id)), UNKNOWN)
    assert opened.settle(message("b").key, sent=True)
    known = {row.message: row.status for row in opened.history()}
    assert known == {"a": "unknown", "b": "sent", "c": "unknown"}


@pytest.mark.parametrize("names", ["12", "21"])
def test_answer_to_a_run_of_before_decides_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    owners = iter(names)
    monkeypatch.setattr(uuid, "uuid4", lambda: SimpleNamespace(hex=next(owners)))
    with open_journal(url) as opened:
        theirs = claim(opened, message())
    with open_journal(url) as opened:
        assert not opened.conclude(theirs, SENT).result()
        assert status(opened, message().key) == "unknown"


def test_attempt_that_never_left_is_noted_with_its_end(opened: Journal) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    result = AttemptResult("failed", error=REFUSED, not_before=later)
    failed = opened.fail(message(), "digest", None, result).result()
    assert failed is not None
    assert failed[:3] == (message().key, 1, "digest")
    assert opened.fail(message(), "digest", None, result).result() is None, "no longer new"
    record = opened.lookup([message().key])[message().key]
    assert (record.status, record.attempts) == ("failed", 1)
    assert record.not_before is not None
    assert abs(record.not_before - later) < timedelta(seconds=1)


def test_text_that_no_database_can_keep_spoils_nothing(opened: Journal) -> None:
    """A transport may say anything of a message; others are written in the same commit."""
    odd = "a\0b \ud800 😃"
    claims = [claim(opened, message(id)) for id in "abc"]
    results = [
        AttemptResult("sent", id=odd),
        AttemptResult("failed", error=Failure(code=odd, text=odd)),
    ]
    written = [opened.conclude(*each) for each in zip(claims, [*results, SENT], strict=True)]
    assert [each.result() for each in written] == [True] * 3
    found = {row.message: row for row in opened.history()}
    kept = r"a\0b \ud800 😃"
    assert (found["a"].id, found["c"].id) == (kept, "1")
    assert found["b"].error == Failure(code=kept, text=kept)


def test_what_was_under_way_when_a_run_ended_is_unknown(url: str) -> None:
    with open_journal(url) as opened:
        mine = claim(opened, message("sent"))
        claim(opened, message("under-way"))
        opened.conclude(mine, SENT)
    with read_journal(url) as reader:
        assert reader is not None
        assert status(reader, message("under-way").key) == "sending", "reading settles nothing"
    with open_journal(url) as opened:
        assert status(opened, message("sent").key) == "sent"
        assert status(opened, message("under-way").key) == "unknown"
        (row,) = opened.history(status="unknown")
        assert row.error
        assert row.error.code == "interrupted"


def test_what_a_killed_run_left_is_unknown_at_once_where_only_one_can_be(sqlite_url: str) -> None:
    """Its lease is not over, but it cannot live: the file is locked by somebody else."""
    database = SqliteBackend(sqlite_url)
    with database.prepared("default", 0):
        killed = Journal(database, "default", LEASE)
        claim(killed, message())
        killed._writer.close()
    with open_journal(sqlite_url) as opened:
        assert status(opened, message().key) == "unknown"
    killed._connection.close()


def test_of_many_workers_only_the_silent_ones_lose_their_attempts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statuses() -> list[str]:
        return [row["status"] for _, row in sorted(database.journal().items())]

    names = iter("2314")  # whoever comes and goes has the first name, or the last
    monkeypatch.setattr(uuid, "uuid4", lambda: SimpleNamespace(hex=next(names)))
    with open_journal(database.url) as silent, open_journal(database.url) as alive:
        attempt = claim(silent, message("a"))
        claim(alive, message("b"))
        for _ in range(2):
            with open_journal(database.url):
                pass
        alive._writer.submit(alive._heartbeat).result()
        assert statuses() == ["sending", "sending"]
        database.ask("UPDATE dispatcher.workers SET lease = 0")
        alive._writer.submit(alive._heartbeat).result()
        assert statuses() == ["unknown", "sending"]
        left = "SELECT max(lease) - extract(epoch FROM clock_timestamp()) FROM dispatcher.workers"
        assert LEASE - 10 < database.ask(left)[0][0] <= LEASE
        assert silent.conclude(attempt, SENT).result(), "it was only late"
        assert statuses() == ["sent", "sending"]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass, for the clock by which a run looks at its lease."""
    passed = [0.0]
    real = steady
    for module in ("", ".attempts", ".writer"):
        monkeypatch.setattr(f"dispatcher.journal{module}.steady", lambda: real() + passed[0])
    return lambda seconds: passed.__setitem__(0, passed[0] + seconds)


def test_claim_holds_for_as_long_as_the_lease_under_which_it_was_made(
    database: Database, later: Callable[[float], None]
) -> None:
    with open_journal(database.url) as opened:
        mine = claim(opened, message())
        later(LEASE * 0.9)
        assert opened.holds(mine)
        opened.lookup([])  # another thread wakes first, and the lease is renewed
        later(LEASE * 0.2)
        assert not opened.holds(mine), "others may have taken the run for dead in between"
        assert opened.holds(claim(opened, message("b")))


def test_run_that_wakes_up_shows_that_it_lives_before_it_claims_anything(
    database: Database, later: Callable[[float], None]
) -> None:
    living = "SELECT count(*) FROM dispatcher.workers"
    with open_journal(database.url) as opened:
        database.ask("UPDATE dispatcher.workers SET lease = 0")
        with open_journal(database.url):
            assert database.ask(living) == [(1,)], "the dead one is gone"
        later(LEASE)
        mine = claim(opened, message())
        assert database.ask(f"{living} WHERE lease > 0") == [(1,)]
        with open_journal(database.url):
            assert status(opened, message().key) == "sending"
        assert opened.holds(mine)
    assert database.ask(living) == [(0,)]


def test_run_frozen_after_its_heartbeat_holds_nothing(
    database: Database, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Updates.claim

    def frozen(self: Updates, *given: Any) -> Claim | None:
        later(LEASE)
        return real(self, *given)

    with open_journal(database.url) as opened:
        monkeypatch.setattr(Updates, "claim", frozen)
        assert not opened.holds(claim(opened, message()))


def test_locked_file_needs_no_lease(sqlite_url: str, later: Callable[[float], None]) -> None:
    with open_journal(sqlite_url) as opened:
        mine = claim(opened, message())
        later(LEASE * 100)
        assert opened.holds(mine)


def test_run_ends_when_a_newer_dispatcher_took_over_and_keeps_its_receipts(
    database: Database, later: Callable[[float], None]
) -> None:
    with open_journal(database.url) as opened:
        mine = claim(opened, message())
        database.ask("UPDATE dispatcher.version SET number = 99")
        later(LEASE / 2)
        with pytest.raises(JournalError, match="a newer dispatcher has taken over"):
            opened.claim(message("b"), "digest", None)
        assert opened.conclude(mine, SENT).result()
    assert database.statuses() == {"a": "sent"}


def test_journal_is_not_renewed_under_a_run_of_the_version_before(database: Database) -> None:
    with open_journal(database.url, run="spring"):
        database.ask("UPDATE dispatcher.version SET number = 4")
        is_refused(database.url, f'run "spring" on .* .process {os.getpid()}.')
        assert database.ask("TABLE dispatcher.version") == [(4,)]
        database.ask("UPDATE dispatcher.workers SET lease = 0")
        with open_journal(database.url):
            assert database.ask("TABLE dispatcher.version") == [(SCHEMA_VERSION,)]


# A process for each step, which dies before or after it as if it were killed.
DYING = """
import os, sys
from dispatcher.journal import AttemptResult, open_journal
from dispatcher.journal.sqlite import SqliteBackend
from dispatcher.journal.updates import Updates
from tests.test_journal import claim, message

STEPS = {"set_version": SqliteBackend, "register": Updates, "run_began": SqliteBackend,
         "unregister": Updates, "run_ended": SqliteBackend}
for name, owner in STEPS.items():
    for when in ("before", "after"):
        if os.fork() == 0:
            def dies(*given, step=getattr(owner, name), **more):
                if when == "after":
                    step(*given, **more)
                os._exit(0)
            setattr(owner, name, dies)
            with open_journal(f"sqlite:///{sys.argv[1]}/{name}-{when}.db") as opened:
                opened.conclude(claim(opened, message()), AttemptResult("sent", id="1")).result()
            os._exit(1)
        assert os.wait()[1] == 0
"""


def test_run_that_dies_at_any_step_leaves_a_journal_that_can_be_used(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=True, cwd=root)
    left = sorted(tmp_path.glob("*.db"))
    assert len(left) == 10
    for file in left:
        sent = file.stem.startswith(("unregister", "run_ended"))
        with read_journal(f"sqlite:///{file}") as reader:
            assert not (reader and reader.warnings)
            assert not sent or (reader and status(reader, message().key) == "sent")
        with open_journal(f"sqlite:///{file}") as opened:
            assert status(opened, message().key) == ("sent" if sent else None)


def test_start_does_not_read_the_whole_journal(sqlite_url: str) -> None:
    with open_journal(sqlite_url) as opened:
        done = claim(opened, message())
        opened.conclude(done, SENT)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    short = steps_of_recovery(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        columns = [row[1] for row in connection.execute("PRAGMA table_info(messages)")]
        others = ", ".join(column for column in columns if column != "key")
        copies = f"SELECT key || i, {others} FROM n, messages"
        connection.execute(f"{many} INSERT INTO messages (key, {others}) {copies}")
    assert steps_of_recovery(file) < 2 * short + 100


def steps_of_recovery(file: Path) -> int:
    """How many instructions SQLite's machine takes to look for what others left."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    backend = SqliteBackend(f"sqlite:///{file}")
    with closing(backend.connect()) as connection:
        connection.driver.set_progress_handler(count, 1)
        Updates(backend, "me", lambda: datetime.now(UTC)).recover(connection, DeadBoards(None))
        connection.driver.set_progress_handler(None, 1)
    return steps


def test_power_cut_loses_no_commit(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for the disk at every commit; in WAL mode that takes synchronous=FULL."""
    connections: list[sqlite3.Connection] = []
    real = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connections.append(real(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with open_journal(sqlite_url) as opened:
        claim(opened, message())
        *_, connection = connections  # others only read
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_lookup_takes_any_number_of_keys(opened: Journal) -> None:
    for number in (0, 1234, 2999):
        claim(opened, message(f"m{number}"))
    keys = [message(f"m{number}").key for number in range(3000)]
    assert set(opened.lookup(keys)) == {keys[0], keys[1234], keys[2999]}
    assert opened.lookup([]) == {}


def test_a_long_history_is_told_in_order(url: str) -> None:
    begin(url)
    by_hand(
        url,
        "WITH RECURSIVE numbers(n) AS "
        "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200) INSERT INTO messages "
        "(key, run, manifest, message, recipient, transport, digest, status, attempts, changed_at) "
        "SELECT 'default/m/b/1/' || (79000000000 + n), 'default', 'm', 'b', "
        "CAST(79000000000 + n AS TEXT), 'greenapi', 'digest', 'sent', 1, "
        "'2026-01-0' || (n % 3 + 1) || 'T00:00:00.000+00:00' FROM numbers",
    )
    told = [(row.changed_at, row.key) for row in read_history(url)]
    assert len(told) == 1201
    assert told == sorted(set(told)), "each once, the oldest first"


def test_threads_share_a_journal(opened: Journal) -> None:
    def work(number: int) -> None:
        mine = [message(f"m{number}-{each}") for each in range(20)]
        for each in mine:
            opened.conclude(claim(opened, each), AttemptResult("sent", id=each.id))
            assert opened.lookup([each.key])[each.key].id == each.id

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(opened.history(status="sent")) == 160


def test_journal_keeps_itself_out_of_git(sqlite_url: str, tmp_path: Path) -> None:
    with open_journal(sqlite_url):
        assert (tmp_path / ".dispatcher" / ".gitignore").read_text() == "*\n"
    elsewhere = tmp_path / "elsewhere"
    with open_journal(f"sqlite:///{elsewhere}/journal.db"):
        assert not (elsewhere / ".gitignore").exists(), "a folder that is the user's own"


@pytest.mark.parametrize("empty", [False, True], ids=["no file", "an empty file"])
def test_reading_before_the_first_run_finds_nothing_and_makes_nothing(
    sqlite_url: str, tmp_path: Path, empty: bool
) -> None:
    file = tmp_path / ".dispatcher" / "journal.db"
    if empty:  # as it is for a moment while the first run begins
        file.parent.mkdir()
        file.touch()
    with read_journal(sqlite_url) as reader:
        assert reader is None
    assert file.exists() == empty


def test_reader_who_cannot_take_part_notices_that_a_run_has_begun(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(sqlite_url)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        reading = read_journal(sqlite_url)
        reader = reading.__enter__()
    assert reader is not None
    assert len(list(reader.history())) == 1
    with open_journal(sqlite_url), pytest.raises(JournalError, match="a run has begun to write"):
        reader.lookup([message().key])
    reading.__exit__(None, None, None)


@pytest.mark.parametrize("url", ["mysql://host/x", "journal.db", "sqlite:///", ""])
def test_other_journals_are_refused_in_a_sentence(url: str) -> None:
    is_refused(url, "sqlite:///PATH")


# what people change by hand


@cases(
    "wrong",
    "status = 'done'",
    "status = 'SENT'",
    "status = 'retry'",
    "attempts = 0",
    "attempts = 2147483647",
    "changed_at = ''",
    "changed_at = 'yesterday'",
    "not_before = 'soon'",
)
def test_row_that_was_changed_by_hand_is_named_before_anything_leaves(url: str, wrong: str) -> None:
    begin(url, "a", "b", "c")
    by_hand(url, f"UPDATE messages SET {wrong} WHERE message = 'b'")
    column, value = wrong.split(" = ")
    with pytest.raises(JournalError) as raised, open_journal(url):
        pass
    said = str(raised.value)
    assert said.startswith("what the journal has of default/m/b/1/79001234567 was not written by")
    assert f"{column} is {value}" in said
    by_hand(url, "DELETE FROM messages WHERE message = 'b'")
    with open_journal(url) as opened:
        assert status(opened, message("a").key) == "unknown"


def test_upload_that_was_changed_by_hand_is_named_before_anything_leaves(url: str) -> None:
    with open_journal(url) as opened:
        opened.remember_upload("account", "sha", medium("1"))
    by_hand(url, "UPDATE uploads SET expires_at = 'never'")
    is_refused(url, "the upload sha of account was not written by a run .expires_at is 'never'")


def test_times_that_were_written_by_hand_count_as_they_are_meant(url: str) -> None:
    """Without a zone, as another program may show them, or in another zone."""
    with open_journal(url) as opened:
        for id in ("a", "b"):
            opened.conclude(claim(opened, message(id)), FAILED)
    for id, when in (("a", "2030-01-01 00:00:00"), ("b", "2030-01-01T02:00:00.000+02:00")):
        by_hand(url, f"UPDATE messages SET not_before = '{when}' WHERE message = '{id}'")
    with open_journal(url) as opened:
        found = opened.lookup([message(id).key for id in ("a", "b")])
    assert {str(each.not_before) for each in found.values()} == {"2030-01-01 00:00:00+00:00"}


def test_change_by_hand_is_noted_whatever_the_search_path(database: Database) -> None:
    begin(database.url)
    database.ask("UPDATE dispatcher.messages SET status = 'failed'")
    assert event_statuses(database.url) == ["sending", "failed"]


def test_events_are_counted_beyond_four_bytes(database: Database) -> None:
    with open_journal(database.url) as opened:
        opened.lookup([])
        database.ask("SELECT setval('dispatcher.events_id_seq', 2147483647)")
        claim(opened, message())
    assert database.ask("SELECT min(id) FROM dispatcher.events") == [(2**31,)]


@cases("change", "DELETE FROM {}", "INSERT INTO {} VALUES (3)", "UPDATE {} SET number = 0")
def test_version_that_was_changed_by_hand_is_an_error(database: Database, change: str) -> None:
    begin(database.url)
    database.ask(change.format("dispatcher.version"))
    is_refused(database.url, r"dispatcher\.version of .* was changed by hand")


def test_version_of_a_file_that_was_changed_by_hand_is_an_error(sqlite_url: str) -> None:
    begin(sqlite_url)
    by_hand(sqlite_url, "PRAGMA user_version = -1")
    for opening in (open_journal, read_journal):
        with pytest.raises(JournalError, match="has the version -1, which"), opening(sqlite_url):
            pass


# what a key can hold


def test_longest_names_fit_into_every_journal(url: str) -> None:
    letters = random.Random(1)

    def longest(characters: int) -> str:
        """Four bytes a letter, and nothing can compress them."""
        return "".join(chr(letters.randrange(0x20000, 0x2A6D0)) for _ in range(characters))

    run, name, id = (longest(names.LONGEST) for _ in range(3))
    to = longest(names.LONGEST_ADDRESS)
    assert names.why_invalid(name) is None
    key = f"{run}/{name}/{id}/{2**63 - 1}/{to}"
    each = message().model_copy(update={"key": key, "manifest": name, "id": id, "to": to})
    with open_journal(url, run=run) as opened:
        opened.note_manifest_paths({name: longest(1000)})
        opened.remember_upload(to, "f" * 64, medium("1"))
        opened.conclude(claim(opened, each), SENT).result()
        assert status(opened, key) == "sent"


def test_longer_names_of_an_older_journal_are_still_known(sqlite_url: str) -> None:
    old = message(run="x" * 4000)
    with open_journal(sqlite_url) as opened:
        claim(opened, old)
    with open_journal(sqlite_url) as opened:
        assert opened.settle(old.key, sent=True)
        assert [row.status for row in opened.history(run="x" * 4000)] == ["sent"]


# uploads


def test_shared_journal_of_the_version_before_is_renewed(database: Database) -> None:
    begin(database.url)
    for table in _NEW_TABLES:
        database.ask(f"DROP TABLE dispatcher.{table}")
    database.ask("ALTER TABLE dispatcher.events ALTER COLUMN id TYPE integer")
    database.ask("ALTER SEQUENCE dispatcher.events_id_seq AS integer")
    database.ask("ALTER TABLE dispatcher.messages DROP COLUMN sent_digest")
    database.ask("DROP INDEX dispatcher.messages_digest")
    database.ask("CREATE INDEX messages_digest ON dispatcher.messages (digest)")
    database.ask("UPDATE dispatcher.version SET number = 3")
    with open_journal(database.url) as opened:
        assert status(opened, message().key) == "unknown"
    assert event_statuses(database.url) == ["sending", "unknown"]
    types = "SELECT data_type FROM information_schema.columns WHERE table_name = 'events'"
    assert database.ask(f"{types} AND column_name = 'id'") == [("bigint",)]
    largest = "SELECT max_value FROM pg_sequences WHERE sequencename = 'events_id_seq'"
    assert database.ask(largest) == [(2**63 - 1,)]
    [(index,)] = database.ask("SELECT indexdef FROM pg_indexes WHERE indexname = 'messages_digest'")
    assert "substr(digest, 1, 16)" in index


_NEW_TABLES = ("leases", "turns", "pauses", "origin")


def test_media_ids_are_kept_by_account_until_they_are_forgotten(url: str) -> None:
    first, second, third = map(medium, "123")
    with open_journal(url) as opened:
        opened.remember_upload("one", "sha", first)
        opened.remember_upload("two", "sha", second)
    with open_journal(url) as opened:
        assert opened.media_id("one", "sha") == first
        opened.remember_upload("one", "sha", third)
        opened.forget_upload("two", "sha")
        found = [opened.media_id(account, "sha") for account in ("one", "two", "three")]
        assert found == [third, None, None]


def test_nothing_is_forgotten_but_what_was_named(opened: Journal) -> None:
    places = [(account, sha256) for account in "123" for sha256 in "abc"]
    for place in places:
        opened.remember_upload(*place, medium("/".join(place)))
    opened.forget_upload("2", "b")
    left = [place for place in places if opened.media_id(*place)]
    assert left == [place for place in places if place != ("2", "b")]


def test_media_id_that_does_not_say_how_long_it_lives_is_not_kept(opened: Journal) -> None:
    opened.remember_upload("one", "sha", MediaId(id="1"))
    assert opened.media_id("one", "sha") is None


# the lock


def test_lock_names_its_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    with locked(file, "morning"), pytest.raises(JournalLocked) as caught, locked(file, "evening"):
        pass
    for part in ('run "morning"', socket.gethostname(), "since 20"):
        assert part in str(caught.value)
    with locked(file, "evening"):
        pass


def test_lock_of_a_dead_holder_holds_nobody_up(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    Path(f"{file}.lock").write_text('{"run":"morning","host":"h","pid":1,"started":"long ago"}')
    with (
        locked(file, "evening"),
        pytest.raises(JournalLocked, match='run "evening"'),
        locked(file, "night"),
    ):
        pass


def test_holder_that_left_no_readable_name_is_another_run(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    with locked(file, "morning"):
        Path(f"{file}.lock").write_bytes(b"\xff{")
        with pytest.raises(JournalLocked, match="in use by another run"), locked(file, "evening"):
            pass


def test_patience_is_rewarded(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    holds, release = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(file, "morning"):
            holds.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(20)
    threading.Timer(0.2, release.set).start()
    with locked(file, "evening", wait=20):
        assert release.is_set()
    thread.join()


@pytest.mark.parametrize("link", ["link.db", "there/journal.db"], ids=["file", "folder"])
def test_a_journal_has_one_lock_under_whatever_name(tmp_path: Path, link: str) -> None:
    real = tmp_path / "real"
    (tmp_path / "link.db").symlink_to(real / "journal.db")
    (tmp_path / "there").symlink_to(real)
    with (
        open_journal(f"sqlite:///{real}/journal.db", run="morning"),
        pytest.raises(JournalLocked, match='run "morning"'),
        open_journal(f"sqlite:///{tmp_path}/{link}", run="evening"),
    ):
        pass
    with open_journal(f"sqlite:///{tmp_path}/{link}"):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link.db", "real", "there"]
        assert (real / "journal.db.lock").exists()


def test_who_waited_for_a_lock_that_was_replaced_waits_for_the_new_one(tmp_path: Path) -> None:
    """The folder may have been deleted, and made anew by another run."""

    def wait() -> None:
        with locked(tmp_path / "journal.db", "evening", wait=0.6):
            pass

    with ThreadPoolExecutor(1) as pool, locked(tmp_path / "new.db", "noon"):
        with locked(tmp_path / "journal.db", "morning"):
            waiting = pool.submit(wait)
            time.sleep(0.2)
            (tmp_path / "new.db.lock").replace(tmp_path / "journal.db.lock")
        with pytest.raises(JournalLocked, match='run "noon"'):
            waiting.result()


# everything, in any order


class AnyHistory(RuleBasedStateMachine):
    """A journal and a dictionary that must agree, whatever happens and whenever a run ends."""

    new_url: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.url = self.new_url()
        self.known: dict[str, tuple[str, str, str | None, int]] = {}
        self.had: dict[str, str] = {}
        self.claims: dict[str, Claim] = {}
        self.claims_of_others: dict[str, Claim] = {}
        self._open()

    def _open(self) -> None:
        self.context = open_journal(self.url)
        self.journal = self.context.__enter__()

    @rule(id=st.sampled_from("ab"), digest=st.sampled_from(["x", "y"]))
    def begin(self, id: str, digest: str) -> None:
        key = message(id).key
        was, before, *_, attempts = self.known.get(key, ("", "", 0))
        if was == "sent":
            self.had[key] = before
        # What somebody has is not sent again because something else failed after it.
        if was == "sending" or (was == "failed" and self.had.get(key) == digest):
            known = self.journal.lookup([key])[key]
            assert self.journal.claim(message(id), digest, known) is None
            return
        self.claims[key] = claim(self.journal, message(id), digest)
        self.known[key] = ("sending", digest, None, attempts + 1)

    @rule(id=st.sampled_from("ab"), how=st.sampled_from(["sent", "failed", "unknown"]))
    def finish(self, id: str, how: Literal["sent", "failed", "unknown"]) -> None:
        key = message(id).key
        was, digest, kept, attempts = self.known.get(key, ("", "", None, 0))
        receipt = f"receipt of {id}" if how == "sent" else None
        result = AttemptResult(how, receipt, None if receipt else REFUSED)
        if key not in self.claims:
            return
        done = self.journal.conclude(self.claims[key], result).result()
        corrected = how == "sent" and was == "failed"
        assert done == (was in ("sending", "unknown", how) or corrected)
        if was in ("sending", "unknown") or (how == "sent" and kept is None):
            self.known[key] = (how, digest, receipt, attempts)

    @rule(id=st.sampled_from("ab"))
    def finish_what_a_run_of_before_began(self, id: str) -> None:
        if theirs := self.claims_of_others.get(message(id).key):
            self.had[theirs.key] = theirs.digest
            assert not self.journal.conclude(theirs, SENT).result()

    @rule(id=st.sampled_from("abc"), sent=st.booleans())
    def settle(self, id: str, sent: bool) -> None:
        key = message(id).key
        was, digest, _, attempts = self.known.get(key, ("", "", None, 0))
        assert self.journal.settle(key, sent=sent) == (was == "unknown")
        if was == "unknown":
            self.known[key] = ("sent" if sent else "failed", digest, None, attempts)

    @rule(id=st.sampled_from("ab"))
    def begin_from_what_is_no_longer_so(self, id: str) -> None:
        known = self.known.get(message(id).key)
        stale = Record(digest="x", status="failed", attempts=known[3] + 1 if known else 1)
        if known is None:  # a row that is not there is not changed, but made
            return
        assert self.journal.claim(message(id), "x", stale) is None
        older = Record(digest="x", status=known[0], attempts=known[3] - 1)
        assert self.journal.claim(message(id), "x", older) is None
        assert self.journal.claim(message(id), "x", None) is None

    @rule()
    def end_and_begin_another_run(self) -> None:
        self.context.__exit__(None, None, None)
        self._open()
        self.claims_of_others |= self.claims
        self.claims.clear()
        for key, (how, digest, _, attempts) in self.known.items():
            if how == "sending":
                self.known[key] = ("unknown", digest, None, attempts)

    @invariant()
    def agree(self) -> None:
        rows = {row.key: row for row in self.journal.history()}
        found = self.journal.lookup(list(self.known))
        assert set(rows) == set(found) == set(self.known)
        for key, record in found.items():
            was = (record.status, record.digest, record.id, rows[key].attempts)
            assert was == self.known[key]

    def teardown(self) -> None:
        self.context.__exit__(None, None, None)


def test_journal_agrees_with_a_dictionary_whatever_happens(
    new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnyHistory, "new_url", staticmethod(new_url), raising=False)
    examples = settings.default.max_examples // 10 if settings.default else 10
    run_state_machine_as_test(
        AnyHistory, settings=settings(max_examples=examples, stateful_step_count=20)
    )


def test_once_an_outcome_is_lost_no_other_message_may_leave(url: str) -> None:
    """Though the next commit would be kept: the run is about to be told to stop."""

    def fail(connection: Connection) -> None:
        connection.execute("SELECT 1 FROM nowhere")

    with open_journal(url) as opened:
        lost = opened._writer.submit(fail)
        with pytest.raises(JournalError, match="nowhere"):
            lost.result()
        with pytest.raises(JournalError, match="nowhere"):
            claim(opened, message())
    with open_journal(url) as opened:
        assert opened.lookup([message().key]) == {}


def test_who_has_the_same_words_under_another_name(opened: Journal) -> None:
    """All that arrived or may have, also before something else failed; not what surely failed."""
    alike = "a" * 16  # of which the index holds the beginning
    for to, result in (("1", SENT), ("2", FAILED), ("3", UNKNOWN)):
        each = message(to=to)
        assert opened.conclude(claim(opened, each, alike + to), result).result()
    reworded = message(to="1")
    assert opened.conclude(claim(opened, reworded, "other"), FAILED).result()
    found = opened.delivered([alike + to for to in "1234"], ["1", "2", "3", "4"])
    assert {each.recipient: each.digest for each in found} == {"1": f"{alike}1", "3": f"{alike}3"}
    assert [each.digest for each in opened.delivered(["other", alike + "3"], ["3"])] == [
        alike + "3"
    ]
    assert opened.known_names([("m", "a"), ("m", "b"), ("n", "a")]) == {("m", "a")}


def test_whose_a_receipt_is(opened: Journal) -> None:
    """Receipts that are somebody's, also former ones."""
    first = message()
    assert opened.conclude(claim(opened, first, "a" * 16), SENT).result()
    again = opened.claim(first, "other", opened.lookup([first.key])[first.key])
    assert again is not None
    assert opened.conclude(again, SENT._replace(id="again")).result()
    ids = [str(SENT.id), "again", "nobody's", "\0"]
    assert opened.known_receipts(first.transport, ids) == {SENT.id, "again"}
    assert opened.known_receipts("another", ids) == set()


def test_what_a_recipient_may_have_got_without_a_receipt(opened: Journal) -> None:
    """What is unknown, or being sent, or was settled as sent by a person; not what failed."""
    first, twin, digest = message(), message(id="twin"), "a" * 16

    def found(*recipients: str, transport: str = first.transport) -> dict[str, tuple[bool, bool]]:
        return {
            each.key: (each.is_undecided, each.settled_at is not None)
            for each in opened.without_receipt(transport, recipients)
        }

    assert opened.conclude(claim(opened, first, digest), SENT).result()
    assert opened.conclude(claim(opened, message(id="refused"), digest), FAILED).result()
    assert found(first.to) == {}
    attempt = claim(opened, twin, digest)
    assert found(first.to) == {twin.key: (True, False)}
    assert opened.conclude(attempt, UNKNOWN).result()
    assert found(first.to, "1") == {twin.key: (True, False)}
    assert found("1") == found(first.to, transport="another") == {}
    assert opened.settle(twin.key, sent=True)
    assert found(first.to) == {twin.key: (False, True)}
    added = message(id="added").key
    assert opened.note_sent(added)
    assert found(first.to) == {twin.key: (False, True), added: (False, True)}


def test_a_former_key_is_found_and_changed_where_it_is(opened: Journal) -> None:
    old, new = message(), message(id="renamed")
    assert opened.conclude(claim(opened, old), FAILED).result()
    known = opened.lookup([new.key], {new.key: [old.key]})[new.key]
    assert (known.key, known.status) == (old.key, "failed")
    again = opened.claim(new, "digest", known)
    assert again is not None
    assert (again.key, again.attempt) == (old.key, 2)
    assert opened.claim(new, "digest", None, [old.key]) is None, "nobody may begin it anew"
    assert opened.conclude(again, SENT).result()
    assert [row.key for row in opened.history()] == [old.key]
