"""Runs that share a journal and die, stop or stall: nothing twice, nothing lost."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest

from dispatcher.sandbox.process import SandboxProcess

if TYPE_CHECKING:
    from tests.conftest import Database, Project
    from tests.e2e.conftest import StandIn

Start: TypeAlias = "Callable[[Project], subprocess.Popen[str]]"

LEASE = 1.0
# The real command, but for the time after which a worker that does not show is dead.
DRIVER = f"""
import dispatcher.journal
from dispatcher.cli import main

dispatcher.journal.LEASE = {LEASE}
main()
"""
PROCESSES, WORKERS, KILLS, KEYS = 4, 4, 6, 600


@pytest.fixture
def start(database: Database) -> Start:
    """Start a run with a short lease on the shared journal."""

    def start(project: Project) -> subprocess.Popen[str]:
        driver = str(project.write("driver.py", DRIVER))
        return project.start("send", "--json", "--journal", database.url, program=(driver,))

    return start


def test_killed_runs_send_nothing_twice_and_lose_nothing(
    project: Project,
    inbox: SandboxProcess,
    database: Database,
    start: Start,
) -> None:
    project.config(f'[delivery]\nworkers = {WORKERS}\n[transports.greenapi]\nrate = "100000/s"')
    entries = (
        f'[[messages]]\nid = "m{each}"\nto = "7900123{each % 300:04}"\ntext.body = "m{each}"'
        for each in range(KEYS)
    )
    project.manifest("\n".join(entries))
    inbox.faults([{"fault": "delay", "delay": 0.15}])
    chance = random.Random(1)
    runs = [start(project) for _ in range(PROCESSES)]
    for kill in range(KILLS):
        inbox.wait((kill + 1) * KEYS // (KILLS + 3), timeout=60)
        victim = chance.randrange(PROCESSES)
        runs[victim].kill()
        project.finish(runs[victim])
        runs[victim] = start(project)
    codes = [project.finish(run).code for run in runs]
    inbox.faults([])
    time.sleep(LEASE)
    last = project.finish(start(project))

    copies = Counter(found["payload"]["text"]["body"] for found in inbox.messages(limit=KEYS * 2))
    known = Counter(row["status"] for row in database.journal().values())
    sent = {id for id, row in database.journal().items() if row["status"] == "sent"}
    unknown = {id for id, row in database.journal().items() if row["status"] == "unknown"}
    assert set(codes) <= {0, 5}
    assert max(copies.values()) == 1, "nothing twice"
    assert len(sent | unknown) == KEYS, f"nothing lost: {known}"
    assert sent <= set(copies) <= sent | unknown, "all that arrived is known"
    assert len(unknown) <= WORKERS * KILLS
    assert last.code == (5 if unknown else 0)
    assert {id for id, status in last.statuses.items() if status == "unknown"} == unknown


def test_run_that_was_stopped_for_longer_than_its_lease_goes_on(
    new_project: Callable[..., Project],
    stand_in: StandIn,
    database: Database,
    start: Start,
) -> None:
    project = new_project(stand_in.url)
    project.texts("a", "b", "c")
    release = stand_in.hold()
    stopped = start(project)
    stand_in.wait_for(1)
    stopped.send_signal(signal.SIGSTOP)
    release.set()
    time.sleep(LEASE * 1.2)

    other = project.finish(start(project))
    assert database.journal()["a"]["status"] == "unknown"
    stopped.send_signal(signal.SIGCONT)
    late = project.finish(stopped)

    assert (other.code, other.statuses) == (5, {"a": "unknown", "b": "sent", "c": "sent"})
    assert (late.code, late.statuses) == (0, {"a": "sent", "b": "skipped", "c": "skipped"})
    assert database.journal()["a"]["status"] == "sent", "the late answer counts"
    assert [asked.text for asked in stand_in.asked] == ["I am a", "I am b", "I am c"]


def test_run_that_only_waits_keeps_its_lease(
    new_project: Callable[..., Project],
    stand_in: StandIn,
    database: Database,
    start: Start,
) -> None:
    project = new_project(stand_in.url)
    project.texts("a", "b")
    release = stand_in.hold()
    waits = start(project)
    stand_in.wait_for(1)
    time.sleep(LEASE * 2)
    assert project.finish(start(project)).statuses == {"a": "skipped", "b": "skipped"}
    assert database.journal()["a"]["status"] == "sending"
    release.set()
    assert project.finish(waits).statuses == {"a": "sent", "b": "sent"}
