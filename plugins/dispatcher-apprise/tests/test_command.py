"""The transport as the command uses it, to real servers on loopback."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import urlsplit

import pytest

from dispatcher.testing import Fault, Reply, Run, ScriptedGateway, manifest

TOKEN = "s3cret-5d1c"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, scripted_gateway: ScriptedGateway) -> None:
    """Two targets, and a text, a file and a link to one of them."""
    where = f"json://user:{TOKEN}@{urlsplit(scripted_gateway.url).netloc}"
    targets = f'ops = "{where}/ops?rto=0.5&retry=3"\nsupport = "{where}/support"\n'
    (tmp_path / "targets.toml").write_text(targets)
    (tmp_path / "dispatcher.toml").write_text(
        'transport = "apprise"\n[transports.apprise]\ntargets_file = "targets.toml"\n'
        "[delivery]\nattempts = 2\n"
    )
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "prices.pdf").write_bytes(b"%PDF-1.7")
    manifest(
        tmp_path / "manifests",
        {"id": "text", "to": ["ops", "support"], "text": {"body": "The shop is <down> :smile:"}},
        {"id": "file", "to": "ops", "document": {"source": "prices.pdf", "caption": "Prices"}},
        {"id": "link", "to": "ops", "image": {"link": "https://a.example/a.png", "caption": "A"}},
    )


def bodies(gateway: ScriptedGateway, path: str) -> list[str]:
    requests = [request for request in gateway.requests if request.path.startswith(path)]
    return [json.loads(request.body)["message"] for request in requests]


def outcomes(found: CompletedProcess[str]) -> dict[str, str]:
    """Status by key's end, of a run with --json."""
    events = [json.loads(line) for line in found.stdout.splitlines()]
    results = [event for event in events if event["event"] == "result"]
    return {f"{event['message']}/{event['to']}": event["status"] for event in results}


def test_everything_arrives_once(run: Run, scripted_gateway: ScriptedGateway) -> None:
    sent = run("send", "--yes", "--json")
    assert sent.returncode == 0, sent.stderr
    assert bodies(scripted_gateway, "/ops") == [
        "The shop is <down> :smile:",
        "Prices",
        "A\nhttps://a.example/a.png",
    ]
    assert bodies(scripted_gateway, "/support") == ["The shop is <down> :smile:"]
    [attached] = [
        file for request in scripted_gateway.requests for file in _attachments(request.body)
    ]
    assert (attached["filename"], attached["mimetype"]) == ("prices.pdf", "application/pdf")
    assert base64.b64decode(attached["base64"]) == b"%PDF-1.7"
    assert set(outcomes(run("send", "--json")).values()) == {"skipped"}
    assert scripted_gateway.attempts == 4


def _attachments(body: bytes) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(body)["attachments"]
    return found


def test_the_plan_shows_what_is_sent_and_needs_no_targets(run: Run, tmp_path: Path) -> None:
    (tmp_path / "targets.toml").unlink()
    planned = run("plan", "--json")
    assert planned.returncode == 0, planned.stderr
    lines = map(json.loads, planned.stdout.splitlines())
    payloads = [line["payload"] for line in lines if line["event"] == "plan"]
    assert payloads[0] == {"to": "ops", "body": "The shop is <down> :smile:"}
    assert payloads[2]["attach"][0]["name"] == "prices.pdf"
    sent = run("send")
    assert (sent.returncode, sent.stdout) == (2, "")
    assert "APPRISE_TARGETS_FILE (targets.toml) cannot be read" in sent.stderr


@pytest.mark.parametrize(
    ("step", "code", "status", "attempts"),
    [
        (Reply(404), 1, "failed", 4),
        (Reply(500), 5, "unknown", 4),
        (Fault.STALL, 5, "unknown", 4),
        (Fault.RESET, 5, "unknown", 4),
        (Reply(429), 1, "failed", 8),
    ],
)
def test_what_fails(
    run: Run,
    scripted_gateway: ScriptedGateway,
    step: Reply | Fault,
    code: int,
    status: str,
    attempts: int,
) -> None:
    scripted_gateway.script(step)
    sent = run("send", "--yes", "--json")
    assert (sent.returncode, set(outcomes(sent).values())) == (code, {status}), sent.stderr
    assert scripted_gateway.attempts == attempts
    assert TOKEN not in sent.stdout + sent.stderr


def test_what_was_not_sent_is_sent_by_the_next_run(
    run: Run, scripted_gateway: ScriptedGateway
) -> None:
    scripted_gateway.script(Reply(404), Reply(404), Reply(404), Reply(404), Reply(200))
    assert run("send", "--yes").returncode == 1
    assert run("send").returncode == 0
    assert len(scripted_gateway.requests) == 8
    assert len(_attachments(scripted_gateway.requests[-2].body)) in (0, 1)


def test_what_cannot_be_sent_stops_everything(
    run: Run, tmp_path: Path, scripted_gateway: ScriptedGateway
) -> None:
    manifest(
        tmp_path / "manifests",
        {"id": "a", "to": "opps"},
        {"id": "b", "to": "ops", "image": {"id": "f1"}},
        {"id": "c", "to": "not a name"},
        {"id": "d", "to": "ops", "image": {"link": "https://a.example", "provider": {"name": "p"}}},
    )
    sent = run("send")
    assert (sent.returncode, scripted_gateway.attempts) == (2, 0)
    for words in (
        'manifest.toml:5:8: error: message "a": there is no target "opps"; did you mean "ops"?',
        'message "b": Apprise stores no files, so it has no ids; use source or link',
        'message "c": "to" is the name of a target of Apprise, like ops',
        'message "d": Apprise knows no provider',
    ):
        assert words in sent.stderr


def test_a_url_has_no_place_in_the_configuration(run: Run, tmp_path: Path) -> None:
    table = f'[transports.apprise]\nurl = "json://user:{TOKEN}@a.example"\n'
    (tmp_path / "dispatcher.toml").write_text(f'transport = "apprise"\n{table}')
    planned = run("plan")
    assert planned.returncode == 2
    assert 'dispatcher.toml:3:1: error: unknown key "url"' in planned.stderr
    assert TOKEN not in planned.stdout + planned.stderr


def test_no_copies_are_left(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    assert run("send", "--yes", TMPDIR=str(tmp_path / "tmp")).returncode == 0
    assert list((tmp_path / "tmp").iterdir()) == []
