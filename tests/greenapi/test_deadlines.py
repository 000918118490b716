"""However slowly anything comes or goes, an attempt has an end, and its outcome is the true one."""

import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from dispatcher import DeliveryError, NotSent, OutcomeUnknown, Receipt
from dispatcher.builtin.greenapi.transport import GreenApi
from tests.support.cases import cases
from tests.support.gateway import ACCEPTED, Peer, Serve
from tests.support.greenapi import PAYLOAD, failure, transport, upload
from tests.support.waiting import a_second

BIG = 20_000_000  # bytes: more than the system keeps for a peer that does not read
HEAD = b"HTTP/1.1 201 Created\r\n"
TIME = 0.4  # seconds that an attempt has


def ended(sender: GreenApi, kind: type[DeliveryError], code: str, **what: Any) -> DeliveryError:
    """How an attempt failed, see `failure`, which it did in time."""
    began = monotonic()
    failed = failure(sender, kind, code, **what)
    assert monotonic() - began < TIME + 1.5 * a_second()
    return failed


TRICKLES = {
    "body": (HEAD + b"Content-Length: 1000000\r\n\r\n" + ACCEPTED, b" "),
    "body without a length": (HEAD + b"\r\n" + ACCEPTED, b" "),
    "status line": (b"", b"H"),
    "header": (HEAD + b"X: ", b"a"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "length of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"a: b\r\n"),
}


@cases("first, then", *TRICKLES.values(), ids=TRICKLES)
def test_an_answer_that_trickles_is_none(serve: Serve, first: bytes, then: bytes) -> None:
    server = serve(lambda peer: (peer.read(), peer.raw(first), peer.repeat(then, TIME / 8)))
    sender = transport(server.url, read_timeout=TIME)
    error = ended(sender, OutcomeUnknown, "read_timeout")
    assert error.text == f"no answer within {TIME:g} s"
    ended(sender, NotSent, "read_timeout", file=upload())


def test_a_flood_of_interim_answers_ends_as_well(serve: Serve) -> None:
    def flood(peer: Peer) -> None:
        peer.read()
        while not peer.gateway.ended.is_set():
            peer.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    sender = transport(serve(flood).url, read_timeout=TIME)
    ended(sender, OutcomeUnknown, "read_timeout")


def test_a_slow_answer_that_is_in_time_counts(serve: Serve) -> None:
    def slow(peer: Peer) -> None:
        peer.read()
        answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(ACCEPTED) + ACCEPTED
        for start in range(0, len(answer), 20):
            peer.gateway.ended.wait(0.02)
            peer.raw(answer[start : start + 20])

    assert transport(serve(slow).url, read_timeout=5).send(PAYLOAD) == Receipt(id="1")


def test_two_exchanges_each_have_their_own_time(serve: Serve) -> None:
    def slow(peer: Peer) -> None:
        while peer.read():
            peer.gateway.ended.wait(TIME * 0.7)
            peer.answer(201, ACCEPTED)

    server = serve(slow)
    sender = transport(server.url, read_timeout=TIME)
    assert [sender.send(PAYLOAD).id for _ in range(2)] == ["1", "1"]
    assert server.connections == 1


# Sending: a second for each 64 KB, and the time for an answer.


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes less than a gigabyte a second is too slow."""
    monkeypatch.setattr("dispatcher.http.connections.MIN_BYTES_PER_SECOND", 10**9)


def sips(peer: Peer) -> None:
    """Take a little of the request now and then."""
    while not peer.gateway.ended.wait(0.01):
        peer.connection.recv(4096)


def stops(peer: Peer) -> None:
    """Take the beginning of the request alone."""
    peer.connection.recv(10)
    peer.stall()


@pytest.mark.usefixtures("quick")
@cases("behave", sips, stops)
@cases("secure", False, True)
def test_a_peer_that_takes_the_request_slowly(
    request: pytest.FixtureRequest, serve: Serve, behave: Callable[[Peer], object], secure: bool
) -> None:
    if secure:
        path = request.getfixturevalue("trusted")
        server = serve(lambda peer: (peer.secure(path), behave(peer)))
        url = f"https://127.0.0.1:{server.port}"
    else:
        server = serve(behave)
        url = server.url
    sender = transport(url, read_timeout=TIME)
    body = {**PAYLOAD, "text": {"body": "x" * BIG}}
    error = ended(sender, OutcomeUnknown, "write_timeout", payload=body)
    assert error.text == f"127.0.0.1:{server.port} did not take the request in time"
    ended(sender, NotSent, "write_timeout", file=upload(b"x" * BIG))


def test_who_stops_taking_the_request_is_not_waited_for_as_for_all_of_it(serve: Serve) -> None:
    """At 64 KB a second, this file could take five minutes."""
    sender = transport(serve(stops).url, read_timeout=0.1)
    began = monotonic()
    with pytest.raises(NotSent):
        sender.upload(upload(b"x" * BIG))
    assert monotonic() - began < 0.1 + 1 + 1.5 * a_second()


def test_a_big_file_may_take_its_time(serve: Serve) -> None:
    """Longer than the answer may."""

    def slow(peer: Peer) -> None:
        taken = pauses = 0
        while taken < BIG:
            if taken >= pauses * BIG // 4:
                pauses += 1
                peer.gateway.ended.wait(TIME * 0.3)
            taken += len(peer.connection.recv(999_999))
        peer.answer(201, ACCEPTED)

    sender = transport(serve(slow).url, read_timeout=TIME)
    assert sender.upload(upload(b"x" * BIG)).id == "1"


# Connecting: names, addresses, proxy and handshake together.


def test_a_handshake_that_trickles(serve: Serve) -> None:
    def slow(peer: Peer) -> None:
        peer.connection.recv(9999)
        peer.raw(b"\x16\x03\x03\x40\x00")  # a record of 16 KB begins
        peer.repeat(b"\x02", TIME / 8)

    server = serve(slow)
    sender = transport(f"https://127.0.0.1:{server.port}", connect_timeout=TIME)
    ended(sender, NotSent, "connect_timeout")
    ended(sender, NotSent, "connect_timeout", file=upload())


@cases("then", "trickle", "stall")
def test_a_proxy_and_the_handshake_behind_it_share_the_time(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, then: str
) -> None:
    time = 3 * TIME  # each of the two would be within it, and both of them far beyond

    def slow(peer: Peer) -> None:
        peer.read()
        if then == "trickle":
            peer.repeat(b"H", TIME / 8)
        peer.gateway.ended.wait(time * 0.8)
        peer.raw(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.stall()

    monkeypatch.setenv("HTTPS_PROXY", serve(slow).url)
    sender = transport("https://gateway.test", connect_timeout=time)
    began = monotonic()
    ended(sender, NotSent, "connect_timeout")
    assert monotonic() - began < time * 1.6


def test_the_addresses_of_a_host_share_the_time(
    monkeypatch: pytest.MonkeyPatch, full_port: int, serve: Serve
) -> None:
    """Where the first one cannot be reached, the second one is, within the same time."""
    server = serve(lambda peer: peer.answer_each(201, ACCEPTED))
    addresses = [("127.0.0.1", full_port), ("127.0.0.1", server.port)]
    monkeypatch.setattr("dispatcher.http.connections._addresses", lambda host, port: addresses)
    sender = transport("http://localhost", connect_timeout=TIME)
    assert sender.send(PAYLOAD) == Receipt(id="1")
    addresses[1] = addresses[0]
    sender = transport("http://localhost", connect_timeout=TIME)
    ended(sender, NotSent, "connect_timeout")


def test_a_name_that_is_found_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can stop asking for a name, but nothing is begun after that."""
    find = socket.getaddrinfo

    def slow(*asked: Any, **options: Any) -> Any:
        end = monotonic() + TIME
        while monotonic() < end:
            pass
        return find(*asked, **options)

    monkeypatch.setattr("socket.getaddrinfo", slow)
    sender = transport("http://127.0.0.1:9", connect_timeout=TIME / 2)
    ended(sender, NotSent, "connect_timeout")
