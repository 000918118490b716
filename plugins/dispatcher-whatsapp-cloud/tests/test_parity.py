"""One manifest goes through three gateways; only the transport's name changes."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from dispatcher.testing import Reply, Request, Run, ScriptedGateway

MANIFEST = """\
manifest = 1
name = "parity"

[defaults]
to = "79001234567"

[[messages]]
id = "text"
text.body = "Hello 😃"
preview_url = false

[[messages]]
id = "group"
to = "79001234567-1581234048"
text.body = "Hello, everybody"

[[messages]]
id = "banner"
image.link = "https://cdn.example.com/banner.png"
image.caption = "Spring"

[[messages]]
id = "prices"
document.source = "prices.pdf"
document.filename = "spring.pdf"

[[messages]]
id = "greeting"
audio.source = "https://cdn.example.com/greeting.mp3"

[[messages]]
id = "tour"
video.link = "https://cdn.example.com/tour.mp4"
video.caption = "A walk"
"""
CDN = "https://cdn.example.com"


def v1(kind: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    head = {"recipient_type": "individual", "to": "79001234567", "type": kind}
    return {**head, kind: content, **more}


def instance(**fields: Any) -> dict[str, Any]:
    return {"chatId": "79001234567@c.us", **fields}


def cloud(kind: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", **v1(kind, content), "to": "+79001234567", **more}


GROUP = {"recipient_type": "group", "to": "79001234567-1581234048"}
EVERYBODY = "Hello, everybody"
EXPECTED: dict[str, dict[str, dict[str, Any]]] = {
    "greenapi": {
        "text": v1("text", {"body": "Hello 😃"}, preview_url=False),
        "group": {**v1("text", {"body": EVERYBODY}), **GROUP},
        "banner": v1("image", {"link": f"{CDN}/banner.png", "caption": "Spring"}),
        "prices": v1("document", {"id": "17", "filename": "spring.pdf"}),
        "greeting": v1("audio", {"link": f"{CDN}/greeting.mp3"}),
        "tour": v1("video", {"link": f"{CDN}/tour.mp4", "caption": "A walk"}),
    },
    "greenapi-instance": {
        "text": instance(message="Hello 😃", linkPreview=False),
        "group": {"chatId": "79001234567-1581234048@g.us", "message": EVERYBODY},
        "banner": instance(urlFile=f"{CDN}/banner.png", fileName="banner.png", caption="Spring"),
        "prices": instance(urlFile="https://files.example.com/17", fileName="spring.pdf"),
        "greeting": instance(urlFile=f"{CDN}/greeting.mp3", fileName="greeting.mp3"),
        "tour": instance(urlFile=f"{CDN}/tour.mp4", fileName="tour.mp4", caption="A walk"),
    },
    "whatsapp-cloud": {
        "text": cloud("text", {"body": "Hello 😃", "preview_url": False}),
        "group": {"messaging_product": "whatsapp", **v1("text", {"body": EVERYBODY}), **GROUP},
        "banner": cloud("image", {"link": f"{CDN}/banner.png", "caption": "Spring"}),
        "prices": cloud("document", {"id": "17", "filename": "spring.pdf"}),
        "greeting": cloud("audio", {"link": f"{CDN}/greeting.mp3"}),
        "tour": cloud("video", {"link": f"{CDN}/tour.mp4", "caption": "A walk"}),
    },
}
TRANSPORTS = [
    pytest.param(name, marks=pytest.mark.skipif(not known, reason=f"{name} is not installed"))
    for name in EXPECTED
    for known in [name == "greenapi" or name in entry_points(group="dispatcher").names]
]


def accepting(request: Request) -> Reply:
    """What each of the three gateways says of success, each in its own place."""
    sent = {"messages": [{"id": f"m-{request.sha256}"}], "idMessage": f"m-{request.sha256}"}
    stored = {"media": [{"id": "17"}], "id": "17", "urlFile": "https://files.example.com/17"}
    return Reply(200, {**sent, **stored})


@pytest.fixture
def project(tmp_path: Path, gateway: ScriptedGateway) -> Path:
    gateway.script(accepting)
    url = f'base_url = "{gateway.url}"\n'
    media = f'media_url = "{gateway.url}"\n'
    number = 'phone_number_id = "1"\nversion = "v24.0"\nrecipient_rate = "100/s"\n'
    tables = {
        "greenapi": url + media,
        "greenapi-instance": url + media + 'id_instance = "1"\n',
        "whatsapp-cloud": url + number,
    }
    config = "\n".join(f"[transports.{name}]\n{lines}" for name, lines in tables.items())
    (tmp_path / "dispatcher.toml").write_text(config)
    (tmp_path / "prices.pdf").write_bytes(b"%PDF-1.7")
    return tmp_path


@pytest.fixture
def dispatch(project: Path, run: Run) -> Run:
    """Run a command on the manifest, for a transport."""
    tokens = ("GREENAPI_TOKEN", "GREENAPI_INSTANCE_TOKEN", "WHATSAPP_CLOUD_TOKEN")

    def dispatch(
        command: str, transport: str, text: str, *more: str
    ) -> subprocess.CompletedProcess[str]:
        (project / "m.toml").write_text(f'transport = "{transport}"\n{text}')
        return run(command, "m.toml", *more, **dict.fromkeys(tokens, "token"))

    return dispatch


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_manifest_goes_through_every_gateway(
    dispatch: Run, gateway: ScriptedGateway, transport: str
) -> None:
    done = dispatch("send", transport, MANIFEST, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    posted = [each.json() for each in gateway.requests if "json" in each.headers["content-type"]]
    for id, body in EXPECTED[transport].items():
        assert body in posted, id
    assert len(posted) == len(EXPECTED[transport])
    count = gateway.attempts
    assert dispatch("send", transport, MANIFEST, "--json").returncode == 0
    assert gateway.attempts == count


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_a_gateway_cannot_do_is_said_by_name(
    dispatch: Run, gateway: ScriptedGateway, transport: str
) -> None:
    text = MANIFEST.replace("image.caption", 'image.provider.name = "cdn"\nimage.caption')
    done = dispatch("validate", transport, text, "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    if transport == "greenapi":
        assert done.returncode == 0
        return
    assert done.returncode == 2
    [problem] = [each for each in found if each.get("severity") == "error"]
    assert problem["text"] == f'the gateway has no field "provider" here ({transport})'
    assert text.splitlines()[problem["line"] - 2].startswith("image.provider")
    assert gateway.attempts == 0
