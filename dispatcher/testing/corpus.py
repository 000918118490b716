"""Messages of every kind, and unexpected payloads, all of which plugins must survive."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from pydantic import ValidationError

from dispatcher.models import (
    STANDARD_CONTENTS,
    Attachment,
    Content,
    Link,
    Media,
    MediaId,
    Message,
    Payload,
)
from dispatcher.testing import factories
from dispatcher.testing.recording import RecordingTransport
from dispatcher.transports import Transport, optional

Planned: TypeAlias = tuple[Message, Attachment | None]
"""A message, and what its source resolved to."""


class _Case(NamedTuple):
    kind: str
    table: dict[str, Any]
    attachment: Attachment | None = None
    changes: Mapping[str, Any] = MappingProxyType({})


_LINK = "https://cdn.example.com/a.bin"
_ATTACHMENTS: dict[str, Attachment] = {
    "upload": factories.upload(),
    "link": Link(url=_LINK),
    "provider": Link(url=_LINK, provider="cdn"),
    "id": MediaId(id="f1"),
}
_LONG = "😃" * 100_000

# Their names have a hyphen, which no kind's name has.
_CASES: dict[str, _Case] = {
    "short-text": _Case("text", {"body": "Hello!"}),
    "to-group": _Case("text", {"body": "Hello!"}, changes={"to": "79001234567-1581234048"}),
    "long-text": _Case("text", {"body": _LONG}, changes={"preview_url": True}),
    "empty-text": _Case("text", {"body": ""}),
    **{
        f"{kind}-{name}": _Case(kind, {"source": "a.bin"}, attachment)
        for kind, model in STANDARD_CONTENTS.items()
        if issubclass(model, Media)
        for name, attachment in _ATTACHMENTS.items()
    },
    "long-caption": _Case("image", {"link": _LINK, "caption": _LONG}, Link(url=_LINK)),
}


def messages(transport: type[Transport]) -> dict[str, Planned]:
    """Return messages by name: those of the standard kinds that the transport's models allow."""
    contents, made = optional(transport, "contents"), {}
    for name, (kind, table, attachment, changes) in _CASES.items():
        if kind in contents:
            with suppress(ValidationError):
                content = contents[kind].model_validate(table)
                message = factories.message(
                    type=kind, content=content, transport=transport, **changes
                )
                made[name] = (message, attachment)
    return made


MESSAGES = messages(RecordingTransport)


def example(model: type[Content]) -> dict[str, Any]:
    """Return a table of the examples of a model's fields: of those that a message needs.

    Of a file, it is the link, for which nothing must be uploaded.
    """
    fields = model.model_fields
    examples = {name: field.examples[0] for name, field in fields.items() if field.examples}
    one_of = ("link",) if issubclass(model, Media) else model.exactly_one_of
    chosen = next((name for name in one_of if name in examples), None)
    return {
        name: value
        for name, value in examples.items()
        if name == chosen or fields[name].is_required()
    }


_ODD: list[Any] = [None, True, -1, 1.5, "", "😃", [], [None], {}, {"body": None}, {"link": 1}]


def payloads() -> Iterator[Payload]:
    """Yield payloads of every kind of message, and odd ones made from them."""
    transport = RecordingTransport()
    yield from ({}, {"": {"": []}})
    for message, attachment in MESSAGES.values():
        payload = transport.build(message, attachment)
        yield payload
        yield from odd(payload)


def odd(payload: Payload) -> Iterator[Payload]:
    """Yield a payload as other plugins may leave it: with missing keys and values of any kind."""
    for key, value in payload.items():
        yield {name: copy.deepcopy(each) for name, each in payload.items() if name != key}
        others = [*_ODD, *odd(value)] if isinstance(value, dict) else _ODD
        for other in others:
            yield {**copy.deepcopy(payload), key: copy.deepcopy(other)}


_DEEP = 500  # levels; the JSON that the command reads may have about twice as many
_WORDS = ("entry", "statuses", "messages", "status", "data", "event", "type", "typeWebhook", "id")


def unknown_webhooks() -> Iterator[Any]:
    """Yield bodies that no gateway posts to say what became of messages."""
    deep: Any = "x"
    for _ in range(_DEEP):
        deep = {"entry": [deep]}
    yield from (value for value in _ODD if value is not None)  # None has another meaning
    yield from (0, "delivered", [[[]]], {"": None}, deep)
    for word in _WORDS:
        yield from ({word: copy.deepcopy(value)} for value in _ODD)
    yield {"update_id": 1, "message": {"text": "Hello!", "chat": {"id": 5}}}
    said = {"id": "m1", "from": "79001234567", "type": "text", "text": {"body": "Hello!"}}
    yield {"entry": [{"changes": [{"value": {"messages": [said]}, "field": "messages"}]}]}
    yield {"typeWebhook": "incomingMessageReceived", "idMessage": "m1", "status": None}


def odd_webhooks(body: Any) -> Iterator[Any]:
    """Yield a webhook's body with each part missing or of another kind, at any depth."""
    for key in list(body) if isinstance(body, dict) else range(len(body)):
        rest = copy.copy(body)
        value = rest.pop(key)
        yield rest
        within = odd_webhooks(value) if isinstance(value, (dict, list)) else ()
        for other in (*_ODD, *within):
            changed = copy.copy(body)
            changed[key] = copy.deepcopy(other)
            yield changed
