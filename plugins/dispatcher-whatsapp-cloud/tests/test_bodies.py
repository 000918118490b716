"""Bodies as Meta's clients post them, written as TOML, come out byte for byte.

Meta's pages have the same fields, in several orders: `to` before or after `type`, `header`
before or after `action`. The order here is that of the client pywa, which has one for all.
"""

from __future__ import annotations

import copy
import itertools
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from dispatcher import Problem, encode
from dispatcher.testing import Run, manifest, plan
from dispatcher_whatsapp_cloud import CloudPluginSettings, WhatsAppCloudPlugin

URL = "https://cdn.example.com/b.png"
PERSON = "+79001234567"
GROUP = "Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD"
USER = "US.13491208655302741918"

# By name: what follows `to` in a manifest, and what comes out besides who gets it. A field of pywa
# that is null, as in contacts, is none in TOML.
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "template, positional": (
        """
        [messages.template]
        name = "order_ready"
        language.code = "en_US"
        [[messages.template.components]]
        type = "BODY"
        parameters = [{ type = "text", text = "Anna" }, { type = "text", text = "A-17" }]
        """,
        {
            "type": "template",
            "template": {
                "name": "order_ready",
                "language": {"code": "en_US"},
                "components": [
                    {
                        "type": "BODY",
                        "parameters": [
                            {"type": "text", "text": "Anna"},
                            {"type": "text", "text": "A-17"},
                        ],
                    }
                ],
            },
        },
    ),
    "template, named": (
        """
        [messages.template]
        name = "order_ready"
        language = { code = "ru" }
        [[messages.template.components]]
        type = "HEADER"
        parameters = [{ type = "text", text = "Roses", parameter_name = "shop" }]
        [[messages.template.components]]
        type = "BODY"
        parameters = [
          { type = "text", text = "Anna", parameter_name = "name" },
          { type = "text", text = "A-17", parameter_name = "number" },
        ]
        """,
        {
            "type": "template",
            "template": {
                "name": "order_ready",
                "language": {"code": "ru"},
                "components": [
                    {
                        "type": "HEADER",
                        "parameters": [{"type": "text", "text": "Roses", "parameter_name": "shop"}],
                    },
                    {
                        "type": "BODY",
                        "parameters": [
                            {"type": "text", "text": "Anna", "parameter_name": "name"},
                            {"type": "text", "text": "A-17", "parameter_name": "number"},
                        ],
                    },
                ],
            },
        },
    ),
    "template, image header by link": (
        f"""
        [messages.template]
        name = "spring"
        language.code = "en_US"
        components = [
          {{ type = "HEADER", parameters = [{{ type = "image", image = {{ link = "{URL}" }} }}] }},
          {{ type = "BODY", parameters = [{{ type = "text", text = "Anna" }}] }},
        ]
        """,
        {
            "type": "template",
            "template": {
                "name": "spring",
                "language": {"code": "en_US"},
                "components": [
                    {"type": "HEADER", "parameters": [{"type": "image", "image": {"link": URL}}]},
                    {"type": "BODY", "parameters": [{"type": "text", "text": "Anna"}]},
                ],
            },
        },
    ),
    "template, document header by id": (
        """
        [messages.template]
        name = "invoice"
        language.code = "en_US"
        [[messages.template.components]]
        type = "HEADER"
        [[messages.template.components.parameters]]
        type = "document"
        document = { id = "1013859600285441", filename = "invoice.pdf" }
        [[messages.template.components]]
        type = "BODY"
        parameters = [{ type = "text", text = "Anna" }]
        """,
        {
            "type": "template",
            "template": {
                "name": "invoice",
                "language": {"code": "en_US"},
                "components": [
                    {
                        "type": "HEADER",
                        "parameters": [
                            {
                                "type": "document",
                                "document": {"id": "1013859600285441", "filename": "invoice.pdf"},
                            }
                        ],
                    },
                    {"type": "BODY", "parameters": [{"type": "text", "text": "Anna"}]},
                ],
            },
        },
    ),
    "template, quick reply and URL buttons": (
        """
        [messages.template]
        name = "survey"
        language.code = "en_US"
        [[messages.template.components]]
        type = "button"
        sub_type = "QUICK_REPLY"
        index = 0
        parameters = [{ type = "payload", payload = "yes" }]
        [[messages.template.components]]
        type = "button"
        sub_type = "url"
        index = "1"
        parameters = [{ type = "text", text = "A-17" }]
        """,
        {
            "type": "template",
            "template": {
                "name": "survey",
                "language": {"code": "en_US"},
                "components": [
                    {
                        "type": "button",
                        "sub_type": "QUICK_REPLY",
                        "index": 0,
                        "parameters": [{"type": "payload", "payload": "yes"}],
                    },
                    {
                        "type": "button",
                        "sub_type": "url",
                        "index": "1",
                        "parameters": [{"type": "text", "text": "A-17"}],
                    },
                ],
            },
        },
    ),
    "template, copy code": (
        """
        [messages.template]
        name = "coupon"
        language.code = "en_US"
        [[messages.template.components]]
        type = "button"
        sub_type = "COPY_CODE"
        index = 0
        parameters = [{ type = "coupon_code", coupon_code = "25OFF" }]
        """,
        {
            "type": "template",
            "template": {
                "name": "coupon",
                "language": {"code": "en_US"},
                "components": [
                    {
                        "type": "button",
                        "sub_type": "COPY_CODE",
                        "index": 0,
                        "parameters": [{"type": "coupon_code", "coupon_code": "25OFF"}],
                    }
                ],
            },
        },
    ),
    "template, currency and date": (
        """
        [messages.template]
        name = "bill"
        language = { policy = "deterministic", code = "en" }
        [[messages.template.components]]
        type = "body"
        [[messages.template.components.parameters]]
        type = "currency"
        currency = { fallback_value = "$100.99", code = "USD", amount_1000 = 100990 }
        [[messages.template.components.parameters]]
        type = "date_time"
        date_time.fallback_value = "February 25, 1977"
        """,
        {
            "type": "template",
            "template": {
                "name": "bill",
                "language": {"policy": "deterministic", "code": "en"},
                "components": [
                    {
                        "type": "body",
                        "parameters": [
                            {
                                "type": "currency",
                                "currency": {
                                    "fallback_value": "$100.99",
                                    "code": "USD",
                                    "amount_1000": 100990,
                                },
                            },
                            {
                                "type": "date_time",
                                "date_time": {"fallback_value": "February 25, 1977"},
                            },
                        ],
                    }
                ],
            },
        },
    ),
    "location": (
        """
        [messages.location]
        latitude = 55.7558
        longitude = 37.6173
        name = "Shop"
        address = "1 Red Square, Moscow"
        """,
        {
            "type": "location",
            "location": {
                "latitude": 55.7558,
                "longitude": 37.6173,
                "name": "Shop",
                "address": "1 Red Square, Moscow",
            },
        },
    ),
    "location, as text": (
        'location = { latitude = "55.75580", longitude = 37 }',
        {"type": "location", "location": {"latitude": "55.75580", "longitude": 37}},
    ),
    "location request": (
        """
        [messages.interactive]
        type = "location_request_message"
        action.name = "send_location"
        body.text = "Where are you?"
        """,
        {
            "type": "interactive",
            "interactive": {
                "type": "location_request_message",
                "action": {"name": "send_location"},
                "body": {"text": "Where are you?"},
            },
        },
    ),
    "contacts": (
        """
        [[messages.contacts]]
        name = { formatted_name = "Anna Petrova", first_name = "Anna", last_name = "Petrova" }
        phones = [{ phone = "+79001234567", type = "WORK", wa_id = "79001234567" }]
        emails = [{ email = "anna@example.com", type = "WORK" }]
        urls = [{ url = "https://example.com", type = "WORK" }]
        addresses = []
        org = { company = "Roses", title = "Florist" }
        """,
        {
            "type": "contacts",
            "contacts": [
                {
                    "name": {
                        "formatted_name": "Anna Petrova",
                        "first_name": "Anna",
                        "last_name": "Petrova",
                    },
                    "phones": [{"phone": "+79001234567", "type": "WORK", "wa_id": "79001234567"}],
                    "emails": [{"email": "anna@example.com", "type": "WORK"}],
                    "urls": [{"url": "https://example.com", "type": "WORK"}],
                    "addresses": [],
                    "org": {"company": "Roses", "title": "Florist"},
                }
            ],
        },
    ),
    "interactive, reply buttons": (
        """
        [messages.interactive]
        type = "button"
        header = { type = "text", text = "Spring" }
        body.text = "Come?"
        footer.text = "Roses"
        [[messages.interactive.action.buttons]]
        type = "reply"
        reply = { id = "yes", title = "Yes" }
        [[messages.interactive.action.buttons]]
        type = "reply"
        reply = { id = "no", title = "No" }
        """,
        {
            "type": "interactive",
            "interactive": {
                "type": "button",
                "action": {
                    "buttons": [
                        {"type": "reply", "reply": {"id": "yes", "title": "Yes"}},
                        {"type": "reply", "reply": {"id": "no", "title": "No"}},
                    ]
                },
                "header": {"type": "text", "text": "Spring"},
                "body": {"text": "Come?"},
                "footer": {"text": "Roses"},
            },
        },
    ),
    "interactive, reply buttons under an image": (
        f"""
        [messages.interactive]
        type = "button"
        header = {{ type = "image", image.link = "{URL}" }}
        body.text = "Come?"
        action.buttons = [{{ type = "reply", reply = {{ id = "yes", title = "Yes" }} }}]
        """,
        {
            "type": "interactive",
            "interactive": {
                "type": "button",
                "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
                "header": {"type": "image", "image": {"link": URL}},
                "body": {"text": "Come?"},
            },
        },
    ),
    "interactive, list": (
        """
        [messages.interactive]
        type = "list"
        body.text = "Choose"
        action.button = "Menu"
        [[messages.interactive.action.sections]]
        title = "Flowers"
        rows = [
          { id = "r", title = "Roses", description = "red" },
          { id = "t", title = "Tulips" },
        ]
        """,
        {
            "type": "interactive",
            "interactive": {
                "type": "list",
                "action": {
                    "button": "Menu",
                    "sections": [
                        {
                            "title": "Flowers",
                            "rows": [
                                {"id": "r", "title": "Roses", "description": "red"},
                                {"id": "t", "title": "Tulips"},
                            ],
                        }
                    ],
                },
                "body": {"text": "Choose"},
            },
        },
    ),
    "interactive, URL button": (
        """
        [messages.interactive]
        type = "cta_url"
        body.text = "Look"
        [messages.interactive.action]
        name = "cta_url"
        parameters = { display_text = "Open", url = "https://example.com/a" }
        """,
        {
            "type": "interactive",
            "interactive": {
                "type": "cta_url",
                "action": {
                    "name": "cta_url",
                    "parameters": {"display_text": "Open", "url": "https://example.com/a"},
                },
                "body": {"text": "Look"},
            },
        },
    ),
    "reaction": (
        'reaction = { message_id = "wamid.HBgL", emoji = "👍" }',
        {"type": "reaction", "reaction": {"emoji": "👍", "message_id": "wamid.HBgL"}},
    ),
    "text as a reply, with a tracker": (
        """
        preview_url = false
        [messages.text]
        biz_opaque_callback_data = "run/manifest/id"
        body = "x"
        context.message_id = "wamid.HBgL"
        """,
        {
            "type": "text",
            "context": {"message_id": "wamid.HBgL"},
            "biz_opaque_callback_data": "run/manifest/id",
            "text": {"body": "x", "preview_url": False},
        },
    ),
    "sticker by id": (
        'sticker.id = "1013859600285441"',
        {"type": "sticker", "sticker": {"id": "1013859600285441"}},
    ),
    "voice by id": (
        'audio = { id = "1013859600285441", voice = true }',
        {"type": "audio", "audio": {"id": "1013859600285441", "voice": True}},
    ),
}


@pytest.fixture
def plugin(tmp_path: Path) -> WhatsAppCloudPlugin:
    return WhatsAppCloudPlugin(CloudPluginSettings(templates=tmp_path / "templates"))


def payload(folder: Path, plugin: object, entry: str, to: str = PERSON) -> dict[str, Any]:
    lines = "\n".join(line.strip() for line in entry.splitlines())
    text = f'[[messages]]\nid = "m"\nto = "{to}"\n{lines}'
    made = plan(manifest(folder, text, transport="whatsapp-cloud"), plugin)
    errors = [str(each) for each in made.problems if each.is_error]
    assert errors == []
    [planned] = made.messages
    return planned.payload


def documented(body: dict[str, Any], **to: str) -> dict[str, Any]:
    """A whole body: `to`, or what stands for it, comes after `type`."""
    person = {"recipient_type": "individual", "to": PERSON, **to}
    head = {"messaging_product": "whatsapp", "recipient_type": person.pop("recipient_type")}
    return {**head, "type": body["type"], **person, **body}


@pytest.mark.parametrize(("entry", "body"), BODIES.values(), ids=[*BODIES])
def test_a_documented_body_comes_out_as_it_is(
    tmp_path: Path, plugin: object, entry: str, body: dict[str, Any]
) -> None:
    assert encode(payload(tmp_path, plugin, entry)) == encode(documented(body))


def test_what_goes_to_a_user_id_has_it_as_recipient(tmp_path: Path, plugin: object) -> None:
    made = payload(tmp_path, plugin, 'text = { body = "x" }\npreview_url = false', to=USER)
    expected = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "type": "text",
        "recipient": USER,
        "text": {"body": "x", "preview_url": False},
    }
    assert encode(made) == encode(expected)


@pytest.mark.parametrize(
    "name", [name for name, (_, body) in BODIES.items() if body["type"] in ("template", "text")]
)
def test_what_goes_to_a_group(tmp_path: Path, plugin: object, name: str) -> None:
    entry, body = BODIES[name]
    made = payload(tmp_path, plugin, entry, to=GROUP)
    assert encode(made) == encode(documented(body, recipient_type="group", to=GROUP))


ODD: list[Any] = [None, True, -1, 1.5, "", "😃", [], [None], {}, {"text": 1}, {"type": []}]


def changed(value: Any) -> Iterator[Any]:
    """A body as another plugin may leave it: each part missing, or something else."""
    for key in value if isinstance(value, dict) else range(len(value)):
        rest = copy.deepcopy(value)
        del rest[key]
        yield rest
        inner = changed(value[key]) if isinstance(value[key], (dict, list)) else iter(())
        for each in itertools.chain(ODD, inner):
            rest = copy.deepcopy(value)
            rest[key] = copy.deepcopy(each)
            yield rest


@pytest.mark.parametrize("body", [body for _, body in BODIES.values()], ids=[*BODIES])
def test_check_survives_whatever_plugins_leave(
    tmp_path: Path, plugin: WhatsAppCloudPlugin, body: dict[str, Any]
) -> None:
    text = 'name = "order_ready"\n[languages.en_US]\nheader.type = "image"\nbody = "{{1}}, {{2}}"\n'
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/order_ready.toml").write_text(text)
    settings = CloudPluginSettings(templates=tmp_path / "templates")
    [kind] = WhatsAppCloudPlugin(settings).dispatcher_transports()
    transport = kind(kind.Settings())
    for payload in changed(documented(body)):
        problems = list(transport.check(payload, None))
        assert all(isinstance(each, Problem) for each in problems)


def test_editors_take_each_body_for_valid(dispatcher: Run) -> None:
    validator = jsonschema_rs.validator_for(json.loads(dispatcher("schema").stdout))
    for name, (entry, _) in BODIES.items():
        lines = "\n".join(line.strip() for line in entry.splitlines())
        text = f'manifest = 1\n[[messages]]\nid = "m"\nto = "{PERSON}"\n{lines}'
        assert list(validator.iter_errors(tomllib.loads(text))) == [], name
