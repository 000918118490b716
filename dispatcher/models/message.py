"""A message: its recipient and its content.

The content has the shape of the gateway's request body (docs/greenapi-v1.md),
with `source` beside `link` and `id`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import Field

from dispatcher.models.attachments import Attachment
from dispatcher.models.base import Model

ContentType: TypeAlias = Literal["text", "image", "video", "audio", "document"]

CONTENT_TYPES: tuple[ContentType, ...] = ("text", "image", "video", "audio", "document")


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

    def file_fields(self, attachment: Attachment | None) -> dict[str, Any]:
        """Which file it is, as a body with the manifest's fields says it: `id`, or `link` and
        `provider`. `attachment`: what a `source` resolved to; it counts before what is written.
        """
        provider = self.provider and self.provider.model_dump()
        written = {"id": self.id, "link": self.link, "provider": provider}
        fields = {**written, **(attachment.fields if attachment else {})}
        return {key: value for key, value in fields.items() if value is not None}


class Image(Media):
    caption: str | None = None


class Video(Media):
    caption: str | None = None


class Audio(Media):
    """No caption: the gateway has none for audio."""


class Document(Media):
    caption: str | None = None
    filename: str | None = None


class Address(NamedTuple):
    """What a person wrote for a recipient, read by a transport.

    `to`: what the gateway is given, and the last part of every key; the same for all ways to write
    one recipient. `recipient_type`: a word of the transport's own ("individual", "group").
    """

    to: str
    recipient_type: str


class Message(Model):
    """One message to one recipient, rendered; exactly one of the five contents is set.

    `key`: run/manifest/id/revision/recipient, the identity under which it is sent once.
    `to`, `recipient_type`: the `Address` that its transport made of what was written.
    """

    key: str
    manifest: str
    id: str
    to: str
    recipient_type: str
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
