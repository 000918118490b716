"""Templates: the short form, what their definitions say of a message, and what a chat shows."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from dispatcher import hookimpl
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

    def planned(*entries: str, head: str = "", plugins: Iterable[object] = ()) -> Plan:
        texts = [
            f'[[messages]]\nid = "m{number}"\nto = "79001234567"\n{textwrap.dedent(each)}'
            for number, each in enumerate(entries, 1)
        ]
        path = tmp_path / "manifests/m.toml"
        path.write_text(f'manifest = 1\ntransport = "whatsapp-cloud"\n{head}\n' + "\n".join(texts))
        settings = CloudPluginSettings(templates=tmp_path / "templates")
        return plan(path, WhatsAppCloudPlugin(settings), *plugins)

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


class Cutter:
    """A plugin that takes the last parameter of a template away."""

    @hookimpl
    def dispatcher_transform_payload(self, payload: dict[str, Any]) -> None:
        payload["template"]["components"][1]["parameters"].pop()


def test_what_another_plugin_leaves_is_compared(planned: Planned) -> None:
    [problem] = planned(GOOD, plugins=[Cutter()]).problems
    assert "takes 2 parameters ({{1}}, {{2}}); there is 1" in problem.message
    assert problem.location.line == 11


def test_parameters_with_names_are_compared_by_them(planned: Planned) -> None:
    entry = """
        [messages.template]
        name = "spring"
        language = "en"
        header.image.source = "spring.png"
        body = { nmae = "Anna" }
        """
    problems = [each.message.removesuffix(" (plugin-1)") for each in planned(entry).problems]
    assert problems == [
        'the body of "spring" (en) has no parameter "nmae"; did you mean "name"?',
        'the body of "spring" (en) needs the parameter "shop"',
    ]
    [problem] = planned(entry.replace('{ nmae = "Anna" }', '["Anna", "Roses"]')).problems
    assert 'the parameters of "spring" (en) have names: name, shop' in problem.message


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ('header.document.source = "prices.pdf"', 'is an image; there is document'),
        ('header.text = "x"', 'is an image; there is text'),
        ('', 'is an image; there is nothing'),
    ],
)  # fmt: skip
def test_a_header_is_of_the_type_that_was_approved(
    planned: Planned, header: str, sentence: str
) -> None:
    body = 'body = { name = "Anna", shop = "Roses" }'
    entry = f'[messages.template]\nname = "spring"\nlanguage = "en"\n{header}\n{body}'
    [problem] = planned(entry).problems
    assert problem.message.removesuffix(" (plugin-1)") == f'the header of "spring" (en) {sentence}'


def test_the_file_of_a_header_is_checked_at_its_place(planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "manifests/big.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 5_000_000)
    entry = """
        [messages.template]
        name = "spring"
        language = "en"
        header.image.source = "big.png"
        body = { name = "Anna", shop = "Roses" }
        """
    [problem] = planned(entry).problems
    assert "at most 5 MB" in problem.message
    assert (problem.location.line, problem.location.column) == (11, 23)


def test_without_definitions_there_is_one_hint(planned: Planned, tmp_path: Path) -> None:
    for path in (tmp_path / "templates").iterdir():
        path.unlink()
    made = planned(GOOD, GOOD.replace("A-17", "A-18"))
    [hint] = made.problems
    assert hint.severity == "warning"
    assert "dispatcher whatsapp-templates pull fetches them" in hint.message
    assert hint.location.message_id is None
    assert len(made.messages) == 2
    assert planned('text.body = "Hi"').problems == []


def test_a_file_that_cannot_be_read_stops_templates_only(planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "templates/spring.toml").write_text(SPRING.replace("body =", "boody ="))
    made = planned(GOOD, GOOD.replace("A-17", "A-18"))
    [problem] = made.problems
    assert f"{tmp_path}/templates/spring.toml:5:1: error: unknown key" in problem.message
    assert 'did you mean "body"?' in problem.message
    assert planned('text.body = "Hi"').problems == []


def test_a_template_is_defined_once(planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "templates/other.toml").write_text(ORDER)
    [problem] = planned(GOOD).problems
    first, second = (f"{tmp_path}/templates/{name}.toml" for name in ("other", "order_ready"))
    assert f'{first}:1:1: {second} has the template "order_ready", too' in problem.message


def test_the_plan_and_the_preview_show_the_text_that_will_arrive(planned: Planned) -> None:
    content = planned(GOOD).messages[0].message.content
    assert content.summary() == 'order_ready en_US "Hello Anna, your order A-17 is ready."'
    bubble = content.bubble()
    assert bubble.text == "*Order A-17*\n\nHello Anna, your order A-17 is ready."
    assert (bubble.lines, bubble.buttons) == (("Roses",), ("Track it", "Thanks"))
    entry = 'template = { name = "spring", language = "en", header.image.source = "spring.png", '
    bubble = planned(entry + 'body = { name = "Anna", shop = "Roses" } }').messages[0].message
    shown = bubble.content.bubble()
    assert shown.text == "Dear Anna, Roses is open."
    assert shown.file is not None
    assert shown.file.id == "spring.png"


def test_without_definitions_the_values_are_shown(planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "templates/order_ready.toml").unlink()
    (tmp_path / "templates/spring.toml").unlink()
    (tmp_path / "templates/plain.toml").unlink()
    content = planned(GOOD).messages[0].message.content
    assert content.summary() == "order_ready en_US Anna, A-17"
    assert content.bubble().lines == ("1: Anna", "2: A-17")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ('template = { name = "plain" }', '"language" is missing'),
        ('template = { name = "plain", language = 5 }', "language"),
        (GOOD + "components = []", "components cannot stand beside header and body and buttons"),
        ('template = { name = "plain", language = "en", header = {} }', "header needs one of text"),
        (GOOD.replace("header.text", "header.txt"), 'unknown key "txt"; did you mean "text"?'),
        ('template = { name = "plain", language = "en", '
         'components = [{ type = "boddy" }] }', 'did you mean "BODY"?'),
        ('template = { name = "plain", language = "en", '
         'components = [{ type = "body", parameters = [{ type = "text" }] }] }', "needs text"),
        ('template = { name = "plain", language = "en", '
         'components = [{ type = "button" }] }', "a button needs sub_type and index"),
        ('template = { name = "plain", language = "en", namespace = "x" }',
         'the gateway has no field "namespace" here'),
    ],
)  # fmt: skip
def test_what_is_no_template_is_told(planned: Planned, entry: str, sentence: str) -> None:
    problem, *_ = planned(entry).problems
    assert sentence in problem.message
    assert problem.location.line >= 7
