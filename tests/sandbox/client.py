"""What the tests of the sandbox talk with: an HTTP client, as any program may have one."""

import json
import socket
import sys
from typing import Any, Self
from urllib.parse import urlsplit

import requests

PERSON = "79001234567"
GROUP = "79001234567-1581234048"

# The head of a stream of events.
EVENTS = b"GET /inbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n"

WITH_H11_ALONE = (
    sys.executable,
    "-P",
    "-c",
    "import runpy, sys; sys.modules.update(httptools=None, uvloop=None);"
    "runpy.run_module('dispatcher.sandbox', run_name='__main__')",
)


class Client:
    """Talks HTTP over one keep-alive connection; answers are what `requests` gives."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        options = {"timeout": 5, "allow_redirects": False} | options
        headers = {"Authorization": "Bearer secret"} | options.pop("headers", {})
        return self._session.request(method, self.url + path, headers=headers, **options)

    def post(self, message: object, **options: Any) -> requests.Response:
        options["headers"] = {"Content-Type": "application/json"} | options.get("headers", {})
        return self.request("POST", "/v1/messages", data=json.dumps(message), **options)

    def text(self, body: str = "hello", to: str = PERSON, **options: Any) -> requests.Response:
        return self.post({"to": to, "text": {"body": body}}, **options)

    def upload(
        self, content: Any, extension: str | None = "pdf", content_type: str | None = None
    ) -> requests.Response:
        headers = {"X-Gr-File-Extension": extension, "Content-Type": content_type}
        given = {name: value for name, value in headers.items() if value is not None}
        return self.request("POST", "/v1/media", data=content, headers=given)

    def uploaded(
        self, content: bytes = b"a file", extension: str = "pdf", content_type: str | None = None
    ) -> str:
        """The id of a new upload."""
        return str(self.upload(content, extension, content_type).json()["media"][0]["id"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()


def code_of(answer: requests.Response) -> int:
    """The code with which something was refused."""
    assert answer.status_code == 400
    return int(answer.json()["errors"][0]["code"])


def connect(url: str) -> socket.socket:
    """A plain TCP connection to the server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=5)


def raw_post(path: str, body: bytes, **headers: str) -> bytes:
    """A POST as bytes: host, token and length are there unless given."""
    given = {"Host": "localhost", "Authorization": "Bearer secret", "Content-Length": len(body)}
    lines = [f"{name}: {value}" for name, value in (given | headers).items()]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode() + body


def message_bytes(body: str = "hello") -> bytes:
    """A message as a client would write it."""
    return json.dumps({"to": PERSON, "text": {"body": body}}).encode()
