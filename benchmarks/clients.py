"""What `dispatcher send` is compared with: how others post the same texts, one after the other.

    python benchmarks/clients.py NAME URL COUNT

Run by `sending.py`, with a Python that has the client and not the dispatcher.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

Send = Callable[[str, str], None]


def text(number: int) -> str:
    return f"Hello {number}: your order is ready, come by until Sunday. " * 3


def recipient(number: int) -> str:
    return f"7900{number:07}"


def requests(url: str) -> Send:
    """The bare loop: a session, and the body that the dispatcher posts."""
    session = import_module("requests").Session()
    session.headers["Authorization"] = "Bearer token"

    def send(to: str, body: str) -> None:
        payload = {
            "recipient_type": "individual",
            "to": to,
            "type": "text",
            "text": {"body": body},
        }
        answer = session.post(f"{url}/v1/messages", json=payload, timeout=(5, 30))
        assert answer.json()["messages"][0]["id"]

    return send


def apprise(url: str) -> Send:
    """Apprise, which posts JSON of its own."""
    target = import_module("apprise").Apprise()
    target.add(url.replace("http", "json", 1) + "/v1/messages")

    def send(to: str, body: str) -> None:
        assert target.notify(body=body, title=to)

    return send


def sdk(url: str) -> Send:
    """The gateway's own SDK, which speaks its older API."""
    api = import_module("whatsapp_api_client_python.API").GreenAPI("1101000001", "token", host=url)

    def send(to: str, body: str) -> None:
        assert api.sending.sendMessage(f"{to}@c.us", body).data["idMessage"]

    return send


if __name__ == "__main__":
    send_ = {"requests": requests, "apprise": apprise, "sdk": sdk}[sys.argv[1]](sys.argv[2])
    for number_ in range(int(sys.argv[3])):
        send_(recipient(number_), text(number_))
