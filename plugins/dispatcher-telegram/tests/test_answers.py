"""What the Bot API is asked, what its answers mean, and how they read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses

from dispatcher import (
    AccountRefused,
    ConfigError,
    DeliveryError,
    NotSent,
    OutcomeUnknown,
    Receipt,
    Refused,
)
from dispatcher.testing import Reply, ScriptedGateway, upload
from dispatcher_telegram import Telegram

Make = Callable[..., Telegram]

URL = "https://api.telegram.org"
# The token is put in when the request is written, which `responses` does not do.
SEND_MESSAGE = f"{URL}/bot***/sendMessage"
TEXT = {"chat_id": "5", "text": "Hi"}


def raised(make: Make, status: int, body: Any, headers: dict[str, str] | None = None) -> Any:
    """What `send` raises for an answer."""
    with responses.RequestsMock() as http:
        http.add(responses.POST, SEND_MESSAGE, json=body, status=status, headers=headers)
        with pytest.raises(DeliveryError) as error:
            make(URL).send(TEXT)
    return error.value


def failed(status: int, description: str, **parameters: Any) -> dict[str, Any]:
    return {
        "ok": False,
        "error_code": status,
        "description": description,
        "parameters": parameters,
    }


def test_a_message_is_posted_as_it_was_planned(make: Make) -> None:
    with responses.RequestsMock() as http:
        accepted = {"ok": True, "result": {"message_id": 42}}
        http.add(responses.POST, SEND_MESSAGE, json=accepted)
        assert make(URL).send(TEXT) == Receipt(id="42")
        assert json.loads(http.calls[0].request.body or "") == TEXT
        assert "Authorization" not in http.calls[0].request.headers


@pytest.mark.parametrize(
    ("status", "description", "outcome"),
    [
        (400, "Bad Request: chat not found", Refused),
        (400, "Bad Request: can't parse entities: Unsupported start tag", Refused),
        (403, "Forbidden: bot was blocked by the user", Refused),
        (403, "Forbidden: bot is not a member of the channel chat", Refused),
        (401, "Unauthorized", AccountRefused),
        (404, "Not Found", AccountRefused),
        (400, "Logged out", AccountRefused),
        (500, "Internal Server Error", OutcomeUnknown),
        (502, "Bad Gateway", OutcomeUnknown),
    ],
)
def test_what_an_error_means(
    make: Make, status: int, description: str, outcome: type[DeliveryError]
) -> None:
    error = raised(make, status, failed(status, description))
    assert type(error) is outcome
    assert description in error.text


def test_too_many_requests_hold_the_account_as_long_as_asked(make: Make) -> None:
    error = raised(make, 429, failed(429, "Too Many Requests: retry after 31", retry_after=31))
    assert isinstance(error, NotSent)
    assert (error.throttled, error.retry_after) == (True, 31)


def test_the_longer_wait_counts(make: Make) -> None:
    body = failed(429, "Too Many Requests: retry after 3", retry_after=3)
    assert raised(make, 429, body, {"Retry-After": "5"}).retry_after == 5


def test_a_group_that_became_a_supergroup_has_another_id(make: Make) -> None:
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    error = raised(make, 400, failed(400, words, migrate_to_chat_id=-1001234567890))
    assert error.text == f"{words}; its id is -1001234567890 now"


def test_only_a_wrong_token_is_to_be_checked(make: Make) -> None:
    assert "TELEGRAM_TOKEN" not in raised(make, 403, failed(403, "Forbidden")).text
    assert "check TELEGRAM_TOKEN" in raised(make, 401, failed(401, "Unauthorized")).text
    assert "check TELEGRAM_TOKEN and" in raised(make, 404, failed(404, "Not Found")).text


@pytest.mark.parametrize("body", [{}, {"ok": True}, "<html>", []])
def test_a_bad_request_in_other_words_is_of_something_in_between(make: Make, body: Any) -> None:
    assert type(raised(make, 400, body)) is OutcomeUnknown


@pytest.mark.parametrize("token", ["123456789", "bot123:abc", "123:a/../b", "123:a%2Fb", ":abc"])
def test_what_is_no_token_is_said_without_it(make: Make, token: str) -> None:
    with pytest.raises(ConfigError) as error:
        make(token=token).require_credentials()
    assert token not in str(error.value)
    assert "TELEGRAM_TOKEN" in str(error.value)


def test_the_bot_says_who_it_is(make: Make, gateway: ScriptedGateway) -> None:
    probed = make(gateway.url).probe()
    assert probed is not None
    assert "@shop_bot" in probed.sentence
    gateway.script(Reply(401, failed(401, "Unauthorized")))
    with pytest.raises(AccountRefused):
        make(gateway.url).probe()


def test_a_file_has_the_name_that_the_message_gives_it(
    make: Make,
    gateway: ScriptedGateway,
    posted: Callable[[], list[tuple[str, dict[str, Any]]]],
) -> None:
    file = upload(b"%PDF-1.7", "a.pdf")
    payload = {"chat_id": "5", "document": file.reference, "filename": "Prices.pdf"}
    make(gateway.url).send({**payload, "disable_notification": True}, file)
    [(method, fields)] = posted()
    assert (method, fields.pop("document")) == ("sendDocument", (b"%PDF-1.7", "Prices.pdf"))
    assert fields == {"chat_id": "5", "disable_notification": True}


def test_a_server_on_this_machine_leads_to_people(make: Make) -> None:
    assert not make("http://127.0.0.1:8081").local
