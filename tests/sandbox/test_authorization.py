"""Who may post: any token, or the one that was given."""

from collections.abc import Iterator

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases

from .client import Client, code_of, connect, raw_post

ROUTES = [
    ("POST", "/v1/messages"),
    ("POST", "/v1/media"),
    ("GET", "/v1/media/some-id"),
    ("DELETE", "/v1/media/some-id"),
]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Client]:
    with SandboxProcess("--token", "secret-7") as sandbox, Client(sandbox.url) as client:
        yield client


def code(client: Client, method: str, path: str, header: str | None) -> int:
    headers = {"Authorization": header}
    return code_of(client.request(method, path, data=b"not json", headers=headers))


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_header(method: str, path: str, client: Client) -> None:
    assert code(client, method, path, None) == 1040


@pytest.mark.parametrize(("method", "path"), ROUTES)
@cases("header", "", "Bearer", "Bearer ", "Basic c2VjcmV0", "secret", "bearer secret")
def test_malformed_header(method: str, path: str, header: str, client: Client) -> None:
    assert code(client, method, path, header) == 1041


@cases("token", "x", "a.b-c_d~e", "00" * 500)
def test_any_token_is_valid(token: str, client: Client) -> None:
    assert client.text(headers={"Authorization": f"Bearer {token}"}).status_code == 201


@pytest.mark.parametrize(("method", "path"), ROUTES)
@cases("token", "secret", "secret-77", "SECRET-7", "secret-7 x", "\xe9")
def test_another_than_the_given_token(method: str, path: str, token: str, guarded: Client) -> None:
    assert code(guarded, method, path, f"Bearer {token}") == 1041


def test_the_given_token(guarded: Client) -> None:
    assert guarded.text(headers={"Authorization": "Bearer secret-7"}).status_code == 201


def test_is_checked_before_the_body_is_there(sandbox: SandboxProcess) -> None:
    head = raw_post("/v1/media", b"", **{"Content-Length": "1000", "Authorization": "Basic x"})

    with connect(sandbox.url) as connection:
        connection.sendall(head)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 400")
