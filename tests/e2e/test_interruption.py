"""Whatever ends a run: no message goes out twice."""

import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.gateway import Reply, Request
from tests.support.project import FAST, Held, Project
from tests.support.waiting import PATIENCE, a_second, wait_until

TO = "79001234567"


STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def held(held: Held) -> Held:
    """A project with three messages to one recipient, at the gateway of this test."""
    held.texts("a", "b", "c")
    return held


def test_intent_is_on_disk_before_the_request_leaves(held: Held) -> None:
    seen: list[str] = []

    def answer(asked: Request) -> Reply:
        id = asked.json["text"]["body"].removeprefix("I am ")
        seen.append(held.statuses()[id])
        return Reply()

    held.gateway.reply = answer

    assert held.call("send").code == 0

    assert seen == ["sending"] * 3
    assert held.statuses() == dict.fromkeys("abc", "sent")


def test_killed_run_leaves_one_unknown_that_is_never_sent_again(project: Project) -> None:
    project.texts("a", "b", "c")
    project.inbox.faults([{"fault": "delay", "times": 1}, {"fault": "stall"}])
    process = project.start("send", "--json")
    project.inbox.wait(2)
    process.kill()
    assert project.finish(process).code == -signal.SIGKILL
    project.inbox.faults([])

    assert project.planned() == ["sent", "unknown", "new"]
    for c in ("sent", "skipped"):
        again = project.call("send", "--json")
        assert (again.code, again.statuses) == (5, {"a": "skipped", "b": "unknown", "c": c})
    assert project.journal()["b"]["error_code"] == "interrupted"
    assert project.arrived() == ["I am a", "I am b", "I am c"], "one copy each"


SLOW = """
import time
from dispatcher import hookimpl

@hookimpl
def dispatcher_validate_message(message):
    print("looking")
    time.sleep(60)
"""


@pytest.mark.parametrize("number", STOPS)
def test_signal_while_planning_leaves_nothing_behind(
    project: Project, tmp_path: Path, number: signal.Signals
) -> None:
    project.texts("a")
    project.install("slow", SLOW)
    process = project.start("send", "--sandbox", env={"TMPDIR": str(tmp_path)})
    assert "looking" in process.stderr.readline()

    process.send_signal(number)

    result = project.finish(process)
    assert (result.code, result.stdout, result.stderr.strip()) == (130, "", "interrupted")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["sandbox --port 0", "preview --no-open"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_the_end_that_what_serves_waits_for(
    project: Project, command: str, number: signal.Signals
) -> None:
    project.texts("a")
    process = project.start(*command.split())
    assert "http://127.0.0.1:" in process.stdout.readline()
    process.send_signal(number)
    result = project.finish(process)
    assert (result.code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("number", STOPS)
def test_signal_lets_what_is_in_flight_end_and_no_more(held: Held, number: signal.Signals) -> None:
    with held.under_way("send", "--json") as process:
        process.send_signal(number)
        wait_until_handled(process)

    result = held.finish(process)
    assert (result.code, result.statuses) == (130, {"a": "sent"})
    assert result.summary["not_tried"] == 2
    assert held.gateway.texts == ["I am a"]
    again = held.call("send", "--json")
    assert again.statuses == {"a": "skipped", "b": "sent", "c": "sent"}


def wait_until_handled(process: subprocess.Popen[str]) -> None:
    """Until no signal is pending; Python's own handler runs right after the system's."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        wait_until(lambda: re.search(r"^ShdPnd:\s*0+$", status.read_text(), re.MULTILINE))
    time.sleep(0.1)


def test_second_signal_ends_at_once(held: Held) -> None:
    with held.under_way("send") as process:
        process.send_signal(signal.SIGINT)
        wait_until_handled(process)
        process.send_signal(signal.SIGINT)
        assert held.finish(process).code == -signal.SIGINT
    assert held.call("send", "--json").statuses["a"] == "unknown"


NOHUP = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
ONE, ALL = {"a": "sent"}, dict.fromkeys("abc", "sent")
SIGNALS = {
    "a terminal that goes away says so more than once": ((), [signal.SIGHUP] * 3, 130, ONE),
    "nohup goes on without its terminal": (NOHUP, [signal.SIGHUP], 0, ALL),
    "an alarm that a plugin has set ends no run": ((), [signal.SIGALRM], 0, ALL),
}


@pytest.mark.parametrize("case", SIGNALS)
def test_other_signals(held: Held, case: str) -> None:
    prefix, numbers, code, statuses = SIGNALS[case]
    with held.under_way("send", "--json", prefix=prefix) as process:
        for number in numbers:
            process.send_signal(number)
            wait_until_handled(process)
    result = held.finish(process)
    assert (result.code, result.statuses) == (code, statuses)


def test_reader_who_has_stalled_does_not_hold_a_stopped_run(project: Project) -> None:
    """As `dispatcher send | less`: the pipe is full, and nobody empties it."""
    total = 3000
    project.config(f"{FAST}read_timeout = 1\nconnect_timeout = 1\n")
    rows = "\n".join(f"7900{number:07},{number}" for number in range(total))
    project.write("manifests/to.csv", f"to,number\n{rows}")
    project.manifest('[[messages]]\nid = "a"\nrecipients = "to.csv"\ntext.body = "{{ number }}"')
    run = project.start("send", "--json")
    wait_until(lambda: stands_still(project.inbox))
    began = time.monotonic()
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=PATIENCE) == 130
    assert time.monotonic() - began < 1 + 1 + 3 * a_second()
    with run:
        pass

    again = project.call("send", "--json")
    assert again.code in (0, 5)
    statuses = {line["key"]: line["status"] for line in again.events("result")}
    unknown = list(statuses.values()).count("unknown")
    assert unknown <= 8
    texts = project.arrived()
    assert len(texts) == len(set(texts))
    assert len(statuses) == total
    assert total - unknown <= len(texts) <= total


def stands_still(inbox: SandboxProcess) -> bool:
    """Whether messages have come, and no more do."""
    before = inbox.stats()["requests"]
    time.sleep(a_second())
    return bool(before) and before == inbox.stats()["requests"]


def test_interrupted_wait_between_attempts_is_not_cut_short_by_another_attempt(held: Held) -> None:
    held.gateway.reply = lambda asked: Reply(429, b"", {"Retry-After": "60"})
    process = held.start("send", "--json")
    wait_until(lambda: held.journal_file.exists() and failed_once(held))

    process.send_signal(signal.SIGINT)

    result = held.finish(process)
    assert (result.code, result.statuses["a"]) == (130, "failed")
    assert result.results["a"]["attempts"] == 1
    assert len(held.gateway.requests) == 1


def failed_once(project: Project) -> bool:
    try:
        return project.statuses()["a"] == "failed"
    except (sqlite3.OperationalError, KeyError):
        return False  # it is being made
