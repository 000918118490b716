"""Posts a file: it is read once, in pieces, and checked while it is read."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any, BinaryIO, Protocol, TypeAlias

from dispatcher.errors import OutcomeUnknown, Refused
from dispatcher.http.responses import Route
from dispatcher.models import Upload, encode

MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)


class Readable(Protocol):
    """What a body may be, once its length is known."""

    def read(self, size: int = -1, /) -> bytes: ...


Body: TypeAlias = bytes | Readable


class CheckedStream:
    """Reads an `Upload`: exactly as many bytes as it says, and exactly those it says.

    If they differ, `read` raises `Refused` in place of the last piece, so that the gateway never
    gets a complete body of something else. `complete` is True once all bytes were read and are
    right.
    """

    def __init__(self, stream: BinaryIO, file: Upload) -> None:
        self.complete = False
        self._stream = stream
        self._left = file.size
        self._sha256 = file.sha256
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
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
        except Exception as error:  # the stream may come from a plugin
            raise _unreadable(error) from None
        return piece

    def _check_end(self) -> None:
        right = self._digest.hexdigest() == self._sha256
        if self._next(1) or not right:
            raise _changed()
        self.complete = True


@contextmanager
def opened(file: Upload) -> Iterator[CheckedStream]:
    """Open a file to upload and always close it. Raises `Refused` if it cannot be read."""
    try:
        stream = file.open()
    except Exception as error:  # `open` may come from a plugin
        raise _unreadable(error) from None
    try:
        yield CheckedStream(stream, file)
    finally:
        with suppress(Exception):  # everything that matters has been read
            stream.close()


@contextmanager
def sent_whole(file: Upload, route: Route) -> Iterator[CheckedStream]:
    """Open a file to send.

    At the end, a gateway that says yes to a part of it makes that `OutcomeUnknown`, or `NotSent`
    where repeating does no harm.
    """
    with opened(file) as stream:
        yield stream
    if not stream.complete:
        outcome = route.unless_repeatable(OutcomeUnknown)
        raise outcome("the gateway did not wait for the whole file", code="incomplete")


def content_type(file: Upload) -> str:
    """Return the file's MIME type. Raises `Refused` if no header can carry it."""
    if not MIME_TYPE.fullmatch(file.mime_type):
        raise Refused(f"{file.mime_type!r} is not a MIME type", code="file")
    return file.mime_type


def _changed() -> Refused:
    return Refused("the file changed while it was being sent", code="file")


def _unreadable(error: Exception) -> Refused:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Refused(f"the file cannot be read: {reason}", code="file")


class Multipart:
    """A `multipart/form-data` body (RFC 7578): fields, then the file as the field `name`.

    A field that is no text is written as JSON. `headers` gives its type and length:
    `transport.post(route, form, form.headers)`. Raises `Refused` for a MIME type that no header can
    carry.
    """

    def __init__(
        self, fields: Mapping[str, Any], name: str, file: Upload, body: CheckedStream
    ) -> None:
        boundary = secrets.token_hex(16)
        texts = (_part(boundary, key, f"{_text(value)}\r\n") for key, value in fields.items())
        head = b"".join(texts) + _part(boundary, name, "", file)
        tail = f"\r\n--{boundary}--\r\n".encode()
        self._parts: list[Readable] = [BytesIO(head), body, BytesIO(tail)]
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + file.size + len(tail)),
        }

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(65_536), b""))
        while self._parts:
            if piece := self._parts[0].read(size):
                return piece
            self._parts.pop(0)
        return b""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _part(boundary: str, name: str, text: str, file: Upload | None = None) -> bytes:
    from urllib3.fields import RequestField  # planning need not pay for it

    field = RequestField(name, text, filename=file.filename if file else None)
    field.make_multipart(content_type=content_type(file) if file else None)
    return f"--{boundary}\r\n{field.render_headers()}{text}".encode()
