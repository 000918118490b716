"""Every gateway of the same shape gets its requests as its documents want them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, get_args

import pytest

from dispatcher import AccountRefused, NotSent, OutcomeUnknown
from dispatcher.testing import Reply, Request, ScriptedGateway, message, upload
from dispatcher_whatsapp_cloud import WhatsAppCloud
from dispatcher_whatsapp_cloud.services import SERVICES, Name

Make = Callable[..., WhatsAppCloud]
TOKEN = "marker-token-EAAG81c6"
CLOUD = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+79001234567"}
PREMISES = {"recipient_type": "individual", "to": "79001234567"}
HELLO = {"body": "Hello!"}


class Row(NamedTuple):
    """A service: its host, what is above `/messages`, who we are, its shape, its files' life."""

    host: str | None
    above: str
    header: tuple[str, str]
    cloud: bool
    days: int


IN_CLOUD = "/v24.0/106540352242922"
BEARER, D360 = ("authorization", f"Bearer {TOKEN}"), ("d360-api-key", TOKEN)
ROWS = {
    "meta": Row("https://graph.facebook.com", IN_CLOUD, BEARER, True, 30),
    "kapso": Row(
        "https://api.kapso.ai", f"/meta/whatsapp{IN_CLOUD}", ("x-api-key", TOKEN), True, 30
    ),
    "360dialog": Row("https://waba-v2.360dialog.io", "", D360, True, 30),
    "on-premises": Row(None, "/v1", BEARER, False, 7),
    "360dialog-on-premises": Row("https://waba.360dialog.io", "/v1", D360, False, 7),
    "turn": Row("https://whatsapp.turn.io", "/v1", BEARER, False, 7),
}


def test_every_service_is_tested() -> None:
    assert ROWS.keys() == SERVICES.keys() == set(get_args(Name))


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_a_service_is_where_it_says(make: Make, name: str, row: Row) -> None:
    if row.host is not None:
        assert make(None, service=name)._messages.url == f"{row.host}{row.above}/messages"


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_a_message_is_posted_as_a_service_wants_it(
    make: Make, gateway: ScriptedGateway, name: str, row: Row
) -> None:
    gateway.script(Reply(200 if row.cloud else 201, {"messages": [{"id": "wamid.1"}]}))
    sender = make(gateway.url, service=name)
    built = sender.build(message(preview_url=True), None)
    assert list(sender.check(built, None)) == []
    assert sender.send(built).id == "wamid.1"
    [request] = gateway.requests
    expected: dict[str, Any] = {**PREMISES, "type": "text", "text": HELLO, "preview_url": True}
    if row.cloud:
        expected = {**CLOUD, "type": "text", "text": {**HELLO, "preview_url": True}}
    assert (request.path, request.json()) == (f"{row.above}/messages", expected)
    _require_identity(request, row)


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_a_file_is_uploaded_as_a_service_wants_it(
    make: Make,
    gateway: ScriptedGateway,
    parts: Callable[[Request], dict[str, tuple[bytes, str | None]]],
    name: str,
    row: Row,
) -> None:
    gateway.script(Reply(200, {"id": "17"} if row.cloud else {"media": [{"id": "17"}]}))
    before = datetime.now(UTC)
    media = make(gateway.url, service=name).upload(upload(b"%PDF-1.7", "prices.pdf"))
    assert media.id == "17"
    assert media.expires_at is not None
    assert (media.expires_at - before) // timedelta(days=1) == row.days
    [request] = gateway.requests
    assert request.path == f"{row.above}/media"
    _require_identity(request, row)
    if not row.cloud:
        assert request.headers["content-type"] == "application/pdf"
        assert request.body == b"%PDF-1.7"
        return
    assert parts(request) == {
        "type": (b"application/pdf", None),
        "messaging_product": (b"whatsapp", None),
        "file": (b"%PDF-1.7", "prices.pdf"),
    }


def _require_identity(request: Request, row: Row) -> None:
    known = {"authorization", "d360-api-key", "x-api-key"} & request.headers.keys()
    assert {key: request.headers[key] for key in known} == dict([row.header])


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_provider_is_for_premises(make: Make, name: str, row: Row) -> None:
    link = {"link": "https://cdn.example.com/a.png", "provider": {"name": "cdn"}}
    sender = make(service=name)
    built = sender.build(message(image=link), None)
    assert built["image"] == link
    problems = [problem.where for problem in sender.check(built, None)]
    assert problems == (["image.provider"] if row.cloud else [])


@pytest.mark.parametrize("name", ["360dialog", "360dialog-on-premises"])
@pytest.mark.parametrize("key", ["developer_message", "developerMessage"])
@pytest.mark.parametrize(
    "said",
    [
        "You have exceeded the limit of 1 request every 6 seconds",
        "You have exceeded the endpoint rate limit.",
    ],
)
def test_360dialog_is_too_fast_with_status_400(
    make: Make, gateway: ScriptedGateway, name: str, key: str, said: str
) -> None:
    gateway.script(Reply(400, {"meta": {"success": False, "http_code": 400, key: said}}))
    with pytest.raises(NotSent, match=said) as caught:
        make(gateway.url, service=name).send({})
    assert caught.value.throttled


@pytest.mark.parametrize("name", ["360dialog", "360dialog-on-premises"])
@pytest.mark.parametrize(
    "said",
    [
        "Could not send message due to lack of payment. Pay first.",
        "Your WhatsApp for Business API has been disabled",
    ],
)
def test_360dialog_lets_nobody_send_with_status_400(
    make: Make, gateway: ScriptedGateway, name: str, said: str
) -> None:
    gateway.script(Reply(400, {"meta": {"success": False, "developer_message": said}}))
    with pytest.raises(AccountRefused, match=said):
        make(gateway.url, service=name).send({})


def test_360dialog_restarts(make: Make, gateway: ScriptedGateway) -> None:
    gateway.script(Reply(555))
    with pytest.raises(OutcomeUnknown):
        make(gateway.url, service="360dialog").send({})


def test_kapso_asks_for_a_pause(make: Make, gateway: ScriptedGateway) -> None:
    gateway.script(Reply(429, {"error": "too many"}, {"Retry-After": "60"}))
    with pytest.raises(NotSent) as caught:
        make(gateway.url, service="kapso").send({})
    assert (caught.value.throttled, caught.value.retry_after) == (True, 60)
