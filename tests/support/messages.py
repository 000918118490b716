"""Messages and planned messages without a manifest, and a transport for them."""

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic_settings import BaseSettings

from dispatcher import Attachment, MediaId, Message, Payload, Problem, Upload, testing
from dispatcher.models import encode
from dispatcher.planning import PlannedMessage

TO = "79001234567"
FILE = testing.upload(b"four", "a.pdf")


def message(id: str = "a", to: str = TO, run: str = "default", **changes: Any) -> Message:
    """A text of the manifest m, for the built-in transport."""
    key = f"{run}/m/{id}/1/{to}"
    fields = {"key": key, "manifest": "m", "id": id, "to": to, "transport": "greenapi", **changes}
    return testing.message(**fields)


def planned(id: str, to: str = TO, file: Upload | None = None, **changes: Any) -> PlannedMessage:
    """A message to be sent; its payload tells which one it is."""
    payload = {"id": id, "to": to, "media": file.reference if file else None}
    return PlannedMessage(message(id, to, **changes), encode(payload), file, "digest")


class PlannedTransport:
    """A transport whose messages are planned already; what is sent, its heirs see."""

    name: ClassVar[str] = "planned"
    Settings: ClassVar[type[BaseSettings]] = BaseSettings
    account = "one"

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        raise NotImplementedError

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        raise NotImplementedError

    def upload(self, file: Upload) -> MediaId:
        raise NotImplementedError
