"""A transport that sends nothing and records everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher.hookspecs import hookimpl
from dispatcher.models import Attachment, MediaId, Message, Payload, Problem, Receipt, Upload
from dispatcher.transports import BaseTransport, Transport


class RecordingSettings(BaseSettings):
    """It has no settings."""

    model_config = SettingsConfigDict(env_prefix="RECORDING_", extra="forbid")


class RecordingTransport(BaseTransport):
    """`transport = "recording"`: accepts every message and file.

    `payloads` and `files` are what it was given, in order. Receipts are "recorded-1",
    "recorded-2", …
    """

    name: ClassVar[str] = "recording"
    Settings: ClassVar[type[BaseSettings]] = RecordingSettings

    def __init__(self, settings: BaseSettings | None = None) -> None:
        self.payloads: list[Payload] = []
        self.files: list[Upload] = []

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """Return the recipient and the content as the manifest has them."""
        content = message.content.model_dump(exclude_none=True, exclude={"source"})
        if message.media is not None:
            content.update(message.media.file_fields(attachment))
        return {"to": message.to, "type": message.type, message.type: content}

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Return nothing: it has no limits."""
        return []

    def upload(self, file: Upload) -> MediaId:
        """Record a file."""
        self.files.append(file)
        return MediaId(id=f"uploaded-{file.sha256[:8]}")

    def send(self, payload: Payload) -> Receipt:
        """Record a payload."""
        self.payloads.append(payload)
        return Receipt(id=f"recorded-{len(self.payloads)}")


class Recording:
    """The plugin that offers it: `recording = Recording(); registry(recording)`.

    `payloads` and `uploads` are those of all its transports.
    """

    def __init__(self) -> None:
        self.payloads: list[Payload] = []
        self.uploads: list[Upload] = []

    @hookimpl
    def dispatcher_transports(self) -> Iterable[type[Transport]]:
        recording = self

        class Shared(RecordingTransport):
            def __init__(self, settings: BaseSettings | None = None) -> None:
                self.payloads, self.files = recording.payloads, recording.uploads

        return [Shared]
