"""What the README shows is valid, and comes out as the kind that its section is about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispatcher.testing import plan
from dispatcher_whatsapp_cloud import CloudPluginSettings, WhatsAppCloud, WhatsAppCloudPlugin

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([^\n]*)\n(.*?)(?=^##+ |\Z)", README, re.MULTILINE | re.DOTALL))
DEFINITIONS = README.partition("#### Definitions")[2].partition("\n### ")[0]


def examples(text: str) -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def plugin(tmp_path: Path) -> WhatsAppCloudPlugin:
    """The plugin in a project that has the definition which the page shows."""
    definition, _ = examples(DEFINITIONS)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/order_ready.toml").write_text(definition)
    return WhatsAppCloudPlugin(CloudPluginSettings(templates=tmp_path / "templates"))


def test_each_kind_has_a_section_with_a_manifest() -> None:
    named = [kind for heading in SECTIONS for kind in heading.split(", ")]
    assert sorted(named) == sorted(WhatsAppCloud.contents)
    assert all(examples(text) for text in SECTIONS.values())


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_manifest_of_a_section_is_valid(
    tmp_path: Path, plugin: WhatsAppCloudPlugin, heading: str
) -> None:
    first, *_ = examples(SECTIONS[heading])
    path = tmp_path / "m.toml"
    path.write_text(f'manifest = 1\ntransport = "whatsapp-cloud"\n{first}')
    made = plan(path, plugin)
    assert list(map(str, made.problems)) == []
    assert {each.message.type for each in made.messages} <= set(heading.split(", "))
    assert made.messages


def test_components_are_what_the_short_form_becomes(
    tmp_path: Path, plugin: WhatsAppCloudPlugin
) -> None:
    short, long = examples(SECTIONS["template"])
    payloads = []
    for text in (short, long):
        path = tmp_path / "m.toml"
        path.write_text(f'manifest = 1\ntransport = "whatsapp-cloud"\n{text}')
        made = plan(path, WhatsAppCloudPlugin(CloudPluginSettings(templates=tmp_path / "none")))
        payloads.append(made.messages[0].payload["template"])
    bodies = [[each for each in p["components"] if each["type"] == "body"] for p in payloads]
    assert bodies[0] == bodies[1] != []


def test_the_definition_is_used(tmp_path: Path, plugin: WhatsAppCloudPlugin) -> None:
    short, _ = examples(SECTIONS["template"])
    path = tmp_path / "m.toml"
    path.write_text(f'manifest = 1\ntransport = "whatsapp-cloud"\n{short}')
    assert (
        "Hello Anna, your order A-17 is ready."
        in plan(path, plugin).messages[0].message.content.bubble().text
    )
    path.write_text(path.read_text().replace('", "A-17"]', '"]'))
    [problem] = plan(path, plugin).problems
    assert "takes 2 parameters" in problem.message
