"""Fixtures: a transport, messages, and small servers on loopback that count what they see."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher import Message, Upload
from dispatcher.builtin.greenapi import GreenApi

TOKEN = "marker-token-7f3a9c"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GREENAPI_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", os.devnull)


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def transport() -> Callable[..., GreenApi]:
    """Make a transport with a token; `url` sets both addresses."""

    def make(url: str | None = None, **settings: Any) -> GreenApi:
        if url is not None:
            settings = {"base_url": url, "media_url": url, **settings}
        defaults = {"token": TOKEN, "connect_timeout": 5, "read_timeout": 5}
        return GreenApi(GreenApi.Settings(**{**defaults, **settings}))

    return make


@pytest.fixture
def message() -> Callable[..., Message]:
    """Make a message from its content table, as a manifest would write it."""

    def make(to: str = "79001234567", preview_url: bool | None = None, **content: Any) -> Message:
        (kind,) = content
        return Message.model_validate(
            {
                "key": f"default/m/x/1/{to}",
                "manifest": "m",
                "id": "x",
                "to": to,
                "recipient_type": "group" if "-" in to else "individual",
                "type": kind,
                "preview_url": preview_url,
                "transport": "greenapi",
                **content,
            }
        )

    return make


@pytest.fixture
def upload() -> Callable[..., Upload]:
    """Make a file to upload; keyword arguments replace what would be true of it."""

    def make(content: bytes = b"%PDF-1.7 prices", **fields: Any) -> Upload:
        facts: dict[str, Any] = {
            "filename": "prices.pdf",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "mime_type": "application/pdf",
            "open": lambda: io.BytesIO(content),
        }
        return Upload(**{**facts, **fields})

    return make


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket, gateway: Gateway) -> None:
        self.connection = connection
        self.gateway = gateway

    def read(self) -> bool:
        """Read one request, head and body, and remember it; False at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rest)}
        received, digest = len(body), hashlib.sha256(body)
        while received < int(headers.get("content-length", 0)):
            body = self.connection.recv(65536)
            if not body:
                return False
            received += len(body)
            digest.update(body)
        self.gateway.requests.append(
            SimpleNamespace(line=line, headers=headers, length=received, sha256=digest.hexdigest())
        )
        return True

    def raw(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, status: int, body: bytes = b"", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
        self.raw("\r\n".join(lines).encode() + body)

    def answer_each(self, status: int, body: bytes = b"") -> None:
        """Answer every request, and keep the connection until the client closes it."""
        while self.read():
            self.answer(status, body)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def stall(self) -> None:
        """Say nothing until the test ends."""
        self.gateway.ended.wait(10)

    def secure(self, certificate: Path) -> None:
        """Speak TLS from here on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        plain = self.connection
        self.connection = context.wrap_socket(plain, server_side=True)


class Gateway:
    """A server on loopback; `behave` deals with each connection in a thread of its own."""

    def __init__(self, behave: Callable[[Peer], object], backlog: int = 50) -> None:
        self.requests: list[SimpleNamespace] = []
        self.connections = 0
        self.ended = threading.Event()
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        peer = Peer(connection, self)
        with suppress(OSError):
            self._behave(peer)
        with suppress(OSError):
            peer.connection.close()

    def close(self) -> None:
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=0.2)


@pytest.fixture
def gateway() -> Iterator[Callable[..., Gateway]]:
    """Start a server that behaves as told."""
    started: list[Gateway] = []

    def start(behave: Callable[[Peer], object]) -> Gateway:
        started.append(Gateway(behave))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue is full, so that connecting to it never ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        queued = [socket.socket() for _ in range(4)]
        for one in queued:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(listener.getsockname())
        yield listener.getsockname()[1]
        for one in queued:
            one.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of localhost, 127.0.0.1 and gateway.test, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    names = "subjectAltName=DNS:localhost,DNS:gateway.test,IP:127.0.0.1"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(
        [*command.split(), "-subj", "/CN=localhost", "-addext", names, *files],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return both


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> Path:
    """The same, and transports trust it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    return certificate
