"""Posts a second that the sandbox takes with 10,000 messages held, as a ratio to bare Starlette.

    python benchmarks/sandbox.py

Both serve in a process of their own, in the same way, and take the same small post over the same
keep-alive connections; they take turns, and the best of all rounds counts. Bare: a Starlette
application that reads the body and answers a constant. The goal is 0.6 or more.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from dispatcher.sandbox.process import SandboxProcess

HELD = 10_000
POSTS = 4_000
ROUNDS = 7
BODY = json.dumps({"to": "79001234567", "text": {"body": "Hello! 😃"}}).encode()
HEAD = (
    "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer benchmark\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
)
POST = HEAD.encode() + BODY


def serve_bare(pipe: Connection) -> None:
    """Serves a constant as the sandbox is served."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from dispatcher.local_server import listen, run, url_of

    async def answer(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({"messages": [{"id": "1"}]}, 201)

    app = Starlette(routes=[Route("/v1/messages", answer, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        run(app, listener, lambda: pipe.send(url_of(listener, "127.0.0.1")))


@contextmanager
def bare() -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def posts_a_second(url: str, count: int = POSTS) -> float:
    """A small client: one connection, the next post as soon as the last one is answered."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        for _ in range(count):
            connection.sendall(POST)
            read_answer(connection)
        return count / (time.perf_counter() - start)


def read_answer(connection: socket.socket) -> None:
    """All of an answer, which both servers send in two parts."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    assert head.startswith(b"HTTP/1.1 201"), head
    head, _, body = head.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)


def main() -> None:
    best = {"bare Starlette": 0.0, "sandbox": 0.0}
    with bare() as bare_url, SandboxProcess() as sandbox:
        posts_a_second(sandbox.url, HELD)
        urls = {"bare Starlette": bare_url, "sandbox": sandbox.url}
        for _ in range(ROUNDS):
            for name, url in urls.items():
                best[name] = max(best[name], posts_a_second(url))
    for name, value in best.items():
        print(f"{name:16} {value:7.0f} posts/s  {value / best['bare Starlette']:5.2f}x")


if __name__ == "__main__":
    main()
