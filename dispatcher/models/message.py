"""A message: its recipient and its content."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import Field

from dispatcher.models.base import Model
from dispatcher.models.content import (
    Audio,
    Content,
    ContentType,
    Document,
    Image,
    Media,
    Text,
    Video,
)


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
    def content(self) -> Content:
        """The content table that `type` names."""
        content: Content = getattr(self, self.type)
        return content

    @property
    def media(self) -> Media | None:
        """The content, unless it is text."""
        media: Media | None = None if self.type == "text" else getattr(self, self.type)
        return media
