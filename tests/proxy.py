"""A proxy on loopback before a PostgreSQL server, with which the network fails when it matters."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import make_url

Fault = Literal["cut after", "commit late", "stall"]


class Proxy:
    """Passes everything on, but for the first commit of an intent; `reached`: it came to that.

    "cut after": the client never hears of the answer; "commit late": the client's connection
    breaks, and the server hears of it a while later; "stall": the answer comes when `release` is
    set.
    """

    def __init__(self, url: str, fault: Fault) -> None:
        self._server, self._fault = make_url(url), fault
        self.reached, self.release = threading.Event(), threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        here = self._server.set(host="127.0.0.1", port=port)
        self.url = here.render_as_string(hide_password=False)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        host, port = self._server.host or "127.0.0.1", self._server.port or 5432
        with client, socket.create_connection((host, port)) as server:
            intent = False
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    intent = intent or b"INSERT INTO messages" in data
                    if intent and b"COMMIT" in data and not self.reached.is_set():
                        self.reached.set()
                        self._fail(client, server, data)
                    else:
                        (server if source is client else client).sendall(data)

    def _fail(self, client: socket.socket, server: socket.socket, commit: bytes) -> None:
        if self._fault == "commit late":
            client.shutdown(socket.SHUT_RDWR)
            time.sleep(1)
        server.sendall(commit)
        answer = server.recv(65536)
        if self._fault == "stall":
            self.release.wait(30)
            client.sendall(answer)
        elif self._fault == "cut after":
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.release.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def proxy(url: str, fault: Fault) -> Iterator[Proxy]:
    found = Proxy(url, fault)
    try:
        yield found
    finally:
        found.close()
