"""`/api`: what arrived, and waiting for it."""

import threading
import time
from collections.abc import Iterator

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases

from .client import GROUP, PERSON, Client


@pytest.fixture
def filled(client: Client, sandbox: SandboxProcess) -> SandboxProcess:
    client.text("first Привет")
    client.text("second", to=GROUP)
    image = {"link": "https://e.com/Cat.png", "caption": "Straße", "provider": {"name": "cdn-1"}}
    client.post({"to": PERSON, "type": "image", "image": image})
    client.text("fourth")
    return sandbox


def bodies(messages: list[dict[str, object]]) -> list[object]:
    return [message["payload"].get("text", {}).get("body", "image") for message in messages]


@cases(
    "filters, expected",
    ({}, ["first Привет", "second", "image", "fourth"]),
    ({"to": GROUP}, ["second"]),
    ({"to": "7900"}, []),
    ({"type": "image"}, ["image"]),
    ({"type": "text", "to": PERSON}, ["first Привет", "fourth"]),
    ({"q": "CAT.PNG"}, ["image"]),
    ({"q": "STRASSE"}, ["image"]),
    ({"q": "straße"}, ["image"]),
    ({"q": "cdn-1"}, ["image"]),
    ({"q": "привет"}, ["first Привет"]),
    ({"q": "1581234048"}, ["second"]),
    ({"q": "body"}, []),
    ({"limit": 2}, ["image", "fourth"]),
    ({"limit": 9}, ["first Привет", "second", "image", "fourth"]),
    ({"limit": 0}, []),
    ({"type": "text", "limit": 1}, ["fourth"]),
    ({"to": "", "type": "", "q": "", "limit": ""}, ["first Привет", "second", "image", "fourth"]),
)
def test_filters(filters: dict[str, object], expected: list[str], filled: SandboxProcess) -> None:
    assert bodies(filled.messages(**filters)) == expected


def test_text_is_found_as_it_is_shown(client: Client, sandbox: SandboxProcess) -> None:
    client.text("*bold* words")

    assert bodies(sandbox.messages(q="bold words")) == ["*bold* words"]


def test_total_counts_what_limit_leaves_out(filled: SandboxProcess, client: Client) -> None:
    listing = client.request("GET", "/api/messages", params={"type": "text", "limit": "1"}).json()

    assert listing["total"] == 3
    assert bodies(listing["messages"]) == ["fourth"]


@cases("query", {"typ": "text"}, {"limit": "-1"}, {"limit": "many"}, {"limit": "nan"})
def test_a_query_that_cannot_be(query: dict[str, str], client: Client) -> None:
    answer = client.request("GET", "/api/messages", params=query)

    assert answer.status_code == 422
    assert next(iter(query)) in answer.json()["error"]


def test_keeps_every_byte(client: Client, sandbox: SandboxProcess) -> None:
    written = '{ "text" : {"body": "h\\u00e9 é 😃\\n"},\n\t"to":"79001234567" }'

    client.request("POST", "/v1/messages", data=written.encode())

    assert sandbox.latest()["body"] == written
    assert list(sandbox.latest()["payload"]) == ["text", "to"]


def test_keeps_headers_but_not_the_token(client: Client, sandbox: SandboxProcess) -> None:
    client.text(headers={"Authorization": "Bearer top-secret", "X-Trace": "abc"})

    headers = sandbox.latest()["headers"]
    assert headers["x-trace"] == "abc"
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer ***"
    assert "top-secret" not in client.request("GET", "/api/messages").text


def test_one_message(filled: SandboxProcess, client: Client) -> None:
    first, *_, last = filled.messages()

    assert client.request("GET", f"/api/messages/{first['id']}").json() == first
    assert client.request("GET", "/api/messages/latest").json() == last
    assert filled.latest() == last
    assert sorted(first) == ["body", "headers", "id", "payload", "received_at", "to", "type"]


def test_received_at_is_now(client: Client, sandbox: SandboxProcess) -> None:
    before = time.strftime("%Y-%m-%dT%H:%M", time.gmtime())
    client.text()
    after = time.strftime("%Y-%m-%dT%H:%M", time.gmtime())

    received = sandbox.latest()["received_at"]
    assert before <= received[:16] <= after
    assert received.endswith("Z")


@cases("id", "latest", "no-such-id")
def test_no_message(id: str, client: Client) -> None:
    answer = client.request("GET", f"/api/messages/{id}")

    assert answer.status_code == 404
    assert id in answer.json()["error"]


def test_clear(filled: SandboxProcess, client: Client) -> None:
    answer = client.request("DELETE", "/api/messages")

    assert answer.status_code == 200
    assert answer.json() == {"total": 0, "messages": []}
    assert filled.messages() == []
    assert set(filled.stats().values()) == {0}


def test_wait_returns_at_once_what_is_there(filled: SandboxProcess) -> None:
    assert bodies(filled.wait(2, timeout=0, type="text")) == ["first Привет", "second", "fourth"]


def test_wait_returns_when_the_last_one_comes(client: Client, sandbox: SandboxProcess) -> None:
    client.text("one")
    later = threading.Timer(0.3, lambda: [client.text("two"), client.text("three")])
    later.start()

    started = time.monotonic()
    arrived = sandbox.wait(3, timeout=10)

    later.join()
    assert bodies(arrived) == ["one", "two", "three"]
    assert 0.2 < time.monotonic() - started < 3


def test_wait_counts_only_what_matches(client: Client, sandbox: SandboxProcess) -> None:
    client.text(to=PERSON)

    with pytest.raises(TimeoutError, match="0 of 1"):
        sandbox.wait(1, timeout=0.1, to=GROUP)


def test_wait_gives_up_with_408(client: Client) -> None:
    answer = client.request("GET", "/api/wait", params={"count": 1, "timeout": 0.1})

    assert answer.status_code == 408
    assert "0 of 1" in answer.json()["error"]


@cases("query", {"count": "x"}, {"timeout": "-1"}, {"timeout": "inf"})
def test_wait_for_what_cannot_be(query: dict[str, str], client: Client) -> None:
    assert client.request("GET", "/api/wait", params=query).status_code == 422


def test_stats(client: Client, sandbox: SandboxProcess) -> None:
    client.text()
    client.text("")
    client.request("GET", f"/v1/media/{client.uploaded()}")
    client.upload(b"")
    sandbox.faults([{"fault": "status"}])
    client.text()

    assert sandbox.stats() == {
        "requests": 3,
        "accepted": 1,
        "uploads": 2,
        "uploaded": 1,
        "downloads": 1,
        "removals": 0,
        "faults": 1,
        "connections": 1,
    }


def test_counts_the_connections_of_clients_alone(sandbox: SandboxProcess) -> None:
    for _ in range(3):
        with Client(sandbox.url) as fresh:
            fresh.text()
            fresh.text()

    assert sandbox.stats()["connections"] == 3


def test_ready(client: Client) -> None:
    assert client.request("GET", "/readyz").status_code == 200


@pytest.fixture(scope="module")
def small() -> Iterator[SandboxProcess]:
    with SandboxProcess("--max-messages", "3") as sandbox:
        yield sandbox


def test_the_oldest_messages_go_first(small: SandboxProcess) -> None:
    with Client(small.url) as client:
        ids = [client.text(str(number)).json()["messages"][0]["id"] for number in range(5)]

        assert bodies(small.messages()) == ["2", "3", "4"]
        assert client.request("GET", f"/api/messages/{ids[0]}").status_code == 404
        assert client.request("GET", f"/api/messages/{ids[2]}").status_code == 200
        assert small.stats()["accepted"] == 5
