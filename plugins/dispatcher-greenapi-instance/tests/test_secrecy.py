"""The token is in the path of every request, and nowhere else: whatever fails, and at any level."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dispatcher import DeliveryError, OutcomeUnknown
from dispatcher.testing import Fault, Raw, Reply, Request, ScriptedGateway, upload
from dispatcher_greenapi_instance import GreenApiInstance

Make = Callable[..., GreenApiInstance]
TOKEN = "marker-token-d75b3374288810784"
TEXT = {"chatId": "79001234567@c.us", "message": "Hello"}


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        assert TOKEN not in f"{record.getMessage()} {record.exc_text} {record.args!r}"


def _fails(sender: GreenApiInstance, code: str | None = None) -> None:
    file = upload()
    for action in (lambda: sender.send(TEXT), lambda: sender.upload(file)):
        with pytest.raises(DeliveryError) as caught:
            action()
        assert code in (None, caught.value.code)
        assert TOKEN not in _shown(caught.value)
    assert TOKEN not in f"{sender!r} {sender.settings!r} {sender.account} {vars(sender)!r}"


def _shown(error: BaseException) -> str:
    """Text, fields and traceback, with the variables of all frames but the test's own."""
    assert error.__cause__ is None
    assert error.__context__ is None
    inner = error.__traceback__ and error.__traceback__.tb_next
    trace = traceback.TracebackException(type(error), error, inner, capture_locals=True)
    return f"{error} {error!r} {vars(error)} {''.join(trace.format())}"


def _echo(status: int) -> Callable[[Request], Reply]:
    """The path in whatever an answer can say."""

    def answer(request: Request) -> Reply:
        said = {"message": f"bad: {request.path}", "reason": request.path, "path": request.path}
        headers = {"Location": request.path, "Retry-After": request.path}
        return Reply(status, {**said, "invokeStatus": {"description": request.path}}, headers)

    return answer


def _echo_raw(template: bytes) -> Callable[[Request], Raw]:
    return lambda request: Raw(template.replace(b"%", request.path.encode()))


ANSWERS = {
    **{f"echo {status}": _echo(status) for status in (200, 302, 400, 401, 404, 429, 466, 500)},
    "status line": _echo_raw(b"% % %\r\n\r\n"),
    "reason": _echo_raw(b"HTTP/1.1 500 %\r\n\r\n"),
    "two lengths": _echo_raw(b"HTTP/1.1 200 X\r\nContent-Length: 1, 2\r\nX: %\r\n\r\n"),
    "bad chunk": _echo_raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n%\r\n"),
    "packed": _echo_raw(b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\n\r\n%"),
    "headers": _echo_raw(b"HTTP/1.1 200 X\r\n%\r\nX: %\r\n\r\n{}"),
    "reset": Fault.RESET,
    "closed": Fault.CLOSE,
    "closed before": Fault.CLOSE_BEFORE_READING,
    "stall": Fault.STALL,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_no_answer_brings_it_out(make: Make, gateway: ScriptedGateway, answer: Any) -> None:
    gateway.script(answer)
    _fails(make(gateway.url, read_timeout=0.3))


def test_what_is_accepted_shows_it_neither(
    make: Make, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    make(gateway.url).send(TEXT)
    assert TOKEN in gateway.requests[0].path
    assert '"POST /waInstance1101000001/sendMessage/*** HTTP/1.1" 200' in caplog.text


def test_an_id_that_says_it_is_none(make: Make, gateway: ScriptedGateway) -> None:
    gateway.script(Reply(200, {"idMessage": f"x-{TOKEN}"}))
    with pytest.raises(OutcomeUnknown, match="no id") as raised:
        make(gateway.url).send(TEXT)
    assert TOKEN not in str(raised.value)


def test_a_redirect_is_not_followed(make: Make, gateway: ScriptedGateway) -> None:
    with ScriptedGateway() as elsewhere:
        gateway.script(Reply(307, b"", {"Location": f"{elsewhere.url}/{TOKEN}"}))
        _fails(make(gateway.url), "http 307")
        assert elsewhere.attempts == 0


def test_a_name_that_cannot_be_resolved(make: Make) -> None:
    _fails(make("https://no-such-host.invalid"), "dns")


def test_a_connection_that_is_refused(make: Make) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        _fails(make(f"http://127.0.0.1:{held.getsockname()[1]}"), "connection_refused")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of gateway.test, in one file."""
    both = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=gateway.test", "-addext", "subjectAltName=DNS:gateway.test"]
    files = ["-keyout", f"{both}.key", "-out", f"{both}.cert"]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    both.write_bytes(Path(f"{both}.key").read_bytes() + Path(f"{both}.cert").read_bytes())
    return both


class Tunnel:
    """A proxy that answers CONNECT, and then is the gateway itself, which hangs up on requests."""

    def __init__(self, reply: bytes, certificate: Path) -> None:
        self.seen: list[bytes] = []
        self._reply, self._certificate = reply, certificate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                self._serve(self._listener.accept()[0])

    def _serve(self, plain: socket.socket) -> None:
        with plain, suppress(OSError):
            self.seen.append(plain.recv(65_536))
            plain.sendall(self._reply)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            with context.wrap_socket(plain, server_side=True) as secure:
                self.seen.append(secure.recv(65_536))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def tunnel(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> Iterator[Callable[..., Tunnel]]:
    made: list[Tunnel] = []

    def tunnel(reply: bytes, *, trusted: bool = True) -> Tunnel:
        made.append(Tunnel(reply, certificate))
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass-word@127.0.0.1:{made[-1].port}")
        if trusted:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        return made[-1]

    monkeypatch.setenv("NETRC", os.devnull)
    yield tunnel
    for each in made:
        each.close()


def test_a_proxy_that_refuses(make: Make, tunnel: Callable[..., Tunnel]) -> None:
    proxy = tunnel(b"HTTP/1.1 407 Who are you\r\n\r\n")
    _fails(make("https://gateway.test"), "proxy")
    assert TOKEN.encode() not in b"".join(proxy.seen)


def test_tls_that_nobody_vouches_for(make: Make, tunnel: Callable[..., Tunnel]) -> None:
    proxy = tunnel(b"HTTP/1.1 200 OK\r\n\r\n", trusted=False)
    _fails(make("https://gateway.test"), "tls")
    assert TOKEN.encode() not in b"".join(proxy.seen)


def test_tls_that_breaks_behind_a_proxy(make: Make, tunnel: Callable[..., Tunnel]) -> None:
    """Inside the tunnel the token is on its way; the proxy itself saw the host alone."""
    proxy = tunnel(b"HTTP/1.1 200 OK\r\n\r\n")
    _fails(make("https://gateway.test"), "connection_lost")
    connect, request, *_ = proxy.seen
    assert connect.startswith(b"CONNECT gateway.test:443 ")
    assert TOKEN.encode() not in connect
    assert f"/sendMessage/{TOKEN} HTTP/1.1".encode() in request


def test_a_proxy_that_is_none(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://user:pass-word@proxy.example")
    _fails(make("https://gateway.test"), "configuration")
