"""A gateway that costs next to nothing, for the benchmarks: HTTP/1.1 with keep-alive, no checks.

    python benchmarks/gateway.py PORT DELAY

It accepts every POST after DELAY seconds. `GET /rate` tells the pace since the last one: how many
posts, the seconds from the first one to the last, and the most that came in any second. So nobody's
start-up counts.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.request import urlopen

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSING = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_ACCEPTED = b'{"messages":[{"id":"wamid.3EB0C767D097B7C7C030"}],"idMessage":"3EB0C767D097B7C7C030"}'


class Pace(NamedTuple):
    """So many posts, the last of them so many seconds after the first; `most`: in any second."""

    posts: int
    seconds: float
    most: int

    @property
    def rate(self) -> float:
        return (self.posts - 1) / self.seconds


class Gateway:
    """The gateway at `url`, which runs in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def pace(self, posts: int) -> Pace:
        """The pace since it was asked for last; there must have been so many posts."""
        with urlopen(f"{self.url}/rate") as answer:
            pace = Pace(*json.load(answer))
        assert pace.posts == posts, pace
        return pace


@contextmanager
def running(delay: float = 0.0) -> Iterator[Gateway]:
    """A gateway that answers after so many seconds."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, str(port), str(delay)])
    try:
        _wait_for(port)
        yield Gateway(f"http://127.0.0.1:{port}")
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
    arrivals: list[float] = []  # noqa: RUF012 - of all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._received = transport, b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        missing = int(length[1]) - len(rest) if length else 0
        if blank and missing <= 0:
            self._received = b""  # nobody sends a request before the answer to the last one
            self._requested(head)

    def _requested(self, head: bytes) -> None:
        if head.startswith(b"GET /rate"):
            self._answer(head, json.dumps(self._pace()).encode())
            return
        self.arrivals.append(time.perf_counter())
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

    def _pace(self) -> Pace:
        arrivals = self.arrivals
        seconds = arrivals[-1] - arrivals[0] if arrivals else 0.0
        within = [bisect_left(arrivals, each + 1) - place for place, each in enumerate(arrivals)]
        pace = Pace(len(arrivals), seconds, max(within, default=0))
        arrivals.clear()
        return pace


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    _Connection.delay = float(sys.argv[2])
    asyncio.run(_serve(int(sys.argv[1])))
