"""Whatever ends a run, and whoever else wants the journal: no message goes out twice."""

import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.gateway import Reply, Request
from tests.support.project import FAST, Held, Project
from tests.support.requirements import require
from tests.support.waiting import PATIENCE, a_second, opened_files, wait_until

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


def test_second_run_names_the_first_and_ends(held: Held) -> None:
    held.texts("a", "b", "c", head='repeat = "run"\n')
    with held.under_way("send", "--run", "morning") as first:
        holder = ('run "morning"', socket.gethostname(), f"process {first.pid}", "--wait")
        for options in (("--run", "evening"), ("--run", "evening", "--wait", "300ms")):
            held.call("send", *options).refused(*holder, code=6)
        assert len(held.gateway.requests) == 1
    assert held.finish(first).code == 0
    assert held.call("send", "--run", "evening").code == 0, "the lock is gone"


def test_wait_waits_for_the_other_run(held: Held) -> None:
    require(Path("/proc/self/fd").exists(), "/proc, to see a process wait")
    with held.under_way("send") as first:
        second = held.start("send", "--json", "--wait", "1m")
        wait_until(lambda: f"{held.journal_file}.lock" in opened_files(second))
        assert second.poll() is None

    assert held.finish(first).code == 0
    result = held.finish(second)
    assert (result.code, result.statuses) == (0, dict.fromkeys("abc", "skipped"))
    assert len(held.gateway.requests) == 3


DEMANDING = """
from dispatcher import BaseTransport, ConfigError, hookimpl
from pydantic_settings import BaseSettings

class Demanding(BaseTransport):
    name = "demanding"
    Settings = BaseSettings

    def __init__(self, settings):
        pass

    def build(self, message, attachment):
        return {"to": message.to}

    def check(self, payload, attachment):
        return []

    def upload(self, file):
        raise NotImplementedError

    def send(self, payload):
        raise NotImplementedError

    def require_credentials(self):
        raise ConfigError("DEMANDING_TOKEN is missing")

@hookimpl
def dispatcher_transports():
    return [Demanding]
"""


def test_credentials_of_a_transport_that_came_during_the_wait(held: Held) -> None:
    require(Path("/proc/self/fd").exists(), "/proc, to see a process wait")
    held.install("demanding", DEMANDING)
    with held.under_way("send") as first:
        second = held.start("send", "--wait", "1m")
        wait_until(lambda: f"{held.journal_file}.lock" in opened_files(second))
        held.texts("a", head='transport = "demanding"\n')
    assert held.finish(first).code == 4, "the manifest has changed"
    held.finish(second).refused("DEMANDING_TOKEN is missing")
    assert len(held.gateway.requests) == 1


@pytest.mark.parametrize("number", STOPS)
def test_signal_ends_the_wait_for_another_run(held: Held, number: signal.Signals) -> None:
    require(Path("/proc/self/fd").exists(), "/proc, to see a process wait")
    with held.under_way("send") as first:
        second = held.start("send", "--wait", "1m")
        wait_until(lambda: f"{held.journal_file}.lock" in opened_files(second))

        second.send_signal(number)

        result = held.finish(second)
        assert (result.code, result.stdout, result.stderr.strip()) == (130, "", "interrupted")
    assert held.finish(first).code == 0


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


def test_killed_run_gives_its_lock_back(held: Held) -> None:
    with held.under_way("send") as first:
        first.kill()
        held.finish(first)
    assert held.call("settle", "--not-sent", "--run", "default", "--yes").code == 0
    assert held.call("send").code == 0


def test_plan_and_history_read_beside_a_run(held: Held) -> None:
    with held.under_way("send") as process:
        plan, history = held.call("plan", "--json"), held.call("history", "--json")

        assert [line["status"] for line in plan.planned] == ["unknown", "new", "new"]
        assert [line["status"] for line in history.lines] == ["sending"]
    assert held.finish(process).code == 0


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


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "newer schema": (newer, "newer dispatcher (schema 99); update this one"),
    "corrupt": (lambda path: path.write_bytes(b"garbage" * 1000), "it is not an SQLite database"),
    "a folder": (lambda path: path.mkdir(), "is not a file"),
}


@pytest.mark.parametrize(("spoil", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_journal_is_named_and_nothing_is_sent(
    project: Project, spoil: Callable[[Path], object], why: str
) -> None:
    project.texts("a")
    project.journal_file.parent.mkdir()
    spoil(project.journal_file)
    for command in ("send", "plan", "history"):
        project.call(command).refused(str(project.journal_file), why)
    assert project.inbox.stats()["requests"] == 0


NO_FOLDER, NO_LOCK = "cannot write to the journal's folder", "cannot write the journal's lock"


@cases("file, why", (".dispatcher", NO_FOLDER), (".dispatcher/journal.db.lock/file", NO_LOCK))
def test_journal_that_cannot_be_written_stops_send(project: Project, file: str, why: str) -> None:
    """Its folder is a file, or its lock is a folder."""
    project.texts("a")
    project.write(file, "")
    project.sends_nothing(why, str(project.journal_file.parent))


@pytest.mark.parametrize("why", [NO_FOLDER, NO_LOCK], ids=["at the folder", "at the lock"])
def test_full_disk_stops_send(project: Project, why: str) -> None:
    project.texts("a")
    if why == NO_LOCK:
        project.write(".dispatcher/.gitignore", "*")
    project.sends_nothing(why, prefix=("sh", "-c", 'ulimit -f 0; exec "$0" "$@"'))


@pytest.mark.parametrize("name", ["50% off?", "a#b", "so & so", "Весна 😃", "a?mode=memory"])
def test_journal_lies_where_the_project_lies_whatever_its_name(project: Project, name: str) -> None:
    project.folder = project.folder / name
    project.send_texts("a")
    assert project.journal_file.exists()
    (known,) = project.call("history", "--json").lines
    assert known["id"] == project.inbox.latest()["id"]
    assert project.call("send", "--json").statuses == {"a": "skipped"}
    assert [path.name for path in project.folder.parent.iterdir()] == [name]
