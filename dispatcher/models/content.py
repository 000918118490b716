"""The kinds of content a message can have: a model each, from which all else follows.

A transport declares its kinds as `contents`: the name of a manifest's table, and the model that
reads it. The five of the provider's document (docs/greenapi-v1.md) are `STANDARD_CONTENTS`; they
have the shape of the gateway's request body, with `source` beside `link` and `id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from dispatcher.bubbles import Bubble, BubbleFile, Family
from dispatcher.errors import describe, pass_on_interruption
from dispatcher.models.attachments import Attachment
from dispatcher.models.base import Model
from dispatcher.visible import quoted

Said = TypeVar("Said", str, Bubble)

VERBATIM: Final = "verbatim"  # marks fields in their metadata

Verbatim: TypeAlias = Annotated[str, VERBATIM]
"""A text that is used as it is written; all others of a content are templates."""


class Content(Model):
    """The content of a message; a transport derives a model for each kind that it can send.

    Fields are the keys of the manifest's table `[messages.<kind>]`: their types and limits are
    checked, also after the templates are filled in, and their descriptions and examples are shown
    by editors. A rule of its own is a `field_validator`, whose sentence is shown at the field.
    Every string is a template, in tables and lists, too, unless it is `Verbatim`. A field that is
    a `Media` is a file: what its `source` resolves to is the message's attachment.
    """

    label: ClassVar[str] = ""
    """What people call it, like "Location"; by default, the name of the class."""

    exactly_one_of: ClassVar[tuple[str, ...]] = ()
    """Fields of which a message needs exactly one; they must have defaults."""

    text_file: ClassVar[str | None] = None
    """The field whose text may be in a file beside the manifest: `file = "texts/welcome.txt"`."""

    link_preview: ClassVar[bool] = False
    """Whether the message may have a `preview_url`."""

    list_field: ClassVar[str | None] = None
    """The field that a list stands for: `[[messages.contacts]]`, where the body has a list, too."""

    @field_serializer("*", mode="wrap", when_used="json")
    def _in_order(self, value: Any, serialize: SerializerFunctionWrapHandler) -> Any:
        """Write a set in an order that is the same in every process."""
        written = serialize(value)
        return sorted(written, key=repr) if isinstance(value, (set, frozenset)) else written

    def summary(self) -> str:
        """Return the content in a few words, as the plan, the history and a list of chats show it.

        By default, it is the first text in it.
        """
        return next((value for value in vars(self).values() if isinstance(value, str)), "")

    def bubble(self) -> Bubble:
        """Return what a chat shows of it, for the preview; by default, the summary."""
        return Bubble(self.name_for_people(), text=self.summary())

    def written_at(self, where: str) -> str:
        """Return the key of the manifest for a field of the body, where their shapes differ.

        Both begin with the name of the kind: "template.components.0.parameters.1" is written at
        "template.body.1". A transport's problems are shown there.
        """
        return where

    @classmethod
    def name_for_people(cls) -> str:
        """Return the label, or the name of the class."""
        return cls.label or cls.__name__

    @classmethod
    def as_table(cls, written: Any) -> Any:
        """Return what a manifest or a body has for the content; of a list, the table it means."""
        field = cls.list_field
        if field is None or (isinstance(written, dict) and field in written):
            return written
        return {field: written}


class Text(Content):
    """A text; either `body` or `file` has it."""

    exactly_one_of: ClassVar[tuple[str, ...]] = ("body",)
    text_file: ClassVar[str | None] = "body"
    link_preview: ClassVar[bool] = True

    body: str = Field(
        description="What is written; may be a template.",
        examples=["Hello {{ name }}! 😃"],
    )

    def summary(self) -> str:
        """Return the text in quotes."""
        return quoted(" ".join(self.body.split()), 50)

    def bubble(self) -> Bubble:
        """Return the text."""
        return Bubble("", text=self.body)


class Provider(Model):
    """`provider.name` names credentials, stored at the gateway, with which it fetches a link."""

    name: str = Field(
        description="The name of the credentials, as they are stored at the gateway.",
        examples=["cdn-basic-auth"],
    )


class Media(Content):
    """A file: exactly one of `source` (for a plugin to resolve), `link` and `id` (used as is)."""

    exactly_one_of: ClassVar[tuple[str, ...]] = ("source", "link", "id")
    family: ClassVar[Family | None] = None
    """The first part of the MIME types that it usually has, and how a chat shows it."""

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

    @field_validator("provider")
    @classmethod
    def _of_a_link(cls, provider: Provider | None, info: ValidationInfo) -> Provider | None:
        given = {name for name in cls.exactly_one_of if info.data.get(name) is not None}
        if provider is not None and given == {"id"}:
            raise ValueError("provider goes with a link, not with an id")
        return provider

    def file_fields(self, attachment: Attachment | None) -> dict[str, Any]:
        """Return the fields of a body that name the file: `id`, or `link` and `provider`.

        `attachment` is what `source` resolved to; it takes precedence over what is written.
        """
        provider = self.provider and self.provider.model_dump()
        written = {"id": self.id, "link": self.link, "provider": provider}
        fields = {**written, **(attachment.fields if attachment else {})}
        return {key: value for key, value in fields.items() if value is not None}

    def summary(self) -> str:
        """Return where the file is from."""
        return self.source or self.link or self.id or ""

    def bubble(self) -> Bubble:
        """Return the file, and below it the caption, if it has one."""
        return Bubble(
            self.name_for_people(), text=getattr(self, "caption", None) or "", file=self.shown()
        )

    def shown(self) -> BubbleFile:
        """Return the file as a bubble shows it."""
        return BubbleFile(
            id=self.source or self.id,
            link=self.link,
            provider=self.provider.name if self.provider else None,
            name=getattr(self, "filename", None),
            shown_as=self.family,
        )


def _caption() -> Any:
    return Field(
        default=None,
        description="A text below it; may be a template.",
        examples=["Spring prices, {{ name }}"],
    )


class Image(Media):
    """A picture; exactly one of `source`, `link` and `id` says which."""

    family: ClassVar[Family | None] = "image"

    caption: str | None = _caption()


class Video(Media):
    """A video; exactly one of `source`, `link` and `id` says which."""

    family: ClassVar[Family | None] = "video"

    caption: str | None = _caption()


class Audio(Media):
    """A sound; exactly one of `source`, `link` and `id` says which. Gateways show no caption."""

    family: ClassVar[Family | None] = "audio"


class Document(Media):
    """A file of any kind; exactly one of `source`, `link` and `id` says which."""

    caption: str | None = _caption()
    filename: str | None = Field(
        default=None,
        description="The name under which the recipient sees the file; no path.",
        examples=["Prices.pdf"],
    )


Contents: TypeAlias = Mapping[str, type[Content]]

STANDARD_CONTENTS: Final[Contents] = MappingProxyType(
    {"text": Text, "image": Image, "video": Video, "audio": Audio, "document": Document}
)
"""The kinds of the provider's document, which a transport has unless it says otherwise."""


def said_by(content: Content, method: str, kind: type[Said]) -> Said | str:
    """Return what `summary` or `bubble` says of a content.

    If it fails, that is a sentence that names it: what is shown of a message stops no other.
    """
    try:
        said = getattr(content, method)()
        if isinstance(said, kind):
            return said
        why = f"it returned a {type(said).__name__}, not a {kind.__name__}"
    except BaseException as error:
        pass_on_interruption(error)
        why = describe(error)
    model = type(content)
    return f"({model.__module__}.{model.__qualname__}.{method}: {why})"


def media_within(value: object, path: str = "") -> Iterator[tuple[str, Media]]:
    """Yield the files of a content, each with its path: `template.header`."""
    if isinstance(value, Media):
        yield path, value
    for key, each in _parts(value):
        if not isinstance(each, str):
            yield from media_within(each, f"{path}.{key}")


def _parts(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, BaseModel):
        return vars(value).items()
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple, set, frozenset)) else ()
