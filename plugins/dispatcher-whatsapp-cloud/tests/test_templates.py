"""Templates: the short form, what their definitions say of a message, and what a chat shows."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.testing import Plan, plan
from dispatcher_whatsapp_cloud import CloudPluginSettings, WhatsAppCloudPlugin

ORDER = """
name = "order_ready"

[languages.en_US]
category = "UTILITY"
header = { type = "text", text = "Order {{1}}" }
body = "Hello {{1}}, your order {{2}} is ready."
footer = "Roses"

[[languages.en_US.buttons]]
type = "url"
text = "Track it"
url = "https://example.com/{{1}}"

[[languages.en_US.buttons]]
type = "quick_reply"
text = "Thanks"

[languages.ru]
body = "Готово: {{1}}"
"""
SPRING = """
name = "spring"
[languages.en]
header.type = "image"
body = "Dear {{name}}, {{shop}} is open."
"""
PLAIN = """
name = "plain"
[languages.en]
body = "We are open."
"""
GOOD = """\
[messages.template]
name = "order_ready"
language = "en_US"
header.text = "A-17"
body = ["Anna", "A-17"]
buttons = [{ url = "A-17" }]
"""
Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """Plan a message with what follows `to`, by the definitions in templates/."""
    (tmp_path / "templates").mkdir()
    for name, text in {"order_ready": ORDER, "spring": SPRING, "plain": PLAIN}.items():
        (tmp_path / f"templates/{name}.toml").write_text(text)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/spring.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    (tmp_path / "manifests/prices.pdf").write_bytes(b"%PDF-1.7")

    def planned(*entries: str, head: str = "") -> Plan:
        texts = [
            f'[[messages]]\nid = "m{number}"\nto = "79001234567"\n{textwrap.dedent(each)}'
            for number, each in enumerate(entries, 1)
        ]
        path = tmp_path / "manifests/m.toml"
        path.write_text(f'manifest = 1\ntransport = "whatsapp-cloud"\n{head}\n' + "\n".join(texts))
        settings = CloudPluginSettings(templates=tmp_path / "templates")
        return plan(path, WhatsAppCloudPlugin(settings))

    return planned


def _template(made: Plan) -> Any:
    assert list(map(str, made.problems)) == []
    return made.messages[0].payload["template"]


def _text(text: str, **more: str) -> dict[str, str]:
    return {"type": "text", "text": text, **more}


def test_the_short_form_becomes_components(planned: Planned) -> None:
    assert _template(planned(GOOD)) == {
        "name": "order_ready",
        "language": {"code": "en_US"},
        "components": [
            {"type": "header", "parameters": [_text("A-17")]},
            {"type": "body", "parameters": [_text("Anna"), _text("A-17")]},
            {"type": "button", "sub_type": "url", "index": 0, "parameters": [_text("A-17")]},
        ],
    }
    plain = planned('template = { name = "plain", language = "en" }')
    assert _template(plain) == {"name": "plain", "language": {"code": "en"}}


def test_a_header_is_uploaded_and_names_are_kept(planned: Planned) -> None:
    entry = """
        [messages.template]
        name = "spring"
        language = "en"
        header.image.source = "spring.png"
        body = { name = "{{ who }}", shop = "Roses" }
        """
    made = planned(entry, head='[vars]\nwho = "Anna"')
    header, body = _template(made)["components"]
    [planned_message] = made.messages
    assert planned_message.upload is not None
    reference = planned_message.upload.reference
    assert header == {
        "type": "header",
        "parameters": [{"type": "image", "image": {"id": reference}}],
    }
    assert body["parameters"] == [
        _text("Anna", parameter_name="name"), _text("Roses", parameter_name="shop")
    ]  # fmt: skip


def test_each_button_has_its_own_parameter(planned: Planned) -> None:
    entry = GOOD.replace('{ url = "A-17" }', '{ url = "A-17" }, { index = 1, quick_reply = "ok" }')
    button = _template(planned(entry))["components"][3]
    assert button == {
        "type": "button",
        "sub_type": "quick_reply",
        "index": 1,
        "parameters": [{"type": "payload", "payload": "ok"}],
    }


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence"),
    [
        ('"order_ready"', '"order_redy"', '8:8',
         'no template "order_redy" in templates; did you mean "order_ready"?'),
        ('"order_ready"', '"xyz"', '8:8',
         'no template "xyz" in templates; dispatcher whatsapp-templates pull fetches new ones'),
        ('"en_US"', '"en-US"', '9:12',
         'template "order_ready" has no language "en-US"; did you mean "en_US"?'),
        ('"en_US"', '"de"', '9:12',
         'template "order_ready" has no language "de"; it has en_US, ru'),
        ('"Anna", "A-17"', '"Anna"', '11:8',
         'the body of "order_ready" (en_US) takes 2 parameters ({{1}}, {{2}}); there is 1'),
        ('"Anna", "A-17"', '"Anna", "A", "B"', '11:22',
         'the body of "order_ready" (en_US) takes 2 parameters ({{1}}, {{2}}); there are 3'),
        ('body = ["Anna", "A-17"]\n', '', '7:1',
         'the body of "order_ready" (en_US) takes 2 parameters ({{1}}, {{2}}); there are none'),
        ('["Anna", "A-17"]', '{ name = "Anna", x = "A-17" }', '11:17',
         'the parameters of "order_ready" (en_US) have no names; write a list'),
        ('"Anna"', '" "', '11:9', "an entry of body is empty"),
        ('"Anna"', '"An\\nna"', '11:9',
         "a parameter must not hold line breaks, tabs or more than four spaces together"),
        ('header.text = "A-17"', 'header.image.source = "spring.png"', '10:8',
         'the header of "order_ready" (en_US) is text, not image'),
        ('{ url = "A-17" }', '{ copy_code = "A" }', '12:12',
         'button 0 of "order_ready" (en_US), "Track it", is url, not copy_code'),
        ('{ url = "A-17" }', '{ url = "A-17" }, { index = 5, url = "x" }', '12:30',
         '"order_ready" (en_US) has 2 buttons; there is none of index 5'),
        ('{ url = "A-17" }', '', '12:11',
         'button 0 of "order_ready" (en_US), "Track it", needs a parameter: url'),
    ],
)  # fmt: skip
def test_what_meta_would_refuse_is_told_at_its_place(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    old: str, new: str, place: str, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert old in GOOD
    [problem] = planned(GOOD.replace(old, new, 1)).problems
    found = str(problem).replace(f"{tmp_path}/", "").removesuffix(" (plugin-1)")
    assert found.removeprefix("manifests/m.toml:") == f'{place}: error: message "m1": {sentence}'
