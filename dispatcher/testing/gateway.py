"""A real HTTP server on loopback that does what a script says, and remembers what it got."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from typing import IO, Self

from dispatcher.testing.script import Doing, Fault, Raw, Reply, Request, Step
from dispatcher.testing.wire import read_request

_RESETS = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed so is reset


class ScriptedGateway:
    """Answers each request with the next step of its script, and all further ones with the last.

    A step is a `Reply`, a `Fault`, `Raw` bytes, or a function that makes one of them of the
    `Request`. `aside`: steps for certain paths, whose requests are neither counted nor kept: where
    a session is opened, say. `requests`: those that arrived whole. `attempts`: how many began.
    `patience`: seconds that a stall lasts. Use it as a `with ScriptedGateway(…) as gateway:`.
    """

    def __init__(
        self, *steps: Step, aside: Mapping[str, Step] | None = None, patience: float = 10
    ) -> None:
        self.patience, self._aside = patience, dict(aside or {})
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self.requests: list[Request] = []
        self._stored: list[IO[bytes]] = []
        self.script(*steps)

    def script(self, *steps: Step) -> None:
        """What to do from now on; forgets the requests so far."""
        with self._lock:
            self._steps, self.attempts = list(steps) or [Reply()], 0
            self._forget()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
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

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.add(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        # ValueError: what came is no HTTP.
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
            while not self._ended.is_set() and self._answer(connection, stream):
                pass
        self._connections.discard(connection)

    def _answer(self, connection: socket.socket, stream: BufferedReader) -> bool:
        """Deal with one request; whether the connection stays open."""
        first = stream.peek(1)
        if not first:
            return False
        path = [*first.partition(b"\r\n")[0].decode("latin-1").split(" "), ""][1]
        step = self._aside[path] if path in self._aside else self._next_step()
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

    def _next_step(self) -> Step:
        with self._lock:
            self.attempts += 1
            return self._steps[min(self.attempts, len(self._steps)) - 1]

    def _do(self, doing: Doing, connection: socket.socket) -> bool:
        match doing:
            case Reply():
                connection.sendall(doing.encoded())
                return not doing.broken
            case Raw():
                connection.sendall(doing.data)
            case Fault.RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
            case Fault.STALL:
                self._ended.wait(self.patience)
        return False


@contextmanager
def closed_address() -> Iterator[str]:
    """The URL of a port on which nobody listens, held so that nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
