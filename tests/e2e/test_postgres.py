"""A journal that many runs share: what the commands do with it, and what when it fails."""

import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from dispatcher.journal.postgres import PostgresBackend
from tests.support.cases import cases
from tests.support.gateway import Peer, Reply, Request, Serve
from tests.support.postgres import Database, database_of, url_with
from tests.support.project import FAST, Held, NewProject, Project, Result, text
from tests.support.waiting import wait_until

TO = "79001234567"
WORKERS = 8  # the default of a run
SECRET = "s3cret-marker"


@pytest.fixture
def project(project: Project, database: Database) -> Project:
    """An empty project whose journal is in the database."""
    project.journal_at(database.url)
    return project


@pytest.fixture
def held(held: Held, database: Database) -> Held:
    """A project with three messages to one recipient, at the gateway of this test."""
    held.journal_at(database.url)
    held.texts("a", "b", "c")
    return held


def test_commands_share_a_journal(
    project: Project, new_project: NewProject, database: Database
) -> None:
    project.texts("a", "b")
    colleague = new_project()
    colleague.journal_at(database.url)
    colleague.texts("a", "b", "c")
    assert project.planned() == ["new"] * 2
    assert project.call("history").code == 3
    project.inbox.faults([{"fault": "reset_after", "times": 1}])

    first = project.call("send", "--json")
    project.inbox.faults([])
    plan = colleague.planned()
    second = colleague.call("send", "--json")

    assert (first.code, first.statuses) == (5, {"a": "unknown", "b": "sent"})
    assert plan == ["unknown", "sent", "new"]
    assert second.statuses == {"a": "unknown", "b": "skipped", "c": "sent"}
    rows = project.call("history", "--json", "--attempts").lines
    known = {row["message"]: row["status"] for row in rows}
    assert known == {"a": "unknown", "b": "sent", "c": "sent"}
    assert [event["status"] for event in rows[0]["events"]] == ["sending", "unknown"]
    assert not project.journal_file.parent.exists(), "nothing is kept beside the project"

    settled = project.call("settle", "--not-sent", rows[0]["key"])
    third = colleague.call("send", "--json")
    assert settled.code == project.call("settle", "--not-sent", "--run", "x").code - 3 == 0
    assert third.statuses == {"a": "sent", "b": "skipped", "c": "skipped"}
    assert project.inbox.stats()["accepted"] == 4, "a's two copies are the person's word"


def test_two_runs_share_the_work_and_nothing_goes_out_twice(held: Held, database: Database) -> None:
    held.texts_to_many(40)
    ids = sorted(f"m{each}" for each in range(40))
    with held.under_way("send", "--json") as first:
        held.gateway.wait_for(WORKERS)
        second = held.start("send", "--json", "--resend", "unknown", "--yes")
        held.gateway.wait_for(2 * WORKERS)

    results = [held.finish(run) for run in (first, second)]

    assert [result.code for result in results] == [0, 0]
    assert sorted(held.gateway.texts) == ids
    sent = [[id for id, how in each.statuses.items() if how == "sent"] for each in results]
    assert min(map(len, sent)) >= WORKERS
    assert sorted([*sent[0], *sent[1]]) == ids
    told = {line["error"]["code"] for line in results[1].results.values() if line["error"]}
    assert told == {"claimed"}, "what the other run is at is neither unknown nor failed"
    assert database.ask("SELECT count(*) FROM dispatcher.workers") == [(0,)]


def test_runs_upload_a_file_once(held: Held, database: Database) -> None:
    def answer(asked: Request) -> Reply:
        if asked.path.endswith("/media"):
            time.sleep(1)  # until the other runs need it, too
        return Reply()

    held.gateway.reply = answer
    held.write("manifests/a.png", b"\x89PNG\r\n\x1a\n")
    many = [f"7900123{number:04}" for number in range(60)]
    held.manifest(f'[[messages]]\nid = "a"\nto = {many}\nimage.source = "a.png"')
    runs = [held.start("send", "--json") for _ in range(3)]
    results = [held.finish(run) for run in runs]

    assert [result.code for result in results] == [0, 0, 0]
    paths = Counter(asked.path.rpartition("/")[2] for asked in held.gateway.requests)
    assert paths == {"media": 1, "messages": 60}
    assert database.ask("SELECT count(*) FROM dispatcher.leases") == [(0,)]


def test_what_another_run_is_at_is_neither_unknown_nor_to_be_decided(held: Held) -> None:
    with held.under_way("send", "--json") as first:
        plan = held.call("plan", "--json")
        settled = held.call("settle", "--sent", plan.planned[0]["key"])
        second = held.start("send", "--json")
        time.sleep(2)
        assert second.poll() is None, "it waits for what becomes of a"
        assert held.gateway.texts == ["I am a"], "b is to come after a's outcome"
    results = [held.finish(first), held.finish(second)]

    assert [line["status"] for line in plan.planned] == ["unknown", "new", "new"]
    assert settled.code == 3, "nobody decides what is under way"
    assert [result.code for result in results] == [0, 0]
    for id in "abc":
        told = {each.statuses[id] for each in results}
        assert told == {"sent", "skipped"}, f"{id} is sent by one of them"
    assert held.gateway.texts == ["I am a", "I am b", "I am c"]


# what can be wrong with it from the beginning


def secret(journal: Database, /, **parts: Any) -> str:
    """The database's address with a password and a few changes."""
    return url_with(journal.url, password=urlsplit(journal.url).password or SECRET, **parts)


def finds_the_password_wrong(peer: Peer) -> None:
    """As a server does that asks for one."""
    fields = b"SFATAL\0C28P01\0Mpassword authentication failed for user\0\0"
    while len(peer.connection.recv(1000)) == 8:  # would it speak TLS, or GSS?
        peer.raw(b"N")
    peer.raw(b"R\0\0\0\x08\0\0\0\x03")
    peer.connection.recv(1000)
    peer.raw(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


def refuses(project: Project, url: str, *why: str) -> None:
    """Every command says why, without the password, and nothing is sent."""
    project.texts("a")
    secrets = {SECRET, *re.findall(":([^:/@]+)@", url)}
    for command in ("send", "plan", "history", "settle --sent --run x"):
        for debug in ((), ("--debug",)):
            result = project.call(*command.split(), *debug, "--journal", url)
            result.refused(*why)
            assert not any(secret in result.stderr for secret in secrets)
            (sentence,) = [line for line in result.stderr.split("\n") if line.startswith("Error: ")]
            assert all(part in sentence for part in why), sentence
            assert debug or result.stderr == f"{sentence}\n"
    assert project.inbox.stats()["requests"] == 0


def test_server_that_is_not_there(project: Project, database: Database, closed_port: int) -> None:
    refuses(project, secret(database, host="127.0.0.1", port=closed_port), "Connection refused")
    refuses(project, secret(database, host="no-such-host.invalid"), "no-such-host.invalid")


def test_wrong_password(project: Project, database: Database, serve: Serve) -> None:
    url = secret(database, host="127.0.0.1", port=serve(finds_the_password_wrong).port)
    refuses(project, url, ":***@127.0.0.1", "password authentication failed")


def test_database_that_does_not_exist(project: Project, database: Database) -> None:
    refuses(project, secret(database, database="nowhere"), '"nowhere" does not exist')


@cases(
    "url, why",
    (f"postgresql://me:part@{SECRET}@127.0.0.1/x", "write an @"),
    (f"postgresql://me:part@of/{SECRET}@127.0.0.1/x", "write an @"),
    (f"postgresql://127.0.0.1:1/x?user=me&password={SECRET}", "Connection refused"),
    (f"postgresql://me:{SECRET}@127.0.0.1:x/x", "cannot be read"),
    (f"postgresql:/me:{SECRET}@127.0.0.1/x", "a journal is"),
    (f"postgresql+other://me:{SECRET}@127.0.0.1/x", "a journal is"),
    (f"host=127.0.0.1 password={SECRET}", "a journal is"),
)
def test_password_is_shown_to_nobody_however_the_address_is_written(
    project: Project, url: str, why: str
) -> None:
    refuses(project, url, why)


def test_newer_schema(project: Project, database: Database) -> None:
    project.send_texts("a")
    project.inbox.clear()
    database.ask("UPDATE dispatcher.version SET number = 99")
    refuses(project, secret(database), "newer dispatcher (schema 99); update this one")


def test_schema_that_becomes_newer_while_a_run_begins(held: Held, database: Database) -> None:
    """Who renews it has seen that nobody is at work, and lets nobody begin meanwhile."""
    held.call("send")
    held.gateway.requests.clear()
    held.texts("d")
    here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND database = {here}"
    with psycopg.connect(database.url) as newer:
        newer.execute("LOCK TABLE dispatcher.workers IN SHARE ROW EXCLUSIVE MODE")
        run = held.start("send")
        wait_until(lambda: database.ask(waiting) == [(1,)])
        newer.execute("UPDATE dispatcher.version SET number = 99")
    held.finish(run).refused("newer dispatcher (schema 99)")
    held.has_sent_nothing()


def test_without_psycopg_the_sentence_says_what_to_install(
    project: Project, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    install = "pip install 'message-dispatcher[postgres]'"
    refuses(project, secret(database), f"a PostgreSQL journal needs psycopg: {install}")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_database_that_lacks_letters(project: Project, server: Database, encoding: str) -> None:
    name = f"dispatcher_test_{encoding.lower()}_{uuid.uuid4().hex[:8]}"
    server.ask(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    try:
        url = url_with(server.url, database=name)
        refuses(project, url, f"keeps texts as {encoding}", "-E UTF8")
    finally:
        server.ask(f"DROP DATABASE {name} WITH (FORCE)")


def test_texts_go_to_the_server_as_utf8_whatever_is_set(held: Held, database: Database) -> None:
    refusal = '{"errors":[{"code":1,"title":"Неверно","details":"😃"}]}'
    held.gateway.reply = lambda asked: Reply(400, refusal.encode())
    held.texts("a")
    result = held.call("send", env={"PGCLIENTENCODING": "LATIN1"})
    assert result.code == 1
    assert "😃" in database.journal()["a"]["error_text"]


@pytest.fixture
def guest(database: Database) -> Iterator[str]:
    """The address of a user who may do nothing but connect."""
    name = f"{database_of(database.url)}_guest"
    database.ask(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'")
    yield url_with(database.url, user=name, password=SECRET)
    database.ask(f"DROP OWNED BY {name}")
    database.ask(f"DROP ROLE {name}")


def test_user_without_rights(project: Project, database: Database, guest: str) -> None:
    project.texts("a")
    name = urlsplit(guest).username
    before = project.call("send", "--journal", guest)
    before.refused(f"in that database: CREATE SCHEMA dispatcher AUTHORIZATION {name}\n")
    assert SECRET not in before.stderr
    project.has_sent_nothing()
    assert project.call("send").code == 0
    project.inbox.clear()
    project.call("journal", "check", "--journal", guest).refused("may not use the schema")
    refuses(project, guest, f"in that database: GRANT USAGE ON SCHEMA dispatcher TO {name}; ")

    database.ask(f"GRANT USAGE ON SCHEMA dispatcher TO {name}")
    select = f"GRANT SELECT ON ALL TABLES IN SCHEMA dispatcher TO {name}"
    for command in (("plan",), ("history",), ("journal", "check")):
        unread = project.call(*command, "--journal", guest)
        assert (unread.code, unread.stderr.endswith(f": {select}\n")) == (2, True), unread.stderr
    database.ask(select)
    assert "1 sent" in project.call("plan", "--journal", guest).stderr
    for kind in ("TABLES", "SEQUENCES"):
        database.ask(f"GRANT ALL ON ALL {kind} IN SCHEMA dispatcher TO {name}")
    allowed = project.call("send", "--json", "--journal", guest)
    assert allowed.statuses == {"a": "skipped"}, "no right to make what is there is needed"


def test_older_journal_is_read_by_a_role_that_may_make_nothing(
    project: Project, database: Database, guest: str
) -> None:
    """Not even a temporary view; nor may anybody where the server is a replica."""
    project.send_texts("a")
    added = ("messages DROP COLUMN not_before", "messages DROP COLUMN owner")
    for column in (*added, "messages DROP COLUMN sent_digest", "events DROP COLUMN attempt"):
        database.ask(f"ALTER TABLE dispatcher.{column}")
    database.ask("UPDATE dispatcher.version SET number = 1")
    name = urlsplit(guest).username
    database.ask(f"REVOKE TEMPORARY ON DATABASE {database_of(guest)} FROM PUBLIC")
    database.ask(f"GRANT USAGE ON SCHEMA dispatcher TO {name}")
    database.ask(f"GRANT SELECT ON ALL TABLES IN SCHEMA dispatcher TO {name}")

    history = project.call("history", "--json", "--attempts", "--journal", guest)

    assert project.planned("--journal", guest) == ["sent"]
    assert [each["status"] for each in history.lines[0]["events"]] == ["sending", "sent"]


def test_user_whose_schema_was_made(project: Project, database: Database, guest: str) -> None:
    """Such a role has no right to make another one, and needs none."""
    name = urlsplit(guest).username
    project.texts("a")
    database.ask("CREATE SCHEMA dispatcher")
    database.ask(f"GRANT USAGE ON SCHEMA dispatcher TO {name}")
    needed = f"in that database: GRANT USAGE, CREATE ON SCHEMA dispatcher TO {name}\n"
    project.call("send", "--journal", guest).refused(needed)
    project.has_sent_nothing()

    database.ask(f"ALTER SCHEMA dispatcher OWNER TO {name}")
    assert project.call("send", "--json", "--journal", guest).statuses == {"a": "sent"}


# The real command on a machine whose clock is wrong.
WRONG_CLOCK = """
import datetime, sys, time

right, ahead = time.time, {ahead}

class Wrong(datetime.datetime):
    @classmethod
    def now(cls, zone=None):
        return super().now(zone) + datetime.timedelta(seconds=ahead)

datetime.datetime, time.time = Wrong, lambda: right() + ahead

from dispatcher.cli import main

main()
"""
HOURS = "extract(epoch FROM {}::timestamptz - clock_timestamp()) / 3600"


@pytest.mark.parametrize("ahead", [7200, -7200], ids=["ahead", "behind"])
def test_all_times_are_by_the_databases_clock(held: Held, database: Database, ahead: int) -> None:
    def send() -> Result:
        program = ("-c", WRONG_CLOCK.format(ahead=ahead))
        # Another machine: what the account has to wait for is not known to it.
        state = {"XDG_STATE_HOME": str(held.folder / str(len(held.gateway.requests)))}
        run = held.start("send", "--json", program=program, env=state)
        return held.finish(run)

    def ask_for(wait: str) -> None:
        database.ask("DELETE FROM dispatcher.pauses")
        to_char = "to_char(now() AT TIME ZONE 'utc' + %s, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS+00:00')"
        database.ask(f"UPDATE dispatcher.messages SET not_before = {to_char}", wait)

    held.config('[delivery]\ndeadline = "1s"')
    held.texts("a")
    held.gateway.reply = lambda asked: Reply(429, b"", {"Retry-After": "3600"})
    assert send().statuses == {"a": "failed"}
    events = database.ask(f"SELECT {HOURS.format('at')} FROM dispatcher.events")
    assert [round(hours) for (hours,) in events] == [0, 0]
    times = f"{HOURS.format('not_before')}, {HOURS.format('changed_at')}"
    ((wait, changed),) = database.ask(f"SELECT {times} FROM dispatcher.messages")
    assert (0.9 < wait < 1.2, round(changed)) == (True, 0)

    held.gateway.reply = lambda asked: Reply()
    ask_for("1 hour")
    assert send().results["a"]["error"]["code"] == "not_before"
    ask_for("-1 second")
    assert send().statuses == {"a": "sent"}


# a receipt that comes late


@cases(
    "meanwhile, code, told",
    ("status = 'failed', error_code = 'settled'", 0, "sent"),
    ("status = 'sent', attempts = 2, owner = 'another', receipt = 'other'", 5, "unknown"),
    ("status = 'failed', attempts = 2, owner = 'another'", 5, "unknown"),
    ids=["settled", "sent again", "tried again"],
)
def test_receipt_that_comes_late_is_never_dropped(
    held: Held, database: Database, meanwhile: str, code: int, told: str
) -> None:
    """While a run was out of reach, a person settled its message, and another one tried again."""
    with held.under_way("send", "--json") as run:
        inside = type(database)(f"{database.url}?options=-csearch_path%3Ddispatcher")
        inside.ask(f"UPDATE messages SET {meanwhile}")
    result = held.finish(run)

    assert (result.code, result.statuses["a"]) == (code, told)
    events = held.call("history", "--message", "a", "--attempts").stdout
    assert "attempt 1 sent    1" in events
    if code == 5:
        assert "may have arrived twice" in result.results["a"]["error"]["text"]
        assert "may have arrived twice" in events
    again = held.call("send", "--json")
    assert again.statuses == {"a": "skipped", "b": "skipped", "c": "skipped"}
    assert held.gateway.texts == ["I am a", "I am b", "I am c"]


# what can go wrong in the middle of a run


def test_connection_lost_while_a_message_is_under_way(held: Held, database: Database) -> None:
    with held.under_way("send", "--json") as run:
        database.cut()
    result = held.finish(run)

    assert (result.code, result.statuses) == (4, {"a": "sent"})
    assert result.summary["not_tried"] == 2, "claims are not repeated"
    assert "the journal postgresql://" in result.stderr
    assert held.gateway.texts == ["I am a"]
    assert database.journal()["a"]["receipt"] == "1", "kept when the database was back"
    again = held.call("send", "--json")
    assert again.statuses == {"a": "skipped", "b": "sent", "c": "sent"}
    assert held.gateway.texts == ["I am a", "I am b", "I am c"]


# The real command, but for how long it waits.
HASTY = """
import dispatcher.journal
from dispatcher.cli import main
from dispatcher.journal import postgres

dispatcher.journal._RETRY_FOR = 0.5
postgres._SETTINGS["lock_timeout"] = "500ms"
main()
"""


def test_outcome_of_the_last_message_waits_for_the_server(held: Held, database: Database) -> None:
    """Then there is nothing that this run has left undone."""
    held.texts("a")
    with held.under_way("send", "--json") as run:
        database.cut()
    result = held.finish(run)
    assert (result.code, result.statuses, result.stderr) == (0, {"a": "sent"}, "")


def test_table_that_somebody_has_locked_holds_no_run(held: Held, database: Database) -> None:
    held.call("settle", "any", "--sent")  # makes the tables
    with psycopg.connect(database.url) as other:
        with held.under_way("send", "--json", program=("-c", HASTY)) as run:
            other.execute("LOCK TABLE dispatcher.messages")
        result = held.finish(run)
    assert (result.code, result.statuses) == (5, {"a": "unknown"})
    assert "somebody has locked them; run again when that is over" in result.stderr


HOSTILE = {
    "statement_timeout": "1",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-15",
    "synchronous_commit": "off",
    "search_path": "public",
    "session_replication_role": "replica",
    "client_encoding": "LATIN1",
}
_EFFECTIVE = """
    SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',
    'idle_in_transaction_session_timeout', 'synchronous_commit', 'session_replication_role',
    'default_transaction_isolation')
"""


@pytest.mark.parametrize("where", ["role", "URL"])
def test_settings_of_others_change_nothing(
    held: Held, database: Database, guest: str, where: str
) -> None:
    name = urlsplit(guest).username
    database.ask(f"ALTER ROLE {name} SUPERUSER")
    url = guest
    if where == "URL":
        options = " ".join(f"-c {key}={value}" for key, value in HOSTILE.items())
        url = url_with(guest, query={"options": options})
    else:
        for key, value in HOSTILE.items():
            database.ask(f"ALTER ROLE {name} SET {key} = '{value}'")

    result = held.call("send", "--json", "--journal", url)

    assert result.statuses == dict.fromkeys("abc", "sent"), result.stderr
    assert database.ask("SELECT count(*) FROM dispatcher.events") == [(6,)]
    hours = database.ask(f"SELECT {HOURS.format('changed_at')} FROM dispatcher.messages")
    assert [round(each) for (each,) in hours] == [0, 0, 0], "the clock is the database's"
    more = url_with(url, query={"target_session_attrs": "read-write"})
    with closing(PostgresBackend(more).connect()) as connection:
        effective = dict(connection.rows(_EFFECTIVE))
    assert effective == {
        "statement_timeout": "0",
        "lock_timeout": "10000",
        "idle_in_transaction_session_timeout": "5000",
        "default_transaction_isolation": "read committed",
        "synchronous_commit": "on",
        "session_replication_role": "origin",
    }


def test_user_whose_events_are_not_noted(project: Project, database: Database, guest: str) -> None:
    database.ask(f"ALTER ROLE {urlsplit(guest).username} SET session_replication_role = 'replica'")
    project.texts("a")
    project.call("send", "--journal", guest).refused("session_replication_role is replica")
    project.has_sent_nothing()


def test_connection_lost_before_an_intent_is_written(held: Held, database: Database) -> None:
    """The first message waits for its permit, and meanwhile the server goes."""
    held.config('[transports.greenapi]\nrate = "1/s"')
    run = held.start("send", "--json")
    held.gateway.wait_for(1)
    wait_until(lambda: database.statuses()["a"] == "sent")
    database.cut()
    result = held.finish(run)

    assert (result.code, result.statuses) == (4, {"a": "sent"})
    assert result.summary["not_tried"] == 2
    assert held.gateway.texts == ["I am a"]
    assert held.call("send").code == 0


def test_connection_lost_in_the_middle_of_much(project: Project, database: Database) -> None:
    """What is told, what the journal knows and what arrived never contradict each other."""
    project.texts_to_many(140)
    project.config(FAST)
    project.inbox.faults([{"fault": "delay", "delay": 0.02}])
    told: dict[str, str] = {}
    for share in (40, 80):
        run = project.start("send", "--json")
        project.inbox.wait(share, timeout=30)
        database.cut()
        result = project.finish(run)
        assert result.code in (4, 5), "it stopped"
        told |= {id: status for id, status in result.statuses.items() if status != "skipped"}
    last = project.call("send", "--json")

    arrived = project.arrived(limit=1000)
    known = database.statuses()
    assert len(arrived) == len(set(arrived)), "nothing twice"
    assert last.code in (0, 5)
    assert {known[id] for id, status in told.items() if status == "sent"} == {"sent"}
    assert {id for id, status in known.items() if status == "sent"} <= set(arrived)
    assert {known[id] for id in arrived} <= {"sent", "unknown"}
    assert len(known) == 140, "nothing lost"
    assert list(known.values()).count("unknown") <= 2 * WORKERS


@cases("says", 'moved_from = "a"\n', "")
def test_two_checkouts_that_call_a_message_differently_send_it_once(
    new_project: NewProject, serve: Serve, database: Database, says: str
) -> None:
    """Each has rows of its own for it, so that their claims do not meet."""
    gateway = serve()
    people = [f"7900000{number:04}" for number in range(120)]
    checkouts = [new_project(gateway.url) for _ in range(2)]
    for checkout, id in zip(checkouts, ("a", "b"), strict=True):
        checkout.journal_at(database.url)
        checkout.config("[delivery]\nworkers = 4\n")
        message = text(id, people, "Spring prices")
        checkout.manifest(message if id == "a" else message.replace('"b"\n', f'"b"\n{says}', 1))
    gateway.reply = lambda request: time.sleep(0.01) or Reply()

    for checkout, run in [(each, each.start("send")) for each in checkouts]:
        assert checkout.finish(run).code in (0, 1, 2, 4)

    copies = Counter(each.json["to"] for each in gateway.requests)
    assert set(copies.values()) <= {1}
    if says:
        assert checkouts[1].call("send").code == 0
        assert Counter(each.json["to"] for each in gateway.requests) == Counter(people)
