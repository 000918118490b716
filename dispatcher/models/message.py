"""A message: its recipient and its content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field, SerializeAsAny, ValidatorFunctionWrapHandler, WrapValidator

from dispatcher.models.base import Model
from dispatcher.models.content import STANDARD_CONTENTS, Content, Media, media_within
from dispatcher.models.frozen import FrozenDict, frozen


class Address(NamedTuple):
    """A recipient as a transport has read it from what a person wrote.

    `to` is what the gateway gets, and the last part of every key; it is identical for every
    spelling of a recipient. `recipient_type` is the transport's own word for its kind
    ("individual", "group").
    """

    to: str
    recipient_type: str


def _frozen(value: Any, checked: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, FrozenDict) else frozen(checked(value))


class Message(Model):
    """One message to one recipient, rendered.

    `key` is run/manifest/id/revision/recipient; a message is sent once for each key. `to` and
    `recipient_type` are the `Address` that the transport has read. `type` is the kind of content,
    the name of the table that holds it, and `content` is an instance of the model that the
    transport has for that kind: `isinstance(message.content, Text)`. `vars` are the variables of
    its templates, a dict that nobody can change, nor the tables and lists in it.
    """

    __slots__ = ("_kept",)  # no field, so that it is in no copy, and makes no message another

    key: str
    manifest: str
    id: str
    to: str
    recipient_type: str
    type: str
    content: SerializeAsAny[Content]
    preview_url: bool | None = None
    transport: str
    vars: Annotated[dict[str, Any], WrapValidator(_frozen)] = Field(default_factory=FrozenDict)

    @property
    def media(self) -> Media | None:
        """The file of the content, or None if it has none; of several, the one with a `source`."""
        return self._file[1]

    @property
    def media_path(self) -> str:
        """Where the file is, for a problem's `where`: "image", "template.header"."""
        return self._file[0]

    @property
    def _file(self) -> tuple[str, Media | None]:
        """Where the file is, and the file; a content is looked through once."""
        kept: tuple[str, Media | None] | None = getattr(self, "_kept", None)
        if kept is None:
            found = list(media_within(self.content, self.type))
            with_source = (each for each in found if each[1].source is not None)
            kept = next(with_source, found[0] if found else (self.type, None))
            object.__setattr__(self, "_kept", kept)
        return kept

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the content under the name of its kind, `message.text.body`, or None.

            Only the standard kinds have such names; plugins written for them go on to work.
            """
            if name in STANDARD_CONTENTS:
                return self.content if name == self.type else None
            return super().__getattr__(name)
