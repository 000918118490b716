"""Serves the sandbox with uvicorn until it is told to stop."""

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Final, cast

try:
    import uvicorn
    from starlette.types import ASGIApp
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    from dispatcher.sandbox.app import create_app
    from dispatcher.sandbox.faults import Connection
    from dispatcher.sandbox.storage import Storage
except ModuleNotFoundError as missing:
    raise ImportError(
        "the sandbox needs its extra: pip install 'message-dispatcher[sandbox]'"
    ) from missing

IDLE_SECONDS: Final = 75


def serve(
    host: str,
    port: int,
    token: str | None,
    max_messages: int,
    on_ready: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.time,
    storage: Path | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; calls `on_ready` with its URL as soon as it does.

    Port 0 takes a free one; `token` is the only valid one (None: any); the newest `max_messages`
    are kept, in the file `storage` if there is one, as the uploads are beside it; `clock` tells the
    time as `time.time` does.
    Raises OSError if it cannot listen there, CannotStore if it cannot use the file.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(listen(host, port))
        kept = stack.enter_context(closing(Storage(storage))) if storage else None
        temporary = stack.enter_context(TemporaryDirectory(prefix="sandbox-"))
        folder = kept.folder if kept else Path(temporary)
        app = create_app(folder, token, max_messages, [host.lower()], clock, kept)
        run(app, listener, lambda: on_ready(url_of(listener, host)))


def run(app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serves an application until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        http=_protocol(AutoHTTPProtocol),
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
    """A socket that is bound there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where TCP is named, asyncio switches off Nagle's algorithm, which costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """Where a client on this machine finds the listener."""
    address, port = listener.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        host = "::1" if ":" in address else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Stops at the first signal, whatever is still open."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Who waits for an answer is cut off on purpose: that is no error to report.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        for protocol in list(self.server_state.connections):
            protocol.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True  # uvicorn would raise the signal again when it has stopped


def _protocol(base: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    return type("SandboxProtocol", (_HandsOverConnection, base), {})


class _HandsOverConnection(asyncio.Protocol):
    """Puts the connection into `app_state`, which uvicorn copies into every request's state."""

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connection = Connection(cast(asyncio.Transport, transport))
        self.app_state = {**self.app_state, "connection": connection}
