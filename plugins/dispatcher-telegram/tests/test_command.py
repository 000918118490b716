"""The real command against the Bot API: what arrives, the journal, exit codes, and the log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.testing import Fault, Reply, ScriptedGateway, manifest

Command = Callable[..., Any]
Posted = Callable[[], list[tuple[str, dict[str, Any]]]]

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
LOUD = """
import logging
from dispatcher import hookimpl

@hookimpl
def dispatcher_validate_message(message):
    logging.getLogger().setLevel(logging.DEBUG)
"""
PNG = b"\x89PNG\r\n\x1a\n picture"
TEXT = {"id": "hello", "to": "123456789", "text": {"body": "Hello"}}


def _results(done: Any) -> dict[str, Any]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["to"]: line for line in lines if line["event"] == "result"}


def _statuses(done: Any) -> dict[str, str]:
    return {to: line["status"] for to, line in _results(done).items()}


def test_messages_are_sent_once(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway, posted: Posted
) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/prices.pdf").write_bytes(b"%PDF-1.7 prices")
    prices = {"source": "prices.pdf", "caption": "Spring", "filename": "Prices & more.pdf"}
    file = {"id": "prices", "to": "@Shop_News", "document": prices}
    poll = {"id": "poll", "to": "-1001234567890", "poll": {"question": "?", "options": ["a", "b"]}}
    manifest(tmp_path / "manifests", TEXT, file, poll)
    done = dispatcher("send", "--json", "--yes")
    assert done.returncode == 0, done.stderr
    assert _statuses(done) == dict.fromkeys(("123456789", "@shop_news", "-1001234567890"), "sent")
    sent = dict(posted())
    assert sent["sendMessage"] == {"chat_id": "123456789", "text": "Hello"}
    assert sent["sendPoll"]["options"] == [{"text": "a"}, {"text": "b"}]
    document = sent["sendDocument"].pop("document")
    assert (document.content, document.filename) == (b"%PDF-1.7 prices", "Prices & more.pdf")
    assert sent["sendDocument"] == {"chat_id": "@shop_news", "caption": "Spring"}
    again = dispatcher("send", "--json")
    assert again.returncode == 0
    assert set(_statuses(again).values()) == {"skipped"}
    assert len(gateway.requests) == 3


def test_who_blocked_the_bot_keeps_nothing_from_the_others(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway
) -> None:
    manifest(tmp_path / "manifests", {**TEXT, "to": ["555", "666", "777"]})
    done = dispatcher("send", "--json", "--yes")
    assert done.returncode == 4, done.stderr
    assert _statuses(done) == {"555": "failed", "666": "failed", "777": "sent"}
    assert gateway.attempts == 3
    assert "bot was blocked by the user" in dispatcher("history").stdout


def test_a_wrong_token_ends_the_run(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway
) -> None:
    manifest(tmp_path / "manifests", {**TEXT, "to": [str(chat) for chat in range(1, 101)]})
    done = dispatcher("send", "--json", "--yes", TELEGRAM_TOKEN="123456789:another-token-of-a-bot")
    assert done.returncode == 1
    assert gateway.attempts < 100
    assert "TELEGRAM_TOKEN" in done.stderr
    assert "another-token-of-a-bot" not in done.stdout + done.stderr


def test_a_pause_is_kept_and_the_message_sent(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway, error: Callable[..., Reply]
) -> None:
    accepted = Reply(200, {"ok": True, "result": {"message_id": 42}})
    gateway.script(error(429, "Too Many Requests: retry after 1", retry_after=1), accepted)
    manifest(tmp_path / "manifests", TEXT)
    done = dispatcher("send", "--json", "--yes")
    assert done.returncode == 0, done.stderr
    assert gateway.attempts == 2


def test_a_pause_longer_than_the_deadline_ends_the_run(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway, error: Callable[..., Reply]
) -> None:
    gateway.script(error(429, "Too Many Requests: retry after 9000", retry_after=9000))
    manifest(tmp_path / "manifests", {**TEXT, "to": ["1", "2", "3"]})
    done = dispatcher("send", "--yes")
    assert done.returncode == 1
    assert gateway.attempts <= 3
    assert "sent" not in dispatcher("history", "--status", "sent").stdout


@pytest.mark.parametrize("step", [Reply(502), Fault.RESET, Fault.CLOSE])
@pytest.mark.parametrize("file", [False, True])
def test_what_may_have_arrived_is_unknown(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway, step: Any, file: bool
) -> None:
    gateway.script(step)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/a.png").write_bytes(PNG)
    photo = {"id": "hello", "to": "5", "image": {"source": "a.png"}}
    manifest(tmp_path / "manifests", photo if file else TEXT)
    done = dispatcher("send", "--yes")
    assert done.returncode == 5, done.stderr
    assert gateway.attempts == 1
    assert dispatcher("send").returncode == 5
    assert gateway.attempts == 1


def test_a_plan_needs_no_token_and_shows_none(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway
) -> None:
    manifest(tmp_path / "manifests", TEXT)
    done = dispatcher("plan", "--payloads", "--explain", "--debug", TELEGRAM_TOKEN="")
    assert done.returncode == 0, done.stderr
    assert '{"chat_id":"123456789","text":"Hello"}' in done.stdout
    assert f"telegram at {gateway.url}" in done.stdout + done.stderr
    assert gateway.attempts == 0


def test_not_even_with_everything_logged(
    dispatcher: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dispatcher` looks for the token; the plugin here is only to log all that there is."""
    (tmp_path / "loud.py").write_text(LOUD)
    info = tmp_path / "loud-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[dispatcher]\nloud = loud\n")
    manifest(tmp_path / "manifests", TEXT, {**TEXT, "id": "blocked", "to": "555"})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = dispatcher("send", "--yes", "--debug")
    assert done.returncode == 4, done.stderr
    assert "POST /bot***/sendMessage HTTP/1.1" in done.stderr


def test_a_journal_is_not_begun_without_a_word(
    dispatcher: Command, tmp_path: Path, gateway: ScriptedGateway
) -> None:
    """The gateway is on this machine, as a Bot API server may be, and leads to people."""
    manifest(tmp_path / "manifests", TEXT)
    assert dispatcher("send").returncode == 2
    assert gateway.attempts == 0


def test_the_manifest_of_the_readme_is_sent(
    dispatcher: Command, tmp_path: Path, posted: Posted
) -> None:
    [shown] = re.findall(r"```toml\n# manifests/spring.toml\n(.*?)```", README, re.DOTALL)
    folder = tmp_path / "manifests"
    (folder / "files").mkdir(parents=True)
    (folder / "spring.toml").write_text(shown, encoding="utf-8")
    (folder / "files/banner.png").write_bytes(PNG)
    (folder / "files/prices.pdf").write_bytes(b"%PDF-1.7 prices")
    done = dispatcher("send", "--json", "--yes")
    assert done.returncode == 0, done.stderr
    sent = [method for method, _ in posted()]
    bodies = re.findall(r"^\| `(send\w+)` \|", README, re.MULTILINE)
    assert sorted(set(sent)) == sorted(bodies)


def test_the_configuration_of_the_readme_is_valid(dispatcher: Command, tmp_path: Path) -> None:
    [shown] = re.findall(r"```toml\n# dispatcher.toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "dispatcher.toml").write_text(shown, encoding="utf-8")
    manifest(tmp_path / "manifests", TEXT)
    done = dispatcher("validate")
    assert done.returncode == 0, done.stderr
