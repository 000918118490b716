"""What WhatsApp shows, for all transports that lead to it, whichever gateway they use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from dispatcher.media import UNKNOWN, mime_type
from dispatcher.models import Attachment, Link, Problem, Upload


class Shown(NamedTuple):
    """Files that WhatsApp shows as a kind of content: of these MIME types, at most `size` bytes.

    `called` is the name of these types for people.
    """

    called: str
    mime_types: tuple[str, ...]
    size: int


# Source: Meta, "Cloud API: Media", "Supported media types". Documents may be anything.
SHOWN = {
    "image": Shown("JPEG and PNG", ("image/jpeg", "image/png"), 5_000_000),
    "video": Shown("MP4 and 3GP", ("video/mp4", "video/3gpp"), 16_000_000),
    "audio": Shown(
        "AAC, AMR, MP3, M4A and Opus in OGG",
        ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"),
        16_000_000,
    ),
}


def payload_warnings(payload: dict[Any, Any], attachment: Attachment | None) -> Iterator[Problem]:
    """Yield warnings about what the recipient will not see; `where` is the payload's field.

    `payload` has the content in a table named by its kind, as Green API and Meta do.
    """
    for kind in SHOWN:
        if kind in payload:
            yield from file_warnings(kind, attachment)


def file_warnings(kind: str, attachment: Attachment | None) -> Iterator[Problem]:
    """Yield warnings about a file that the recipient will not see as this kind ("image")."""
    shown = SHOWN.get(kind)
    if shown is None or not isinstance(attachment, (Upload, Link)):
        return
    where, name, found = _named(kind, attachment)
    if isinstance(attachment, Link) and found == UNKNOWN:
        return  # what the URL leads to is known only when the gateway fetches it
    family = found.partition("/")[0]
    if isinstance(attachment, Upload) and family in {*SHOWN, "text"} - {kind}:
        return  # `checks` warns that a video is no image, whatever the transport
    if found.partition(";")[0].strip().lower() not in shown.mime_types:
        sentence = (
            f"{name} is {found}, but WhatsApp shows only {shown.called} as {kind}: the recipient "
            "gets a plain file or nothing; send it as document"
        )
        yield Problem(message=sentence, where=where, severity="warning")
    elif isinstance(attachment, Upload) and attachment.size > shown.size:
        sentence = (
            f"{name} has {attachment.size / 1e6:.1f} MB, but WhatsApp shows {kind} of at most "
            f"{shown.size / 1e6:.0f} MB: the recipient may get nothing; send it as document"
        )
        yield Problem(message=sentence, where=where, severity="warning")


def _named(kind: str, attachment: Upload | Link) -> tuple[str, str, str]:
    """Return the field at fault, the file's name and its MIME type; for a link, from its URL."""
    if isinstance(attachment, Upload):
        return f"{kind}.source", attachment.filename, attachment.mime_type
    try:
        name = unquote(urlsplit(attachment.url).path).rpartition("/")[2]
    except ValueError:  # it is no URL, which is said elsewhere
        name = ""
    return f"{kind}.link", name, mime_type(name)
