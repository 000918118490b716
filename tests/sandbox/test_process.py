"""`SandboxProcess`: a sandbox for tests and for `send --sandbox`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dispatcher.sandbox.process import SandboxDidNotStart, SandboxProcess

from .client import PERSON, Client

ROOT = Path(__file__).parents[2]

A_PARENT = """
import signal, sys
from dispatcher.sandbox.process import SandboxProcess

signal.signal(signal.SIGINT, signal.SIG_IGN)
with SandboxProcess() as sandbox:
    print(sandbox.pid, sandbox.url, flush=True)
    sys.stdin.readline()
    print(sandbox.stats()["requests"], flush=True)
    sys.stdin.readline()
"""


def is_alive(pid: int) -> bool:
    """Whether it runs: neither gone, nor waiting to be reaped by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_is_a_process_with_these_options_while_it_lasts() -> None:
    with SandboxProcess("--token", "abc", "--max-messages", "1") as sandbox:
        assert sandbox.pid != os.getpid()
        assert is_alive(sandbox.pid)
        assert sandbox.url.startswith("http://127.0.0.1:")
        with Client(sandbox.url) as client:
            for _ in range(2):
                assert client.text(headers={"Authorization": "Bearer abc"}).status_code == 201
            assert client.text().status_code == 400
            assert len(sandbox.messages()) == 1

    assert not is_alive(sandbox.pid)


def test_asks_without_a_proxy(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxProcess) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    fresh = SandboxProcess()
    fresh.url = sandbox.url

    assert fresh.messages() == []


def test_says_why_it_did_not_start() -> None:
    with (
        pytest.raises(SandboxDidNotStart, match=r"No such option.*--colour"),
        SandboxProcess("--colour"),
    ):
        pass


def test_says_what_came_instead() -> None:
    program = (sys.executable, "-c", "print('hello')")

    with pytest.raises(SandboxDidNotStart, match="hello"), SandboxProcess(program=program):
        pass


def test_runs_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)

    with SandboxProcess() as sandbox:
        assert sandbox.stats()["requests"] == 0


def test_no_message_yet(sandbox: SandboxProcess) -> None:
    with pytest.raises(LookupError, match="latest"):
        sandbox.latest()


def test_a_filter_that_does_not_exist(sandbox: SandboxProcess) -> None:
    with pytest.raises(ValueError, match="recipient"):
        sandbox.messages(recipient=PERSON)


def test_a_rule_that_cannot_be(sandbox: SandboxProcess) -> None:
    with pytest.raises(ValueError, match="rule 1: times"):
        sandbox.faults([{"fault": "stall"}, {"fault": "stall", "times": -1}])


def test_clear(client: Client, sandbox: SandboxProcess) -> None:
    client.text()
    sandbox.faults([{"fault": "status"}])

    sandbox.clear()

    assert sandbox.messages() == []
    assert sandbox.stats()["requests"] == 0
    assert client.text().status_code == 201


def test_ends_with_its_parent_however_that_ends() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", A_PARENT]
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as parent:
        pid = int(parent.stdout.readline().split()[0])
        assert is_alive(pid)
        parent.kill()

    assert ends(pid)


def test_ctrl_c_is_for_the_parent_to_answer() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", A_PARENT]
    with subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, **pipes) as parent:
        pid, url = parent.stdout.readline().split()
        with Client(url) as client:
            os.killpg(parent.pid, signal.SIGINT)
            assert client.text().status_code == 201
        parent.stdin.write("go on\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "1\n"
        parent.stdin.close()

    assert ends(int(pid))
