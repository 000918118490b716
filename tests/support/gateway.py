"""An HTTP gateway on loopback that does what a test says, and remembers what it was asked."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias

from tests.support.waiting import PATIENCE

ACCEPTED = b'{"messages":[{"id":"1"}],"media":[{"id":"1"}]}'
_KEPT = 100_000  # bytes of a body


@dataclass(frozen=True)
class Request:
    """A request that arrived whole, and when. `headers`: by lower-case name.

    `length`, `sha256`: of the body, of which `body` is the beginning, 100 KB at least.
    """

    line: str
    headers: Mapping[str, str]
    length: int
    sha256: str
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return str(self.json["text"]["body"])


@dataclass(frozen=True)
class Reply:
    """An answer; accepted, if nothing else is said."""

    status: int = 201
    body: bytes = ACCEPTED
    headers: Mapping[str, str] = field(default_factory=dict)


def asks_to_wait(seconds: str) -> Callable[[Request], Reply]:
    """What a gateway replies that asks for a pause of the account; see `Gateway.reply`."""
    return lambda asked: Reply(429, b"", {"Retry-After": seconds})


class Peer:
    """The gateway's end of one connection."""

    def __init__(self, connection: socket.socket, gateway: Gateway) -> None:
        self.connection = connection
        self.gateway = gateway

    def read(self) -> Request | None:
        """Read one request, which the gateway then has; None: the connection ended before."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.connection.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rest)}
        length, digest = len(body), hashlib.sha256(body)
        while length < int(headers.get("content-length", 0)):
            piece = self.connection.recv(65536)
            if not piece:
                return None
            length += len(piece)
            digest.update(piece)
            body += piece if len(body) < _KEPT else b""
        request = Request(line, headers, length, digest.hexdigest(), body)
        self.gateway.note(request)
        return request

    def raw(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, status: int, body: bytes = b"", *headers: str) -> None:
        given = any(header.startswith("Content-Length:") for header in headers)
        length = [] if given else [f"Content-Length: {len(body)}"]
        self.raw("\r\n".join([f"HTTP/1.1 {status} X", *length, *headers, "", ""]).encode() + body)

    def answer_each(self, status: int, body: bytes = b"", *headers: str) -> None:
        """Answer every request, and keep the connection until the client closes it."""
        while self.read():
            self.answer(status, body, *headers)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def stall(self) -> None:
        """Say nothing until the test ends."""
        self.gateway.ended.wait(10)

    def repeat(self, piece: bytes, pause: float) -> None:
        """Say this again and again, until the test ends or the client has enough."""
        while not self.gateway.ended.wait(pause):
            self.raw(piece)

    def secure(self, certificate: Path) -> None:
        """Speak TLS from here on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.connection = context.wrap_socket(self.connection, server_side=True)


class Gateway:
    """A server on loopback; `behave` deals with each connection in a thread of its own.

    Without it, each request gets what `reply` returns. `requests`: all of them, as they arrived;
    `connections`: how many there were.
    """

    def __init__(self, behave: Callable[[Peer], object] | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.reply: Callable[[Request], Reply] = lambda request: Reply()
        self.ended = threading.Event()
        self._behave = behave or self._reply_each
        self._arrival = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._accepted: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    def note(self, request: Request) -> None:
        with self._arrival:
            self.requests.append(request)
            self._arrival.notify_all()

    def wait_for(self, count: int) -> list[Request]:
        """The requests, as soon as there are so many."""
        with self._arrival:
            there = self._arrival.wait_for(lambda: len(self.requests) >= count, PATIENCE)
        assert there, f"{len(self.requests)} of {count} requests came"
        return list(self.requests)

    def hold(self, first: int = 1) -> threading.Event:
        """Let requests from this one on, counted from 1, wait until the event is set."""
        released = threading.Event()

        def reply(request: Request) -> Reply:
            if len(self.requests) >= first:
                released.wait(PATIENCE)
            return Reply()

        self.reply = reply
        return released

    @property
    def texts(self) -> list[str]:
        """The texts of all messages, as they arrived."""
        return [request.text for request in self.requests]

    def _reply_each(self, peer: Peer) -> None:
        while request := peer.read():
            reply = self.reply(request)
            headers = (f"{name}: {value}" for name, value in reply.headers.items())
            peer.answer(reply.status, reply.body, *headers)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._accepted.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        peer = Peer(connection, self)
        with suppress(OSError):
            self._behave(peer)
        with suppress(OSError):
            peer.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for each in (self._listener, *self._accepted):  # else their threads go on reading
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=0.2)


# What the fixture `serve` is: it starts a gateway for one test.
Serve: TypeAlias = Callable[..., Gateway]
