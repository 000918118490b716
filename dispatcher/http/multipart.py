"""A form with a file, for gateways that take uploads so; it never holds more than a piece of it.

Imported only when something is uploaded, so that planning does not pay for urllib3.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from io import BytesIO

from urllib3.fields import RequestField

from dispatcher.http.files import CheckedStream, Readable, content_type
from dispatcher.models import Upload


class Multipart:
    """`multipart/form-data` (RFC 7578): text fields, then the file as field `name`.

    `headers` say its type and length: `transport.post(route, form, form.headers)`. Raises `Refused`
    for a MIME type that no header can carry.
    """

    def __init__(
        self, fields: Mapping[str, str], name: str, file: Upload, body: CheckedStream
    ) -> None:
        boundary = secrets.token_hex(16)
        texts = (_part(boundary, key, f"{value}\r\n") for key, value in fields.items())
        head = b"".join(texts) + _part(boundary, name, "", file)
        tail = f"\r\n--{boundary}--\r\n".encode()
        self._parts: list[Readable] = [BytesIO(head), body, BytesIO(tail)]
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + file.size + len(tail)),
        }

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(65_536), b""))
        while self._parts:
            if piece := self._parts[0].read(size):
                return piece
            self._parts.pop(0)
        return b""


def _part(boundary: str, name: str, text: str, file: Upload | None = None) -> bytes:
    field = RequestField(name, text, filename=file.filename if file else None)
    field.make_multipart(content_type=content_type(file) if file else None)
    return f"--{boundary}\r\n{field.render_headers()}{text}".encode()
