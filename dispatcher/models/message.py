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
    """A recipient as a transport has read it from what a person wrote.

    `to` is what the gateway gets, and the last part of every key; it is identical for every
    spelling of a recipient. `recipient_type` is the transport's own word for its kind
    ("individual", "group").
    """

    to: str
    recipient_type: str


class Message(Model):
    """One message to one recipient, rendered; exactly one of the five contents is set.

    `key` is run/manifest/id/revision/recipient; a message is sent once for each key. `to` and
    `recipient_type` are the `Address` that the transport has read.
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
