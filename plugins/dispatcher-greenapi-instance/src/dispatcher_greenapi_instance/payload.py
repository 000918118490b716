"""Builds the body of sendMessage, sendFileByUrl, sendPoll, sendLocation or sendContact.

Source: Green API, documents of these names, whose order the fields have.

What the gateway has no field for stays in the body as the manifest has it, `{"image": {"provider":
…}}`, and `rules` refuses it by name.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from dispatcher import Attachment, Link, Media, MediaId, Message, Payload, Upload

# Green API, "Chat id"; `GreenApiInstance.address` leaves the ids of hidden numbers whole.
_CHAT = {"individual": "@c.us", "group": "@g.us", "lid": ""}
# The extension of `fileName` decides what is shown; these are for files without one of their kind,
# for example a picture that a script generates.
_EXTENSIONS = {"image": ".jpg", "video": ".mp4", "audio": ".mp3", "document": ".bin"}
# What stands beside the fields of any content, at the end.
_OPTIONS = ("quotedMessageId", "typingTime")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}")


def build(message: Message, attachment: Attachment | None) -> Payload:
    """Return the JSON body; an `Upload` stands in it as its `reference`."""
    chat = {"chatId": f"{message.to}{_CHAT[message.recipient_type]}"}
    media, written = message.media, message.content.model_dump(exclude_none=True)
    options = {name: written.pop(name) for name in _OPTIONS if name in written}
    if media is None:
        return {**chat, **_fields(message, written), **options}
    attached = attachment or _written(media)
    caption = getattr(media, "caption", None)
    return {
        **chat,
        **_file(message, media, attached),
        **({} if caption is None else {"caption": caption}),
        **options,
        **_foreign(message, media, attached),
    }


def _fields(message: Message, written: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a content without a file."""
    if message.type == "text":
        preview = {} if message.preview_url is None else {"linkPreview": message.preview_url}
        return {"message": written.pop("body"), **preview, **written}
    return {"contact": written} if message.type == "contact" else written


def _written(media: Media) -> Attachment:
    return Link(url=media.link) if media.link is not None else MediaId(id=media.id or "")


def _file(message: Message, media: Media, attached: Attachment) -> dict[str, Any]:
    url = _url(attached)
    if url is None:
        return {}
    return {"urlFile": url, "fileName": _file_name(message.type, media, attached, url)}


def _url(attached: Attachment) -> str | None:
    """Return the URL of the file; this gateway also returns a URL for an uploaded one."""
    match attached:
        case Upload():
            return attached.reference
        case Link():
            return attached.url
        case MediaId():
            return attached.id if attached.id.startswith(("https://", "http://")) else None


def _file_name(kind: str, media: Media, attached: Attachment, url: str) -> str:
    """Return `fileName`, with an extension of its kind.

    It is the given name, else the file's own, or a usual one.
    """
    own = attached.filename if isinstance(attached, Upload) else _last_part(url)
    name = getattr(media, "filename", None) or own or kind
    if kind == "document":
        return name if _suffix(name) else name + (_suffix(own) or _EXTENSIONS[kind])
    if _is_of(kind, name):
        return name
    stem = name.removesuffix(_suffix(name)) if _EXTENSION.fullmatch(_suffix(name)) else name
    return stem + _EXTENSIONS[kind]


def _is_of(kind: str, name: str) -> bool:
    """Whether a name says that a file is of this kind; Python takes every `.3gp` for audio."""
    family = (mimetypes.guess_type(name)[0] or "").partition("/")[0]
    return family == kind or (kind == "video" and _suffix(name).lower() == ".3gp")


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix


def _last_part(url: str) -> str:
    """Return the name of the file to which a URL leads, or an empty text for a folder."""
    try:
        return unquote(urlsplit(url).path).rpartition("/")[2]
    except ValueError:  # it is no URL, which is said elsewhere
        return ""


def _foreign(message: Message, media: Media, attached: Attachment) -> dict[str, Any]:
    provider = getattr(attached, "provider", None) or (media.provider and media.provider.name)
    fields: dict[str, Any] = {"provider": {"name": provider}} if provider else {}
    if _url(attached) is None:
        fields["id"] = getattr(attached, "id", "")
    return {message.type: fields} if fields else {}
