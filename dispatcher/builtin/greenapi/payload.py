"""A message as the body of `POST /v1/messages` (docs/greenapi-v1.md, "Request")."""

from __future__ import annotations

from typing import Any

from dispatcher import Attachment, Message, Payload


def build(message: Message, attachment: Attachment | None) -> Payload:
    """The JSON body, keys in the document's order, only what the message says.

    `attachment`: what the media's `source` resolved to; None: its `link` or `id` passes on as it
    is. An `Upload` stands in the body as its `reference` until its media id is known.
    `recipient_type` is always there: the provider's documents disagree about its default.
    """
    payload: Payload = {
        "recipient_type": message.recipient_type,
        "to": message.to,
        "type": message.type,
        message.type: _content(message, attachment),
    }
    if message.preview_url is not None:
        payload["preview_url"] = message.preview_url
    return payload


def _content(message: Message, attachment: Attachment | None) -> dict[str, Any]:
    media = message.media
    if media is None:
        return dict(vars(message.content))
    fields = {
        **media.file_fields(attachment),
        "caption": getattr(media, "caption", None),
        "filename": getattr(media, "filename", None),
    }
    return {key: value for key, value in fields.items() if value is not None}
