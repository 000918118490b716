"""A gateway that costs next to nothing, for the benchmarks: HTTP/1.1 with keep-alive, no checks.

    python benchmarks/gateway.py PORT DELAY [CERTIFICATE KEY]

It accepts every POST after DELAY seconds, a message or a file. `GET /posts` tells of each since the
last time when its head was there, and when all of it was: so nobody's start-up counts.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSING = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_ACCEPTED = (
    b'{"messages":[{"id":"wamid.3EB0C767D097B7C7C030"}],"idMessage":"3EB0C767D097B7C7C030",'
    b'"media":[{"id":"4490709327384033"}]}'
)


class Post(NamedTuple):
    """When the gateway had the head of a post, and all of it, as `perf_counter` counts here."""

    begun: float
    complete: float


class Pace(NamedTuple):
    """So many posts, the last of them so many seconds after the first; `most`: in any second."""

    posts: int
    seconds: float
    most: int

    @property
    def rate(self) -> float:
        return (self.posts - 1) / self.seconds


class Certificate(NamedTuple):
    """For a server on this machine; clients trust it as an authority of their own."""

    chain: Path
    key: Path

    @classmethod
    def made(cls, folder: Path) -> Certificate:
        """One as cheap as they come for both sides, which counts where each post has a handshake
        of its own."""
        made = cls(folder / "certificate.pem", folder / "key.pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
        curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-out", str(made.chain), "-keyout", str(made.key)]
        subprocess.run([*command, *curve, *names, *files], check=True, stderr=subprocess.DEVNULL)
        return made


class Gateway:
    """The gateway at `url`, which runs in a process of its own."""

    def __init__(self, url: str, certificate: Certificate | None = None) -> None:
        self.url = url
        self._trusted = (
            ssl.create_default_context(cafile=certificate.chain) if certificate else None
        )

    def posts(self, count: int) -> list[Post]:
        """The posts since they were asked for last; there must have been so many."""
        with urlopen(f"{self.url}/posts", context=self._trusted) as answer:
            posts = [Post(*each) for each in json.load(answer)]
        assert len(posts) == count, len(posts)
        return posts

    def pace(self, count: int) -> Pace:
        """The pace of these posts."""
        at = [each.complete for each in self.posts(count)]
        within = (bisect_left(at, each + 1) - place for place, each in enumerate(at))
        return Pace(count, at[-1] - at[0], max(within))


@contextmanager
def running(delay: float = 0.0, certificate: Certificate | None = None) -> Iterator[Gateway]:
    """A gateway that answers after so many seconds; over TLS, if it has a certificate."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, __file__, str(port), str(delay), *map(str, certificate or ())]
    process = subprocess.Popen(command)
    try:
        _wait_for(port)
        yield Gateway(f"{'https' if certificate else 'http'}://127.0.0.1:{port}", certificate)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise RuntimeError("the gateway does not start")


class _Connection(asyncio.Protocol):
    delay = 0.0
    posts: list[Post] = []  # noqa: RUF012 - of all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head, self._missing, self._begun = b"", 0, 0.0

    def data_received(self, data: bytes) -> None:
        if self._missing:  # of a body
            self._missing -= len(data)
        else:
            head, blank, rest = (self._head + data).partition(b"\r\n\r\n")
            self._head = head + blank
            if not blank:
                return
            length = _LENGTH.search(head)
            self._missing = int(length[1]) - len(rest) if length else 0
            self._begun = time.perf_counter()
        if not self._missing:
            head, self._head = self._head, b""
            self._requested(head)

    def _requested(self, head: bytes) -> None:
        if head.startswith(b"GET /posts"):
            self._answer(head, json.dumps(self.posts).encode())
            self.posts.clear()
            return
        self.posts.append(Post(self._begun, time.perf_counter()))
        if self.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self.delay, self._answer, head, _ACCEPTED)
        else:
            self._answer(head, _ACCEPTED)

    def _answer(self, head: bytes, body: bytes) -> None:
        status = b"201 Created" if b"/v1/" in head else b"200 OK"
        fields = b"content-type: application/json\r\ncontent-length: %d" % len(body)
        self._transport.write(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, fields, body))
        if _CLOSING.search(head):
            self._transport.close()


async def _serve(port: int, certificate: Sequence[str]) -> None:
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port, ssl=context, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    _Connection.delay = float(sys.argv[2])
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[3:]))
