"""From a message to the body of a request, and which method it is for.

The fields are those of the Bot API, "sendMessage", "sendPhoto" and so on, in the order in which its
documents list them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from dispatcher import Attachment, Media, Message, Payload, Text, Upload

from .contents import Location, Poll

FIRST = ("chat_id", "message_thread_id")
LAST = ("disable_notification", "protect_content")
CAPTION = ("caption", "parse_mode", "filename")


class Method(NamedTuple):
    """A method of the Bot API that sends; `kind` is what the manifest calls it."""

    name: str
    kind: str
    own_fields: tuple[str, ...]
    max_upload: int = 0  # bytes

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that it knows, in order."""
        return (*FIRST, *self.own_fields, *LAST)


# By the field that only this method has. `filename` is the name of the file in the form, and no
# field of its own; it stands in the payload so that another name is another message.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "text": Method("sendMessage", "text", ("text", "parse_mode", "link_preview_options")),
        "photo": Method("sendPhoto", "image", ("photo", *CAPTION), 10_000_000),
        "video": Method("sendVideo", "video", ("video", *CAPTION), 50_000_000),
        "audio": Method(
            "sendAudio", "audio", ("audio", *CAPTION, "performer", "title"), 50_000_000
        ),
        "document": Method("sendDocument", "document", ("document", *CAPTION), 50_000_000),
        "latitude": Method(
            "sendLocation", "location", ("latitude", "longitude", "horizontal_accuracy")
        ),
        "question": Method(
            "sendPoll", "poll", ("question", "options", "is_anonymous", "allows_multiple_answers")
        ),
    }
)
FILE_FIELDS = {"image": "photo", "video": "video", "audio": "audio", "document": "document"}


def method_field(payload: Mapping[Any, Any]) -> str | None:
    """Return the field that decides the method; None if there is not exactly one."""
    found = [field for field in METHODS if field in payload]
    return found[0] if len(found) == 1 else None


def build(message: Message, attachment: Attachment | None) -> Payload:
    """Return the body for a message; a file to upload stands in it as its `reference`."""
    content = message.content
    written = content.model_dump(
        mode="json", exclude_none=True, exclude={"source", "link", "id", "provider"}
    )
    payload: Payload = {"chat_id": message.to}
    if isinstance(content, Media):
        payload |= _file(content, message.type, attachment)
    elif isinstance(content, Text):
        payload["text"] = written.pop("body")
    elif isinstance(content, Poll):
        payload["question"] = written.pop("question")
        payload["options"] = [{"text": option} for option in written.pop("options")]
    elif isinstance(content, Location):
        payload["latitude"] = written.pop("latitude")
    payload |= written
    if message.preview_url is not None:
        payload["link_preview_options"] = {"is_disabled": not message.preview_url}
    return _in_order(payload)


def _in_order(payload: Payload) -> Payload:
    """Return the payload with its fields in the order of its method's."""
    field = method_field(payload)
    known = METHODS[field].fields if field else ()
    return {**{name: payload[name] for name in known if name in payload}, **payload}


def _file(content: Media, kind: str, attachment: Attachment | None) -> Payload:
    fields = content.file_fields(attachment)
    payload: Payload = {FILE_FIELDS[kind]: fields.pop("id", None) or fields.pop("link", None)}
    if isinstance(attachment, Upload) and kind != "image":  # nobody sees the name of a photo
        payload["filename"] = attachment.filename
    return payload | fields
