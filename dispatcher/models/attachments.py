"""What a media's source, link or id comes to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from pydantic import AwareDatetime

from dispatcher.inputs import InputFile, open_regular
from dispatcher.media import mime_type
from dispatcher.models.base import Model
from dispatcher.names import canonical_name


class Upload(Model):
    """A file to upload before the message is sent, identified by its content.

    `open()` gives a fresh binary stream each time; `size` is in bytes.
    """

    filename: str
    size: int
    sha256: str
    mime_type: str
    open: Callable[[], BinaryIO]

    @classmethod
    def from_path(cls, path: Path) -> Upload:
        """Describe a local file; reads it once, in pieces. Raises OSError.

        `open()` raises OSError, too, once it is another file than the one that was read.
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
        """Stands for the media id in a payload until the file is uploaded."""
        return f"upload:sha256:{self.sha256}"

    @property
    def fields(self) -> dict[str, Any]:
        """See `Media.file_fields`."""
        return {"id": self.reference}


class Link(Model):
    """A URL that the gateway fetches by itself; `provider` names credentials stored there.

    `identity`: what stands for the URL where a message is compared with what was sent; for one that
    is another each time, as signed ones are, though it leads to the same.
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
    """A file that the gateway holds already; `expires_at` (with a time zone): until when."""

    id: str
    expires_at: AwareDatetime | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """See `Media.file_fields`."""
        return {"id": self.id}


Attachment: TypeAlias = Upload | Link | MediaId
