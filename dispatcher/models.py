"""What travels through the pipeline: frozen pydantic models, all importable from `dispatcher`.

A message's content has the shape of the gateway's request body
(greenapi-v1-messages, "Параметры запроса"), with `source` beside `link` and `id`.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

ContentType: TypeAlias = Literal["text", "image", "video", "audio", "document"]
RecipientType: TypeAlias = Literal["individual", "group"]
Severity: TypeAlias = Literal["error", "warning"]
Status: TypeAlias = Literal["sent", "skipped", "failed", "unknown"]
Payload: TypeAlias = dict[str, Any]

# One encoder for all: making one takes longer than encoding a message.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_set = object.__setattr__  # the models are frozen

CONTENT_TYPES: tuple[ContentType, ...] = ("text", "image", "video", "audio", "document")

# The standard library's table differs between machines (it reads the system's) and lacks these.
_MIME_TYPES = {
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".amr": "audio/amr",
    ".webp": "image/webp",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


class Model(BaseModel):
    """Frozen, strict about types, no unknown fields.

    A validator is built when the first value is to be validated: most runs need few of them.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    @classmethod
    def model_construct(  # type: ignore[override] # as pydantic's plugin for mypy sees it
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """An instance of values that are checked already.

        pydantic's own looks for aliases, extras and private attributes, of which these models have
        none, and takes several times as long: longer than to check the values once more.
        """
        fixed, factories = _defaults(cls)
        fields = {**fixed, **values}
        for name, make in factories:
            if name not in values:
                fields[name] = make()
        made = cls.__new__(cls)
        _set(made, "__dict__", fields)
        _set(made, "__pydantic_fields_set__", set(values) if _fields_set is None else _fields_set)
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made


@cache
def _defaults(model: type[Model]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """The defaults of a model's fields, in the fields' order, and how some are made anew."""
    fields = model.model_fields.items()
    factories = [(name, each.default_factory) for name, each in fields if each.default_factory]
    return {name: each.default for name, each in fields}, factories


class Text(Model):
    """`text.body`: what is written, 1..4096 characters at Green API."""

    body: str


class Provider(Model):
    """`provider.name`: credentials, stored at the gateway, with which it fetches a link."""

    name: str


class Media(Model):
    """One of `source` (for a plugin to resolve), `link` and `id` (passed on as they are)."""

    source: str | None = None
    link: str | None = None
    id: str | None = None
    provider: Provider | None = None


class Image(Media):
    caption: str | None = None


class Video(Media):
    caption: str | None = None


class Audio(Media):
    """No caption: the gateway has none for audio."""


class Document(Media):
    caption: str | None = None
    filename: str | None = None


class Message(Model):
    """One message to one recipient, rendered; exactly one of the five contents is set.

    `key`: run/manifest/id/revision/recipient, the identity under which it is sent once.
    """

    key: str
    manifest: str
    id: str
    to: str
    recipient_type: RecipientType
    type: ContentType
    text: Text | None = None
    image: Image | None = None
    video: Video | None = None
    audio: Audio | None = None
    document: Document | None = None
    preview_url: bool | None = None
    transport: str
    vars: dict[str, Any] = Field(default_factory=dict)

    @property
    def content(self) -> Text | Image | Video | Audio | Document:
        """The content table that `type` names."""
        content: Text | Image | Video | Audio | Document = getattr(self, self.type)
        return content

    @property
    def media(self) -> Media | None:
        """The content, unless it is text."""
        media: Media | None = None if self.type == "text" else getattr(self, self.type)
        return media


class Upload(Model):
    """A file to upload before the message is sent, identified by its content.

    `open()` gives a fresh binary stream each time; `size` is in bytes.
    """

    filename: str
    size: int
    sha256: str
    mime_type: str
    open: Callable[[], BinaryIO]

    @classmethod
    def from_path(cls, path: Path) -> Upload:
        """Describe a local file; reads it once, in pieces. Raises OSError."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        return cls(
            filename=path.name,
            size=size,
            sha256=digest,
            mime_type=_mime_type(path),
            open=lambda: path.open("rb"),
        )

    @property
    def reference(self) -> str:
        """Stands for the media id in a payload until the file is uploaded."""
        return f"upload:sha256:{self.sha256}"


class Link(Model):
    """A URL that the gateway fetches by itself; `provider` names credentials stored there.

    `identity`: what stands for the URL where a message is compared with what was sent; for one that
    is another each time, as signed ones are, though it leads to the same.
    """

    url: str
    provider: str | None = None
    identity: str | None = None


class MediaId(Model):
    """A file that the gateway holds already; `expires_at` (with a time zone): until when."""

    id: str
    expires_at: datetime | None = None


Attachment: TypeAlias = Upload | Link | MediaId


class Problem(Model):
    """What is wrong with a message, as a sentence without the message's name.

    `where`: the key it is about, "image.caption". A "warning" never stops a send.
    """

    message: str
    where: str | None = None
    severity: Severity = "error"


class LocatedProblem(Model):
    """A problem with its place in a file; lines and columns count from 1.

    `row`: "customers.csv:17", if it shows for a recipient of a file only; `more_rows`: and for so
    many others.
    """

    path: str
    line: int
    column: int
    problem: Problem
    message_id: str | None = None
    row: str | None = None
    more_rows: int = 0

    def __str__(self) -> str:
        subject = f'message "{self.message_id}": ' if self.message_id is not None else ""
        place = f"{self.path}:{self.line}:{self.column}"
        return f"{place}: {self.problem.severity}: {subject}{self.sentence}"

    @property
    def sentence(self) -> str:
        """What is wrong, and for which rows."""
        if self.row is None:
            return self.problem.message
        rows = "row" if self.more_rows == 1 else "rows"
        more = f" and {self.more_rows} more {rows}" if self.more_rows else ""
        return f"{self.problem.message} ({self.row}{more})"


class Receipt(Model):
    """The gateway accepted the message under this id."""

    id: str


class Failure(Model):
    """Why an attempt did not end well: the gateway's code and a sentence."""

    code: str | None
    text: str


class Outcome(Model):
    """How a message ended in this run. `attempts`: how often it was tried, in this run."""

    status: Status
    id: str | None = None
    attempts: int = 0
    error: Failure | None = None


class Record(Model):
    """What the journal knows of a key: the digest of what was sent, how it ended, its receipt.

    `attempts` were made over all runs; none is to be made earlier than `not_before`.
    """

    digest: str
    status: Literal["sending", "sent", "failed", "unknown"]
    id: str | None = None
    attempts: int = 1
    not_before: datetime | None = None
    changed_at: datetime | None = None


def encode(payload: Payload) -> bytes:
    """The JSON of a payload, as every transport posts it and as `plan` shows it."""
    return _encode(payload).encode()


def _mime_type(path: Path) -> str:
    known = _MIME_TYPES.get(path.suffix.lower())
    return known or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
