"""The Bot API as its documents describe it, which refuses everything else."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dispatcher.testing import Reply, Request, Run, ScriptedGateway, run
from dispatcher_telegram import Telegram, TelegramSettings

__all__ = ["run"]

TOKEN = "123456789:AAmarker_token-d75b3374288810784"
BLOCKED = "555"  # has blocked the bot
STRANGER = "666"  # has never written to it

CHAT = {"chat_id": str, "disable_notification": bool, "protect_content": bool}
COMMON = {**CHAT, "message_thread_id": int}
CAPTION = {**COMMON, "caption": str, "parse_mode": str}
# "sendMessage" and so on: the fields, and those that are needed besides the chat.
METHODS: dict[str, tuple[dict[str, type | tuple[type, ...]], tuple[str, ...]]] = {
    "sendMessage": (
        {**COMMON, "text": str, "parse_mode": str, "link_preview_options": dict},
        ("text",),
    ),
    "sendPhoto": ({**CAPTION, "photo": str}, ("photo",)),
    "sendVideo": ({**CAPTION, "video": str}, ("video",)),
    "sendAudio": ({**CAPTION, "audio": str, "performer": str, "title": str}, ("audio",)),
    "sendDocument": ({**CAPTION, "document": str}, ("document",)),
    "sendLocation": (
        {**COMMON, "latitude": float, "longitude": float, "horizontal_accuracy": (int, float)},
        ("latitude", "longitude"),
    ),
    "sendPoll": (
        {
            **COMMON,
            "question": str,
            "options": list,
            "allows_multiple_answers": bool,
            "is_anonymous": bool,
        },
        ("question", "options"),
    ),
}


class Part(NamedTuple):
    """A file in a form."""

    content: bytes
    filename: str | None


def failed(status: int, description: str, **parameters: int) -> Reply:
    """ "Making requests": an error as the Bot API words it."""
    body = {"ok": False, "error_code": status, "description": description}
    return Reply(status, {**body, "parameters": parameters} if parameters else body)


def bot_api(request: Request) -> Reply:
    """ "Making requests": `/bot<token>/METHOD_NAME`."""
    found = re.fullmatch(r"/bot([0-9]+:[\w-]+)/(\w+)", request.path)
    if not found or "authorization" in request.headers:
        return failed(404, "Not Found")
    if found[1] != TOKEN:
        return failed(401, "Unauthorized")
    if found[2] == "getMe":
        return Reply(200, {"ok": True, "result": {"id": 123456789, "username": "shop_bot"}})
    if request.method != "POST" or found[2] not in METHODS:
        return failed(404, "Not Found")
    return accept(found[2], fields_of(request), request)


def accept(method: str, fields: dict[str, Any], request: Request) -> Reply:
    known, needed = METHODS[method]
    files = {name for name, value in fields.items() if isinstance(value, Part)}
    if not fields.keys() <= known.keys() or not {"chat_id", *needed} <= fields.keys():
        return failed(400, f"Bad Request: {sorted(fields)}")
    if any(name not in files and not isinstance(v, known[name]) for name, v in fields.items()):
        return failed(400, "Bad Request: a type")
    if fields["chat_id"] == BLOCKED:
        return failed(403, "Forbidden: bot was blocked by the user")
    if fields["chat_id"] == STRANGER or not re.fullmatch(r"-?\d+|@\w+", fields["chat_id"]):
        return failed(400, "Bad Request: chat not found")
    if not 1 <= len(fields.get("text", "x")) <= 4096:
        return failed(400, "Bad Request: message is too long")
    if len(fields.get("caption", "")) > 1024:
        return failed(400, "Bad Request: message caption is too long")
    return Reply(200, {"ok": True, "result": {"message_id": int(request.sha256[:6], 16) + 1}})


def fields_of(request: Request) -> dict[str, Any]:
    """The fields of a body, JSON or a form, with their values; a file is a `Part`."""
    if request.headers["content-type"] == "application/json":
        body: dict[str, Any] = request.json()
        return body
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    fields: dict[str, Any] = {}
    for part in message_from_bytes(head + request.body, policy=HTTP).iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename() is not None:
            fields[name] = Part(content, part.get_filename())
        else:
            fields[name] = _typed(name, content.decode())
    return fields


def _typed(name: str, text: str) -> Any:
    """A field of a form is a text; those that are none are written as JSON."""
    return text if name in ("chat_id", "caption", "title", "performer") else _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        ours = name.startswith(("TELEGRAM_", "GREENAPI_", "DISPATCHER_"))
        if ours or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """The Bot API, until a test scripts something else."""
    with ScriptedGateway(bot_api) as gateway:
        yield gateway


@pytest.fixture
def error() -> Callable[..., Reply]:
    return failed


@pytest.fixture
def posted(gateway: ScriptedGateway) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """The methods that were called, and the fields."""
    return lambda: [(each.path.rpartition("/")[2], fields_of(each)) for each in gateway.requests]


@pytest.fixture
def make() -> Callable[..., Telegram]:
    """Make a transport that speaks to a URL."""

    def make(url: str = "http://127.0.0.1:9", **settings: Any) -> Telegram:
        given = {"token": TOKEN, "read_timeout": 5, **settings}
        return Telegram(TelegramSettings(base_url=url, **given))

    return make


@pytest.fixture
def dispatcher(run: Run, tmp_path: Path, gateway: ScriptedGateway) -> Run:
    """Run the real command in a project of its own; nothing that it writes shows the token."""
    (tmp_path / "dispatcher.toml").write_text(
        f'transport = "telegram"\n[transports.telegram]\nbase_url = "{gateway.url}"\n'
        'rate = "1000/s"\nrecipient_rate = "1000/s"\n'
    )

    def checked(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = run(*arguments, **{"TELEGRAM_TOKEN": TOKEN, **variables})
        kept = b"".join(each.read_bytes() for each in tmp_path.rglob("journal.db*"))
        secret = TOKEN.partition(":")[2]  # what stands before it is the bot's public id
        assert secret not in done.stdout + done.stderr
        assert secret.encode() not in kept
        return done

    return checked
