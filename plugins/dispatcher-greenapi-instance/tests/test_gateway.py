"""Against the instance: what is posted where, and what its answers mean."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher import AccountRefused, ConfigError, NotSent, OutcomeUnknown, Refused, Upload
from dispatcher.testing import Reply, ScriptedGateway, message, upload
from dispatcher_greenapi_instance import GreenApiInstance
from dispatcher_greenapi_instance.errors import _until_next_month

Make = Callable[..., GreenApiInstance]
INSTANCE = "1101000001"
TOKEN = "marker-token-d75b3374288810784"
TEXT = {"chatId": "79001234567@c.us", "message": "Hello"}


def test_a_text_goes_to_send_message(make: Make, gateway: ScriptedGateway) -> None:
    assert make(gateway.url).send(TEXT).id.startswith("3EB0")
    [request] = gateway.requests
    assert request.path == f"/waInstance{INSTANCE}/sendMessage/{TOKEN}"
    assert request.json() == TEXT
    assert "authorization" not in request.headers


def test_a_file_goes_up_and_out_by_its_url(make: Make, gateway: ScriptedGateway) -> None:
    sender, file = make(gateway.url), upload(b"%PDF-1.7", "цены.pdf")
    before = datetime.now(UTC)
    media = sender.upload(file)
    assert media.expires_at is not None
    assert timedelta(days=15) <= media.expires_at - before < timedelta(days=15, minutes=1)
    built = sender.build(message(document={"source": "x", "caption": "c"}), file)
    assert sender.send({**built, "urlFile": media.id}).id
    up, out = gateway.requests
    assert up.path == f"/waInstance{INSTANCE}/uploadFile/{TOKEN}"
    assert (up.body, up.headers["content-type"]) == (b"%PDF-1.7", "application/pdf")
    assert up.headers["ga-filename"] == "file.pdf"
    assert out.path == f"/waInstance{INSTANCE}/sendFileByUrl/{TOKEN}"
    assert out.json()["fileName"] == "цены.pdf"


def test_a_file_has_its_extension_in_a_header_where_one_can_carry_it(
    make: Make, gateway: ScriptedGateway
) -> None:
    make(gateway.url).upload(upload(b"package x", "имя.go"))
    make(gateway.url).upload(upload(b"package x", "x.я"))
    first, second = gateway.requests
    assert first.headers["ga-filename"] == "file.go"
    assert "ga-filename" not in second.headers


def test_a_file_is_read_in_pieces(make: Make, gateway: ScriptedGateway) -> None:
    sizes: list[int] = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(-1 if size is None else size)
            return super().read(size)

    content = b"x" * 3_000_000
    file = upload(content).model_copy(update={"open": lambda: Stream(content)})
    assert isinstance(file, Upload)
    make(gateway.url).upload(file)
    assert gateway.requests[0].length == len(content)
    assert 0 < max(sizes) <= 65_536
    assert min(sizes) >= 0


def _error(status: int, **body: Any) -> Reply:
    return Reply(status, {"statusCode": status, **body})


@pytest.mark.parametrize(
    ("reply", "outcome", "words"),
    [
        (_error(400, message="Validation failed. Details: 'chatId'"), Refused, "Details: 'chatId'"),
        (_error(400, message="instance in starting process try later"), NotSent, "starting"),
        (Reply(400, "instance in starting process try later"), NotSent, "400 Bad Request"),
        (_error(400, message="instance account not authorized"), AccountRefused, "not authorized"),
        (_error(400, message="instance is starting or not authorized"), NotSent, "starting or"),
        (_error(400, message="Instance account is expired. Renew it"), AccountRefused, "expired"),
        (_error(400, message="Instance is deleted"), AccountRefused, "deleted"),
        (_error(400, message="bad request data"), Refused, "bad request data"),
        (_error(401), AccountRefused, "check GREENAPI_INSTANCE_TOKEN"),
        (_error(403), AccountRefused, "check id_instance"),
        (_error(404, message="Not Found"), AccountRefused, "check base_url"),
        (_error(429), NotSent, "429"),
        (_error(499), OutcomeUnknown, "499"),
        (_error(500, message="Internal Server Error"), OutcomeUnknown, "Internal Server Error"),
        (Reply(502, "<html>"), OutcomeUnknown, "502 Bad Gateway"),
        (Reply(200, {"idMessage": None}), OutcomeUnknown, "no id"),
    ],
)  # fmt: skip
def test_what_an_answer_means(
    make: Make, gateway: ScriptedGateway, reply: Reply, outcome: type[Exception], words: str
) -> None:
    gateway.script(reply)
    with pytest.raises(outcome, match=words) as caught:
        make(gateway.url).send(TEXT)
    assert caught.type is outcome


@pytest.mark.parametrize("name", ["invokeStatus", "correspondentsStatus"])
def test_a_quota_is_over_for_the_month(make: Make, gateway: ScriptedGateway, name: str) -> None:
    said = {"status": "QUOTE_EXCEEDED", "description": "Monthly quota has been exceeded."}
    gateway.script(Reply(466, {name: said}))
    with pytest.raises(NotSent, match="Monthly quota has been exceeded") as caught:
        make(gateway.url).send(TEXT)
    assert "the quota begins anew on 20" in str(caught.value)
    assert caught.value.throttled
    assert caught.value.retry_after == pytest.approx(_until_next_month(datetime.now(UTC)), abs=60)


CHATS = {
    "status": "CORRESPONDENTS_QUOTE_EXCEEDED",
    "used": 3,
    "total": 3,
    "description": "Number of chats per month exceeded",
    "correspondents": ["79001234567@c.us"],
}


def test_a_quota_of_chats_holds_for_this_recipient(make: Make, gateway: ScriptedGateway) -> None:
    allowed = {"method": "sendMessage", "status": "QUOTE_ALLOWED", "used": 40, "total": 0}
    for more in ({}, {"invokeStatus": allowed}):
        gateway.script(Reply(466, {"correspondentsStatus": CHATS, **more}))
        with pytest.raises(Refused, match="chats per month exceeded") as caught:
            make(gateway.url).send(TEXT)
        assert caught.type is Refused


def test_a_quota_of_messages_holds_for_everybody(make: Make, gateway: ScriptedGateway) -> None:
    used_up = {"status": "QUOTE_EXCEEDED", "description": "Monthly quota has been exceeded"}
    gateway.script(Reply(466, {"correspondentsStatus": CHATS, "invokeStatus": used_up}))
    with pytest.raises(NotSent) as caught:
        make(gateway.url).send(TEXT)
    assert caught.value.throttled


@pytest.mark.parametrize(
    ("now", "days"), [("2026-02-01T00:00", 28), ("2026-12-31T12:00", 0.5), ("2026-05-30", 2)]
)
def test_seconds_until_the_next_month(now: str, days: float) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert _until_next_month(moment) == days * 86_400


@pytest.mark.parametrize("token", ["a/b", "a b", "ä", "a?b", "a%2Fb", "~a"])
def test_a_token_that_does_not_fit_into_a_path(make: Make, token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(token=token).require_credentials()
    assert token not in str(caught.value)


def test_an_instance_must_be_named(make: Make) -> None:
    with pytest.raises(ConfigError, match="GREENAPI_INSTANCE_ID_INSTANCE"):
        make(id_instance=None).require_credentials()
