"""The kinds of content a message can have.

Each has the shape of the gateway's request body (docs/greenapi-v1.md), with `source` beside `link`
and `id`. What else a new kind needs: docs/architecture.md, "Where a new feature goes".
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from pydantic import Field

from dispatcher.models.attachments import Attachment
from dispatcher.models.base import Model

ContentType: TypeAlias = Literal["text", "image", "video", "audio", "document"]

CONTENT_TYPES: tuple[ContentType, ...] = get_args(ContentType)


def _caption() -> Any:
    return Field(
        default=None,
        description="A text below it; may be a template.",
        examples=["Spring prices, {{ name }}"],
    )


class Text(Model):
    """`text.body` is the text, 1..4096 characters at Green API."""

    body: str


class Provider(Model):
    """`provider.name` names credentials, stored at the gateway, with which it fetches a link."""

    name: str = Field(
        description="The name of the credentials, as they are stored at the gateway.",
        examples=["cdn-basic-auth"],
    )


class Media(Model):
    """Exactly one of `source` (for a plugin to resolve), `link` and `id` (used as they are)."""

    source: str | None = Field(
        default=None,
        description="A file beside the manifest, which is uploaded and sent by its id; or a URL, "
        "which is sent as a link; or what a plugin reads. May be a template.",
        examples=["files/prices.pdf", "https://cdn.example.com/{{ city }}.png"],
    )
    link: str | None = Field(
        default=None,
        description="A URL from which the gateway fetches the file, used as it is. May be a "
        "template.",
        examples=["https://cdn.example.com/prices.pdf"],
    )
    id: str | None = Field(
        default=None,
        description="The id of a file that is stored at the gateway already.",
        examples=["5f1b2c3d-8e4f-4a6b-9c7d-0e1f2a3b4c5d"],
    )
    provider: Provider | None = Field(
        default=None,
        description="The credentials with which the gateway fetches the link.",
        examples=[{"name": "cdn-basic-auth"}],
    )

    def file_fields(self, attachment: Attachment | None) -> dict[str, Any]:
        """Return the fields of a body that name the file: `id`, or `link` and `provider`.

        `attachment` is what `source` resolved to; it takes precedence over what is written.
        """
        provider = self.provider and self.provider.model_dump()
        written = {"id": self.id, "link": self.link, "provider": provider}
        fields = {**written, **(attachment.fields if attachment else {})}
        return {key: value for key, value in fields.items() if value is not None}


class Image(Media):
    """A picture; exactly one of `source`, `link` and `id` says which."""

    caption: str | None = _caption()


class Video(Media):
    """A video; exactly one of `source`, `link` and `id` says which."""

    caption: str | None = _caption()


class Audio(Media):
    """A sound; exactly one of `source`, `link` and `id` says which. Gateways show no caption."""


class Document(Media):
    """A file of any kind; exactly one of `source`, `link` and `id` says which."""

    caption: str | None = _caption()
    filename: str | None = Field(
        default=None,
        description="The name under which the recipient sees the file; no path.",
        examples=["Prices.pdf"],
    )


Content: TypeAlias = Text | Image | Video | Audio | Document
