"""The scripted gateway does what its script says, and remembers what it got."""

import hashlib
import socket
from collections.abc import Iterator
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from dispatcher.testing import Fault, Raw, Reply, ScriptedGateway
from dispatcher.testing.fixtures import scripted_gateway as scripted_gateway
from dispatcher.testing.gateway import closed_address
from tests.support.cases import cases


def _ask(
    url: str, body: Any = b"x", path: str = "/a?b=c", method: str = "POST"
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request(method, path, body, {"X-Who": "me"})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_steps_come_in_turn_and_the_last_stays(scripted_gateway: ScriptedGateway) -> None:
    scripted_gateway.script(Reply(500), Reply(201, {"id": 1}, {"X-A": "b"}))
    statuses = [_ask(scripted_gateway.url)[0].status for _ in range(3)]
    assert statuses == [500, 201, 201]
    response, body = _ask(scripted_gateway.url)
    assert (response.headers["X-A"], body) == ("b", b'{"id": 1}')


def test_a_request_is_remembered(scripted_gateway: ScriptedGateway) -> None:
    _ask(scripted_gateway.url, b'{"a": 1}')
    (request,) = scripted_gateway.requests
    assert (request.method, request.path) == ("POST", "/a?b=c")
    assert request.headers["x-who"] == "me"
    assert request.json() == {"a": 1}
    assert request.body == b'{"a": 1}'
    assert (request.length, request.pieces) == (8, (8,))


@cases("size", 0, 1, 1_000_000)
def test_a_body_in_chunks_is_read(scripted_gateway: ScriptedGateway, size: int) -> None:
    content = b"x" * size

    def pieces() -> Iterator[bytes]:
        yield from (content[at : at + 300_000] for at in range(0, size, 300_000))

    _ask(scripted_gateway.url, pieces())
    (request,) = scripted_gateway.requests
    assert request.headers["transfer-encoding"] == "chunked"
    assert (request.length, request.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert request.body == content
    assert all(piece <= 300_000 for piece in request.pieces)


@cases(
    "step, error",
    (Fault.CLOSE_BEFORE_READING, (RemoteDisconnected, ConnectionResetError)),
    (Fault.CLOSE, RemoteDisconnected),
    (Fault.RESET, ConnectionResetError),
    (Reply(200, {"id": "m1"}).cut(), IncompleteRead),
    (Raw(b"hello\r\n\r\n"), HTTPException),
)
def test_a_connection_breaks(scripted_gateway: ScriptedGateway, step: Any, error: Any) -> None:
    scripted_gateway.script(step)
    with pytest.raises(error):
        _ask(scripted_gateway.url)
    assert scripted_gateway.attempts == 1


def test_a_stall_ends_with_the_gateways_patience() -> None:
    with ScriptedGateway(Fault.STALL, patience=0.1) as gateway:
        began = monotonic()
        with pytest.raises(RemoteDisconnected):
            _ask(gateway.url)
        assert 0.1 <= monotonic() - began < 4


def test_a_step_may_depend_on_the_request(scripted_gateway: ScriptedGateway) -> None:
    scripted_gateway.script(lambda request: Reply(200, request.headers["x-who"]))
    assert _ask(scripted_gateway.url)[1] == b"me"


def test_what_is_aside_is_not_counted() -> None:
    with ScriptedGateway(Reply(201), aside={"/login": Reply(200, "hi")}) as gateway:
        assert _ask(gateway.url, path="/login")[1] == b"hi"
        assert _ask(gateway.url)[0].status == 201
        assert (gateway.attempts, len(gateway.requests)) == (1, 1)


def test_a_request_counts_as_soon_as_it_was_sent(scripted_gateway: ScriptedGateway) -> None:
    address = urlsplit(scripted_gateway.url)
    for _ in range(50):
        scripted_gateway.script(Reply())
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\n\r\n")
            assert scripted_gateway.attempts == 1


def test_a_new_script_forgets(scripted_gateway: ScriptedGateway) -> None:
    _ask(scripted_gateway.url)
    scripted_gateway.script(Reply(204))
    assert (scripted_gateway.attempts, scripted_gateway.requests) == (0, [])


def test_nobody_listens_at_a_closed_address() -> None:
    with closed_address() as url, pytest.raises(ConnectionRefusedError):
        _ask(url)
