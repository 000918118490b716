"""A gateway whose answers each test writes itself, for what needs to be held, timed or watched."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from tests.conftest import Project


@dataclass
class Asked:
    """A request: its path, headers and body, and when it had arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def text(self) -> str:
        return str(self.json["text"]["body"])


@dataclass
class Reply:
    status: int = 201
    body: bytes = b'{"messages":[{"id":"stand-in-1"}],"media":[{"id":"stand-in-file"}]}'
    headers: Mapping[str, str] = field(default_factory=dict)


class StandIn:
    """Answers every request with what `answer` returns; `asked`: all of them, as they arrived."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Reply] = lambda asked: Reply()
        self._arrival = threading.Condition()

    def wait_for(self, count: int) -> list[Asked]:
        """The requests, as soon as there are so many."""
        with self._arrival:
            there = self._arrival.wait_for(lambda: len(self.asked) >= count, PATIENCE)
        assert there, f"{len(self.asked)} of {count} requests came"
        return list(self.asked)

    def hold(self) -> threading.Event:
        """Let requests wait for their answers until the event is set."""
        return self.hold_from(1)

    def hold_from(self, count: int) -> threading.Event:
        """Let requests from the `count`th on wait for their answers until the event is set."""
        released = threading.Event()

        def answer(asked: Asked) -> Reply:
            if len(self.asked) >= count:
                released.wait(PATIENCE)
            return Reply()

        self.answer = answer
        return released

    def note(self, asked: Asked) -> None:
        with self._arrival:
            self.asked.append(asked)
            self._arrival.notify_all()


@pytest.fixture(scope="session")
def install() -> Callable[..., dict[str, str]]:
    """Put a plugin's source beside a project, as distribution `fake-<name>` 0.1.0.

    Out: the environment in which commands find it, and all that were put there before.
    """

    def install(project: Project, name: str, source: str) -> dict[str, str]:
        folder = "plugins"
        project.write(f"{folder}/fake_{name}.py", source)
        metadata = f"{folder}/fake_{name}-0.1.0.dist-info"
        version = f"Metadata-Version: 2.1\nName: fake-{name}\nVersion: 0.1.0\n"
        project.write(f"{metadata}/METADATA", version)
        project.write(f"{metadata}/entry_points.txt", f"[dispatcher]\n{name} = fake_{name}\n")
        paths = filter(None, [str(project.folder / folder), os.environ.get("PYTHONPATH")])
        return {"PYTHONPATH": os.pathsep.join(paths)}

    return install


@pytest.fixture(scope="session")
def reply() -> type[Reply]:
    """`reply(429, b"", {"Retry-After": "1"})`; without arguments: accepted."""
    return Reply


@pytest.fixture
def stand_in(new_stand_in: Callable[[], AbstractContextManager[StandIn]]) -> Iterator[StandIn]:
    with new_stand_in() as found:
        yield found


@pytest.fixture(scope="session")
def new_stand_in() -> Callable[[], AbstractContextManager[StandIn]]:
    """Have a gateway of one's own for as long as a `with` lasts."""
    return _stand_in


@contextmanager
def _stand_in() -> Iterator[StandIn]:
    found = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # who asked died meanwhile: that is no request
                self.close_connection = True
                return
            asked = Asked(self.path, dict(self.headers), body)
            found.note(asked)
            reply = found.answer(asked)
            self.send_response(reply.status)
            for name, value in {"Content-Length": len(reply.body), **reply.headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who asked may be killed
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
