"""Against the Cloud API: what is posted where, and what its answers mean."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher import (
    AccountRefused,
    ConfigError,
    DeliveryError,
    NotSent,
    OutcomeUnknown,
    Refused,
    Upload,
)
from dispatcher.testing import Reply, Request, ScriptedGateway, message, upload
from dispatcher_whatsapp_cloud import WhatsAppCloud

Make = Callable[..., WhatsAppCloud]
Parts = Callable[[Request], dict[str, tuple[bytes, str | None]]]
TOKEN = "marker-token-EAAG81c6"


def test_a_text_is_accepted(make: Make, gateway: ScriptedGateway) -> None:
    sender = make(gateway.url)
    assert sender.send(sender.build(message(), None)).id.startswith("wamid.")
    [request] = gateway.requests
    assert request.path == "/v24.0/106540352242922/messages"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_file_goes_up_in_a_form_and_out_by_its_id(
    make: Make, gateway: ScriptedGateway, parts: Parts
) -> None:
    sender, file = make(gateway.url), upload(b"%PDF-1.7", "цены.pdf")
    before = datetime.now(UTC)
    media = sender.upload(file)
    assert media.expires_at is not None
    assert timedelta(days=30) <= media.expires_at - before < timedelta(days=30, minutes=1)
    built = sender.build(message(document={"source": "x", "caption": "c"}), file)
    assert sender.send({**built, "document": {**built["document"], "id": media.id}}).id
    up, out = gateway.requests
    assert up.path == "/v24.0/106540352242922/media"
    assert parts(up)["type"] == (b"application/pdf", None)
    assert parts(up)["messaging_product"] == (b"whatsapp", None)
    assert parts(up)["file"][0] == b"%PDF-1.7"
    assert out.json()["document"] == {"id": media.id, "caption": "c", "filename": "цены.pdf"}


def test_a_file_is_read_in_pieces(make: Make, gateway: ScriptedGateway, parts: Parts) -> None:
    sizes: list[int] = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(-1 if size is None else size)
            return super().read(size)

    content = b"x" * 3_000_000
    file = upload(content).model_copy(update={"open": lambda: Stream(content)})
    assert isinstance(file, Upload)
    make(gateway.url).upload(file)
    assert parts(gateway.requests[0])["file"][0] == content
    assert 0 < max(sizes) <= 65_536
    assert min(sizes) >= 0


CODES: dict[type[DeliveryError], list[int]] = {
    NotSent: [4, 80007, 130429, 131056, 131049, 131208],
    Refused: [
        *(100, 130472, 131008, 131009, 131021, 131026, 131047, 131050, 131051, 131052, 131053),
        *(130497, 131020, 131030, 131041, 131062, 131063, 131207, 131212, 132000, 132015, 137000),
    ],
    AccountRefused: [
        *(0, 3, 10, 33, 190, 200, 299, 368, 131005, 131031, 131037, 131042, 131045, 131048),
        *(131064, 133016),
    ],
    OutcomeUnknown: [1, 2, 131000, 131016, 131057, 133004, 135000, 999_999],
}


@pytest.mark.parametrize(
    ("outcome", "code"), [(outcome, code) for outcome, codes in CODES.items() for code in codes]
)
@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_the_code_decides_and_not_the_status(
    make: Make,
    gateway: ScriptedGateway,
    meta_error: Callable[..., Reply],
    outcome: type[DeliveryError],
    code: int,
    status: int,
) -> None:
    gateway.script(meta_error(status, code, "more"))
    with pytest.raises(DeliveryError, match=rf"\(#{code}\) / more") as caught:
        make(gateway.url).send({})
    of_status = {429: NotSent, 403: AccountRefused}.get(status, OutcomeUnknown)
    assert caught.type is (of_status if code == 999_999 else outcome)
    assert caught.value.code == str(code)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, {}, AccountRefused),
        (403, {}, AccountRefused),
        (404, "<html>", Refused),
        (429, "", NotSent),
        (400, {}, OutcomeUnknown),
        (502, "<html>", OutcomeUnknown),
        (200, {"messages": []}, OutcomeUnknown),
    ],
)
def test_without_a_code_the_status_decides(
    make: Make, gateway: ScriptedGateway, status: int, body: Any, outcome: type[DeliveryError]
) -> None:
    gateway.script(Reply(status, body))
    with pytest.raises(DeliveryError) as caught:
        make(gateway.url).send({})
    assert caught.type is outcome


@pytest.mark.parametrize(
    ("code", "throttled", "wait"),
    [
        (4, True, None),
        (80007, True, None),
        (130429, True, None),
        (131056, False, 6),
        (131049, False, 24 * 3600),
    ],
)
@pytest.mark.parametrize("status", [400, 429])
def test_who_is_to_wait(
    make: Make,
    gateway: ScriptedGateway,
    meta_error: Callable[..., Reply],
    code: int,
    throttled: bool,
    wait: float | None,
    status: int,
) -> None:
    gateway.script(meta_error(status, code))
    with pytest.raises(NotSent) as caught:
        make(gateway.url).send({})
    assert (caught.value.throttled, caught.value.retry_after) == (throttled, wait)


def test_the_longer_wait_counts(
    make: Make, gateway: ScriptedGateway, meta_error: Callable[..., Reply]
) -> None:
    reply = meta_error(429, 131056)
    gateway.script(Reply(reply.status, reply.body, {"Retry-After": "64"}))
    with pytest.raises(NotSent) as caught:
        make(gateway.url).send({})
    assert (caught.value.throttled, caught.value.retry_after) == (False, 64)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"phone_number_id": None}, "meta needs phone_number_id in"),
        ({"phone_number_id": None, "version": None}, "needs version and phone_number_id"),
        ({"service": "on-premises", "base_url": None}, "on-premises needs base_url"),
    ],
)
def test_what_an_address_needs(make: Make, settings: dict[str, Any], missing: str) -> None:
    given = {"url": settings.pop("base_url", "https://x.example"), **settings}
    with pytest.raises(ConfigError, match=missing):
        make(**given).require_credentials()


def test_its_pace_is_metas(make: Make) -> None:
    assert (make().rate, make().recipient_rate) == ("80/s", "10/min")


@pytest.mark.parametrize("guessed", ["audio/3gpp", "video/3gp", "video/3gpp"])
def test_a_video_of_a_telephone_has_the_name_that_whatsapp_knows(
    make: Make, gateway: ScriptedGateway, parts: Parts, guessed: str
) -> None:
    file = upload(b"moo").model_copy(update={"filename": "cow.3gp", "mime_type": guessed})
    sender = make(gateway.url)
    assert not list(sender.check(sender.build(message(video={"source": "x"}), file), file))
    sender.upload(file)
    sent = parts(gateway.requests[0])
    assert sent["type"][0] == b"video/3gpp"
    assert sent["file"][0] == b"moo"
