"""`python -m dispatcher.sandbox`: one line, and a clean end."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from dispatcher.sandbox.command import sandbox
from tests.support.cases import cases
from tests.support.waiting import PATIENCE, a_second

from .client import WITH_H11_ALONE, Client, connect, message_bytes, raw_post

MODULE = (sys.executable, "-m", "dispatcher.sandbox")
ROOT = Path(__file__).parents[2]

WITHOUT_ITS_EXTRA = (
    sys.executable,
    "-c",
    "import runpy, sys; sys.modules[sys.argv.pop(1)] = None;"
    "runpy.run_module('dispatcher.sandbox', run_name='__main__')",
)


@contextmanager
def started(*arguments: str, program: tuple[str, ...] = MODULE) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*program, *arguments], cwd=ROOT, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.terminate()


def url_of(process: subprocess.Popen[str]) -> str:
    found = re.fullmatch(r"sandbox: (http://\S+:\d+)\n", process.stdout.readline())
    assert found
    return found[1]


def run(
    *arguments: str, program: tuple[str, ...] = MODULE, stdin: int | None = None
) -> subprocess.CompletedProcess[str]:
    options = {"capture_output": True, "text": True, "timeout": 20, "check": False}
    return subprocess.run([*program, *arguments], cwd=ROOT, stdin=stdin, **options)


def received(connection: socket.socket) -> bytes:
    """What came before the connection ended."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


@cases(
    "program, number",
    (MODULE, signal.SIGINT),
    (MODULE, signal.SIGTERM),
    (WITH_H11_ALONE, signal.SIGTERM),
    ids=["httptools SIGINT", "httptools SIGTERM", "h11 SIGTERM"],
)
def test_ends_at_once_whatever_is_open(program: tuple[str, ...], number: signal.Signals) -> None:
    with started("--port", "0", program=program) as process:
        url = url_of(process)
        rules = [{"fault": "stall", "to": "1"}, {"fault": "delay", "delay": 60, "to": "2"}]
        with (
            Client(url) as client,
            connect(url) as stalled,
            connect(url) as delayed,
            connect(url) as waiting,
        ):
            client.text()
            client.request("PUT", "/api/faults", json=rules)
            stalled.sendall(raw_post("/v1/messages", message_bytes().replace(b"79001234567", b"1")))
            delayed.sendall(raw_post("/v1/messages", message_bytes().replace(b"79001234567", b"2")))
            waiting.sendall(b"GET /api/wait?count=9&timeout=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.request("GET", "/api/wait?count=2").status_code == 200
            process.send_signal(number)
            sent = time.monotonic()
            code = process.wait(PATIENCE)
            took = time.monotonic() - sent
            assert received(stalled) == received(delayed) == received(waiting) == b""
        rest, errors = process.communicate()

    assert code == 0
    assert took < a_second()
    assert (rest, errors) == ("", "")


def test_is_quiet_about_what_clients_do_wrong() -> None:
    with started("--port", "0") as process:
        url = url_of(process)
        for sent in (b"nonsense\r\n\r\n", raw_post("/v1/messages", b"", **{"Content-Length": "9"})):
            with connect(url) as connection:
                connection.sendall(sent)
        with Client(url) as client:
            client.text("")
        process.terminate()
        rest, errors = process.communicate(timeout=5)

    assert (rest, errors) == ("", "")


def test_ends_when_stdin_closes() -> None:
    with started("--port", "0", "--until-stdin-closes") as process:
        url_of(process)
        process.stdin.write("something\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.stdin.close()

        assert process.wait(2) == 0


def test_goes_on_without_stdin_unless_asked() -> None:
    with started("--port", "0") as process:
        url = url_of(process)
        process.stdin.close()
        time.sleep(0.3)
        with Client(url) as client:
            assert client.text().status_code == 201


def test_no_stdin_at_all_is_its_end() -> None:
    assert run("--port", "0", "--until-stdin-closes", stdin=subprocess.DEVNULL).returncode == 0


def test_on_a_name_of_this_machine() -> None:
    with started("--port", "0", "--host", "localhost") as process:
        url = url_of(process)
        with Client(url) as client:
            assert client.text().status_code == 201
        process.terminate()
        _, errors = process.communicate(timeout=5)

    assert url.startswith("http://localhost:")
    assert errors == ""


def test_where_other_machines_can_reach_it() -> None:
    with started("--port", "0", "--host", "0.0.0.0") as process:
        with Client(url_of(process)) as client:
            assert client.url.startswith("http://127.0.0.1:")
            statuses = [
                client.request("GET", "/readyz", headers={"Host": name}).status_code
                for name in ("0.0.0.0", "127.0.0.1:80", "evil.example")
            ]
        process.terminate()
        _, errors = process.communicate(timeout=5)

    assert statuses == [200, 200, 403]
    assert "0.0.0.0 can be reached from other machines" in errors


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = run("--port", port)

    assert ended.returncode == 2
    taken = f"port {port}: address already in use; one may be running already"
    assert f"cannot listen on 127.0.0.1 {taken}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@cases("arguments", ("--port", "70000"), ("--max-messages", "0"), ("--colour",))
def test_bad_usage(arguments: tuple[str, ...]) -> None:
    ended = CliRunner().invoke(sandbox, arguments)

    assert ended.exit_code == 2
    assert arguments[0] in ended.stderr


@cases("missing", "uvicorn", "starlette")
def test_says_which_extra_is_missing(missing: str) -> None:
    ended = run(missing, "--port", "0", program=WITHOUT_ITS_EXTRA)

    assert ended.returncode == 2
    assert "the sandbox needs its extra: pip install 'message-dispatcher[sandbox]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_importing_it_does_not_import_its_extra() -> None:
    code = (
        "import sys, dispatcher.sandbox.command, dispatcher.sandbox.process;"
        "print(sorted({'starlette', 'uvicorn'} & {*sys.modules}))"
    )

    assert run("-c", code, program=(sys.executable,)).stdout == "[]\n"


def test_the_port_can_be_taken_again_at_once() -> None:
    with started("--port", "0") as process:
        url = url_of(process)
        with Client(url) as client:
            client.text()
            process.terminate()
            process.wait(5)
    with started("--port", url.rpartition(":")[2]) as again:
        assert url_of(again) == url
