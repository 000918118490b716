"""The kinds of content: bodies of Green API's documents, written as manifests; and their limits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dispatcher_greenapi_instance
from dispatcher import Bubble, Media, Text, encode
from dispatcher.testing import ScriptedGateway, plan
from dispatcher_greenapi_instance import GreenApiInstance
from dispatcher_greenapi_instance.contents import CONTENTS

Make = Callable[..., GreenApiInstance]
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")

PERSON, GROUP = '"79001234567"', '"79001234567-1581234048"'

# As the documents have them: the method, and the body; with the message's table as TOML.
PLAIN = ("sendMessage", PERSON, 'text.body = "I use Green-API to send this message to you!"',
        """{"chatId": "79001234567@c.us",
        "message": "I use Green-API to send this message to you!"}""")  # fmt: skip
QUOTE = ("sendMessage", GROUP, 'text = { body = "Hello", quotedMessageId = "BAE5F4886F6F2D05" }',
         """{"chatId": "79001234567-1581234048@g.us", "message": "Hello",
         "quotedMessageId": "BAE5F4886F6F2D05"}""")  # fmt: skip
NO_PREVIEW = ("sendMessage", PERSON, 'text.body = "https://green-api.com"\npreview_url = false',
              """{"chatId": "79001234567@c.us", "message": "https://green-api.com",
              "linkPreview": false}""")  # fmt: skip
PREVIEW = (
    "sendMessage", PERSON, r"""
    [messages.text]
    body = "I use Green-API to send this message to you! \nDocumentation: https://green-api.com/docs"
    linkPreview = true
    typePreview = "large"
    [messages.text.customPreview]
    title = "Title"
    description = "Description"
    link = "https://green-api.com/docs"
    urlFile = "https://storage.yandexcloud.net/green-api.com/logo/Logo_GREEN-API.jpg"
    """, r"""{"chatId": "79001234567@c.us",
    "message": "I use Green-API to send this message to you! \nDocumentation: https://green-api.com/docs",
    "linkPreview": true, "typePreview": "large", "customPreview": {
    "title": "Title", "description": "Description", "link": "https://green-api.com/docs",
    "urlFile": "https://storage.yandexcloud.net/green-api.com/logo/Logo_GREEN-API.jpg"}}""",
)  # fmt: skip
FILE = (
    "sendFileByUrl", PERSON, """
    [messages.document]
    link = "https://example.com/prices.pdf"
    filename = "prices.pdf"
    caption = "Prices"
    quotedMessageId = "361B0E63F2FDF95903B6A9C9A102F34B"
    """, """{"chatId": "79001234567@c.us", "urlFile": "https://example.com/prices.pdf",
    "fileName": "prices.pdf", "caption": "Prices",
    "quotedMessageId": "361B0E63F2FDF95903B6A9C9A102F34B"}""",
)  # fmt: skip
POLL = (
    "sendPoll", PERSON, """
    [messages.poll]
    message = "Please choose the color:"
    options = [{ optionName = "green" }, { optionName = "red" }, { optionName = "blue" }]
    multipleAnswers = false
    """, """{"chatId": "79001234567@c.us", "message": "Please choose the color:",
    "options": [{"optionName": "green"}, {"optionName": "red"}, {"optionName": "blue"}],
    "multipleAnswers": false}""",
)  # fmt: skip
LOCATION = (
    "sendLocation", GROUP, """
    [messages.location]
    nameLocation = "Restaurant"
    address = "123456, Perm"
    latitude = 12.3456789
    longitude = 10.1112131
    quotedMessageId = "361B0E63F2FDF95903B6A9C9A102F34B"
    """, """{"chatId": "79001234567-1581234048@g.us", "nameLocation": "Restaurant",
    "address": "123456, Perm", "latitude": 12.3456789, "longitude": 10.1112131,
    "quotedMessageId": "361B0E63F2FDF95903B6A9C9A102F34B"}""",
)  # fmt: skip
CONTACT = (
    "sendContact", PERSON, """
    [messages.contact]
    phoneContact = 79001234568
    firstName = "Артем"
    middleName = "Петрович"
    lastName = "Евпаторийский"
    company = "Велосипед"
    """, """{"chatId": "79001234567@c.us", "contact": {"phoneContact": 79001234568,
    "firstName": "Артем", "middleName": "Петрович", "lastName": "Евпаторийский",
    "company": "Велосипед"}}""",
)  # fmt: skip
DOCUMENTED = [PLAIN, QUOTE, NO_PREVIEW, PREVIEW, FILE, POLL, LOCATION, CONTACT]


def _planned(folder: Path, to: str, table: str) -> Any:
    path = folder / "m.toml"
    path.write_text(f'manifest = 1\n[[messages]]\nid = "a"\nto = {to}\n{table}', encoding="utf-8")
    return plan(path, dispatcher_greenapi_instance, transport="greenapi-instance")


@pytest.mark.parametrize(("method", "to", "table", "body"), DOCUMENTED)
def test_documented_body_leaves_byte_for_byte(
    make: Make,
    tmp_path: Path,
    gateway: ScriptedGateway,
    method: str,
    to: str,
    table: str,
    body: str,
) -> None:
    made = _planned(tmp_path, to, table)
    assert made.problems == []
    [planned] = made.messages
    assert encode(planned.payload) == encode(json.loads(body))
    assert make(gateway.url).send(planned.payload).id
    [request] = gateway.requests
    assert (request.path.split("/")[2], request.body) == (method, encode(json.loads(body)))


ANSWERS = [f'{{ optionName = "{number}" }}' for number in range(13)]


@pytest.mark.parametrize(
    ("table", "where", "words"),
    [
        ('poll = { message = "?", options = [] }', "poll.options", "needs answers"),
        ('poll = { message = "", options = [{ optionName = "a" }] }', "poll.message", "is empty"),
        (f'poll = {{ message = "{"x" * 256}", options = [{{ optionName = "a" }}] }}',
         "poll.message", "256 characters; at most 255"),
        ('poll = { message = "?", options = [{ optionName = "a" }, { optionName = "a" }] }',
         "poll.options.1.optionName", 'the answer "a" is there twice'),
        ('poll = { message = "?", options = [{ optionName = "" }] }',
         "poll.options.0.optionName", "optionName is empty"),
        (f'poll = {{ message = "?", options = [{", ".join(ANSWERS)}] }}',
         "poll.options", "there are 13 answers; at most 12"),
        ("location = { latitude = 90.1, longitude = 0 }", "location.latitude", "from -90 to 90"),
        ("location = { latitude = 0, longitude = -180.1 }", "location.longitude", "-180 to 180"),
        ("location = { latitude = nan, longitude = 0 }", "location.latitude", "not a number"),
        ('contact = { phoneContact = 79001234568 }', "contact", "needs one of firstName"),
        ('contact = { phoneContact = 7900, company = "A" }', "contact.phoneContact", "7 to 16"),
        ('contact = { phoneContact = -79001234568, company = "A" }', "contact.phoneContact", "7"),
        ('text = { body = "x", typingTime = 999 }', "typingTime", "1000 to 20000 milliseconds"),
        ('text = { body = "x", customPreview = { title = "" } }',
         "text.customPreview.title", "title is empty"),
        (f'text = {{ body = "x", customPreview = {{ title = "x", link = "{"x" * 301}" }} }}',
         "text.customPreview.link", "301 characters; at most 300"),
        ('text = { body = "x", customPreview = { title = "x", urlFile = "ftp://x" } }',
         "text.customPreview.urlFile", "must begin with http"),
        ('text = { body = "x", linkPreview = true }\npreview_url = false',
         "text.linkPreview", "preview_url says the opposite"),
        ('text = { body = "x", typePreview = "huge" }', "text.typePreview", "large or small"),
    ],
)  # fmt: skip
def test_limits_are_told_where_the_mistake_is(
    tmp_path: Path, table: str, where: str, words: str
) -> None:
    [problem] = _planned(tmp_path, PERSON, table).problems
    assert problem.severity == "error"
    assert words in problem.message
    lines = (tmp_path / "m.toml").read_text(encoding="utf-8").splitlines()
    place = problem.location
    before = lines[place.line - 1][: place.column - 1].rstrip(" =")
    assert before.endswith(where.rpartition(".")[2])


@pytest.mark.parametrize(
    "payload",
    [
        {"message": "?", "options": [{"optionName": str(n)} for n in range(12)]},
        {"latitude": -90, "longitude": 180},
        {"contact": {"phoneContact": 4512345678, "lastName": "x"}},
        {"message": "x", "typingTime": 20_000, "customPreview": {"title": "x" * 300}},
    ],
)
def test_limits_are_inclusive(make: Make, payload: dict[str, Any]) -> None:
    assert list(make().check({"chatId": "79001234567@c.us", **payload}, None)) == []


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"message": "?", "options": "ab"}, "poll.options"),
        ({"message": "?", "options": ["a"]}, "poll.options.0"),
        ({"options": [{"optionName": "a"}]}, "poll.message"),
        ({"message": "?", "options": [{"optionName": "a", "x": 1}]}, "poll.options.0.x"),
        ({"message": "?", "options": [{"optionName": "a"}], "multipleAnswers": 1},
         "poll.multipleAnswers"),
        ({"latitude": True, "longitude": 0}, "location.latitude"),
        ({"latitude": 0}, "location.longitude"),
        ({"latitude": 0, "longitude": "0"}, "location.longitude"),
        ({"latitude": 0, "longitude": 0, "address": 1}, "location.address"),
        ({"contact": "x"}, "contact"),
        ({"contact": {"phoneContact": "79001234568", "company": "x"}}, "contact.phoneContact"),
        ({"contact": {"phoneContact": 79001234568, "company": "x", "y": 1}}, "contact.y"),
        ({"message": "x", "customPreview": []}, "text.customPreview"),
        ({"message": "x", "customPreview": {"title": "x", "y": 1}}, "text.customPreview.y"),
        ({"message": "x", "typingTime": True}, "text.typingTime"),
        ({"message": "x", "quotedMessageId": " "}, "text.quotedMessageId"),
        ({"latitude": 0, "longitude": 0, "message": "x"}, "message"),
    ],
)  # fmt: skip
def test_whatever_a_plugin_leaves_is_a_problem(
    make: Make, payload: dict[str, Any], where: str
) -> None:
    [problem] = make().check({"chatId": "79001234567@c.us", **payload}, None)
    assert problem.where == where


@pytest.mark.parametrize(
    ("kind", "table", "summary", "bubble"),
    [
        ("poll", {"message": "Lunch?", "options": [{"optionName": "yes"}, {"optionName": "no"}]},
         "Lunch? (2 options)", Bubble("Poll", text="Lunch?", lines=("yes", "no"))),
        ("location", {"nameLocation": "Acme", "address": "Perm", "latitude": 1.5, "longitude": 2},
         "Acme, Perm", Bubble("Location", text="Acme", lines=("Perm", "1.5, 2.0"))),
        ("location", {"latitude": 1.5, "longitude": 2},
         "1.5, 2.0", Bubble("Location", lines=("1.5, 2.0",))),
        ("contact",
         {"phoneContact": 79001234568, "firstName": "A", "lastName": "B", "company": "C"},
         "A B, C +79001234568", Bubble("Contact", text="A B", lines=("C", "+79001234568"))),
        ("contact", {"phoneContact": 79001234568, "company": "C"},
         "C +79001234568", Bubble("Contact", text="C", lines=("+79001234568",))),
        ("text", {"body": "Hi", "customPreview": {"title": "T", "link": "https://a.example"}},
         '"Hi"', Bubble(Text.label, text="Hi", lines=("T", "https://a.example"))),
    ],
)  # fmt: skip
def test_what_people_see(kind: str, table: dict[str, Any], summary: str, bubble: Bubble) -> None:
    content = CONTENTS[kind].model_validate(table)
    assert content.summary() == summary
    assert content.bubble() == bubble


def test_numbers_may_come_from_templates(tmp_path: Path) -> None:
    table = """
    vars = { lat = 55.75, phone = 79001234568 }
    [messages.location]
    latitude = "{{ lat }}"
    longitude = "{{ lat - 18 }}"
    """
    [planned] = _planned(tmp_path, PERSON, table).messages
    assert (planned.payload["latitude"], planned.payload["longitude"]) == (55.75, 37.75)
    table = (
        'vars = { phone = 79001234568 }\ncontact = { phoneContact = "{{ phone }}", company = "A" }'
    )
    [planned] = _planned(tmp_path, PERSON, table).messages
    assert planned.payload["contact"]["phoneContact"] == 79001234568


def test_the_standard_transport_does_not_have_them(tmp_path: Path) -> None:
    made = _planned(tmp_path, PERSON, f'transport = "greenapi"\n{POLL[2]}')
    [problem] = made.problems
    assert 'no content "poll"; "greenapi-instance" has it' in problem.message


SECTIONS = re.findall(r"^### (\w+)\n(.*?)(?=^##)", README, re.MULTILINE | re.DOTALL)


def test_the_readme_has_a_section_for_each_kind() -> None:
    files = {kind for kind, model in CONTENTS.items() if issubclass(model, Media)}
    assert {kind for kind, _ in SECTIONS} == {"files", *CONTENTS} - files


@pytest.mark.parametrize(("kind", "text"), SECTIONS, ids=[kind for kind, _ in SECTIONS])
def test_what_the_readme_shows_is_posted(
    dispatcher: Callable[..., Any],
    tmp_path: Path,
    gateway: ScriptedGateway,
    kind: str,
    text: str,
) -> None:
    [shown] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    [method, body] = re.findall(r"`(send\w+)`.*?```json\n(.*?)```", text, re.DOTALL)[0]
    folder = tmp_path / "manifests"
    (folder / "files").mkdir(parents=True)
    (folder / "files/prices.pdf").write_bytes(b"%PDF-1.7 prices")
    (folder / "m.toml").write_text(f"manifest = 1\n\n{shown}", encoding="utf-8")
    done = dispatcher("send", "--yes")
    assert done.returncode == 0, done.stderr
    request = gateway.requests[-1]
    assert request.path.split("/")[2] == method
    expected = json.loads(body)
    if kind == "files":
        expected["urlFile"] = request.json()["urlFile"]
    assert request.body == encode(expected)
