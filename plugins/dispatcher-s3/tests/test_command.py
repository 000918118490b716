"""The plugin as the command uses it, with a real S3 and a real gateway on loopback."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from dispatcher.testing import Run, SandboxProcess, manifest

CONTENT = b"%PDF-1.7 prices"
KEY = "2026/prices list ü.pdf"
SOURCE = f"s3://media/{KEY}"
# Sets the clock by which botocore signs; the machine's is not ours to change.
CLOCK = """
import datetime, os, botocore.auth
now = botocore.auth.get_current_datetime
later = datetime.timedelta(days=float(os.environ["TEST_DAYS"]))
botocore.auth.get_current_datetime = lambda *given, **named: now(*given, **named) + later
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, endpoint: str) -> None:
    (tmp_path / "dispatcher.toml").write_text(f'[plugins.s3]\nendpoint_url = "{endpoint}"\n')
    document = {"source": SOURCE, "filename": "prices.pdf"}
    manifest(tmp_path / "manifests", {"id": "prices", "document": document})


@pytest.fixture
def lock(run: Run, tmp_path: Path, stored: Any, endpoint: str) -> Path:
    """Uploads are wanted, and the object is locked."""
    table = f'[plugins.s3]\nupload = true\nendpoint_url = "{endpoint}"\n'
    (tmp_path / "dispatcher.toml").write_text(table)
    path = tmp_path / "manifests" / "s3.lock"
    locked = run("s3-lock", "--file", str(path), SOURCE)
    assert locked.returncode == 0, locked.stderr
    return path


def planned(run: Run, **variables: str) -> dict[str, Any]:
    found = run("plan", "--json", **variables)
    assert found.returncode == 0, found.stderr
    _start, event, *_ = map(json.loads, found.stdout.splitlines())
    planned: dict[str, Any] = event
    return planned


def test_the_link_leads_to_the_object(run: Run, sandbox: SandboxProcess, stored: Any) -> None:
    sent = run("send")
    assert sent.returncode == 0, sent.stderr
    [message] = sandbox.wait(1)
    link = message["payload"]["document"]["link"]
    with urlopen(link) as answer:
        assert answer.read() == CONTENT
    assert "marker-secret" not in link + sent.stdout + sent.stderr


def test_a_day_later_it_was_sent(
    run: Run, sandbox: SandboxProcess, stored: Any, tmp_path: Path
) -> None:
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    today, tomorrow = (
        {"PYTHONPATH": str(tmp_path / "clock"), "TEST_DAYS": days} for days in ("0", "1")
    )
    before = planned(run, **today)
    assert run("send", **today).returncode == 0
    after = planned(run, **tomorrow)
    links = [event["payload"]["document"]["link"] for event in (before, after)]
    dates = [link.partition("X-Amz-Date=")[2][:8] for link in links]
    assert int(dates[0]) < int(dates[1])
    assert [before["status"], after["status"]] == ["new", "sent"]
    assert "skipped" in run("send", **tomorrow).stdout
    assert len(sandbox.messages()) == 1


def test_without_credentials_the_source_is_the_problem(run: Run) -> None:
    found = run("plan", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert found.returncode == 2
    assert "manifests/manifest.toml:5:" in found.stderr
    assert "Unable to locate credentials" in found.stderr


def test_an_upload_arrives(run: Run, sandbox: SandboxProcess, lock: Path) -> None:
    before = {file["id"] for file in sandbox.media()}
    sent = run("send")
    assert sent.returncode == 0, sent.stderr
    [message] = sandbox.wait(1)
    [file] = [file for file in sandbox.media() if file["id"] not in before]
    assert message["payload"]["document"] == {"id": file["id"], "filename": "prices.pdf"}
    assert file["size"] == len(CONTENT)


def test_uploads_are_planned_offline(run: Run, lock: Path) -> None:
    nothing = {"AWS_ACCESS_KEY_ID": "", "DISPATCHER_S3_ENDPOINT_URL": "http://127.0.0.1:9"}
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert planned(run, **nothing)["payload"]["document"]["id"] == f"upload:sha256:{digest}"


def test_an_object_that_is_not_as_locked_is_not_sent(
    run: Run, sandbox: SandboxProcess, lock: Path, stored: Any
) -> None:
    stored.put_object(Bucket="media", Key=KEY, Body=CONTENT[::-1])
    sent = run("send")
    assert (sent.returncode, sandbox.messages()) == (1, [])
    assert "the file changed" in sent.stdout + sent.stderr
    assert run("s3-lock", "--file", str(lock)).returncode == 0
    assert run("send").returncode == 0
    assert len(sandbox.messages()) == 1


def test_an_object_that_is_gone(run: Run, sandbox: SandboxProcess, lock: Path, stored: Any) -> None:
    before = lock.read_text()
    stored.delete_object(Bucket="media", Key=KEY)
    sent = run("send")
    assert (sent.returncode, sandbox.messages()) == (1, [])
    assert "NoSuchKey" in sent.stdout + sent.stderr
    renewed = run("s3-lock", "--file", str(lock))
    assert (renewed.returncode, lock.read_text()) == (2, before)
    assert "NoSuchKey" in renewed.stderr


def test_what_is_not_locked(run: Run, tmp_path: Path, lock: Path) -> None:
    lock.unlink()
    found = run("plan")
    assert found.returncode == 2
    assert f'there is no s3.lock beside the manifest; add it: dispatcher s3-lock "{SOURCE}"' in (
        found.stderr
    )


def test_wrong_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text("[plugins.s3]\nexpires = 604801\nuplod = true\n")
    found = run("plan")
    assert (found.returncode, found.stdout) == (2, "")
    assert "dispatcher.toml:2:11: error: expires must be at most 604800" in found.stderr
    assert 'dispatcher.toml:3:1: error: unknown key "uplod"; did you mean "upload"?' in found.stderr
