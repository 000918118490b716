"""Every way in which a connection dies, on real sockets: what is said about the message."""

import gzip
import http.client
import os
import ssl
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from dispatcher import AccountRefused, DeliveryError, NotSent, OutcomeUnknown, Receipt, Refused
from dispatcher.builtin.greenapi.transport import GreenApi
from tests.support.cases import cases
from tests.support.gateway import ACCEPTED, Peer, Serve
from tests.support.greenapi import PAYLOAD, TOKEN, failure, transport, upload

BIG = {**PAYLOAD, "text": {"body": "x" * 5_000_000}}


def _then(*steps: str | bytes | tuple[Any, ...]) -> Callable[[Peer], object]:
    """A server that does these things in turn: bytes are said as they are."""

    def behave(peer: Peer) -> None:
        for step in steps:
            if isinstance(step, bytes):
                peer.raw(step)
            elif isinstance(step, str):
                getattr(peer, step)()
            else:
                getattr(peer, step[0])(*step[1:])

    return behave


def _packed(body: bytes, encoding: str = "gzip") -> Callable[[Peer], object]:
    return _then("read", ("answer", 201, body, f"Content-Encoding: {encoding}"))


HEAD = b"HTTP/1.1 201 Created\r\n"
BOMB = gzip.compress(gzip.compress(b" " * 50_000_000))
TAILED = zlib.compress(ACCEPTED + b" " * 5_000_000) + b"x" * 1000

LOST = ("connection_lost", "broke before the whole answer")
SILENT = ("read_timeout", "no answer within 0.3 s")
TOO_LONG = ("bad_answer", "longer than 1048576 bytes")
LENGTH = HEAD + b"Content-Length: 50\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

# What the server does; code; words. In none of these is it certain that nothing was accepted.
DEATHS = {
    "reset in the request": (lambda peer: (peer.connection.recv(1), peer.reset()), *LOST),
    "closed after the request": (_then("read"), *LOST),
    "reset after the request": (_then("read", "reset"), *LOST),
    "no answer": (_then("read", "stall"), *SILENT),
    "cut in the status line": (_then("read", b"HTTP/1.1 20"), "bad_answer", "cannot be read"),
    "cut in the headers": (
        _then("read", HEAD + b"Content-Le"),
        "http 201",
        "the answer has no id: the gateway answered 201 Created",
    ),
    "cut in the headers of a 200": (
        _then("read", b"HTTP/1.1 200 OK\r\nContent-Le"),
        "http 200",
        "the answer has no id: the gateway answered 200 OK",
    ),
    "cut after the headers": (_then("read", HEAD + b"\r\n"), "http 201", "the answer has no id"),
    "cut in the body": (_then("read", LENGTH + b'{"messages":[{"id":"1"}]'), *LOST),
    "reset in the body": (_then("read", LENGTH + b"{", "reset"), *LOST),
    "cut in a chunk": (_then("read", HEAD + CHUNKED + b"5\r\n{"), *LOST),
    "stall in the body": (_then("read", LENGTH + b"{", "stall"), *SILENT),
    "stall in the headers": (_then("read", HEAD, "stall"), *SILENT),
    "not HTTP": (_then("read", b"hello\r\n\r\n"), "bad_answer", "cannot be read: hello"),
    "endless header": (_then("read", HEAD + b"X: " + b"x" * 99_999), "bad_answer", "65536"),
    "too many headers": (_then("read", HEAD + b"X: y\r\n" * 999), "bad_answer", "100 headers"),
    "two lengths": (
        _then("read", HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}"),
        "unexpected",
        "multiple unmatching values",
    ),
    "not gzip": (_packed(ACCEPTED, "gzip"), "bad_answer", "cannot be read"),
    "too long": (_then("read", ("answer", 201, ACCEPTED + b" " * 1024 * 1024)), *TOO_LONG),
    "too long when unpacked": (_packed(gzip.compress(ACCEPTED + b" " * 9_000_000)), *TOO_LONG),
    "packed twice": (_packed(BOMB, "gzip, gzip"), *TOO_LONG),
    "packed more often than anybody does": (
        _packed(BOMB, ", ".join(["gzip"] * 200)),
        "bad_answer",
        "Too many content encodings",
    ),
    "more after what was packed": (
        _then(
            "read",
            HEAD + b"Content-Encoding: deflate\r\n" + CHUNKED,
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(TAILED), TAILED),
        ),
        *TOO_LONG,
    ),
    "endless": (_then("read", HEAD + b"\r\n" + ACCEPTED + b" " * 5_000_000, "stall"), *TOO_LONG),
}


@cases("behave, code, words", *DEATHS.values(), ids=DEATHS)
def test_what_may_have_been_accepted_is_unknown(
    serve: Serve, behave: Callable[[Peer], object], code: str, words: str
) -> None:
    server = serve(behave)
    sender = transport(server.url, read_timeout=0.3 if code == "read_timeout" else 5)
    assert words in failure(sender, OutcomeUnknown, code).text
    assert server.connections == 1
    sender = transport(server.url, read_timeout=0.3 if code == "read_timeout" else 5)
    failure(sender, NotSent, code, file=upload())
    assert server.connections == 2


STATUSES: dict[int, type[DeliveryError]] = {
    307: Refused,
    308: Refused,
    400: OutcomeUnknown,
    401: AccountRefused,
    403: AccountRefused,
    404: Refused,
    408: OutcomeUnknown,
    413: Refused,
    422: Refused,
    429: NotSent,
    500: OutcomeUnknown,
    502: OutcomeUnknown,
    503: OutcomeUnknown,
    504: OutcomeUnknown,
}


@cases("status, kind", *STATUSES.items())
@cases("end", "close", "stay open")
def test_a_status_without_a_body_is_asked_for_once(
    serve: Serve, status: int, kind: type[DeliveryError], end: str
) -> None:
    """Also where it names an address to go to, or a time to come back."""
    headers = ("Location: /v1/messages", "Retry-After: 1")
    steps = ["read", ("answer", status, b"", *headers), *(["read"] if end == "stay open" else [])]
    server = serve(_then(*steps))
    failed = failure(transport(server.url), kind, f"http {status}")
    assert getattr(failed, "retry_after", 1) == 1
    assert len(server.requests) == 1


@cases("step", "close", "reset")
def test_a_connection_that_dies_with_its_second_request(serve: Serve, step: str) -> None:
    """It looks like one that had been idle for too long, but the request was read."""
    end = ["reset"] if step == "reset" else []
    server = serve(_then("read", ("answer", 201, ACCEPTED), "read", *end))
    sender = transport(server.url)
    assert sender.send(PAYLOAD) == Receipt(id="1")
    failure(sender, OutcomeUnknown, "connection_lost")
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_reset_while_a_big_body_leaves(serve: Serve) -> None:
    server = serve(lambda peer: (peer.connection.recv(99_999), peer.reset()))
    failure(transport(server.url), OutcomeUnknown, "connection_lost", payload=BIG)


def test_an_answer_that_comes_before_the_body_left_counts(serve: Serve) -> None:
    def behave(peer: Peer) -> None:
        peer.connection.recv(10)
        peer.answer(413, b"", "Connection: close")
        peer.gateway.ended.wait(0.2)
        peer.reset()

    server = serve(behave)
    failure(transport(server.url), Refused, "http 413", payload=BIG)
    failure(transport(server.url), Refused, "http 413", file=upload(b"x" * 5_000_000))


@cases("status, outcome", (429, NotSent), (401, AccountRefused), (500, OutcomeUnknown))
def test_a_cut_body_does_not_change_what_the_status_says(
    serve: Serve, status: int, outcome: type[DeliveryError]
) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: 50\r\nRetry-After: 7\r\n\r\n".encode()
    server = serve(_then("read", head + b'{"errors"'))
    failed = failure(transport(server.url), outcome)
    assert getattr(failed, "retry_after", 7) == 7


@cases("status", 101, 102, 103, 199, 204, 304)
def test_what_follows_an_answer_without_a_body_is_none(serve: Serve, status: int) -> None:
    """After 102, say, the final answer follows, and may come when the next request has left."""

    def behave(peer: Peer) -> None:
        first = peer.gateway.connections == 1
        peer.read()
        if first:
            peer.raw(f"HTTP/1.1 {status} X\r\n\r\n".encode())
            peer.read()
        peer.answer(201, b'{"messages":[{"id":"late"}]}' if first else ACCEPTED)

    server = serve(behave)
    sender = transport(server.url)
    failure(sender, OutcomeUnknown, f"http {status}")
    assert sender.send(PAYLOAD) == Receipt(id="1")
    assert server.connections == 2


def test_an_upload_of_which_only_an_interim_answer_came_may_be_tried_again(serve: Serve) -> None:
    server = serve(_then("read", b"HTTP/1.1 102 Processing\r\n\r\n", "stall"))
    failure(transport(server.url), NotSent, "http 102", file=upload())


def test_the_gateway_is_asked_not_to_pack_its_answer(serve: Serve) -> None:
    server = serve(_then("read", ("answer", 201, ACCEPTED)))
    transport(server.url).send(PAYLOAD)
    assert server.requests[0].headers["accept-encoding"] == "identity"


@cases("chunked", False, True)
def test_a_chunked_or_packed_answer_is_an_answer(serve: Serve, chunked: bool) -> None:
    packed = gzip.compress(ACCEPTED)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    head = HEAD + b"Content-Encoding: gzip\r\n"
    answer = head + (
        b"Transfer-Encoding: chunked\r\n\r\n" + chunks
        if chunked
        else b"Content-Length: %d\r\n\r\n" % len(packed) + packed
    )

    def behave(peer: Peer) -> None:
        while peer.read():
            peer.raw(answer)

    server = serve(behave)
    sender = transport(server.url)
    assert [sender.send(PAYLOAD) for _ in range(3)] == [Receipt(id="1")] * 3
    assert server.connections == 1


# Nothing left: before the connection stood.


def _never_left(sender: GreenApi, code: str, words: str) -> None:
    for file in (None, upload()):
        assert words in failure(sender, NotSent, code, file=file).text


def test_connection_refused(closed_port: int) -> None:
    sender = transport(f"http://127.0.0.1:{closed_port}")
    _never_left(sender, "connection_refused", f"connection refused by 127.0.0.1:{closed_port}")


def test_no_such_name() -> None:
    sender = transport("https://no-such-host.invalid")
    _never_left(sender, "dns", "the name of no-such-host.invalid cannot be resolved")


def test_connect_timeout(full_port: int) -> None:
    sender = transport(f"http://127.0.0.1:{full_port}", connect_timeout=0.2)
    words = f"no connection to 127.0.0.1:{full_port} within 0.2 s"
    _never_left(sender, "connect_timeout", words)


def test_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("urllib3.util.connection.create_connection", unreachable)
    words = "no connection to 192.0.2.1: Network is unreachable"
    _never_left(transport("https://192.0.2.1"), "connection_failed", words)


def _https(server: Any) -> str:
    return f"https://127.0.0.1:{server.port}"


def test_tls_to_a_server_without(serve: Serve) -> None:
    server = serve(lambda peer: (peer.connection.recv(999), peer.answer(400)))
    words = "wrong version number; check base_url"
    failed = failure(transport(_https(server)), NotSent, "tls")
    assert words in failed.text
    _never_left(transport(_https(server)), "tls", "no secure connection")


def test_a_certificate_that_nobody_vouches_for(serve: Serve, certificate: Path) -> None:
    server = serve(_then(("secure", certificate), "read"))
    _never_left(transport(_https(server)), "tls", "self-signed certificate")
    _never_left(transport(_https(server)), "tls", "that REQUESTS_CA_BUNDLE names the certificate's")
    assert server.requests == []


def test_a_handshake_that_stalls_or_breaks(serve: Serve) -> None:
    server = serve(_then("stall"))
    sender = transport(_https(server), connect_timeout=0.2)
    _never_left(sender, "connect_timeout", "within 0.2 s")
    server = serve(lambda peer: (peer.connection.recv(999), peer.reset()))
    _never_left(transport(_https(server)), "connection_failed", "no connection to")


def test_tls_that_breaks_after_the_request_left(serve: Serve, trusted: Path) -> None:
    def behave(peer: Peer) -> None:
        peer.secure(trusted)
        peer.read()
        os.write(peer.connection.fileno(), b"this is no TLS record")  # below TLS
        peer.stall()

    server = serve(behave)
    failure(transport(_https(server)), OutcomeUnknown, "connection_lost")
    assert len(server.requests) == 1


def test_tls_that_breaks_in_the_answer(serve: Serve, trusted: Path) -> None:
    def behave(peer: Peer) -> None:
        peer.secure(trusted)
        peer.read()
        peer.raw(HEAD + b"Content-Length: 50\r\n\r\n{")
        os.write(peer.connection.fileno(), b"this is no TLS record")
        peer.stall()

    failure(transport(_https(serve(behave))), OutcomeUnknown, "connection_lost")


def test_https_works(serve: Serve, trusted: Path) -> None:
    server = serve(_then(("secure", trusted), "read", ("answer", 201, ACCEPTED)))
    assert transport(_https(server)).send(PAYLOAD) == Receipt(id="1")


# Through a proxy: only https goes there.


def _tunnel(certificate: Path, *steps: str | bytes | tuple[Any, ...]) -> Callable[[Peer], object]:
    established = b"HTTP/1.1 200 Connection established\r\n\r\n"
    return _then("read", established, ("secure", certificate), *steps)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[..., GreenApi]:
    def make(port: int, connect_timeout: float = 5) -> GreenApi:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass-word@127.0.0.1:{port}")
        return transport("https://gateway.test", connect_timeout=connect_timeout)

    return make


def test_a_proxy_is_used(proxied: Callable[..., GreenApi], serve: Serve, trusted: Path) -> None:
    server = serve(_tunnel(trusted, "read", ("answer", 201, ACCEPTED)))
    assert proxied(server.port).send(PAYLOAD) == Receipt(id="1")
    connect, post = server.requests
    assert connect.line.startswith("CONNECT gateway.test:443 ")
    assert connect.headers["proxy-authorization"].startswith("Basic ")
    assert "authorization" not in connect.headers
    assert post.headers["authorization"] == f"Bearer {TOKEN}"


@cases(
    "behave, words",
    (_then("read", b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "502 Bad Gateway"),
    (_then("read", b"HTTP/1.1 407 Who are you\r\n\r\n"), "407 Who are you"),
)
def test_a_proxy_that_refuses(
    proxied: Callable[..., GreenApi], serve: Serve, behave: Callable[[Peer], object], words: str
) -> None:
    sender = proxied(serve(behave).port)
    _never_left(sender, "proxy", "the proxy gives no connection to gateway.test")
    _never_left(sender, "proxy", words)


def test_a_proxy_that_is_not_there(
    proxied: Callable[..., GreenApi], closed_port: int, full_port: int
) -> None:
    _never_left(proxied(closed_port), "proxy", "Connection refused")
    _never_left(proxied(full_port, 0.3), "proxy", "timed out")


@cases("step, code", ("close", "connection_failed"), ("stall", "connect_timeout"))
def test_a_proxy_that_breaks_before_the_tunnel_stands(
    proxied: Callable[..., GreenApi], serve: Serve, step: str, code: str
) -> None:
    server = serve(lambda peer: (peer.read(), step == "stall" and peer.stall()))
    sender = proxied(server.port, 0.3 if step == "stall" else 5)
    _never_left(sender, code, "no connection to gateway.test")


@cases("step", "close", "reset")
def test_a_proxy_that_hangs_up_on_a_request_under_way(
    proxied: Callable[..., GreenApi], serve: Serve, trusted: Path, step: str
) -> None:
    """urllib3 reports this as "unable to connect to proxy"; the request has left all the same."""
    steps = ["read", "reset"] if step == "reset" else ["read"]
    server = serve(_tunnel(trusted, *steps))
    failure(proxied(server.port), OutcomeUnknown, "connection_lost")
    assert [request.line.split()[0] for request in server.requests] == ["CONNECT", "POST"]


# Settings that lead nowhere stop the run: no message would get further.


@cases("proxy", "ftp://user:pass-word@proxy.example", "http://")
def test_a_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    failed = failure(transport("https://gateway.test"), AccountRefused, "configuration")
    assert "base_url or the proxy of the environment" in failed.text
    assert "pass-word" not in failed.text


def test_a_host_that_is_none() -> None:
    failure(transport("https://a..b.example"), AccountRefused, "configuration")


@cases("variable", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/nowhere/ca.pem")
    failed = failure(transport("https://gateway.test"), AccountRefused, "configuration")
    assert "/nowhere/ca.pem" in failed.text


# What no server can be made to do.


@cases(
    "error, outcome",
    (ssl.SSLError("bad record mac"), OutcomeUnknown),
    (OSError("no buffer space"), OutcomeUnknown),
    (RuntimeError("something else"), OutcomeUnknown),
    (http.client.IncompleteRead(b"x"), OutcomeUnknown),
)
def test_anything_unheard_of_is_unknown(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, error: Exception, outcome: type[DeliveryError]
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("http.client.HTTPConnection.getresponse", fail)
    server = serve(_then("read", "stall"))
    failure(transport(server.url), outcome)


@cases(
    "error, outcome",
    (requests.ConnectTimeout(), NotSent),
    (requests.ReadTimeout(), OutcomeUnknown),
    (requests.Timeout(), OutcomeUnknown),
    (requests.ConnectionError("refused"), OutcomeUnknown),
    (requests.exceptions.SSLError("x"), OutcomeUnknown),
    (requests.exceptions.ProxyError("x"), OutcomeUnknown),
    (requests.exceptions.InvalidHeader("x"), OutcomeUnknown),
    (requests.exceptions.ChunkedEncodingError("x"), OutcomeUnknown),
    (Exception("x"), OutcomeUnknown),
)
def test_exceptions_without_an_inner_one(error: Exception, outcome: type[DeliveryError]) -> None:
    with responses.RequestsMock() as mock:
        mock.post("https://api.green-api.com/v1/messages", body=error)
        failure(transport(), outcome)


def test_an_earlier_attempt_says_nothing_about_this_one(serve: Serve, closed_port: int) -> None:
    """A caller may try again inside `except`: the first error is then the context of the second."""
    server = serve(_then("read"))
    try:
        requests.get(f"http://127.0.0.1:{closed_port}", timeout=1)
    except requests.ConnectionError:
        with pytest.raises(OutcomeUnknown):
            transport(server.url).send(PAYLOAD)
