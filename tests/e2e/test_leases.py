"""Runs that share a journal and die, stop or stall: nothing twice, nothing lost."""

import os
import random
import signal
import subprocess
import time
from collections import Counter

import pytest

from tests.support.cases import cases
from tests.support.gateway import Reply, Request
from tests.support.postgres import DRIVER, LEASE, Database, Proxy
from tests.support.project import FAST, Held, Project, Result, text
from tests.support.waiting import LONG

# A machine that sleeps every few seconds, for longer than the lease.
SUSPENDED = f"""
import time
real, began = time.clock_gettime, time.monotonic()
time.clock_gettime = lambda clock: real(clock) + (time.monotonic() - began) // 3 * {LEASE} * 1.5
"""
# For many results, which nobody reads while the run is on.
UNREAD = ("sh", "-c", 'exec "$@" > results.txt', "sh")
PROCESSES, WORKERS, KILLS, KEYS, DELAY = (4, 8, 40, 100_000, 0.05) if LONG else (4, 4, 6, 600, 0.15)
HAZARDS = ["all", "killed", "frozen", "suspended"]
# Whoever loses a lease holds the rest for that recipient back until the next run.
RECIPIENTS = 20_000 if LONG else 300


SHORT = ("-c", DRIVER)


@pytest.fixture
def held(held: Held, database: Database) -> Held:
    """An empty project whose journal is in the database."""
    held.journal_at(database.url)
    return held


def start(project: Project, before: str = "", *prefix: str) -> subprocess.Popen[str]:
    """Start a run with a short lease; `before` it, this is carried out."""
    return project.start("send", "--json", program=("-c", before + DRIVER), prefix=prefix)


def send(project: Project) -> Result:
    return project.finish(start(project))


@pytest.mark.parametrize("how", HAZARDS if LONG else ["killed"])
def test_runs_that_die_or_stand_still_send_nothing_twice_and_lose_nothing(
    held: Held, database: Database, how: str
) -> None:
    """Frozen: at any moment, and for longer than the lease. All: one machine sleeps, too."""
    held.config(f"[delivery]\nworkers = {WORKERS}\n{FAST}")
    for first in range(0, KEYS, 10_000):
        numbers = range(first, min(first + 10_000, KEYS))
        entries = (text(f"m{n}", str(79001000000 + n % RECIPIENTS), f"m{n}") for n in numbers)
        held.manifest("".join(entries), f"manifests/{first:06}.toml")

    def accept(asked: Request) -> Reply:
        time.sleep(DELAY)
        return Reply()

    held.gateway.reply = accept
    chance = random.Random(1)
    sleepers = {"suspended": PROCESSES, "all": 1}.get(how, 0)
    before = [SUSPENDED] * sleepers + [""] * (PROCESSES - sleepers)
    runs = [start(held, each, *UNREAD) for each in before]
    for kill in range(KILLS):
        held.gateway.wait_for((kill + 1) * KEYS // (KILLS + 3))
        victim = chance.randrange(PROCESSES)
        if how == "frozen" or (how == "all" and chance.random() < 0.5):
            runs[victim].send_signal(signal.SIGSTOP)
            time.sleep(LEASE * chance.uniform(1, 2))
            runs[victim].send_signal(signal.SIGCONT)
            continue
        runs[victim].kill()
        held.finish(runs[victim])
        runs[victim] = start(held, before[victim], *UNREAD)
    codes = [held.finish(run).code for run in runs]
    time.sleep(LEASE)
    last = send(held)

    arrived = held.gateway.texts
    copies = Counter(arrived)
    known = database.statuses()
    sent, unknown = ({id for id in known if known[id] == how} for how in ("sent", "unknown"))
    assert set(codes) <= ({0, 5} if how == "killed" else {0, 1, 4, 5})
    assert max(copies.values()) == 1, "nothing twice"
    assert len(sent | unknown) == KEYS, f"nothing lost: {Counter(known.values())}"
    assert sent <= set(copies) <= sent | unknown, "all that arrived is known"
    assert len(unknown) <= WORKERS * KILLS
    assert last.code == (5 if unknown else 0)
    assert {id for id, status in last.statuses.items() if status == "unknown"} == unknown
    failed = "SELECT split_part(key, '/', 3) FROM dispatcher.events WHERE status = 'failed'"
    assert overtaken(arrived) <= {id for (id,) in database.ask(failed)}, "all else is in order"


def overtaken(arrived: list[str]) -> set[str]:
    """What arrived after a later message to the same recipient."""
    found: set[str] = set()
    latest: dict[int, int] = {}
    for number in (int(id[1:]) for id in arrived):
        to = number % RECIPIENTS
        if number < latest.get(to, -1):
            found.add(f"m{number}")
        latest[to] = max(number, latest.get(to, -1))
    return found


def test_run_stopped_for_longer_than_its_lease_goes_on(held: Held, database: Database) -> None:
    held.texts("a", "b", "c")
    with held.under_way("send", "--json", program=SHORT) as stopped:
        stopped.send_signal(signal.SIGSTOP)
    time.sleep(LEASE * 1.2)

    other = send(held)
    assert database.statuses()["a"] == "unknown"
    stopped.send_signal(signal.SIGCONT)
    late = held.finish(stopped)

    assert (other.code, other.statuses) == (5, {"a": "unknown", "b": "sent", "c": "sent"})
    assert (late.code, late.statuses) == (0, {"a": "sent", "b": "skipped", "c": "skipped"})
    assert database.statuses()["a"] == "sent", "the late answer counts"
    assert held.gateway.texts == ["I am a", "I am b", "I am c"]


# A run that is frozen where STOP says, the first time that it gets there.
FROZEN = """
import os, signal, time
from dispatcher.journal import Journal
from dispatcher.journal import postgres
from dispatcher.journal.updates import Updates

def stop():
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.2)  # another thread may take the signal, and this one stops a moment later

def frozen(owner, name, before):
    real = getattr(owner, name)
    def once(*given, **more):
        setattr(owner, name, real)
        if before:
            stop()
        answer = real(*given, **more)
        if not before:
            stop()
        return answer
    setattr(owner, name, once)

postgres._SETTINGS["idle_in_transaction_session_timeout"] = "1s"
"""
STOPS = {
    "within a claim": "frozen(Updates, 'claim', before=False)",
    "after a claim": "frozen(Journal, 'holds', before=True)",
    "at the first byte": """
from dispatcher.http import client, connections
frozen(connections, 'require_permission', before=True)
""",
}


def freeze(project: Project, where: str) -> subprocess.Popen[str]:
    """Start a run with a short lease that stops itself, as SIGSTOP does, and wait until it did."""
    run = start(project, FROZEN + STOPS[where])
    found = os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert found is not None
    assert found.si_code == os.CLD_STOPPED, "it never got there"
    return run


@cases("where, settled", ("after a claim", False), ("at the first byte", True))
def test_run_frozen_between_intent_and_request_posts_nothing_after_its_lease(
    held: Held, database: Database, where: str, settled: bool
) -> None:
    held.texts("a", "b", "c")
    frozen = freeze(held, where)
    time.sleep(LEASE * 1.2)
    other = send(held)
    assert (other.code, other.statuses) == (5, {"a": "unknown", "b": "sent", "c": "sent"})
    arrived = ["I am b", "I am c"]
    if settled:
        key = other.results["a"]["key"]
        assert held.call("settle", "--not-sent", key).code == 0
        assert send(held).statuses["a"] == "sent"
        arrived.append("I am a")

    frozen.send_signal(signal.SIGCONT)
    late = held.finish(frozen)

    assert held.gateway.texts == arrived, "nothing more"
    assert database.statuses()["a"] == ("sent" if settled else "failed")
    if settled:
        assert (late.code, late.statuses["a"]) == (0, "skipped"), "their word stands"
        return
    assert (late.code, late.statuses["a"]) == (1, "failed")
    assert "stood still" in late.results["a"]["error"]["text"]
    assert late.statuses["b"] == late.statuses["c"] == "skipped"
    assert send(held).statuses["a"] == "sent", "as after any failure"


def test_run_frozen_in_the_middle_of_a_claim_holds_nobody(held: Held, database: Database) -> None:
    held.texts("a", "b")
    frozen = freeze(held, "within a claim")
    other = send(held)
    frozen.send_signal(signal.SIGCONT)
    late = held.finish(frozen)

    assert (other.code, other.statuses) == (0, {"a": "sent", "b": "sent"})
    assert (late.code, late.results) == (1, {})
    why, again = late.stderr.splitlines()
    assert "stood still" in why
    assert again.startswith("not tried, to try again: dispatcher send ")
    assert held.gateway.texts == ["I am a", "I am b"]
    assert set(database.statuses().values()) == {"sent"}
    assert database.ask("SELECT count(*) FROM dispatcher.workers") == [(0,)]


@pytest.mark.parametrize("fault", ["cut after", "commit late"])
def test_intent_whose_commit_nobody_knows_of_is_surely_not_sent(
    held: Held, database: Database, fault: str
) -> None:
    held.texts("a", "b")
    with Proxy(database.url, fault) as proxy:
        cut_off = held.run("send", "--json", "--journal", proxy.url)
        assert proxy.reached.is_set()

    assert (cut_off.code, cut_off.results, cut_off.summary["not_tried"]) == (1, {}, 2)
    held.has_sent_nothing()
    assert database.statuses() == {"a": "failed"}
    again = held.call("send", "--json")
    assert (again.code, again.statuses) == (0, {"a": "sent", "b": "sent"})


def test_network_that_stalls_for_longer_than_the_lease(held: Held, database: Database) -> None:
    held.texts("a", "b")
    with Proxy(database.url, "stall") as proxy:
        run = held.start("send", "--json", "--journal", proxy.url, program=SHORT)
        assert proxy.reached.wait(30)
        time.sleep(LEASE * 1.2)
        assert send(held).statuses == {"a": "unknown", "b": "sent"}
        proxy.release.set()
        late = held.finish(run)
    assert (late.code, late.statuses["a"]) == (1, "failed")
    assert held.gateway.texts == ["I am b"]


def test_run_that_only_waits_keeps_its_lease(held: Held, database: Database) -> None:
    held.texts("a", "b")
    with held.under_way("send", "--json", program=SHORT) as waits:
        other = start(held)
        time.sleep(LEASE * 4)
        assert other.poll() is None, "it waits for what becomes of a"
        assert database.statuses()["a"] == "sending"
    results = [held.finish(run) for run in (waits, other)]
    assert results[0].statuses["a"] == "sent"
    assert results[1].statuses["a"] == "skipped"
    assert {each.statuses["b"] for each in results} == {"sent", "skipped"}


def test_run_that_is_started_anew_after_a_kill_forgets_nobody(held: Held) -> None:
    """Within the lease of the run that was killed, as a service manager starts it."""
    held.texts("a", "b")
    with held.under_way("send", "--json", program=SHORT) as killed:
        killed.kill()
        held.finish(killed)
    result = send(held)
    assert (result.code, result.statuses) == (5, {"a": "unknown", "b": "sent"})
