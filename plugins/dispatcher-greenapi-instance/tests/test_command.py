"""The real command against the instance: what arrives, the journal, exit codes, and the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.testing import Reply, ScriptedGateway, manifest

LOUD = """
import logging
from dispatcher import hookimpl

@hookimpl
def dispatcher_validate_message(message):
    logging.getLogger().setLevel(logging.DEBUG)
"""
TEXT = {"id": "hello", "text": {"body": "Hello"}}
FILE = {"id": "prices", "document": {"source": "prices.pdf", "caption": "c", "filename": "p.pdf"}}


def _results(done: Any) -> dict[str, Any]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["message"]: line for line in lines if line["event"] == "result"}


def test_messages_are_sent_once(
    dispatcher: Callable[..., Any],
    tmp_path: Path,
    gateway: ScriptedGateway,
    bodies: Callable[[], list[dict[str, Any]]],
) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/prices.pdf").write_bytes(b"%PDF-1.7 prices")
    manifest(tmp_path / "manifests", TEXT, FILE, {**FILE, "id": "again", "to": "79001234568"})
    done = dispatcher("send", "--json")
    assert done.returncode == 0, done.stderr
    assert {id: each["status"] for id, each in _results(done).items()} == dict.fromkeys(
        ("hello", "prices", "again"), "sent"
    )
    assert [each.path.split("/")[2] for each in gateway.requests].count("uploadFile") == 1
    [text] = [body for body in bodies() if "message" in body]
    assert text == {"chatId": "79001234567@c.us", "message": "Hello"}
    files = [body for body in bodies() if "urlFile" in body]
    assert {each["urlFile"][:26] for each in files} == {"https://files.example.com/"}
    count = len(gateway.requests)
    again = dispatcher("send", "--json")
    assert again.returncode == 0
    assert {each["status"] for each in _results(again).values()} == {"skipped"}
    assert len(gateway.requests) == count


@pytest.mark.parametrize(
    ("reply", "code", "status"),
    [
        (Reply(400, {"message": "Validation failed"}), 1, "failed"),
        (Reply(401, {"message": "Unauthorized"}), 1, "failed"),
        (Reply(466, {"invokeStatus": {"description": "Monthly quota"}}), 1, "failed"),
        (Reply(502), 5, "unknown"),
    ],
)
def test_what_went_wrong_is_kept(
    dispatcher: Callable[..., Any],
    tmp_path: Path,
    gateway: ScriptedGateway,
    reply: Reply,
    code: int,
    status: str,
) -> None:
    gateway.script(reply)
    manifest(tmp_path / "manifests", TEXT)
    done = dispatcher("send", "--json")
    assert (done.returncode, _results(done)["hello"]["status"]) == (code, status), done.stderr
    assert gateway.attempts == 1
    assert status in dispatcher("history").stdout


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
    assert "set GREENAPI_INSTANCE_TOKEN in the environment" in done.stderr


def test_not_even_with_everything_logged(
    dispatcher: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dispatcher` checks that; the plugin here is only to log all that there is."""
    (tmp_path / "loud.py").write_text(LOUD)
    info = tmp_path / "loud-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[dispatcher]\nloud = loud\n")
    manifest(tmp_path / "manifests", TEXT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = dispatcher("send", "--json")
    assert done.returncode == 0, done.stderr
    assert "POST /waInstance1101000001/sendMessage/*** HTTP/1.1" in done.stderr
