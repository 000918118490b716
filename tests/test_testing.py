"""The kit for tests of other projects, used as such a project would."""

import subprocess
import sys
from pathlib import Path

MANIFEST = """manifest = 1
[[messages]]
id = "welcome"
to = "79001234567"
text.body = "Hello!"
"""
TESTS = """
import subprocess, sys

def send():
    subprocess.run([sys.executable, "-m", "dispatcher", "send", "welcome.toml"], check=True)

def test_it_arrives(sandbox):
    send()
    [message] = sandbox.wait(1)
    assert message["payload"]["text"]["body"] == "Hello!"
    sandbox.faults([{"fault": "stall"}])

def test_each_test_begins_anew(sandbox):
    assert sandbox.messages() == []
    sandbox.faults([])

def test_the_command_runs_in_a_folder_of_its_own(sandbox, run, tmp_path):
    assert run("send").returncode == 2  # there is no manifest yet
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "grüße.toml").write_text(open("welcome.toml").read())
    assert "grüße" in run("plan", "--json").stdout
    assert run("send", GREENAPI_BASE_URL="http://127.0.0.1:9").returncode == 1
    assert run("send").returncode == 0
    assert len(sandbox.wait(1)) == 1

def test_nothing_is_left_of_it(sandbox, run):
    assert "welcome" not in run("history").stdout
"""


def test_a_project_of_its_own_has_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text('manifests = "."')
    (tmp_path / "welcome.toml").write_text(MANIFEST)
    (tmp_path / "conftest.py").write_text("from dispatcher.testing import run, sandbox\n")
    (tmp_path / "test_welcome.py").write_text(TESTS)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "4 passed" in run.stdout, run.stdout + run.stderr
