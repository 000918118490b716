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
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

IDLE_SECONDS: Final = 75
FOREIGN_SITES: Final = (b"cross-site", b"same-site")
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


def run(
    app: ASGIApp,
    listener: socket.socket,
    on_ready: Callable[[], None],
    protocol: type[asyncio.Protocol] = AutoHTTPProtocol,
) -> None:
    """Serve an application until SIGINT or SIGTERM; every connection is one of this protocol."""
    config = uvicorn.Config(
        app,
        http=protocol,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
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
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would wait for requests, and raise the signal again when it has stopped.
        self.should_exit = self.force_exit = True


@dataclass
class Guard:
    """ASGI middleware that responds with 403 to requests of other origins.

    Links of other origins lead nowhere in paths that begin with `api`, either.
    """

    app: ASGIApp
    hosts: Collection[str] = LOCAL_HOSTS
    api: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = self._reason(scope)
        app = self.app if reason is None else JSONResponse({"error": reason}, 403)
        await app(scope, receive, send)

    def _reason(self, scope: Scope) -> str | None:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"")
        if _hostname(host.decode("latin-1")) not in (*self.hosts, scope["server"][0]):
            return f"the Host header must be this server's own, not {host.decode('latin-1')!r}"
        own = b"http://" + host.lower()
        site, mode = headers.get(b"sec-fetch-site"), headers.get(b"sec-fetch-mode")
        is_foreign = site in FOREIGN_SITES or headers.get(b"origin", own).lower() != own
        is_api = self.api is not None and scope["path"].startswith(self.api)
        is_page = scope["method"] == "GET" and not is_api
        if is_foreign and not (is_page and mode == b"navigate"):
            return "the request comes from a page of another origin"
        return None


def _hostname(host: str) -> str | None:
    """Return the name or address in a Host header, without port and brackets, or None."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
