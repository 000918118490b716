"""Makes what a test begins with: messages, files, manifests, a registry, a plan."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from dispatcher.addresses import lenient_address
from dispatcher.api import Dispatcher
from dispatcher.builtin import builtins
from dispatcher.config import Config, FileSettings, Settings
from dispatcher.manifest.schema import MessageTable
from dispatcher.media import mime_type
from dispatcher.models import (
    STANDARD_CONTENTS,
    Content,
    Contents,
    LocatedProblem,
    Message,
    Upload,
)
from dispatcher.planning import PlannedMessage
from dispatcher.registry import Registry, build_registry
from dispatcher.testing.recording import Recording
from dispatcher.transports import optional
from dispatcher.validation_errors import errors_of

TO = "79001234567"


def message(**changes: Any) -> Message:
    """Return a valid message: by default "Hello!" to one person.

    `changes` are fields of `Message`. The content may be a table under the name of its kind,
    `message(image={"link": "https://…"})`. For kinds of one's own, `transport` is the class that
    has them: `message(poll={"question": "…"}, transport=Pigeon)`.
    """
    contents: Contents = STANDARD_CONTENTS
    if isinstance(changes.get("transport"), type):
        contents = optional(changes["transport"], "contents")
        changes["transport"] = changes["transport"].name
    kind = changes.get("type") or next(iter(changes.keys() & contents.keys()), "text")
    if "content" not in changes:
        table = changes.pop(kind, {"body": "Hello!"})
        changes["content"] = content(contents[kind], table)
    to, recipient_type = lenient_address(changes.get("to", TO))
    fields = {
        "key": f"default/manifest/message/1/{to}",
        "manifest": "manifest",
        "id": "message",
        "recipient_type": recipient_type,
        "type": kind,
        "transport": "recording",
        **changes,
        "to": to,
    }
    return Message.model_validate(fields)


def content(model: type[Content], table: Any) -> Content:
    """Return the content that a manifest's table is, with lists for sets and texts for choices.

    Raises pydantic's ValidationError.
    """
    table = model.as_table(table)
    try:
        return model.model_validate(table)
    except ValidationError:
        if errors_of(model, table):
            raise
        return model.model_validate(table, strict=False)


def upload(content: bytes = b"%PDF-1.7 prices", filename: str = "prices.pdf") -> Upload:
    """Return a file to upload, whose bytes are in memory."""
    return Upload(
        filename=filename,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        mime_type=mime_type(filename),
        open=lambda: io.BytesIO(content),
    )


def manifest(
    folder: Path, *messages: str | Mapping[str, Any], name: str = "manifest.toml", **top: Any
) -> Path:
    """Write a valid manifest into a folder and return its path.

    `messages` are TOML (`[[messages]] …`), or tables, which get an id and a recipient if they have
    none; without any, the manifest has one text. `top` has the keys above them, like
    `transport="pigeon"`.
    """
    numbers = count(1)
    written = [_line(key, value) for key, value in {"manifest": 1, **top}.items()]
    for each in messages or ({},):
        written.append(each if isinstance(each, str) else _entry(each, next(numbers)))
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(written) + "\n", encoding="utf-8")
    return path


def _entry(table: Mapping[str, Any], number: int) -> str:
    own = set(MessageTable.model_fields)
    text = {} if table.keys() - own else {"text": {"body": "Hello!"}}
    to = {} if table.keys() & {"to", "recipients"} else {"to": TO}
    whole = {"id": f"message-{number}", **to, **text, **table}
    return "\n".join(["[[messages]]", *(_line(key, value) for key, value in whole.items())])


def _line(key: str, value: Any) -> str:
    return f"{json.dumps(key)} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(_line(key, each) for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, (str, bool, int, float)):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return str(value)  # dates and times


def registry(*plugins: object) -> Registry:
    """Return a registry of the built-ins and these plugins: modules, objects, or module names.

    Other installed plugins are left out. Raises `PluginError` if one is broken.
    """
    named = [(f"plugin-{number}", each) for number, each in enumerate(plugins, 1)]
    made = build_registry(builtins(), named, third_party=False)
    made.require_healthy()
    return made


class Plan(NamedTuple):
    """What would be sent, and every problem, warnings included; `str()` of one is its line."""

    messages: list[PlannedMessage]
    problems: list[LocatedProblem]


def plan(path: Path, *plugins: object, transport: str = "recording") -> Plan:
    """Plan a manifest, or all in a folder, with the built-ins, these plugins and a `Recording`.

    `transport` is for manifests that name none. Transports get their settings from the environment.
    """
    recording = [] if any(isinstance(each, Recording) for each in plugins) else [Recording()]
    config = Config(Settings(files=FileSettings(roots=[])), Path.cwd())
    dispatcher = Dispatcher(config, registry(*plugins, *recording), transport=transport)
    made = dispatcher.plan(path)
    messages = [] if made.errors else list(made.planner.plan())
    return Plan(messages, made.problems)
