"""A message as the body of `POST …/messages` (Meta, "Cloud API: Messages", "On-Premises API")."""

from __future__ import annotations

from typing import Any

from dispatcher import Attachment, Media, Message, Payload, Upload
from dispatcher_whatsapp_cloud.services import Service


def build(message: Message, attachment: Attachment | None, service: Service) -> Payload:
    """The JSON body, only what the message says; an `Upload` stands in it as its `reference`.

    `provider` is in it, wherever the message has one; `rules` refuses it for most services.
    """
    product = {"messaging_product": "whatsapp"} if service.messaging_product else {}
    preview = {} if message.preview_url is None else {"preview_url": message.preview_url}
    inside = preview if service.preview_in_text else {}
    return {
        **product,
        "recipient_type": message.recipient_type,
        "to": _number(message, service),
        "type": message.type,
        message.type: {**_content(message, attachment), **inside},
        **({} if inside else preview),
    }


def _number(message: Message, service: Service) -> str:
    """With `+`: else Meta may put the country of the sender before it ("Phone number formats")."""
    return (
        f"+{message.to}" if service.plus and message.recipient_type == "individual" else message.to
    )


def _content(message: Message, attachment: Attachment | None) -> dict[str, Any]:
    media = message.media
    if media is None:
        return {"body": message.text.body if message.text else ""}
    fields = {
        **media.file_fields(attachment),
        "caption": getattr(media, "caption", None),
        "filename": _file_name(media, attachment) if message.type == "document" else None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _file_name(media: Media, attachment: Attachment | None) -> str | None:
    """What the recipient sees; a document that was uploaded shows its own name."""
    own = attachment.filename if isinstance(attachment, Upload) else None
    given: str | None = getattr(media, "filename", None)
    return given or own
