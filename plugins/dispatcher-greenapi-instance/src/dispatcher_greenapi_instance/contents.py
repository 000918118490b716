"""The kinds of content that an instance can send.

What a manifest has in them beside the standard keys has the names of Green API's documents
("SendMessage", "SendFileByUrl", "SendPoll", "SendLocation", "SendContact"). `rules` has the limits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

import dispatcher
from dispatcher import Bubble, Content, Contents


class Quoting(Content):
    """A content that may quote a message of the chat."""

    quotedMessageId: str | None = Field(
        default=None,
        description="The id of the message of this chat that is quoted.",
        examples=["361B0E63F2FDF95903B6A9C9A102F34B"],
    )


class Typed(Quoting):
    """A content before which the recipient may see that somebody types."""

    typingTime: int | None = Field(
        default=None,
        description="How long the recipient sees that somebody types: 1000 to 20000 milliseconds.",
        examples=[5000],
    )


class CustomPreview(Content):
    """What is shown of a link in place of the page's own title, description and picture."""

    title: str = Field(description="The title, at most 300 characters.", examples=["Spring prices"])
    description: str | None = Field(
        default=None,
        description="The text below the title, at most 300 characters.",
        examples=["Everything for {{ city }}"],
    )
    link: str | None = Field(
        default=None,
        description="The address that is shown, at most 300 characters.",
        examples=["https://shop.example.com"],
    )
    urlFile: str | None = Field(
        default=None,
        description="The URL of a picture, for a large preview.",
        examples=["https://cdn.example.com/spring.jpg"],
    )
    jpegThumbnail: str | None = Field(
        default=None, description="A small JPEG picture in base64, for a small preview."
    )


class Text(Typed, dispatcher.Text):
    """A text, and how the first link in it is shown; either `body` or `file` has the text."""

    linkPreview: bool | None = Field(
        default=None,
        description="Whether a link is shown with a preview: another name of preview_url.",
    )
    typePreview: Literal["large", "small"] | None = Field(
        default=None, description="The size of the preview."
    )
    customPreview: CustomPreview | None = Field(
        default=None, description="What the preview shows instead of what the page says."
    )

    def bubble(self) -> Bubble:
        """Return the text, and below it the preview, if the manifest says what it shows."""
        preview = self.customPreview
        shown = (preview.title, preview.description, preview.link) if preview else ()
        return replace(super().bubble(), lines=tuple(filter(None, shown)))


class Image(Quoting, dispatcher.Image):
    """A picture; exactly one of `source`, `link` and `id` says which."""


class Video(Quoting, dispatcher.Video):
    """A video; exactly one of `source`, `link` and `id` says which."""


class Audio(Quoting, dispatcher.Audio):
    """A sound; exactly one of `source`, `link` and `id` says which."""


class Document(Quoting, dispatcher.Document):
    """A file of any kind; exactly one of `source`, `link` and `id` says which."""


class Location(Typed):
    """A place on the map."""

    label: ClassVar[str] = "Location"

    nameLocation: str | None = Field(
        default=None, description="What the place is called.", examples=["Restaurant"]
    )
    address: str | None = Field(
        default=None, description="Its address.", examples=["123456, {{ city }}"]
    )
    latitude: float = Field(description="Degrees, -90 to 90.", examples=[12.3456789])
    longitude: float = Field(description="Degrees, -180 to 180.", examples=[10.1112131])

    @property
    def degrees(self) -> str:
        """The coordinates as maps take them."""
        return f"{self.latitude}, {self.longitude}"

    def summary(self) -> str:
        """Return the name and the address, or the coordinates."""
        return ", ".join(filter(None, (self.nameLocation, self.address))) or self.degrees

    def bubble(self) -> Bubble:
        """Return the name, and below it the address and the coordinates."""
        lines = filter(None, (self.address, self.degrees))
        return Bubble(self.label, text=self.nameLocation or "", lines=tuple(lines))


class Contact(Typed):
    """A person's or a company's card; it needs one of the names."""

    label: ClassVar[str] = "Contact"

    phoneContact: int = Field(
        description="The phone number with the country code, digits alone.",
        examples=[79001234568],
    )
    firstName: str | None = Field(
        default=None, description="The first name.", examples=["{{ manager }}"]
    )
    middleName: str | None = Field(default=None, description="The middle name.")
    lastName: str | None = Field(default=None, description="The last name.")
    company: str | None = Field(default=None, description="The company.", examples=["Acme"])

    @property
    def person(self) -> str:
        """The names of a person, if there are any."""
        return " ".join(filter(None, (self.firstName, self.middleName, self.lastName)))

    def summary(self) -> str:
        """Return the names and the number."""
        names = ", ".join(filter(None, (self.person, self.company)))
        return f"{names} +{self.phoneContact}"

    def bubble(self) -> Bubble:
        """Return the name, and below it the company of a person, and the number."""
        company = self.company if self.person else None
        lines = filter(None, (company, f"+{self.phoneContact}"))
        return Bubble(self.label, text=self.person or self.company or "", lines=tuple(lines))


class PollOption(Content):
    """One of the answers of a poll."""

    optionName: str = Field(description="The answer.", examples=["yes", "{{ city }}"])


class Poll(Typed):
    """A question with answers to choose from."""

    label: ClassVar[str] = "Poll"

    message: str = Field(
        description="The question, at most 255 characters.", examples=["Lunch, {{ name }}?"]
    )
    options: list[PollOption] = Field(
        description="At most 12 different answers.",
        examples=[[{"optionName": "yes"}, {"optionName": "no"}]],
    )
    multipleAnswers: bool | None = Field(
        default=None, description="Whether several answers may be chosen; by default, one."
    )

    def summary(self) -> str:
        """Return the question, and how many answers there are."""
        return f"{self.message} ({len(self.options)} options)"

    def bubble(self) -> Bubble:
        """Return the question, and below it the answers."""
        answers = tuple(option.optionName for option in self.options)
        return Bubble(self.label, text=self.message, lines=answers)


CONTENTS: Contents = {
    "text": Text,
    "image": Image,
    "video": Video,
    "audio": Audio,
    "document": Document,
    "location": Location,
    "contact": Contact,
    "poll": Poll,
}
