"""One journal, one run: another one says whose it is, or waits; who only reads need not."""

import signal
import socket
from pathlib import Path

import pytest

from tests.support.project import Held
from tests.support.requirements import require
from tests.support.waiting import opened_files, wait_until

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def held(held: Held) -> Held:
    """A project with three messages to one recipient, at the gateway of this test."""
    held.texts("a", "b", "c")
    return held


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
