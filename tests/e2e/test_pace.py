"""How fast messages leave, by the clock on the wall: the rate of an account, of several runs."""

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.support.gateway import Gateway, asks_to_wait
from tests.support.postgres import Database
from tests.support.project import Held, NewProject, Project, text
from tests.support.waiting import a_second

RATE, BURST, WORKERS = 50, 5, 8
# What has its permit may be late, because this machine is: one message for each worker. By a clock
# that is never late, tests/test_rate_limiter.py allows none of them.
MOST = RATE + BURST + WORKERS


def pace_of(project: Project) -> Path:
    return Path(project.environment["XDG_STATE_HOME"], "message-dispatcher", "pace.db")


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= each < start + 1 for each in times) for start in times)


def at_once(projects: list[Project], *options: str, **environment: str) -> None:
    """Have all of them send at the same time."""
    runs = [project.start("send", *options, env=environment) for project in projects]
    ended = [project.finish(run) for project, run in zip(projects, runs, strict=True)]
    assert [each.code for each in ended] == [0] * len(projects)


# the rate


def test_rate_is_kept_and_used(held: Held) -> None:
    held.text_to_many(5 * RATE)
    assert held.call("send").code == 0
    times = [asked.at for asked in held.gateway.requests]
    assert most_in_a_second(times) <= MOST
    assert len(times) / (max(times) - min(times)) >= 0.95 * RATE


def test_runs_of_one_account_keep_one_rate(new_project: NewProject, gateway: Gateway) -> None:
    """Though they know nothing of each other: two projects, two journals, two processes."""
    projects = [new_project(gateway.url) for _ in range(2)]
    for project in projects:
        project.text_to_many(75)
    at_once(projects, XDG_STATE_HOME=projects[0].environment["XDG_STATE_HOME"])
    times = [asked.at for asked in gateway.requests]
    assert len(times) == 150
    assert most_in_a_second(times) <= MOST


def test_runs_on_several_machines_share_a_plan_and_its_rate(
    new_project: NewProject, gateway: Gateway, database: Database
) -> None:
    """And use it: no run's permit is lost because another one has sent the message meanwhile."""
    projects = [new_project(gateway.url) for _ in range(3)]  # each has a state folder of its own
    for project in projects:
        project.text_to_many(3 * RATE)
    at_once(projects, "--journal", database.url)
    times = [asked.at for asked in gateway.requests]
    assert len(times) == 3 * RATE
    assert most_in_a_second(times) <= MOST + WORKERS
    assert len(times) / (max(times) - min(times)) >= 0.8 * RATE / a_second()
    assert not any(map(Path.exists, map(pace_of, projects))), "no machine keeps a rate of its own"


def test_pause_that_one_machine_is_asked_for_is_everybodys(held: Held, database: Database) -> None:
    held.gateway.reply = asks_to_wait("3600")
    for id in "ab":
        held.texts(id)
        result = held.call("send", "--journal", database.url)
        assert "stopped: the account is to pause until " in result.stderr
        assert len(held.gateway.requests) == 1


def test_no_burst_follows_when_a_run_was_frozen(held: Held) -> None:
    """As long as all of its workers' permits take: they are past when it goes on."""
    held.config('[transports.greenapi]\nrate = "2/s"')
    held.text_to_many(40)
    run = held.start("send")
    held.gateway.wait_for(3)
    run.send_signal(signal.SIGSTOP)
    time.sleep(WORKERS / 2)
    before = len(held.gateway.requests)
    run.send_signal(signal.SIGCONT)
    held.gateway.wait_for(before + 1)
    time.sleep(1)
    burst = len(held.gateway.requests) - before
    run.send_signal(signal.SIGINT)
    held.finish(run)
    assert burst <= 2 + 1 + 1, "a rate of two, its burst, and one that had already left"


def test_rate_outlives_the_run(held: Held) -> None:
    held.config('[transports.greenapi]\nrate = "1/s"')
    for id in "ab":
        held.send_texts(id)
    first, second = (asked.at for asked in held.gateway.requests)
    assert second - first >= 0.7


def test_recipient_rate_holds_back_one_recipient_only(held: Held) -> None:
    held.config('[transports.greenapi]\nrecipient_rate = "60/min"')
    both = ["79000000000", "79000000001"]
    held.manifest(text("a", both, "a") + text("b", both[0], "b"))
    assert held.call("send").code == 0
    at = {(asked.json["to"], asked.text): asked.at for asked in held.gateway.requests}
    assert at[both[0], "b"] - at[both[0], "a"] >= 0.7
    assert abs(at[both[1], "a"] - at[both[0], "a"]) < 0.5


def test_clock_that_was_set_back_holds_nobody_up(held: Held) -> None:
    held.send_texts("a")
    with closing(sqlite3.connect(pace_of(held))) as connection, connection:
        connection.execute("UPDATE turns SET state = state + ?", [int(24 * 3600e6)])
    assert held.send_texts("b").statuses == {"b": "sent"}
