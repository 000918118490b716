"""A real HTTP server on loopback that follows a script and records what it got."""

from __future__ import annotations

import enum
import hashlib
import json
import select
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from time import sleep
from typing import IO, Any, NamedTuple, Self, TypeAlias

_RESETS = struct.pack("ii", 1, 0)  # SO_LINGER: closing such a socket resets the connection
_IN_MEMORY = 256 * 1024  # bytes of a body; a longer one is written to disk
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Reply:
    """A response. A `body` of bytes or text is sent as it is, anything else as JSON.

    The given headers take precedence over those that the gateway adds.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()

    def cut(self) -> Reply:
        """Return the same response, whose connection closes after half of the body."""
        whole = self.content
        length = {"Content-Length": str(max(1, len(whole)))}
        return replace(self, body=whole[: len(whole) // 2], headers={**self.headers, **length})

    @property
    def broken(self) -> bool:
        """Whether less is sent than the response promises."""
        promised = self.headers.get("Content-Length", "")
        return promised.isdigit() and int(promised) != len(self.content)

    def encoded(self) -> bytes:
        """Return the whole response as it is sent."""
        added = {"Content-Type": "application/json", "Content-Length": str(len(self.content))}
        headers = {**added, **self.headers}
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.content


@dataclass(frozen=True)
class Raw:
    """Bytes that are sent as they are, before the connection closes."""

    data: bytes


class Fault(enum.Enum):
    """How a connection ends without a response."""

    CLOSE_BEFORE_READING = "closed before the request was read"
    CLOSE = "closed after the whole request"
    RESET = "reset after the whole request"
    STALL = "no answer, as long as the gateway has patience"


@dataclass(frozen=True)
class Request:
    """A request that arrived completely; `headers` by lower-case name, `path` with the query.

    `length` is the bytes of the body, `pieces` the lengths of its chunks, or of the body if it came
    in one.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    length: int
    sha256: str
    pieces: tuple[int, ...]
    stored: IO[bytes] = field(repr=False)

    @property
    def body(self) -> bytes:
        """The body, read from disk if it is a long one."""
        self.stored.seek(0)
        return self.stored.read()

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError if it is none."""
        return json.loads(self.body)


Doing: TypeAlias = Reply | Raw | Fault
Step: TypeAlias = Doing | Callable[[Request], Doing]


class ScriptedGateway:
    """Responds to each request with the next step of its script, and to all others with the last.

    A step is a `Reply`, a `Fault`, `Raw` bytes, or a function that makes one of them from the
    `Request`. `aside` has steps for certain paths, for example to open a session, whose requests
    are neither counted nor kept. `requests` are those that arrived completely. A stall lasts
    `patience` seconds. Use it as a `with ScriptedGateway(…) as gateway:`.
    """

    def __init__(
        self, *steps: Step, aside: Mapping[str, Step] | None = None, patience: float = 10
    ) -> None:
        self.patience, self._aside = patience, dict(aside or {})
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self._listening: list[socket.socket] = []
        # Connections whose next request is yet to be counted.
        self._uncounted: set[socket.socket] = set()
        self.requests: list[Request] = []
        self._stored: list[IO[bytes]] = []
        self.script(*steps)

    def script(self, *steps: Step) -> None:
        """Set what to do from now on; forgets the requests so far."""
        self._count_arrived()
        with self._lock:
            self._steps, self._attempts = list(steps) or [Reply()], 0
            self._forget()

    @property
    def attempts(self) -> int:
        """How many requests began, including every one that was sent before this was read."""
        self._count_arrived()
        return self._attempts

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._listening.append(listener)
        self._accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for listener in self._listening:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join()  # after it, no connection and no thread is added
            listener.close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._forget()

    def _forget(self) -> None:
        for stored in self._stored:
            stored.close()
        self._stored, self.requests = [], []

    def _count_arrived(self) -> None:
        """Wait until every request that is in a connection has been counted.

        A sender that gives up early may be done before the thread here has looked at its request.
        """
        while not self._ended.is_set():
            with self._lock:
                if not _readable(*self._listening, *self._uncounted):
                    return
            sleep(0.001)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was shut down
            while not self._ended.is_set():
                if not _readable(listener, seconds=0.1):
                    continue
                with self._lock:  # `_count_arrived` sees it as waiting, or as uncounted
                    connection, _ = listener.accept()
                    self._connections.add(connection)
                    self._uncounted.add(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            with suppress(OSError, ValueError):  # ValueError: what came is no HTTP
                while not self._ended.is_set() and self._answer(connection, stream):
                    pass
            with self._lock:
                self._connections.discard(connection)
                self._uncounted.discard(connection)

    def _answer(self, connection: socket.socket, stream: IO[bytes]) -> bool:
        """Handle one request; return whether the connection stays open."""
        # It stays in the socket until it is counted: see `_count_arrived`.
        first = connection.recv(_PIECE, socket.MSG_PEEK)
        if not first:
            return False
        path = [*first.partition(b"\r\n")[0].decode("latin-1").split(" "), ""][1]
        step = self._next_step(path, connection)
        if step is Fault.CLOSE_BEFORE_READING:
            return False
        request = read_request(stream)
        if request is None:
            return False
        with self._lock:
            self._stored.append(request.stored)
            if path not in self._aside:
                self.requests.append(request)
        return self._do(step(request) if callable(step) else step, connection)

    def _next_step(self, path: str, connection: socket.socket) -> Step:
        with self._lock:
            self._uncounted.discard(connection)
            if path in self._aside:
                return self._aside[path]
            self._attempts += 1
            return self._steps[min(self._attempts, len(self._steps)) - 1]

    def _do(self, doing: Doing, connection: socket.socket) -> bool:
        match doing:
            case Reply(broken=False):
                with self._lock:  # before the sender can go on
                    self._uncounted.add(connection)
                connection.sendall(doing.encoded())
                return True
            case Reply():
                connection.sendall(doing.encoded())
            case Raw():
                connection.sendall(doing.data)
            case Fault.RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
            case Fault.STALL:
                self._ended.wait(self.patience)
        return False


def _readable(*sockets: socket.socket, seconds: float = 0) -> bool:
    """Whether one of them can be read from, or accepts a connection, within this time."""
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


@contextmanager
def closed_address() -> Iterator[str]:
    """Yield the URL of a port on which nobody listens, held so that nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class _Head(NamedTuple):
    """The first lines of a request."""

    method: str
    path: str
    headers: dict[str, str]


def read_request(stream: IO[bytes]) -> Request | None:
    """Return the next request once it is complete, or None if the connection ended before."""
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


def _head(stream: IO[bytes]) -> _Head | None:
    method, _, rest = stream.readline().decode("latin-1").strip().partition(" ")
    headers: dict[str, str] = {}
    for line in iter(stream.readline, b""):
        if not line.strip():
            return _Head(method, rest.rpartition(" ")[0], headers)
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return None


class _Body:
    """Writes the bytes of a body to a file."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stored: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - kept with the request
        self.digest, self.length = hashlib.sha256(), 0
        self.pieces: list[int] = []
        self._stream = stream

    def take(self, size: int) -> bool:
        """Read one piece of this size; return False if the connection ended before."""
        left = size
        while left and (data := self._stream.read(min(left, _PIECE))):
            self.stored.write(data)
            self.digest.update(data)
            left -= len(data)
        self.length += size - left
        self.pieces.append(size - left)
        return not left

    def chunks(self) -> bool:
        """Read a body in chunks (RFC 9112, 7.1); return False if the connection ended before."""
        while line := self._stream.readline():
            size = int(line.partition(b";")[0], 16)
            if not size:
                return any(not end.strip() for end in iter(self._stream.readline, b""))
            if not self.take(size):
                return False
            self._stream.readline()
        return False
