"""HTTP/1.1 requests from a socket, in constant memory."""

from __future__ import annotations

import hashlib
import tempfile
from typing import IO, NamedTuple

from dispatcher.testing.script import Request

_IN_MEMORY = 256 * 1024  # bytes of a body; what is longer goes to disk
_PIECE = 64 * 1024


class Head(NamedTuple):
    """The first lines of a request."""

    method: str
    path: str
    headers: dict[str, str]


def read_request(stream: IO[bytes]) -> Request | None:
    """The next request, once all of it is there; None: the connection ended before."""
    head = _head(stream)
    if head is None:
        return None
    body = _Body(stream)
    chunked = "chunked" in head.headers.get("transfer-encoding", "").lower()
    whole = body.chunks() if chunked else body.take(int(head.headers.get("content-length", 0)))
    if not whole:
        body.stored.close()
        return None
    return Request(*head, body.length, body.digest.hexdigest(), tuple(body.pieces), body.stored)


def _head(stream: IO[bytes]) -> Head | None:
    method, _, rest = stream.readline().decode("latin-1").strip().partition(" ")
    headers: dict[str, str] = {}
    for line in iter(stream.readline, b""):
        if not line.strip():
            return Head(method, rest.rpartition(" ")[0], headers)
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return None


class _Body:
    """The bytes of a body on their way to a file."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stored: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - kept with the request
        self.digest, self.length = hashlib.sha256(), 0
        self.pieces: list[int] = []
        self._stream = stream

    def take(self, size: int) -> bool:
        """Read one piece of so many bytes; False: the connection ended before."""
        left = size
        while left and (data := self._stream.read(min(left, _PIECE))):
            self.stored.write(data)
            self.digest.update(data)
            left -= len(data)
        self.length += size - left
        self.pieces.append(size - left)
        return not left

    def chunks(self) -> bool:
        """Read a body in chunks (RFC 9112, 7.1); False: the connection ended before."""
        while line := self._stream.readline():
            size = int(line.partition(b";")[0], 16)
            if not size:
                return any(not end.strip() for end in iter(self._stream.readline, b""))
            if not self.take(size):
                return False
            self._stream.readline()
        return False
