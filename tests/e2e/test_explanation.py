"""`plan --explain` and `plugins --timings`: who decided what, and what it cost."""

import json

import pytest

from tests.support.project import Project, text

IMAGE = """
[[messages]]
id = "image"
to = "79001234567"
image = { source = "drive:banner", caption = "Hello" }
"""
PLUGIN = """
import time
from dispatcher import Link, Problem, hookimpl

@hookimpl
def dispatcher_resolve_source(source):
    if source.startswith("drive:"):
        return Link(url="https://drive.example.com/banner.png", provider="drive")

@hookimpl
def dispatcher_validate_message(message):
    if message.text:
        yield Problem(message="say it nicely", where="text.body", severity="SEVERITY")

@hookimpl
def dispatcher_transform_payload(payload):
    time.sleep(0.02)
    if "text" in payload:
        payload["text"]["body"] += "!"
        payload["preview_url"] = True
"""
NAMED = 'plugin "odd" (fake-odd 0.1.0)'


@pytest.fixture
def odd(project: Project) -> Project:
    """A project beside that plugin, which warns."""
    project.manifest(text("text") + IMAGE)
    project.install("odd", PLUGIN.replace("SEVERITY", "warning"))
    return project


def test_explain_names_who_resolved_objected_and_changed_what(odd: Project) -> None:
    plan = odd.call("plan", "--explain")
    assert plan.code == 0, plan.stderr
    assert plan.stdout.splitlines() == [
        '+ new      default/m/text/1/79001234567  text "Hello"',
        f"  warning of {NAMED}: text.body: say it nicely",
        f"  {NAMED} changed",
        '    - text.body: "Hello"',
        '    + text.body: "Hello!"',
        "    + preview_url: true",
        "+ new      default/m/image/1/79001234567  image drive:banner",
        f"  drive:banner: {NAMED} says link https://drive.example.com/banner.png through drive",
    ]


def test_explain_names_who_keeps_the_plan_from_being_sent(odd: Project) -> None:
    odd.install("odd", PLUGIN.replace("SEVERITY", "error"))
    odd.call("plan", "--explain").refused(
        f"default/m/text/1/79001234567: error of {NAMED}: text.body: say it"
    )


def test_timings_show_what_loading_and_calling_a_plugin_costs(odd: Project) -> None:
    listed = odd.call("plugins", "--timings", "--json")
    assert listed.code == 0, listed.stderr
    plugins = {each["name"]: each for each in map(json.loads, listed.stdout.splitlines())}
    slow = plugins["odd"]
    assert slow["calls"] == 2 + 2 + 1  # two messages, one source
    assert 40 <= slow["call_ms"] < 4000
    assert slow["load_ms"] > 0
    assert plugins["checks"]["calls"] == 2
    assert "calls" in odd.call("plugins", "--timings").stdout
    assert "call_ms" not in odd.call("plugins", "--json").stdout
