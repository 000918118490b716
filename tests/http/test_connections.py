"""Connections: a token in a path reaches the gateway and nothing on the way, and how heads of
responses are read."""

import io
import logging
from http.client import HTTPException, HTTPResponse
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_settings import SettingsConfigDict

from dispatcher import OutcomeUnknown, Receipt
from dispatcher.http.connections import _Response
from dispatcher.http.responses import HIDDEN, ErrorMap, Route
from dispatcher.http.settings import HttpSettings
from dispatcher.http.transport import HttpTransport
from tests.support.gateway import Serve

SECRET = "marker-token-in-a-path"


class Settings(HttpSettings):
    model_config = SettingsConfigDict(env_prefix="PATHS_")


class Paths(HttpTransport):
    Settings = Settings

    def auth_headers(self) -> dict[str, str]:
        return {}

    def route(self, url: str) -> Route:
        return Route(url=url, setting="base_url", identifier=("id",), error_map=ErrorMap())


def test_the_token_is_put_into_the_path_by_the_connection_alone(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sender = Paths(Settings(token=SECRET))
    server = serve(lambda peer: peer.answer_each(200, b'{"id":"1"}'))
    for path in (f"/plain/{HIDDEN}/x", f"/other/{SECRET}", "/none", f"/plain/{HIDDEN}/x"):
        assert Receipt(id=sender.post_json(sender.route(server.url + path), {})).id == "1"
    asked = [request.path for request in server.requests]
    assert asked == [f"/plain/{SECRET}/x", f"/other/{SECRET}", "/none", f"/plain/{SECRET}/x"]
    assert f'"POST /plain/{HIDDEN}/x HTTP/1.1" 200' in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in f"{vars(sender._client())}{vars(sender)}"


def test_unreadable_headers_are_not_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    head = f"HTTP/1.1 200 OK\r\n{SECRET}\r\nX: y\r\n\r\n".encode()
    server = serve(lambda peer: (peer.read(), peer.raw(head)))
    route = Paths(Settings(token=SECRET)).route(f"{server.url}/said-back")
    with pytest.raises(OutcomeUnknown, match="the answer has no id"):
        Paths(Settings(token=SECRET)).post_json(route, {})
    assert '"POST /said-back HTTP/1.1" 200' in caplog.text
    assert SECRET not in caplog.text


class Answered:
    """The part of a socket from which a response is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._data))


def as_read(kind: type[HTTPResponse], data: bytes, method: str) -> Any:
    """What a response is, or the error that ends it, and what of it is a body."""
    response: Any = kind(Answered(data), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        head = (response.version, response.status, response.code, response.reason)
        body = (response.length, response.chunked, response.will_close)
        return head, response.headers.items(), body, response.read()
    except (HTTPException, ValueError) as error:
        return type(error)


STATUSES = ["HTTP/1.1 201 Created", "HTTP/1.1 200 ", "HTTP/1.1 204 None", "HTTP/1.1 100 Continue"]
STATUSES += ["HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/1.1  200 OK", "HTTP/1.1 200 O\u00e9", "x"]
NAMES = ["Content-Length", "content-length", "Connection", "Transfer-Encoding", "X-A", "X A"]
VALUES = ["4", "0", " 4", "4 ", "-1", "+4", "\u0664", "close", "keep-alive", "chunked", "", "a:b"]
ENDS = ["\r\n", "\n", "\r", "\r\n "]
HEADERS = st.lists(st.tuples(*map(st.sampled_from, (NAMES, [":", ": ", ":\t", ""], VALUES, ENDS))))


@given(st.sampled_from(STATUSES), HEADERS, st.sampled_from(["POST", "HEAD"]))
@example(STATUSES[0], [("Content-Length", ": ", "4", "\r\n")], "POST")
def test_a_head_is_read_as_the_standard_library_reads_it(
    status: str, headers: list[tuple[str, ...]], method: str
) -> None:
    lines = "".join(map("".join, headers))
    data = f"{status}\r\n{lines}\r\nbody".encode("latin-1", "replace")
    assert as_read(_Response, data, method) == as_read(HTTPResponse, data, method)
