"""The kinds of content of Meta's gateways, with what every message may have beside its content.

Meta, "Cloud API: Messages", "Contextual replies"; "Status messages webhook" for the callback data.
A body has these options beside the content, a manifest in the content's table: a message has no
other keys of a transport.
"""

from __future__ import annotations

from types import new_class

from pydantic import Field

from dispatcher import STANDARD_CONTENTS, Content, Contents
from dispatcher_whatsapp_cloud.contents import (
    Contacts,
    Interactive,
    Location,
    Reaction,
    Sticker,
    Voice,
)
from dispatcher_whatsapp_cloud.template import Template

MAX_CALLBACK_DATA = 512  # characters


class Context(Content):
    """The message to which this one is a reply."""

    message_id: str = Field(
        description="The id of a message of this chat.",
        examples=["wamid.HBgLNzkwMDEyMzQ1NjcVAgASGA"],
        min_length=1,
    )


class Tracked(Content):
    """What every message may have but contacts, which are a list in a manifest."""

    biz_opaque_callback_data: str | None = Field(
        default=None,
        description="A text that Meta's webhooks have in what they say of this message.",
        examples=["spring-sale"],
        min_length=1,
        max_length=MAX_CALLBACK_DATA,
    )


class Replying(Tracked):
    """What may be a reply to a message: everything but a reaction, which names its message."""

    context: Context | None = Field(
        default=None,
        description="The message to which this one is a reply.",
        examples=[{"message_id": "wamid.HBgLNzkwMDEyMzQ1NjcVAgASGA"}],
    )


def _with(options: type[Tracked], model: type[Content]) -> type[Content]:
    """Return a kind that has the keys of a model, and these options after them."""
    own = {"__doc__": model.__doc__, "__module__": __name__}
    made: type[Content] = new_class(
        model.__name__, (options, model), exec_body=lambda names: names.update(own)
    )
    return made


_REPLYING: Contents = {
    **STANDARD_CONTENTS,
    "audio": Voice,
    "template": Template,
    "location": Location,
    "interactive": Interactive,
    "sticker": Sticker,
}
CONTENTS: Contents = {
    **{name: _with(Replying, model) for name, model in _REPLYING.items()},
    "contacts": Contacts,
    "reaction": _with(Tracked, Reaction),
}
OPTIONS = ("context", "biz_opaque_callback_data")
"""The options, in the order that they have in a body."""
