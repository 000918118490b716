"""Connections that end in time, and of which urllib3 logs nothing secret.

An exchange has a deadline, which is checked before each piece is sent and each one is received: a
timeout of the socket alone starts again with every byte that arrives.

urllib3 logs the path of every request and repeats it in its errors. So it gets `HIDDEN` in place of
a token, and only the connection puts the token back when it writes the request. urllib3 also logs
headers of a response that it cannot parse; a gateway may repeat there what it was sent.

Imported only when something is sent, so that planning does not pay for urllib3.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPMessage, HTTPResponse
from io import BufferedReader, RawIOBase
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from pydantic import SecretStr
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import connection as sockets

from dispatcher.http.permission import require_permission
from dispatcher.http.responses import HIDDEN
from dispatcher.transports import MIN_BYTES_PER_SECOND

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) ([ -~]*)\r\n")
_END = b"\r\n\r\n"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PIECE = 65_536  # bytes that are sent between two looks at the clock


class Deadline:
    """When the current exchange must be over; all connections of a thread share it.

    `response` is the seconds within which a whole response must arrive.
    """

    def __init__(self) -> None:
        self.response = inf
        self._end = inf

    def begin(self, seconds: float) -> None:
        """Start a step that may take this many seconds."""
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that remain, more than 0. Raises TimeoutError."""
        remaining = self._end - monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        return remaining


def prepare(pool: ConnectionPool, token: SecretStr, deadline: Deadline) -> None:
    """Make all future connections of a pool keep the deadline and the secret.

    The pool has no connection yet. `token` is written as in a URL.
    """
    kind: Any = pool.ConnectionCls  # type: ignore[attr-defined] # of HTTP(S)ConnectionPool

    class Connection(kind):  # type: ignore[misc]
        """Connecting, sending and receiving each have a deadline of their own as a whole.

        A body in memory leaves together with the head: in one piece, a tenth more requests are made
        in a second (benchmarks/sending.py, benchmarks/tls.py).
        """

        _held: bytes | None = None  # the head, once it is there; None: nothing is held back

        def connect(self) -> None:
            deadline.begin(self.timeout)
            super().connect()

        def _new_conn(self) -> socket.socket:
            direct = kind._new_conn is HTTPConnection._new_conn  # not through SOCKS
            found = _connected(self, deadline) if direct else super()._new_conn()
            found.settimeout(deadline.remaining())  # for the handshake
            return found

        def _tunnel(self) -> None:
            super()._tunnel()
            self.sock.settimeout(deadline.remaining())  # for the handshake behind it

        def request(
            self, method: str, url: str, body: Any, headers: Mapping[str, str], **options: Any
        ) -> None:
            if self.sock is None:
                self.connect()
            deadline.begin(
                int(headers["Content-Length"]) / MIN_BYTES_PER_SECOND + deadline.response
            )
            self._held = b"" if body and isinstance(body, bytes) else None
            super().request(method, url, body, headers, **options)

        def putrequest(self, method: str, url: str, *more: Any, **options: Any) -> None:
            written = url.replace(HIDDEN, token.get_secret_value())
            super().putrequest(method, written, *more, **options)

        def send(self, data: bytes) -> None:
            if self._held == b"":
                self._held = data
                return
            if self._held is not None:
                data, self._held = self._held + data, None
            for start in range(0, len(data), _PIECE):
                piece = data[start : start + _PIECE]
                # A stalled receiver times out with this piece, not only at the deadline.
                longest = len(piece) / MIN_BYTES_PER_SECOND + deadline.response
                self.sock.settimeout(min(deadline.remaining(), longest))
                require_permission()
                super().send(piece)

        def getresponse(self) -> Any:
            deadline.begin(deadline.response)
            return super().getresponse()

        def response_class(self, sock: Any, *more: Any, **options: Any) -> HTTPResponse:
            incoming: Any = _Incoming(sock, deadline)
            return _Response(incoming, *more, **options)

    pool.ConnectionCls = Connection  # type: ignore[attr-defined]
    # A file is read in the same pieces: urllib3's 16 KB take three times as long to be sent
    # (benchmarks/upload.py).
    pool.conn_kw["blocksize"] = _PIECE  # type: ignore[attr-defined]


def _connected(connection: Any, deadline: Deadline) -> socket.socket:
    """Return a socket to the first address of a host that can be reached.

    The remaining time is divided among the addresses.
    """
    try:
        addresses = _addresses(connection._dns_host.strip("[]"), connection.port)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    failure: OSError = OSError("it has no address")
    for number, address in enumerate(addresses):
        try:
            within = deadline.remaining() / (len(addresses) - number)
            options = connection.socket_options
            return sockets.create_connection(address, within, socket_options=options)
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, "timed out") from failure
    raise NewConnectionError(connection, str(failure)) from failure


def _addresses(host: str, port: int) -> list[tuple[str, int]]:
    family = sockets.allowed_gai_family()
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except UnicodeError:
        raise LocationParseError(host) from None
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))


class _Response(HTTPResponse):
    """Drops what cannot be parsed of the headers: it would only go into urllib3's log.

    A head like that of almost every response is read without the email package, which takes as
    long as all else that is done with a response (benchmarks/sending.py).
    """

    _method: str | None  # of the request

    def begin(self) -> None:
        unread = self.headers is None and self._method != "HEAD"
        head = _plain_head(self.fp.peek()) if unread else None
        if head is None:
            super().begin()
            self.headers.defects.clear()
        else:
            self.fp.read(head.size)
            self.version, self.reason = 11, head.reason
            self.code = self.status = head.status
            self.headers = self.msg = head.headers
            self.length, self.chunked, self.will_close = head.length, False, False
        self.headers.set_payload("")


class _Head(NamedTuple):
    """What a response begins with: `size` bytes, which announce a body of `length`."""

    status: int
    reason: str
    headers: HTTPMessage
    length: int
    size: int


def _plain_head(start: bytes) -> _Head | None:
    """Return the head in the first bytes of a response; None if it is incomplete or unusual.

    Usual is one of HTTP/1.1 in ASCII with a `Content-Length`, after which the connection stays open
    (RFC 9112).
    """
    end = start.find(_END)
    found = _STATUS.match(start)
    if end < 0 or found is None:
        return None
    headers = HTTPMessage()
    for line in start[found.end() : end].decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if not (colon and _TOKEN.fullmatch(name) and value.isascii() and value.isprintable()):
            return None
        headers[name] = value.lstrip(" ")
    status, lengths = int(found[1]), headers.get_all("Content-Length", [])
    bodiless = status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    is_kept = headers.get("Connection", "keep-alive").lower() == "keep-alive"
    counted = len(lengths) == 1 and lengths[0].isdecimal() and "Transfer-Encoding" not in headers
    if bodiless or not is_kept or not counted:
        return None
    reason = found[2].decode().strip()
    return _Head(status, reason, headers, int(lengths[0]), end + len(_END))


class _Incoming(RawIOBase):
    """Reads from a socket until the deadline; the part of a socket that HTTPResponse needs."""

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline
        self._stream: RawIOBase = sock.makefile("rb", buffering=0)

    def makefile(self, _: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._deadline.remaining())
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()
