"""An instance of Green API as its documents describe it, which refuses everything else."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.testing import Reply, Request, Run, ScriptedGateway, run
from dispatcher_greenapi_instance import GreenApiInstance

__all__ = ["run"]

TOKEN = "marker-token-d75b3374288810784"
INSTANCE = "1101000001"
CHAT = re.compile(r"[0-9]{7,15}@c\.us|[0-9]+-[0-9]+@g\.us")


def refusal(status: int, message: str, request: Request) -> Reply:
    """An error as the gateway words it; the path, and so the token, is in it."""
    return Reply(status, {"statusCode": status, "path": request.path, "message": message})


def instance(request: Request) -> Reply:
    """Green API, "SendMessage", "SendFileByUrl", "UploadFile" and "Common errors"."""
    found = re.fullmatch(r"/waInstance([0-9]+)/(\w+)/([\w-]+)", request.path)
    if request.method != "POST" or not found or found[2] not in METHODS:
        return refusal(404, "Not Found", request)
    if found[1] != INSTANCE:
        return refusal(403, "Forbidden", request)
    if found[3] != TOKEN or "authorization" in request.headers:
        return refusal(401, "Unauthorized", request)
    return METHODS[found[2]](request)


TEXTS = {"chatId": str, "message": str, "quotedMessageId": str}
PREVIEWS = {"linkPreview": bool, "typePreview": str, "customPreview": dict}
PLACE = {"latitude": float, "longitude": float, "nameLocation": str, "address": str}


def send_message(request: Request) -> Reply:
    return _accepted(
        request, {**TEXTS, **PREVIEWS, "typingTime": int}, ("chatId", "message"), 20_000
    )


def send_poll(request: Request) -> Reply:
    known = {**TEXTS, "options": list, "multipleAnswers": bool, "typingTime": int}
    return _accepted(request, known, ("chatId", "message", "options"), 255)


def send_location(request: Request) -> Reply:
    known = {"chatId": str, "quotedMessageId": str, "typingTime": int, **PLACE}
    return _accepted(request, known, ("chatId", "latitude", "longitude"))


def send_contact(request: Request) -> Reply:
    known = {"chatId": str, "quotedMessageId": str, "typingTime": int, "contact": dict}
    return _accepted(request, known, ("chatId", "contact"))


def send_file_by_url(request: Request) -> Reply:
    known = dict.fromkeys(("chatId", "urlFile", "fileName", "caption", "quotedMessageId"), str)
    return _accepted(request, known, ("chatId", "urlFile", "fileName"))


def _accepted(
    request: Request, known: dict[str, type], needed: tuple[str, ...], longest: int = 0
) -> Reply:
    body = request.json() if request.headers["content-type"] == "application/json" else None
    if not isinstance(body, dict) or not body.keys() <= known.keys():
        return refusal(400, "Validation failed", request)
    wrong = [key for key in needed if not body.get(key)]
    wrong += [key for key, value in body.items() if not isinstance(value, known[key])]
    wrong += [] if CHAT.fullmatch(body.get("chatId", "")) else ["chatId"]
    wrong += [] if len(body.get("message", "")) <= longest else ["message"]
    wrong += [] if body.get("urlFile", "https://").startswith(("http://", "https://")) else ["url"]
    wrong += [] if "." in body.get("fileName", ".") else ["fileName"]
    wrong += [] if len(body.get("options", [])) <= 12 else ["options"]
    if wrong:
        return refusal(400, f"Validation failed. Details: {wrong}", request)
    if len(body.get("caption", "")) > 1024:
        return refusal(500, "Internal Server Error", request)
    return Reply(200, {"idMessage": f"3EB0{request.sha256[:16].upper()}"})


def upload_file(request: Request) -> Reply:
    if "/" not in request.headers.get("content-type", "") or not request.length:
        return refusal(400, "Validation failed", request)
    if request.length > 100_000_000:
        return refusal(500, "Internal Server Error", request)
    return Reply(200, {"urlFile": f"https://files.example.com/{request.sha256}.bin"})


METHODS: dict[str, Callable[[Request], Reply]] = {
    "sendMessage": send_message,
    "sendFileByUrl": send_file_by_url,
    "sendPoll": send_poll,
    "sendLocation": send_location,
    "sendContact": send_contact,
    "uploadFile": upload_file,
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GREENAPI_", "DISPATCHER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """The instance, until a test scripts something else."""
    with ScriptedGateway(instance) as gateway:
        yield gateway


@pytest.fixture
def make() -> Callable[..., GreenApiInstance]:
    """Make a transport that speaks to a URL."""

    def make(url: str = "http://127.0.0.1:9", **settings: Any) -> GreenApiInstance:
        given = {"token": TOKEN, "id_instance": INSTANCE, "read_timeout": 5, **settings}
        return GreenApiInstance(GreenApiInstance.Settings(base_url=url, media_url=url, **given))

    return make


@pytest.fixture
def bodies(gateway: ScriptedGateway) -> Callable[[], list[dict[str, Any]]]:
    """What was posted as JSON so far."""

    def bodies() -> list[dict[str, Any]]:
        sent = [each for each in gateway.requests if "/send" in each.path]
        return [json.loads(each.body) for each in sent]

    return bodies


@pytest.fixture
def dispatcher(run: Run, tmp_path: Path, gateway: ScriptedGateway) -> Run:
    """Run the real command in a project of its own; nothing that it writes shows the token."""
    (tmp_path / "dispatcher.toml").write_text(
        'transport = "greenapi-instance"\n[transports.greenapi-instance]\n'
        f'id_instance = "{INSTANCE}"\nbase_url = "{gateway.url}"\nmedia_url = "{gateway.url}"\n'
    )

    def checked(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = run(*arguments, GREENAPI_INSTANCE_TOKEN=TOKEN)
        kept = b"".join(each.read_bytes() for each in tmp_path.rglob("journal.db*"))
        assert TOKEN not in done.stdout + done.stderr
        assert TOKEN.encode() not in kept
        return done

    return checked
