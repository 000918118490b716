"""The kinds of content, with the Bot API's own names for what the standard kinds do not have."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

import dispatcher
from dispatcher import Bubble, Content

from .formatting import read_html


class Options(Content):
    """What every message may have."""

    disable_notification: bool | None = Field(
        default=None, description="Whether it arrives without a sound."
    )
    protect_content: bool | None = Field(
        default=None, description="Whether it can be neither forwarded nor saved."
    )
    message_thread_id: int | None = Field(
        default=None, description="The topic of a forum that it belongs to.", ge=1
    )


class Formatted(Options):
    """What every message with a text may have."""

    parse_mode: Literal["HTML", "MarkdownV2"] | None = Field(
        default=None, description="How the text is marked up; without it, it is shown as it is."
    )

    def shown_text(self, text: str) -> str:
        """Return the text as a chat shows it, without its HTML."""
        return read_html(text).visible if self.parse_mode == "HTML" else text

    def bubble(self) -> Bubble:
        """Return what the standard kind shows, without HTML."""
        bubble = super().bubble()
        return Bubble(bubble.label, self.shown_text(bubble.text), file=bubble.file)


class Text(Formatted, dispatcher.Text):
    """A text; either `body` or `file` has it."""


class Image(Formatted, dispatcher.Image):
    """A photo, which Telegram compresses; a picture as it is, is a document."""


class Video(Formatted, dispatcher.Video):
    """A video, MPEG-4."""


class Audio(Formatted, dispatcher.Audio):
    """A piece of music, MP3 or M4A, for Telegram's player."""

    caption: str | None = Field(
        default=None,
        description="A text below it; may be a template.",
        examples=["Track 3 for {{ name }}"],
    )
    performer: str | None = Field(default=None, description="Who plays.", examples=["The Shops"])
    title: str | None = Field(default=None, description="What is played.", examples=["Spring"])


class Document(Formatted, dispatcher.Document):
    """A file of any type."""


class Location(Options):
    """A point on the map."""

    label: ClassVar[str] = "Location"

    latitude: float = Field(description="Degrees north.", examples=[59.9386], ge=-90, le=90)
    longitude: float = Field(description="Degrees east.", examples=[30.3141], ge=-180, le=180)
    horizontal_accuracy: float | None = Field(
        default=None, description="How uncertain it is, in metres.", ge=0, le=1500
    )

    def summary(self) -> str:
        """Return both numbers."""
        return f"{self.latitude}, {self.longitude}"


Option = Annotated[str, Field(min_length=1, max_length=100)]


class Poll(Options):
    """A question, and the options to choose from."""

    label: ClassVar[str] = "Poll"

    question: str = Field(
        description="What is asked.", examples=["Lunch, {{ name }}?"], min_length=1, max_length=300
    )
    options: list[Option] = Field(
        description="What can be chosen.", examples=[["yes", "no"]], min_length=2, max_length=12
    )
    allows_multiple_answers: bool | None = Field(
        default=None, description="Whether several options can be chosen."
    )
    is_anonymous: bool | None = Field(
        default=None, description="Whether nobody sees who chose what; true unless set."
    )

    @field_validator("options")
    @classmethod
    def _all_different(cls, options: list[str]) -> list[str]:
        if any(one == other for one, other in itertools.combinations(options, 2)):
            raise ValueError("two options are the same")
        return options

    def summary(self) -> str:
        """Return the question and how many options there are."""
        return f"{self.question} ({len(self.options)} options)"

    def bubble(self) -> Bubble:
        """Return the question, and the options below it."""
        return Bubble(self.label, text=self.question, lines=tuple(self.options))


CONTENTS: Mapping[str, type[Content]] = MappingProxyType(
    {
        "text": Text,
        "image": Image,
        "video": Video,
        "audio": Audio,
        "document": Document,
        "location": Location,
        "poll": Poll,
    }
)
