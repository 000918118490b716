"""Connections and sessions: what is shared, what is kept, and where the token never goes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dispatcher import ConfigError, DeliveryError, NotSent, OutcomeUnknown, Receipt, Refused
from dispatcher.builtin.greenapi import dispatcher_transports
from dispatcher.builtin.greenapi.transport import GreenApi
from dispatcher.http import client
from tests.support.cases import cases
from tests.support.gateway import ACCEPTED, Peer, Serve
from tests.support.greenapi import PAYLOAD, TOKEN, transport, upload


def test_one_connection_serves_many_messages(serve: Serve) -> None:
    server = serve()
    sender = transport(server.url)
    for _ in range(20):
        assert sender.send(PAYLOAD) == Receipt(id="1")
    assert (server.connections, len(server.requests)) == (1, 20)


def test_refused_messages_keep_the_connection(serve: Serve) -> None:
    server = serve(lambda peer: peer.answer_each(400, b'{"errors":[{"code":1020}]}'))
    sender = transport(server.url)
    for _ in range(5):
        with pytest.raises(Refused):
            sender.send(PAYLOAD)
    assert server.connections == 1


def test_a_connection_that_the_gateway_closed_is_not_used_again(serve: Serve) -> None:
    closed = threading.Event()

    def behave(peer: Peer) -> None:
        peer.read()
        peer.answer(201, ACCEPTED)
        peer.connection.close()
        closed.set()

    server = serve(behave)
    sender = transport(server.url)
    for _ in range(3):
        sender.send(PAYLOAD)
        assert closed.wait(5)
        closed.clear()
    assert server.connections == 3


def test_an_idle_connection_is_not_reused(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    now = [1000.0]
    monkeypatch.setattr(client, "monotonic", lambda: now[0])
    server = serve()
    sender = transport(server.url)
    for idle, connections in ((0, 1), (4.9, 1), (5.1, 2), (4.9, 2)):
        now[0] += idle
        sender.send(PAYLOAD)
        assert server.connections == connections


def test_a_connection_after_a_failure_is_a_new_one(serve: Serve) -> None:
    server = serve(lambda peer: (peer.read(), peer.answer(201, ACCEPTED), peer.read()))
    sender = transport(server.url)
    sender.send(PAYLOAD)
    with pytest.raises(OutcomeUnknown):
        sender.send(PAYLOAD)
    assert sender.send(PAYLOAD) == Receipt(id="1")
    assert (server.connections, len(server.requests)) == (2, 3)


def test_each_thread_has_its_own_session(serve: Serve) -> None:
    server = serve()
    sender = transport(server.url)
    together, clients = threading.Barrier(4), []

    def send() -> None:
        together.wait()
        for _ in range(3):
            sender.send(PAYLOAD)
        clients.append(sender._client()._session)
        together.wait()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in clients}) == 4
    assert (server.connections, len(server.requests)) == (4, 12)


def test_a_forked_process_connects_by_itself(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    server = serve()
    sender = transport(server.url)
    sender.send(PAYLOAD)
    mine = sender._client()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    sender.send(PAYLOAD)
    assert sender._client() is not mine
    assert server.connections == 2


@cases(
    "status, outcome",
    *((status, (Refused, Refused)) for status in (301, 302, 307, 308)),
    # "Done, look there" is one thing that these may mean; an upload may be done once more.
    *((status, (OutcomeUnknown, NotSent)) for status in (300, 303, 304)),
)
def test_redirects_are_not_followed(
    serve: Serve, status: int, outcome: tuple[type[DeliveryError], type[DeliveryError]]
) -> None:
    elsewhere = serve()

    location = f"Location: {elsewhere.url}/v1/messages"
    server = serve(lambda peer: peer.answer_each(status, b"", location))
    sender = transport(server.url)
    with pytest.raises(outcome[0], match="redirects are not followed, check base_url"):
        sender.send(PAYLOAD)
    with pytest.raises(outcome[1], match="redirects are not followed, check media_url"):
        sender.upload(upload())
    assert len(server.requests) == 2
    assert elsewhere.connections == 0


@cases("location", "http://[", "//\xff..\xff", "http://a b", "\x00")
def test_a_redirect_to_nonsense_is_refused_as_well(serve: Serve, location: str) -> None:
    head = f"HTTP/1.1 302 X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    server = serve(lambda peer: (peer.read(), peer.raw(head.encode("latin-1"))))
    with pytest.raises(Refused, match="redirects are not followed"):
        transport(server.url).send(PAYLOAD)


def test_netrc_does_not_replace_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, serve: Serve
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other\ndefault login me password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve()
    sender = transport(server.url)
    sender.send(PAYLOAD)
    sender.upload(upload())
    assert [one.headers["authorization"] for one in server.requests] == [f"Bearer {TOKEN}"] * 2


def test_nothing_local_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    proxy, server = serve(), serve()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert transport(server.url).send(PAYLOAD) == Receipt(id="1")
    assert (proxy.connections, server.connections) == (0, 1)


def test_cookies_are_not_kept(serve: Serve) -> None:
    cookie = "Set-Cookie: session=1; Path=/"
    server = serve(lambda peer: peer.answer_each(201, ACCEPTED, cookie))
    sender = transport(server.url)
    sender.send(PAYLOAD)
    sender.send(PAYLOAD)
    assert all("cookie" not in request.headers for request in server.requests)


def test_the_addresses_are_separate(serve: Serve) -> None:
    api, media = serve(), serve()
    sender = transport(base_url=f"{api.url}/green/", media_url=media.url)
    sender.send(PAYLOAD)
    sender.upload(upload())
    assert [one.line for one in api.requests] == ["POST /green/v1/messages HTTP/1.1"]
    assert [one.line for one in media.requests] == ["POST /v1/media HTTP/1.1"]


def test_without_a_token_nothing_is_sent(serve: Serve) -> None:
    server = serve()
    sender = GreenApi(GreenApi.Settings(base_url=server.url, media_url=server.url))
    send, post = (lambda: sender.send(PAYLOAD)), (lambda: sender.upload(upload()))
    for action in (sender.require_credentials, send, post):
        with pytest.raises(ConfigError, match="GREENAPI_TOKEN or GREENAPI_TOKEN_FILE"):
            action()
    assert server.connections == 0


def test_a_token_is_enough() -> None:
    transport().require_credentials()


def test_the_plugin_offers_the_transport() -> None:
    (offered,) = dispatcher_transports()
    assert offered is GreenApi
    assert offered.name == "greenapi"


def test_planning_does_not_pay_for_requests() -> None:
    program = """
import sys
from dispatcher import Image, Link, Message, Upload
from dispatcher.builtin.greenapi.transport import GreenApi
transport = GreenApi(GreenApi.Settings(token="t"))
assert transport.account
message = Message(key="k", manifest="m", id="x", to="79001234567", recipient_type="individual",
                  type="image", content=Image(link="https://cdn.example/x"), transport="greenapi")
payload = transport.build(message, Link(url="https://cdn.example/x"))
assert not list(transport.check(payload, None))
heavy = {name.partition(".")[0] for name in sys.modules} & {"requests", "urllib3", "http"}
assert not heavy, heavy
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
