"""The plugin as the command uses it, to a real gateway on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dispatcher.testing import Run, SandboxProcess, manifest

TABLE = """
[plugins.utm]
source = "whatsapp"
campaign = "{manifest}"
domains = ["shop.example"]
"""
TAGGED = "https://shop.example/a?b=c&utm_source=whatsapp&utm_campaign=sale#top"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text(TABLE)
    link = "https://shop.example/a?b=c#top"
    texts = [f"See {link}.", f"{link} https://other.example"]
    messages = [{"id": f"m{number}", "text": {"body": text}} for number, text in enumerate(texts)]
    image = {"id": "m2", "image": {"link": "https://shop.example/a.png", "caption": link}}
    manifest(tmp_path / "manifests", *messages, image, name="sale.toml")


def test_what_is_sent(run: Run, sandbox: SandboxProcess) -> None:
    sent = run("send")
    assert sent.returncode == 0, sent.stderr
    first, second, third = (message["payload"] for message in sandbox.wait(3))
    assert first["text"]["body"] == f"See {TAGGED}."
    assert second["text"]["body"] == f"{TAGGED} https://other.example"
    assert third["image"] == {"link": "https://shop.example/a.png", "caption": TAGGED}
    assert run("send").stdout.count("skipped") == 3


def test_the_environment_wins(run: Run) -> None:
    planned = run("plan", "--json", DISPATCHER_UTM_SOURCE="mail")
    _start, event, *_ = map(json.loads, planned.stdout.splitlines())
    assert "utm_source=mail&utm_campaign=sale" in event["payload"]["text"]["body"]


def test_without_a_table_nothing_is_changed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").unlink()
    assert "utm_" not in run("plan", "--json").stdout


def test_a_text_that_becomes_too_long_is_not_sent(
    run: Run, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    body = "https://shop.example/" + "x" * (4096 - 21)
    manifest(tmp_path / "manifests", {"text": {"body": body}}, name="sale.toml")
    sent = run("send")
    assert (sent.returncode, sandbox.messages()) == (2, [])
    assert "the text has 4134 characters; at most 4096 are allowed" in sent.stderr
    assert run("validate", "--without", "utm").returncode == 0


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("sorce = 'x'", '2:1: error: unknown key "sorce"; did you mean "source"?'),
        ("source = ' '", "2:10: error: source: must be text on one line, and not empty"),
        (
            "campaign = '{run}'",
            '2:12: error: campaign: "{run}" is none of {manifest} and {message}',
        ),
        (
            "domains = ['https://a.example']",
            '"https://a.example" is not a domain, like example.com',
        ),
        ("domains = 'a.example'", "2:11: error: domains: "),
    ],
)
def test_wrong_settings(run: Run, tmp_path: Path, table: str, problem: str) -> None:
    (tmp_path / "dispatcher.toml").write_text(f"[plugins.utm]\n{table}\n")
    planned = run("plan")
    assert (planned.returncode, planned.stdout) == (2, "")
    assert f"dispatcher.toml:{problem}" in planned.stderr or problem in planned.stderr
