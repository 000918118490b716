"""Web pages of elsewhere get nothing and change nothing."""

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases

from .client import Client


def port_of(client: Client) -> str:
    return client.url.rpartition(":")[2]


@cases("host", "localhost", "127.0.0.1", "[::1]", "LocalHost")
@cases("with_port", False, True)
def test_answers_under_local_names(host: str, with_port: bool, client: Client) -> None:
    header = f"{host}:{port_of(client)}" if with_port else host

    assert client.request("GET", "/api/messages", headers={"Host": header}).status_code == 200


@cases("path", "/", "/readyz", "/api/messages", "/v1/media/x")
@cases(
    "host", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "[::1", "", "10.1.1.1"
)
def test_answers_under_no_other_name(host: str, path: str, client: Client) -> None:
    answer = client.request("GET", path, headers={"Host": host})

    assert answer.status_code == 403
    assert "Host" in answer.json()["error"]


def test_takes_no_message_under_another_name(client: Client, sandbox: SandboxProcess) -> None:
    assert client.text(headers={"Host": "evil.example"}).status_code == 403
    assert sandbox.messages() == []


@cases(
    "headers",
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ids=str,
)
@cases(
    "method, path",
    ("DELETE", "/api/messages"),
    ("PUT", "/api/faults"),
    ("DELETE", "/api/faults"),
    ("POST", "/api/chats/79001234567/read"),
    ("POST", "/v1/messages"),
    ("GET", "/v1/media/x"),
)
def test_foreign_pages_change_nothing(
    headers: dict[str, str], method: str, path: str, client: Client, sandbox: SandboxProcess
) -> None:
    client.text()
    sandbox.faults([{"fault": "stall"}])

    answer = client.request(method, path, json=[], headers=headers)

    assert answer.status_code == 403
    assert len(sandbox.messages()) == 1
    assert client.request("GET", "/api/faults").json()[0]["fault"] == "stall"


@cases("method, path", ("DELETE", "/api/messages"), ("PUT", "/api/faults"))
def test_its_own_page_may(method: str, path: str, client: Client) -> None:
    own = {"Origin": client.url, "Sec-Fetch-Site": "same-origin"}

    assert client.request(method, path, json=[], headers=own).status_code == 200


def test_no_page_of_elsewhere_may_read(client: Client) -> None:
    answer = client.request("GET", "/api/messages", headers={"Origin": "https://evil.example"})

    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site"}


def test_a_link_from_elsewhere_leads_to_the_inbox(client: Client) -> None:
    link = FROM_ELSEWHERE | {"Sec-Fetch-Mode": "navigate"}

    assert client.request("GET", "/", headers=link).status_code == 200


@cases("path", "/inbox/events", "/inbox/files/x", "/api/messages")
def test_no_page_of_elsewhere_may_load_anything(path: str, client: Client) -> None:
    loading = FROM_ELSEWHERE | {"Sec-Fetch-Mode": "no-cors"}

    assert client.request("GET", path, headers=loading).status_code == 403
