"""Serves an application on this machine with uvicorn, and keeps web pages of other origins out.

A page of any origin can make a browser on this machine send requests here. So the name in `Host`
must be one of this server's (against DNS rebinding), and a page of another origin may only link to
pages of this server (against CSRF).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import struct
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

IDLE_SECONDS: Final = 75
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
FOREIGN_SITES: Final = (b"cross-site", b"same-site")
# struct linger is two shorts on Windows, two ints elsewhere: switched on, for 0 seconds.
NO_LINGER: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def run(app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve an application until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        http=_Protocol,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    _Server(config, on_ready).run([listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to this address. Raises OSError if it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where TCP is named, asyncio switches off Nagle's algorithm, which costs 40 ms per response.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """Return the URL of the listener for clients on this machine."""
    address, port = listener.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        host = "::1" if ":" in address else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Stops at the first signal, even if requests are in progress."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Requests in progress are cut off on purpose: that is no error to report.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        for protocol in list(self.server_state.connections):
            protocol.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True  # uvicorn would raise the signal again when it has stopped


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Puts the connection into `app_state`, which uvicorn copies into every request's state."""

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connection = Connection(cast(asyncio.Transport, transport))
        self.app_state = {**self.app_state, "connection": connection}


class Connection:
    """One TCP connection; `used` once a request to /v1 came over it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.used = False

    @staticmethod
    def of(scope: Scope) -> Connection:
        """Return the connection that the server's protocol put into a request's state."""
        connection: Connection = scope["state"]["connection"]
        return connection

    def close(self) -> None:
        """Close it now, without sending what is buffered."""
        self._transport.abort()

    def reset(self) -> None:
        """Close it with an RST, as a socket does that must not linger (socket(7), SO_LINGER)."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._transport.abort()


@dataclass
class Guard:
    """ASGI middleware that responds with 403 to requests of other origins."""

    app: ASGIApp
    hosts: Collection[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = self._reason(scope)
        app = self.app if reason is None else JSONResponse({"error": reason}, 403)
        await app(scope, receive, send)

    def _reason(self, scope: Scope) -> str | None:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if hostname(host) not in (*self.hosts, scope["server"][0]):
            return f"the Host header must be this server's own, not {host!r}"
        if is_foreign(headers, host) and not is_link(scope, headers):
            return "the request comes from a page of another origin"
        return None


def hostname(host: str) -> str | None:
    """Return the name or address in a Host header, without port and brackets, or None."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_foreign(headers: Mapping[bytes, bytes], host: str) -> bool:
    """Whether a browser says that a page of another origin sent the request."""
    origin = headers.get(b"origin")
    if headers.get(b"sec-fetch-site") in FOREIGN_SITES:
        return True
    return origin is not None and origin.decode("latin-1").lower() != f"http://{host.lower()}"


def is_link(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser follows a link to a page of this server, which changes nothing."""
    is_page = scope["method"] == "GET" and not scope["path"].startswith("/v1/")
    return is_page and headers.get(b"sec-fetch-mode") == b"navigate"
