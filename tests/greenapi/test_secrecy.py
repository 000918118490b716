"""The token is in no error, whatever fails and whatever the gateway says."""

import json
import traceback
from collections.abc import Callable

import pytest

from dispatcher import DeliveryError
from tests.support.cases import cases
from tests.support.gateway import Peer, Serve
from tests.support.greenapi import PAYLOAD, TOKEN, transport, upload


def _echo(status: int) -> Callable[[Peer], object]:
    """Says the token back wherever a gateway can say something."""

    def behave(peer: Peer) -> None:
        peer.read()
        said = peer.gateway.requests[-1].headers["authorization"]
        error = {"code": said, "details": f"bad key: {said}", "title": said}
        body = json.dumps({"errors": [error], "messages": [{"id": None}]}).encode()
        peer.answer(status, body, f"Location: http://{said}/", f"Retry-After: {said}")

    return behave


def _raw(template: bytes) -> Callable[[Peer], object]:
    def behave(peer: Peer) -> None:
        peer.read()
        said = peer.gateway.requests[-1].headers["authorization"].encode()
        peer.raw(template.replace(b"%", said))

    return behave


BEHAVIOURS = {
    **{f"echo {status}": _echo(status) for status in (201, 302, 400, 401, 404, 429, 500)},
    "status line": _raw(b"% % %\r\n\r\n"),
    "bad status": _raw(b"HTTP/1.1 % no\r\n\r\n"),
    "reason": _raw(b"HTTP/1.1 500 %\r\n\r\n"),
    "two lengths": _raw(b"HTTP/1.1 201 X\r\nContent-Length: 1, 2\r\nX: %\r\n\r\n"),
    "bad chunk": _raw(b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n%\r\n"),
    "encoding": _raw(b"HTTP/1.1 201 X\r\nContent-Encoding: gzip\r\n\r\n%"),
    "split": _raw(b'HTTP/1.1 400 X\r\n\r\n{"errors":[{"details":"a\\u0000%\\u0007 b"}]}'),
    "reset": lambda peer: (peer.read(), peer.reset()),
    "closed": lambda peer: peer.read(),
    "stall": lambda peer: (peer.read(), peer.stall()),
}


def _everything(error: BaseException) -> str:
    """Text, fields and traceback, with the variables of every frame below the test's own."""
    shown = [str(error), repr(error), repr(vars(error)), repr(error.args)]
    seen: BaseException | None = error
    inner = error.__traceback__.tb_next if error.__traceback__ else None
    while seen is not None:
        trace = traceback.TracebackException(type(seen), seen, inner, capture_locals=True)
        shown += trace.format(chain=False)
        seen = seen.__cause__ or seen.__context__
        inner = seen.__traceback__ if seen else None
    return "".join(shown)


def _check(action: Callable[[], object]) -> None:
    with pytest.raises(DeliveryError) as caught:
        action()
    everything = _everything(caught.value)
    assert "client.py" in everything  # the frames are there
    assert TOKEN not in everything


@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_no_failure_shows_the_token(serve: Serve, behave: Callable[[Peer], object]) -> None:
    server = serve(behave)
    sender = transport(server.url, read_timeout=0.3 if behave is BEHAVIOURS["stall"] else 5)
    _check(lambda: sender.send(PAYLOAD))
    _check(lambda: sender.upload(upload()))
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@cases("host", "no-such-host.invalid", "127.0.0.1:1", f"{TOKEN}.invalid")
def test_no_failed_connection_shows_the_token(host: str) -> None:
    sender = transport(f"https://{host}")
    with pytest.raises(DeliveryError) as caught:
        sender.send(PAYLOAD)
    assert TOKEN not in str(caught.value)
    if TOKEN not in host:
        _check(lambda: sender.send(PAYLOAD))
        _check(lambda: sender.upload(upload()))


def test_a_failing_stream_does_not_show_it_either(serve: Serve) -> None:
    server = serve(lambda peer: peer.read())
    changed = upload(sha256="0" * 64)
    _check(lambda: transport(server.url).upload(changed))


def test_words_around_the_token_stay(serve: Serve) -> None:
    with pytest.raises(DeliveryError) as caught:
        transport(serve(_echo(400)).url).send(PAYLOAD)
    assert caught.value.text == "bad key: Bearer *** / Bearer ***"


def test_an_id_with_the_token_is_no_id(serve: Serve) -> None:
    """An id is used and kept as it is, and the token must not be."""
    found = [{"id": f"x-{TOKEN}"}]
    body = json.dumps({"messages": found, "media": found}).encode()
    server = serve(lambda peer: peer.answer_each(201, body))
    _check(lambda: transport(server.url).send(PAYLOAD))
    _check(lambda: transport(server.url).upload(upload()))


@cases("token", "a", "x-1", "any")
def test_a_short_token_changes_no_id_and_no_sentence(serve: Serve, token: str) -> None:
    """For a gateway of one's own; whoever looks for it finds it in half of all words."""
    found = [{"id": "any-x-1a"}]
    body = json.dumps({"messages": found, "media": found}).encode()
    server = serve(lambda peer: peer.answer_each(201, body))
    sender = transport(server.url, token=token)
    assert sender.send(PAYLOAD).id == "any-x-1a"
    assert sender.upload(upload()).id == "any-x-1a"
    said = json.dumps({"errors": [{"code": 1011, "details": "any x-1 is bad"}]}).encode()
    server = serve(lambda peer: peer.answer_each(400, said))
    with pytest.raises(DeliveryError, match="any x-1 is bad"):
        transport(server.url, token=token).send(PAYLOAD)


def test_no_object_shows_the_token() -> None:
    sender = transport()
    sender.require_credentials()
    client = sender._client()
    for thing in (sender, sender.settings, client, client._session, vars(sender), vars(client)):
        assert TOKEN not in f"{thing!r}{thing!s}"
