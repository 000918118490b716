"""A token in a path reaches the gateway, and no log, error or object on the way to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pytest
from pydantic_settings import SettingsConfigDict

from dispatcher import OutcomeUnknown, Receipt
from dispatcher.http.responses import HIDDEN, ErrorMap, Route
from dispatcher.http.settings import HttpSettings
from dispatcher.http.transport import HttpTransport

SECRET = "marker-token-in-a-path"


class Settings(HttpSettings):
    model_config = SettingsConfigDict(env_prefix="PATHS_")


class Paths(HttpTransport):
    Settings = Settings

    def identity(self) -> dict[str, str]:
        return {}

    def route(self, url: str) -> Route:
        return Route(url=url, setting="base_url", identifier=("id",), error_map=ErrorMap())


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/said-back":
                self.wfile.write(f"HTTP/1.1 200 OK\r\n{SECRET}\r\nX: y\r\n\r\n".encode())
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b'{"id":"1"}')

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    found.asked = asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def test_the_token_is_put_into_the_path_by_the_connection_alone(
    server: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sender = Paths(Settings(token=SECRET))
    base = f"http://127.0.0.1:{server.server_port}"
    for path in (f"/plain/{HIDDEN}/x", f"/other/{SECRET}", "/none", f"/plain/{HIDDEN}/x"):
        assert Receipt(id=sender.post_json(sender.route(base + path), {})).id == "1"
    asked = server.asked  # type: ignore[attr-defined]
    assert asked == [f"/plain/{SECRET}/x", f"/other/{SECRET}", "/none", f"/plain/{SECRET}/x"]
    assert f'"POST /plain/{HIDDEN}/x HTTP/1.1" 200' in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in f"{vars(sender._client())}{vars(sender)}"


def test_headers_that_cannot_be_read_are_not_logged(
    server: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    route = Paths(Settings(token=SECRET)).route(f"http://127.0.0.1:{server.server_port}/said-back")
    with pytest.raises(OutcomeUnknown, match="the answer has no id"):
        Paths(Settings(token=SECRET)).post_json(route, {})
    assert '"POST /said-back HTTP/1.1" 200' in caplog.text
    assert SECRET not in caplog.text
