"""The real command against the Cloud API: what arrives, the journal, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.testing import Reply, ScriptedGateway, manifest

TEXT = {"id": "hello", "text": {"body": "Hello"}}
FILE = {"id": "prices", "document": {"source": "prices.pdf", "caption": "c", "filename": "p.pdf"}}


def _results(done: Any) -> dict[str, Any]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["message"]: line for line in lines if line["event"] == "result"}


def test_messages_are_sent_once(
    dispatcher: Callable[..., Any], tmp_path: Path, gateway: ScriptedGateway
) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/prices.pdf").write_bytes(b"%PDF-1.7 prices")
    manifest(tmp_path / "manifests", TEXT, FILE, {**FILE, "id": "again", "to": "79001234568"})
    done = dispatcher("send", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {id: each["status"] for id, each in _results(done).items()} == dict.fromkeys(
        ("hello", "prices", "again"), "sent"
    )
    assert all(each["id"].startswith("wamid.") for each in _results(done).values())
    assert [each.path.rpartition("/")[2] for each in gateway.requests].count("media") == 1
    count = len(gateway.requests)
    again = dispatcher("send", "--json")
    assert again.returncode == 0
    assert {each["status"] for each in _results(again).values()} == {"skipped"}
    assert len(gateway.requests) == count


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "ended"),
    [
        (400, 131026, 1, "failed"),
        (401, 190, 1, "failed"),
        (400, 131049, 1, "failed"),  # and no attempt for a day
        (500, 131000, 5, "unknown"),
    ],
)
def test_what_went_wrong_is_kept(
    dispatcher: Callable[..., Any],
    tmp_path: Path,
    gateway: ScriptedGateway,
    meta_error: Callable[..., Reply],
    status: int,
    code: int,
    exit_code: int,
    ended: str,
) -> None:
    gateway.script(meta_error(status, code))
    manifest(tmp_path / "manifests", TEXT)
    done = dispatcher("send", "--json")
    assert (done.returncode, _results(done)["hello"]["status"]) == (exit_code, ended), done.stderr
    assert gateway.attempts == 1
    assert ended in dispatcher("history").stdout
    assert dispatcher("send", "--json").returncode == exit_code
    assert gateway.attempts == (2 if code in (131026, 190) else 1)


def test_what_it_cannot_do_is_said_before_anything_is_sent(
    dispatcher: Callable[..., Any], tmp_path: Path, gateway: ScriptedGateway
) -> None:
    link = {"link": "https://cdn.example.com/a.png", "provider": {"name": "cdn"}}
    manifest(tmp_path / "manifests", {"id": "banner", "image": link})
    for command in ("validate", "send"):
        done = dispatcher(command)
        assert done.returncode == 2
        assert 'no field "provider" here' in done.stdout + done.stderr
    assert gateway.attempts == 0


def test_a_token_in_the_configuration_is_an_error(
    dispatcher: Callable[..., Any], tmp_path: Path
) -> None:
    config = tmp_path / "dispatcher.toml"
    config.write_text(f'{config.read_text()}token = "x"\n')
    done = dispatcher("validate")
    assert done.returncode == 2
    assert "set WHATSAPP_CLOUD_TOKEN in the environment" in done.stderr


def test_validate_and_plan_need_no_account(dispatcher: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text('transport = "whatsapp-cloud"\n')
    manifest(tmp_path / "manifests", TEXT)
    assert dispatcher("validate").returncode == 0
    assert '"to":"+79001234567"' in dispatcher("plan", "--json").stdout.replace(": ", ":")
    done = dispatcher("send")
    assert done.returncode == 2
    assert "meta needs version and phone_number_id" in done.stderr
