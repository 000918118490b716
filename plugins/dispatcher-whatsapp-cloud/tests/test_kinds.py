"""Kinds of content besides templates: mistakes at their places, files, and what a chat shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher import AddressError, Bubble, Content, Link, MediaId, Message
from dispatcher.testing import Plan, message, plan, upload
from dispatcher_whatsapp_cloud import CloudPluginSettings, WhatsAppCloud, WhatsAppCloudPlugin

Make = Callable[..., WhatsAppCloud]
USER = "US.13491208655302741918"
BUTTONS = """\
[messages.interactive]
type = "button"
body.text = "Come?"
[[messages.interactive.action.buttons]]
type = "reply"
reply = { id = "yes", title = "Yes" }
[[messages.interactive.action.buttons]]
type = "reply"
reply = { id = "no", title = "No" }
"""
LIST = """\
[messages.interactive]
type = "list"
body.text = "Choose"
action.button = "Menu"
[[messages.interactive.action.sections]]
title = "Flowers"
rows = [{ id = "r", title = "Roses", description = "red" }, { id = "t", title = "Tulips" }]
"""
LINK = """\
[messages.interactive]
type = "cta_url"
body.text = "Look"
action = { name = "cta_url", parameters = { display_text = "Open", url = "https://a.example" } }
"""
REACTION = """\
[messages.reaction]
message_id = "wamid.HBgL"
emoji = "👍"
"""
REPLY = """\
[messages.image]
link = "https://a.example/b.png"
context.message_id = "wamid.HBgL"
biz_opaque_callback_data = "spring"
"""
ROWS = ", ".join(f'{{ id = "{number}", title = "x" }}' for number in range(9))
CONTACT = """\
[[messages.contacts]]
name = { formatted_name = "Anna Petrova", first_name = "Anna" }
phones = [{ phone = "+79001234567" }]
"""
PLACE = """\
[messages.location]
latitude = 55.7558
longitude = 37.6173
name = "Shop"
"""


def planned(folder: Path, entry: str) -> Plan:
    path = folder / "m.toml"
    head = (
        'manifest = 1\ntransport = "whatsapp-cloud"\n[[messages]]\nid = "m"\nto = "79001234567"\n'
    )
    path.write_text(head + entry)
    settings = CloudPluginSettings(templates=folder / "templates")
    return plan(path, WhatsAppCloudPlugin(settings))


def content(folder: Path, entry: str) -> Content:
    made = planned(folder, entry)
    assert made.problems == []
    return made.messages[0].message.content


@pytest.mark.parametrize(
    ("entry", "old", "new", "line", "sentence"),
    [
        (PLACE, "55.7558", "95", 7, "latitude must be between -90 and 90"),
        (PLACE, "37.6173", '"east"', 8, "longitude must be a number, like 55.7558"),
        (PLACE, "37.6173", "true", 8, "longitude must be a number, like 55.7558"),
        (PLACE, "37.6173", '"{{ 200 }}"', 8, "longitude must be between -180 and 180"),
        (PLACE, "latitude = 55.7558\n", "", 6, '"latitude" is missing'),
        (CONTACT, ', first_name = "Anna"', "", 7, "name needs another part besides formatted_name"),
        (CONTACT, "phone =", "fone =", 8, 'unknown key "fone"; did you mean "phone"?'),
        (CONTACT, "phones", 'birthday = "8 March"\nphones', 8, "birthday does not have the form"),
        (BUTTONS, '"Yes"', '"Yes, with the greatest pleasure"', 11,
         "title must be at most 20 characters long"),
        (BUTTONS, '"no", title = "No"', '"yes", title = "No"', 9, 'two have the id "yes"'),
        (BUTTONS, '"button"', '"buton"', 7, 'type: did you mean "button"?'),
        (BUTTONS, '"button"', '"list"', 9, "action of a list has button and sections"),
        (BUTTONS, "Come?", "x" * 1025, 8, "at most 1024 are allowed"),
        (BUTTONS, "body", 'header = { type = "image", text = "x" }\nbody', 8,
         "header is of type image, but it has text"),
        (LIST, "Choose", "x" * 4097, 8, "at most 4096 are allowed"),
        (LIST, "body", 'header = { type = "image", image.id = "1" }\nbody', 8,
         "header: list cannot have one of type image"),
        (LIST, '"t", title', '"r", title', 10, 'two have the id "r"'),
        (LIST, '"Tulips" }', f'"Tulips" }}, {ROWS}', 12, "must have at most 10 entries"),
        (LIST, 'title = "Flowers"\n', 'rows = [{ id = "x", title = "x" }]\n'
         '[[messages.interactive.action.sections]]\n', 10, "need a title each"),
        (REACTION, "👍", ":thumbsup:", 8, 'emoji must be one, like "👍"'),
        (REACTION, "wamid.HBgL", "", 7, "message_id must not be empty"),
        (REACTION, "emoji", 'context.message_id = "wamid.1"\nemoji', 8,
         "context is not allowed on reaction"),
        (REPLY, "wamid.HBgL", "{{ '' }}", 8, "message_id must not be empty"),
        (REPLY, "spring", "x" * 513, 9, "must be at most 512 characters long"),
        (REPLY, '"spring"', "5", 9, "put 5 in quotes"),
        (LINK, "https://a.example", "a.example", 9, "must begin with http:// or https://"),
        (LINK, '"cta_url", p', '"send_location", p', 9, 'has the name "cta_url"'),
    ],
)  # fmt: skip
def test_each_mistake_is_told_at_its_place(
    tmp_path: Path, entry: str, old: str, new: str, line: int, sentence: str
) -> None:
    assert old in entry
    assert planned(tmp_path, entry).problems == []
    [problem] = planned(tmp_path, entry.replace(old, new, 1)).problems
    assert sentence in problem.message
    assert problem.location.line == line


@pytest.mark.parametrize(
    ("entry", "summary", "bubble"),
    [
        (PLACE, "Shop (55.7558, 37.6173)",
         Bubble("Location", text="Shop", lines=("55.7558, 37.6173",))),
        (CONTACT, "Anna Petrova", Bubble("Contacts", lines=("Anna Petrova: +79001234567",))),
        (REACTION, "👍", Bubble("Reaction", text="👍")),
        (BUTTONS, '"Come?" [Yes] [No]',
         Bubble("Interactive", text="Come?", buttons=("Yes", "No"))),
        (LIST, '"Choose" [Menu]', Bubble(
            "Interactive", text="Choose", lines=("Flowers", "• Roses: red", "• Tulips"),
            buttons=("Menu",))),
        (LINK, '"Look" [Open]', Bubble("Interactive", text="Look", buttons=("Open",))),
    ],
)  # fmt: skip
def test_the_plan_and_the_preview_show_it(
    tmp_path: Path, entry: str, summary: str, bubble: Bubble
) -> None:
    found = content(tmp_path, entry)
    assert (found.summary(), found.bubble()) == (summary, bubble)


def test_every_text_is_a_template(tmp_path: Path) -> None:
    entry = BUTTONS.replace('"Yes"', '"{{ answer }}"') + '[messages.vars]\nanswer = "Sure"\n'
    made = planned(tmp_path, entry)
    assert made.problems == []
    buttons = made.messages[0].payload["interactive"]["action"]["buttons"]
    assert buttons[0]["reply"] == {"id": "yes", "title": "Sure"}


def test_the_picture_above_buttons_is_uploaded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    header = 'header = { type = "image", image.source = "a.png" }\nbody'
    made = planned(tmp_path, BUTTONS.replace("body", header, 1))
    assert made.problems == []
    [planned_message] = made.messages
    assert planned_message.upload is not None
    image = planned_message.payload["interactive"]["header"]["image"]
    assert image == {"id": planned_message.upload.reference}
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 5_000_000)
    [problem] = planned(tmp_path, BUTTONS.replace("body", header, 1)).problems
    assert "at most 5 MB" in problem.message
    assert (problem.location.line, problem.location.column) == (8, 43)


def _sticker(**table: str) -> Message:
    return message(type="sticker", content=WhatsAppCloud.contents["sticker"](**table))


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("a.webp", 500_000, None),
        ("a.webp", 500_001, "500000"),
        ("a.png", 9, "sticker must be one of image/webp"),
    ],
)
def test_a_sticker_is_a_small_webp(make: Make, name: str, size: int, sentence: str | None) -> None:
    file = upload(b"x", name).model_copy(update={"size": size})
    built = make().build(_sticker(source=name), file)
    assert built["sticker"] == {"id": file.reference}
    problems = list(make().check(built, file))
    assert [each.where for each in problems] == ([] if sentence is None else ["sticker.source"])
    assert all(sentence in each.message for each in problems if sentence)


def test_a_sticker_may_be_a_link_or_an_id(make: Make) -> None:
    link = "https://cdn.example.com/a.webp"
    assert make().build(_sticker(source="x"), Link(url=link))["sticker"] == {"link": link}
    assert make().build(_sticker(id="17"), MediaId(id="17"))["sticker"] == {"id": "17"}


def test_a_user_id_is_its_own_recipient(make: Make) -> None:
    address = make().address(f" {USER} ", "RU")
    assert address == (USER, "individual")
    built = make().build(message(**address._asdict()), None)
    assert "to" not in built
    assert built["recipient"] == USER
    assert list(make().check(built, None)) == []


@pytest.mark.parametrize("written", ["us.13491208655302741918", "US.", "USA.1", f"{USER}!", "US 1"])
def test_what_is_no_user_id(make: Make, written: str) -> None:
    with pytest.raises(AddressError):
        make().address(written, None)


@pytest.mark.parametrize(
    ("changes", "service", "sentence"),
    [
        ({}, "turn", "this gateway needs a number"),
        ({"to": "+79001234567"}, "meta", "has both to and recipient"),
        ({"recipient": "you"}, "meta", "is no business-scoped user id"),
        ({"recipient": None}, "meta", "is no business-scoped user id"),
    ],
)
def test_where_a_user_id_does_not_go(
    make: Make, changes: dict[str, Any], service: str, sentence: str
) -> None:
    sender = make(service=service)
    built = sender.build(message(to=USER, recipient_type="individual"), None)
    [problem] = sender.check({**built, **changes}, None)
    assert sentence in problem.message
    assert problem.where == "to"


@pytest.mark.parametrize("service", ["on-premises", "turn", "360dialog-on-premises"])
def test_on_premises_a_template_has_a_namespace(make: Make, service: str) -> None:
    table = {"namespace": "ns", "name": "order", "language": {"code": "en"}}
    kind = WhatsAppCloud.contents["template"]
    built = make(service=service).build(
        message(type="template", content=kind.model_validate(table)), None
    )
    assert built["template"] == table
    assert list(make(service=service).check(built, None)) == []
    [problem] = make().check({**built, "messaging_product": "whatsapp"}, None)
    assert problem.where == "template.namespace"
