"""A file on its way to the gateway: read once, in pieces, and checked while it is read."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import BinaryIO

from dispatcher import Refused, Upload
from dispatcher.builtin.greenapi.rules import MIME_TYPE

_EXTENSION = re.compile(r"\.[a-z0-9]{1,16}")


class CheckedStream:
    """The bytes of an `Upload`, exactly as many as it says and exactly those it says.

    `read` raises `Refused` in place of the last piece if they are not, so that the gateway never
    gets a whole body of something else. `complete`: all of them were read and they are right.
    """

    def __init__(self, stream: BinaryIO, file: Upload) -> None:
        self.complete = False
        self._stream = stream
        self._left = file.size
        self._sha256 = file.sha256
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._next(wanted)
        self._left -= len(piece)
        if self._left == 0 and not self.complete:
            self._check_end()
        elif len(piece) > wanted or (wanted and not piece):
            raise _changed()
        return piece

    def _next(self, size: int) -> bytes:
        try:
            piece = self._stream.read(size) if size else b""
            self._digest.update(piece)
        except Exception as error:  # the stream may be a plugin's
            raise _unreadable(error) from None
        return piece

    def _check_end(self) -> None:
        right = self._digest.hexdigest() == self._sha256
        if self._next(1) or not right:
            raise _changed()
        self.complete = True


@contextmanager
def opened(file: Upload) -> Iterator[CheckedStream]:
    """Open a file to upload; raises `Refused` if it cannot be read. Always closed at the end."""
    try:
        stream = file.open()
    except Exception as error:  # `open` may be a plugin's
        raise _unreadable(error) from None
    try:
        yield CheckedStream(stream, file)
    finally:
        with suppress(Exception):  # everything that matters is read
            stream.close()


def extension(file: Upload) -> str:
    """The value of `X-Gr-File-Extension` (provider's v1 documents, `/v1/media`): "jpeg".

    From the name, else from the MIME type, else "bin".
    """
    suffix = PurePath(file.filename).suffix.lower()
    guessed = mimetypes.guess_extension(file.mime_type) or ""
    found = next((one for one in (suffix, guessed) if _EXTENSION.fullmatch(one)), ".bin")
    return found.removeprefix(".")


def media_headers(file: Upload) -> dict[str, str]:
    """The headers of an upload; raises `Refused` for a MIME type that no header can carry."""
    if not MIME_TYPE.fullmatch(file.mime_type):
        raise Refused(f"{file.mime_type!r} is not a MIME type", code="file")
    return {
        "Content-Type": file.mime_type,
        "Content-Length": str(file.size),
        "X-Gr-File-Extension": extension(file),
    }


def _changed() -> Refused:
    return Refused("the file changed while it was being sent", code="file")


def _unreadable(error: Exception) -> Refused:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Refused(f"the file cannot be read: {reason}", code="file")
