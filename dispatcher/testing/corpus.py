"""Messages of every kind, and unexpected payloads, all of which plugins must survive."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from dispatcher.models import (
    STANDARD_CONTENTS,
    Attachment,
    Link,
    Media,
    MediaId,
    Message,
    Payload,
)
from dispatcher.testing import factories
from dispatcher.testing.recording import RecordingTransport

_LINK = "https://cdn.example.com/a.bin"
_ATTACHMENTS: dict[str, Attachment] = {
    "upload": factories.upload(),
    "link": Link(url=_LINK),
    "provider": Link(url=_LINK, provider="cdn"),
    "id": MediaId(id="f1"),
}
_LONG = "😃" * 100_000

# By name: a message, and what its source resolved to.
MESSAGES: dict[str, tuple[Message, Attachment | None]] = {
    "text": (factories.message(), None),
    "group": (factories.message(to="79001234567-1581234048"), None),
    "long-text": (factories.message(text={"body": _LONG}, preview_url=True), None),
    "empty-text": (factories.message(text={"body": ""}), None),
    **{
        f"{kind}-{name}": (factories.message(**{kind: {"source": "a.bin"}}), attachment)
        for kind, model in STANDARD_CONTENTS.items()
        if issubclass(model, Media)
        for name, attachment in _ATTACHMENTS.items()
    },
    "caption": (factories.message(image={"link": _LINK, "caption": _LONG}), Link(url=_LINK)),
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
