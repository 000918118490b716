"""What a media table's source, link or id refers to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from pydantic import AwareDatetime

from dispatcher.inputs import InputFile, open_regular
from dispatcher.media import mime_type
from dispatcher.models.base import Model
from dispatcher.names import canonical_name

_PIECE = 1024 * 1024  # bytes


class Upload(Model):
    """A file to upload before the message is sent, identified by its content.

    `open()` returns a new binary stream each time; `size` is in bytes.
    """

    filename: str
    size: int
    sha256: str
    mime_type: str
    open: Callable[[], BinaryIO]

    @classmethod
    def from_path(cls, path: Path) -> Upload:
        """Describe a local file, which is read once, in pieces. Raises OSError.

        `open()` raises OSError, too, once the file is not the one that was read.
        """
        with open_regular(path) as stream:
            file = InputFile.read(os.path.realpath(path), stream)
        return cls(
            filename=canonical_name(path.name),
            size=file.state.size,
            sha256=file.sha256,
            mime_type=mime_type(path.name),
            open=file.open,
        )

    @property
    def reference(self) -> str:
        """What a payload has in place of the media id until the file is uploaded."""
        return f"upload:sha256:{self.sha256}"

    def is_intact(self) -> bool:
        """Whether the content is the one that is described here; it is read in pieces.

        Raises what `open` raises.
        """
        digest, size = hashlib.sha256(), 0
        with self.open() as stream:
            while size <= self.size and (piece := stream.read(_PIECE)):
                digest.update(piece)
                size += len(piece)
        return (size, digest.hexdigest()) == (self.size, self.sha256)

    @property
    def fields(self) -> dict[str, Any]:
        """See `Media.file_fields`."""
        return {"id": self.reference}


class Link(Model):
    """A URL that the gateway fetches itself; `provider` names credentials stored there.

    `identity` replaces the URL when a message is compared with what was sent. It is for URLs that
    differ each time, as signed ones do, though they lead to the same file.
    """

    url: str
    provider: str | None = None
    identity: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """See `Media.file_fields`."""
        provider = {"provider": {"name": self.provider}} if self.provider else {}
        return {"link": self.url, **provider}


class MediaId(Model):
    """A file that the gateway has already, until `expires_at` (with a time zone) if that is set."""

    id: str
    expires_at: AwareDatetime | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """See `Media.file_fields`."""
        return {"id": self.id}


Attachment: TypeAlias = Upload | Link | MediaId
