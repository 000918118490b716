"""Meta's Cloud API as its documents describe it, which refuses everything else."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest

from dispatcher.testing import Reply, Request, Run, ScriptedGateway, run
from dispatcher_whatsapp_cloud import WhatsAppCloud

__all__ = ["run"]

TOKEN = "marker-token-EAAG81c6"
NUMBER = "106540352242922"
VERSION = "v24.0"
MEDIA = ("image", "video", "audio", "document")
TYPES = {"image/jpeg", "image/png", "video/mp4", "video/3gpp", "audio/mpeg", "application/pdf"}


def error(status: int, code: int, details: str = "") -> Reply:
    """ "Cloud API: Error codes", "Error response syntax"."""
    data = {"messaging_product": "whatsapp", "details": details}
    said = {"message": f"(#{code})", "type": "OAuthException", "code": code, "error_data": data}
    return Reply(status, {"error": {**said, "fbtrace_id": "AbC"}})


def cloud(request: Request) -> Reply:
    """ "Messages" and "Media" of the Cloud API."""
    answers = {"messages": messages, "media": media}
    found = re.fullmatch(rf"/{re.escape(VERSION)}/{NUMBER}/(\w+)", request.path)
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return error(401, 190)
    if request.method != "POST" or not found or found[1] not in answers:
        return error(400, 33)
    return answers[found[1]](request)


def messages(request: Request) -> Reply:
    body = request.json() if request.headers["content-type"] == "application/json" else {}
    kind = body.get("type", "text")
    if body.get("messaging_product") != "whatsapp" or not isinstance(body.get(kind), dict):
        return error(400, 100, "messaging_product")
    extra = body.keys() - {"messaging_product", "recipient_type", "to", "type", kind}
    forms = {"individual": r"\+[0-9]{7,15}", "group": r"[0-9]+-[0-9]+"}
    if extra or not re.fullmatch(forms[body["recipient_type"]], body["to"]):
        return error(400, 100, f"to, {extra}")
    if not well_formed(kind, body[kind]):
        return error(400, 131009, kind)
    contact = {"input": body["to"], "wa_id": body["to"].lstrip("+")}
    accepted = {"messaging_product": "whatsapp", "contacts": [contact]}
    return Reply(200, {**accepted, "messages": [{"id": f"wamid.{request.sha256[:20]}"}]})


def well_formed(kind: str, fields: dict[str, Any]) -> bool:
    """ "Text messages", "Media messages": which fields each kind has, and how long they may be."""
    if kind == "text":
        known = {"body": str, "preview_url": bool}
        typed = all(isinstance(value, known.get(key, ())) for key, value in fields.items())
        return typed and 1 <= len(fields["body"]) <= 4096
    known = {"id", "link"} | ({"caption"} if kind != "audio" else set())
    known |= {"filename"} if kind == "document" else set()
    one = ("id" in fields) != ("link" in fields)
    link = fields.get("link", "https://").startswith(("https://", "http://"))
    known_id = re.fullmatch("[0-9]+", fields.get("id", "1")) is not None
    return kind in MEDIA and one and link and known_id and fields.keys() <= known


def form(request: Request) -> dict[str, tuple[bytes, str | None]]:
    """The parts of a form: by name, the content and the file's name."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parsed = message_from_bytes(head + request.body, policy=HTTP)
    parts = {}
    for part in parsed.iter_parts():
        name = part.get_param("name", header="content-disposition")
        parts[str(name)] = (part.get_payload(decode=True), part.get_filename())
    return parts


def media(request: Request) -> Reply:
    if not request.headers["content-type"].startswith("multipart/form-data"):
        return error(400, 100)
    parts = form(request)
    if parts.keys() != {"file", "type", "messaging_product"} or not parts["file"][1]:
        return error(400, 100, "file")
    if parts["type"][0].decode() not in TYPES or parts["messaging_product"][0] != b"whatsapp":
        return error(400, 100, "type")
    return Reply(200, {"id": str(int(request.sha256[:12], 16))})


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ("WHATSAPP_CLOUD_", "GREENAPI_", "DISPATCHER_")
    for name in list(os.environ):
        if name.startswith(ours) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """The Cloud API, until a test scripts something else."""
    with ScriptedGateway(cloud) as gateway:
        yield gateway


@pytest.fixture
def meta_error() -> Callable[..., Reply]:
    return error


@pytest.fixture
def parts() -> Callable[[Request], dict[str, tuple[bytes, str | None]]]:
    return form


@pytest.fixture
def make() -> Callable[..., WhatsAppCloud]:
    """Make a transport that speaks to a URL."""

    def make(url: str | None = "http://127.0.0.1:9", **settings: Any) -> WhatsAppCloud:
        account = {"token": TOKEN, "phone_number_id": NUMBER, "version": VERSION}
        given = {**account, "read_timeout": 5, **settings}
        return WhatsAppCloud(WhatsAppCloud.Settings(base_url=url, **given))

    return make


@pytest.fixture
def dispatcher(run: Run, tmp_path: Path, gateway: ScriptedGateway) -> Run:
    """Run the real command in a project of its own; nothing that it writes shows the token."""
    (tmp_path / "dispatcher.toml").write_text(
        'transport = "whatsapp-cloud"\n[transports.whatsapp-cloud]\nrecipient_rate = "100/s"\n'
        f'phone_number_id = "{NUMBER}"\nversion = "{VERSION}"\nbase_url = "{gateway.url}"\n'
    )

    def checked(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = run(*arguments, WHATSAPP_CLOUD_TOKEN=TOKEN)
        kept = b"".join(each.read_bytes() for each in tmp_path.rglob("journal.db*"))
        assert TOKEN not in done.stdout + done.stderr
        assert TOKEN.encode() not in kept
        return done

    return checked
