"""A journal that many workers share: leases, first runs at once, locks in one order."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from dispatcher import journal
from dispatcher.errors import JournalError
from dispatcher.journal import AttemptResult, SharedState, open_journal
from dispatcher.journal.backend import backend
from dispatcher.journal.postgres import MAKING_TABLES
from tests.support.messages import message
from tests.support.postgres import Database, database_of
from tests.support.waiting import wait_until


def test_first_runs_at_the_same_moment_make_the_tables_once(database: Database) -> None:
    ready = threading.Barrier(8)

    def run(number: int) -> bool:
        ready.wait(20)
        with open_journal(database.url) as opened:
            return opened.claim(message(f"m{number % 4}"), "digest", None) is not None

    for _ in range(3):
        database.emptied()
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(run, range(8))) == 4
        assert len(database.ask("TABLE dispatcher.version")) == 1
        assert database.ask("TABLE dispatcher.workers") == []


def test_opening_waits_for_nobody_once_there_are_tables(database: Database) -> None:
    with open_journal(database.url):
        pass
    with psycopg.connect(database.url) as making:
        making.execute("SELECT pg_advisory_xact_lock(%s)", [MAKING_TABLES])
        with open_journal(database.url) as opened:
            assert opened.claim(message("a"), "digest", None)


LOADS: dict[str, Callable[[journal.Journal], object]] = {
    "idle": lambda opened: time.sleep(0.1),
    "busy": lambda opened: [opened.settle("none", sent=True) for _ in range(20)],
}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_worker_shows_that_it_lives(
    database: Database, monkeypatch: pytest.MonkeyPatch, load: Callable[[journal.Journal], object]
) -> None:
    monkeypatch.setattr(journal, "LEASE", 0.8)
    end = time.monotonic() + 2
    with open_journal(database.url) as opened, ThreadPoolExecutor(8) as pool:

        def work() -> None:
            while time.monotonic() < end:
                load(opened)

        working = [pool.submit(work) for _ in range(8)]
        while time.monotonic() < end:
            ((left,),) = database.ask(
                "SELECT lease - extract(epoch FROM clock_timestamp()) FROM dispatcher.workers"
            )
            assert left > 0
            time.sleep(0.05)
        for each in working:
            each.result()


def test_others_find_out_while_they_work_that_a_worker_is_dead(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LEASE", 0.4)
    with open_journal(database.url) as alive, open_journal(database.url) as dies:
        mine, key = dies.claim(message("a"), "digest", None), message("a").key
        assert mine is not None
        its_lease = "owner = (SELECT owner FROM dispatcher.messages)"
        end = time.monotonic() + 10
        while alive.lookup([key])[key].status == "sending":
            assert time.monotonic() < end
            database.ask(f"DELETE FROM dispatcher.workers WHERE {its_lease}")  # it renews that
            time.sleep(0.05)
        assert alive.lookup([key])[key].status == "unknown"
        assert dies.conclude(mine, AttemptResult("sent", id="1")).result(), "a late answer counts"
        assert alive.lookup([key])[key].id == "1"


CLAIM_ALL = """
import json, random, sys, threading
from dispatcher.journal import AttemptResult, open_journal
from tests.test_shared_state import message

url, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
won = []

def work(number):
    chance = random.Random(seed * 100 + number)
    # By blocks: so the transactions of both have many rows in common.
    order = sorted(range(count), key=lambda each: (each // 12, chance.random()))
    for each in map(message, map("m{}".format, order)):
        claim = opened.claim(each, "digest", None)
        if claim is not None:
            won.append(each.id)
            opened.conclude(claim, AttemptResult("sent", id=each.id))

with open_journal(url) as opened:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads: each.start()
    for each in threads: each.join()
json.dump(won, sys.stdout)
"""


def test_writers_never_wait_in_a_circle(database: Database) -> None:
    """16 threads of two processes claim the same messages, each in an order of its own."""
    count = 500
    with open_journal(database.url):
        pass
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = database.ask(deadlocks)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM_ALL, database.url, str(count), str(seed)],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for seed in (1, 2)
    ]
    won = [json.loads(run.communicate(timeout=120)[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted(won[0] + won[1]) == sorted(f"m{each}" for each in range(count))
    assert database.ask(deadlocks) == before
    assert database.ask("SELECT status, count(*) FROM dispatcher.messages GROUP BY 1") == [
        ("sent", count)
    ]


def test_run_sees_which_messages_others_have_taken(database: Database) -> None:
    """And none that are as it knows them, or that nobody has tried yet."""
    with open_journal(database.url) as other, open_journal(database.url) as opened:
        for id in "abc":
            claim = other.claim(message(id), "digest", None)
            assert claim is not None
            if id != "a":
                other.conclude(claim, AttemptResult("failed")).result()
        keys = {id: message(id).key for id in "abcd"}
        known = opened.lookup([keys["b"]])[keys["b"]]
        with opened.shared_state() as shared:
            assert shared is not None
            found = shared.changed(dict.fromkeys(keys.values()) | {keys["b"]: known})
    assert {key: each.status for key, each in found.items()} == {
        keys["a"]: "sending",
        keys["c"]: "failed",
    }


def test_of_two_who_claim_the_same_words_at_one_moment_one_sees_the_other(
    database: Database,
) -> None:
    """Under two names, so that their claims do not meet; each looks once its own is committed."""
    people = [str(number) for number in range(200)]
    with (
        open_journal(database.url) as one,
        open_journal(database.url) as other,
        one.shared_state() as of_one,
        other.shared_state() as of_other,
        ThreadPoolExecutor(16) as threads,
    ):
        assert of_one is not None
        assert of_other is not None

        def seen(opened: journal.Journal, shared: SharedState, id: str, to: str) -> set[str]:
            assert opened.claim(message(id, to), "digest", None)
            return {copy.key for copy in shared.delivered("digest", to)}

        asked = [
            (
                threads.submit(seen, one, of_one, "a", to),
                threads.submit(seen, other, of_other, "b", to),
            )
            for to in people
        ]
        for to, (by_one, by_other) in zip(people, asked, strict=True):
            both = {message("a", to).key, message("b", to).key}
            assert both in (by_one.result(), by_other.result())
            assert by_one.result() | by_other.result() == both, "and nothing of anybody else"


def test_looks_never_read_the_whole_journal(database: Database) -> None:
    """Not even if it was empty at first: the server keeps a plan from then."""
    read = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'messages'"
    with open_journal(database.url):
        pass
    before = _counted(database, read)
    with SharedState(backend(database.url)) as shared:
        for number in range(10):
            assert shared.changed({message(to=str(number)).key: None}) == {}
            assert shared.delivered("digest", str(number)) == []
    assert _counted(database, read) == before


def _counted(database: Database, sql: str) -> list[tuple[int]]:
    """What the server has counted; a connection tells it at the latest when it ends."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    wait_until(lambda: not database.ask(f"SELECT 1 FROM pg_stat_activity WHERE {others}"))
    return database.ask(sql)


def test_server_that_is_gone_is_told_in_a_sentence(database: Database, server: Database) -> None:
    with open_journal(database.url) as opened, opened.shared_state() as shared:
        assert shared is not None
        name = database_of(database.url)
        server.ask(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            server.ask(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                name,
            )
            with pytest.raises(JournalError, match=r"^the journal .* failed: .*not.* accepting"):
                shared.lease("upload", 1)
        finally:
            server.ask(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert shared.lease("upload", 1), "it is back"


def test_end_of_a_run_does_not_wait_for_a_server_that_does_not_answer(database: Database) -> None:
    """As when the run is abandoned, while a thread of it asks for a permit."""
    name = database_of(database.url)
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        f" WHERE datname = '{name}' AND wait_event_type = 'Lock'"
    )
    with (
        open_journal(database.url) as opened,
        ThreadPoolExecutor(1) as threads,
        psycopg.connect(database.url) as blocking,
    ):
        with opened.shared_state() as shared:
            assert shared is not None
            blocking.execute("LOCK TABLE dispatcher.turns")
            asked = threads.submit(shared.read, ["a"])
            while database.ask(waiting) == [(0,)]:
                time.sleep(0.01)
        assert isinstance(asked.exception(), JournalError)
        assert "lock timeout" not in str(asked.exception()), "it was not the server that gave up"
