"""What a client sees of each fault, and whether the gateway accepted: with both HTTP parsers."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
import requests
from urllib3.exceptions import ProtocolError

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases

from .client import GROUP, PERSON, WITH_H11_ALONE, Client, code_of, connect, message_bytes, raw_post

BIG = b"x" * 5_000_000


@pytest.fixture(scope="module", params=[(), WITH_H11_ALONE], ids=["httptools", "h11"])
def running(request: pytest.FixtureRequest) -> Iterator[SandboxProcess]:
    with SandboxProcess(program=request.param) as sandbox:
        yield sandbox


def inner_error(error: requests.ConnectionError) -> type[BaseException]:
    """The class of what went wrong with the connection."""
    protocol_error = error.args[0]
    assert isinstance(protocol_error, ProtocolError)
    return type(protocol_error.args[1])


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
THROTTLED = {"fault": "status", "status": 429, "code": 82, "retry_after": 7}
ANSWERS: dict[str, tuple[dict[str, Any], int, dict[str, str], int]] = {
    # the rule, the answer's status and headers, and how many messages are there afterwards
    "status": ({}, 500, {"Content-Type": "application/json"}, 0),
    "status 429": (THROTTLED, 429, {"Retry-After": "7"}, 0),
    "status 200": ({"fault": "status", "status": 200}, 200, {}, 0),
    "a date": ({"fault": "status", "retry_after": DATE}, 500, {"Retry-After": DATE}, 0),
    "a fraction": ({"fault": "status", "retry_after": 0.5}, 500, {"Retry-After": "0.5"}, 0),
    "html": ({"retry_after": 3}, 502, {"Content-Type": "text/html; charset=utf-8"}, 0),
    "html 503": ({"fault": "html", "status": 503}, 503, {}, 0),
    "redirect": ({}, 307, {"Location": "/elsewhere/v1/messages"}, 0),
    "redirect 301": ({"fault": "redirect", "status": 301}, 301, {}, 0),
    "redirect with the status of an error": ({"fault": "redirect", "status": 500}, 307, {}, 0),
    "not_json": ({}, 201, {"Content-Type": "text/plain; charset=utf-8"}, 1),
    "no_id": ({}, 201, {"Content-Type": "application/json"}, 1),
    "delay": ({"delay": 0.1, "retry_after": 1}, 201, {"Retry-After": "1"}, 1),
}


@cases("name", *ANSWERS)
def test_faults_that_answer(name: str, client: Client, sandbox: SandboxProcess) -> None:
    rule, status, headers, accepted = ANSWERS[name]
    sandbox.faults([{"fault": name} | rule])

    answer = client.text()

    assert answer.status_code == status
    assert {header: answer.headers[header] for header in headers} == headers
    assert len(sandbox.messages()) == accepted
    assert sandbox.stats()["requests"] == 1


def test_status_answers_with_its_code(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "status", "code": 82}])

    [error] = client.text().json()["errors"]

    assert error["code"] == 82
    assert error["details"] == "Outgoing messages limit exceeded"


def test_not_json(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "not_json"}])

    with pytest.raises(requests.JSONDecodeError):
        client.text().json()


@cases("path, kind", ("/v1/messages", "messages"), ("/v1/media", "media"))
def test_no_id(path: str, kind: str, client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "no_id", "path": path}])

    answer = client.text() if kind == "messages" else client.upload(b"x")

    assert answer.status_code == 201
    assert "id" not in answer.json()[kind][0]


def test_a_redirect_that_is_followed_leads_nowhere(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "redirect"}])

    assert client.text(allow_redirects=True).status_code == 404
    assert sandbox.messages() == []


@cases(
    "fault, error, accepted",
    ("refuse", "RemoteDisconnected", 0),
    ("reset_before", "ConnectionResetError", 0),
    ("reset_after", "ConnectionResetError", 1),
)
def test_faults_that_break_the_connection(
    fault: str, error: str, accepted: int, client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": fault}])

    with pytest.raises(requests.ConnectionError) as caught:
        client.text()

    assert inner_error(caught.value).__name__ == error
    assert len(sandbox.messages()) == accepted
    assert sandbox.stats()["accepted"] == accepted


@cases("fault, uploaded", ("refuse", 0), ("reset_before", 0), ("reset_after", 1))
def test_a_large_upload_breaks_as_well(
    fault: str, uploaded: int, client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": fault, "path": "/v1/media"}])

    with pytest.raises(requests.ConnectionError):
        client.upload(BIG)

    assert sandbox.stats()["uploaded"] == uploaded


def test_refuse_does_not_wait_for_the_body(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "refuse"}])

    with connect(sandbox.url) as connection:
        connection.sendall(raw_post("/v1/messages", b"", **{"Content-Length": "100"}))

        assert connection.recv(100) == b""


def test_reset_before_waits_for_the_body(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "reset_before"}])
    whole = raw_post("/v1/messages", message_bytes())

    with connect(sandbox.url) as connection:
        connection.sendall(whole[:-5])
        connection.settimeout(0.15)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        connection.sendall(whole[-5:])
        connection.settimeout(5)
        with pytest.raises(ConnectionResetError):
            connection.recv(100)


def test_stall(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "stall"}])

    with pytest.raises(requests.ReadTimeout):
        client.text(timeout=0.25)

    assert len(sandbox.messages()) == 1


def test_a_stalled_connection_holds_up_no_other(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "stall", "times": 1}])

    with connect(sandbox.url) as stalled:
        stalled.sendall(raw_post("/v1/messages", message_bytes()))
        sandbox.wait(1)
        assert client.text().status_code == 201


def test_delay(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "delay", "delay": 0.2}])

    started = time.monotonic()
    assert client.text().status_code == 201
    assert 0.2 <= time.monotonic() - started < 2


@cases("fault", "status", "refuse", "reset_before", "reset_after", "html")
def test_delay_is_before_every_fault(fault: str, client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": fault, "delay": 0.15}])

    started = time.monotonic()
    with suppress(requests.ConnectionError):
        client.text()
    assert 0.15 <= time.monotonic() - started < 2


def test_a_delayed_upload_is_whole(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "delay", "delay": 0.05, "path": "/v1/media"}])

    assert client.upload(BIG).status_code == 201
    assert sandbox.media()[-1]["sha256"] == hashlib.sha256(BIG).hexdigest()


def test_a_client_that_gives_up_during_a_delay_has_sent_its_message(
    client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": "delay", "delay": 0.3}])

    with pytest.raises(requests.ReadTimeout):
        client.text(timeout=0.1)

    assert sandbox.messages() == []
    assert len(sandbox.wait(1, timeout=5)) == 1


@cases("fault", "reset_after", "stall", "not_json", "no_id", "delay")
def test_what_breaks_the_contract_is_refused_all_the_same(
    fault: str, client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": fault}])

    assert code_of(client.text("")) == 1030
    assert code_of(client.text(headers={"Authorization": None})) == 1040
    assert sandbox.messages() == []


@cases("fault", "reset_after", "stall", "not_json", "no_id", "delay")
def test_an_unknown_file_stays_unknown(fault: str, client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": fault, "path": "/v1/media"}])

    assert client.request("GET", "/v1/media/no-such-id").status_code == 404


def test_the_next_request_of_a_connection_works(client: Client, sandbox: SandboxProcess) -> None:
    for fault in ("status", "html", "redirect", "not_json", "no_id", "delay"):
        sandbox.faults([{"fault": fault, "times": 1}])
        client.text()
        assert client.text().status_code == 201

    assert sandbox.stats()["connections"] == 1


def test_answers_without_delay(client: Client) -> None:
    moments = [time.perf_counter()]
    for _ in range(21):
        client.text()
        moments.append(time.perf_counter())

    seconds = [after - before for before, after in pairwise(moments)]
    assert median(seconds) < 0.03, "Nagle's algorithm would make it 0.04"


def test_keeps_a_connection_that_pipelines(sandbox: SandboxProcess) -> None:
    request = raw_post("/v1/messages", message_bytes())

    with connect(sandbox.url) as connection:
        connection.sendall(request * 3)
        answers = b""
        while answers.count(b"201 Created") < 3:
            answers += connection.recv(65536)

    assert len(sandbox.messages()) == 3


def test_a_client_that_sends_its_body_after_the_answer_is_read(sandbox: SandboxProcess) -> None:
    request = raw_post("/v1/media", BIG, **{"Authorization": "wrong"})

    with connect(sandbox.url) as connection:
        connection.sendall(request)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
        connection.sendall(raw_post("/v1/messages", message_bytes()))
        answer = b""
        while b"201 Created" not in answer:
            answer += connection.recv(65536)


@cases("expecting", "/v1/messages", "/v1/media")
def test_says_continue_only_to_what_it_will_read(expecting: str, sandbox: SandboxProcess) -> None:
    with connect(sandbox.url) as connection:
        head = {"Content-Length": "58", "Expect": "100-continue", "X-Gr-File-Extension": "bin"}
        connection.sendall(raw_post(expecting, b"", **head))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")

    with connect(sandbox.url) as connection:
        connection.sendall(raw_post(expecting, b"", **head, Authorization="wrong"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def test_a_rule_for_one_recipient(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "status", "to": GROUP}])

    assert client.text(to=PERSON).status_code == 201
    assert client.text(to=GROUP).status_code == 500
    assert client.upload(b"x").status_code == 201


@cases("body", b"not json", b"[]", b'{"to": {}}', b"{}", b"\xff", b"[" * 9999)
def test_a_rule_for_one_and_nonsense(body: bytes, client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "refuse", "to": GROUP}])

    assert client.request("POST", "/v1/messages", data=body).status_code == 400


@cases(
    "path, messages, media",
    ("/v1/messages", 500, 201),
    ("/v1/media", 201, 500),
    ("/v1", 500, 500),
    ("/", 500, 500),
    ("/v1/m", 500, 500),
    ("/api", 201, 201),
)
def test_the_path_is_a_prefix(
    path: str, messages: int, media: int, client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": "status", "path": path}])

    assert client.text().status_code == messages
    assert client.upload(b"x").status_code == media
    assert client.request("GET", "/api/messages").status_code == 200


def test_the_first_rule_that_matches_applies(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults(
        [
            {"fault": "status", "status": 501, "to": GROUP},
            {"fault": "status", "status": 502, "times": 2},
            {"fault": "status", "status": 503},
        ]
    )

    statuses = [client.text(to=to).status_code for to in (PERSON, GROUP, PERSON, PERSON, GROUP)]

    assert statuses == [502, 501, 502, 503, 501]


def test_times_count_down(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "status", "times": 2}])

    seen = []
    for _ in range(3):
        left = client.request("GET", "/api/faults").json()[0]["times"]
        seen.append((left, client.text().status_code))

    assert seen == [(2, 500), (1, 500), (0, 201)]


@cases("probability, fewest, most", (0, 0, 0), (0.5, 20, 80), (1, 100, 100))
def test_probability(
    probability: float, fewest: int, most: int, client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": "status", "probability": probability}])

    failed = sum(client.text().status_code == 500 for _ in range(100))

    assert fewest <= failed <= most
    assert sandbox.stats()["faults"] == failed


def test_clear_ends_all_faults(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "status"}])

    assert client.request("DELETE", "/api/faults").json() == []
    assert client.text().status_code == 201
