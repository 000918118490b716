"""The kinds of content a message can have.

Each has the shape of the gateway's request body (docs/greenapi-v1.md), with `source` beside `link`
and `id`. What else a new kind needs: docs/architecture.md, "Where a new feature goes".
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from dispatcher.models.attachments import Attachment
from dispatcher.models.base import Model

ContentType: TypeAlias = Literal["text", "image", "video", "audio", "document"]

CONTENT_TYPES: tuple[ContentType, ...] = get_args(ContentType)


class Text(Model):
    """`text.body` is the text, 1..4096 characters at Green API."""

    body: str


class Provider(Model):
    """`provider.name` names credentials, stored at the gateway, with which it fetches a link."""

    name: str


class Media(Model):
    """Exactly one of `source` (for a plugin to resolve), `link` and `id` (used as they are)."""

    source: str | None = None
    link: str | None = None
    id: str | None = None
    provider: Provider | None = None

    def file_fields(self, attachment: Attachment | None) -> dict[str, Any]:
        """Return the fields of a body that name the file: `id`, or `link` and `provider`.

        `attachment` is what `source` resolved to; it takes precedence over what is written.
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
    """Has no caption: the gateway has none for audio."""


class Document(Media):
    caption: str | None = None
    filename: str | None = None


Content: TypeAlias = Text | Image | Video | Audio | Document
