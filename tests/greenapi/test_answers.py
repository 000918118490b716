"""What each answer of the gateway means: the document's "Ответ" and "Ошибки"."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import (
    AccountRefused,
    DeliveryError,
    NotSent,
    OutcomeUnknown,
    Receipt,
    Refused,
    Upload,
    encode,
)
from dispatcher.builtin.greenapi.transport import GreenApi
from dispatcher.testing import message
from tests.support.cases import cases
from tests.support.greenapi import TOKEN, transport, upload

MESSAGES = "https://api.green-api.com/v1/messages"
MEDIA = "https://media.green-api.com/v1/media"
PAYLOAD = {"to": "79001234567", "type": "text", "text": {"body": "Привет 😃"}}
META = {"api_status": "stable", "version": "2.0.1"}


def _error(code: Any, details: Any = "Outgoing messages limit exceeded") -> bytes:
    error = {"code": code, "details": details, "title": "Превышено колличество"}
    return json.dumps({"errors": [error], "meta": META}).encode()


def _send(transport: GreenApi, status: int, body: bytes = b"", **headers: str) -> Receipt:
    with responses.RequestsMock() as mock:
        mock.post(MESSAGES, body=body, status=status, headers=headers)
        return transport.send(PAYLOAD)


def _upload(transport: GreenApi, file: Upload, status: int, body: bytes = b"") -> Any:
    with responses.RequestsMock() as mock:
        mock.post(MEDIA, body=body, status=status)
        return transport.upload(file)


def _failure(transport: GreenApi, status: int, body: bytes = b"", **headers: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        _send(transport, status, body, **headers)
    return caught.value


def test_what_is_posted() -> None:
    payload = transport().build(message(text={"body": "Привет 😃"}), None)
    with responses.RequestsMock() as mock:
        mock.post(MESSAGES, json={"messages": [{"id": "1234"}], "meta": META}, status=201)
        receipt = transport().send(payload)
        request = mock.calls[0].request
    assert receipt == Receipt(id="1234")
    assert request.body == encode(payload)
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Content-Length"] == str(len(encode(payload)))
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_every_body_of_the_document_is_posted_byte_for_byte() -> None:
    bodies = [
        b'{"to":"79001234567","type":"text","text":{"body":"I use Green-API"}}',
        b'{"to":"79001234567-1581234048","type":"text","text":{"body":"to the Group!"}}',
        b'{"recipient_type":"group","to":"7-1","type":"image","image":{"id":"your-media-id"}}',
    ]
    with responses.RequestsMock() as mock:
        mock.post(MESSAGES, json={"messages": [{"id": "1"}]}, status=201)
        for body in bodies:
            transport().send(json.loads(body))
        assert [call.request.body for call in mock.calls] == bodies


@cases("status", 200, 201, 202)
@cases(
    "body, identifier",
    (b'{"messages":[{"id":"1234"}],"meta":{}}', "1234"),
    (b'{"messages":[{"id":1234}]}', "1234"),
    (b'\xef\xbb\xbf{"messages":[{"id":"a-b"},{"id":"other"}],"errors":[{"code":82}]}', "a-b"),
)
def test_accepted(status: int, body: bytes, identifier: str) -> None:
    assert _send(transport(), status, body) == Receipt(id=identifier)


NO_IDS = [
    *(b'""', b'"  "', rb'"a\u0000b"', rb'"\ud800"', b'"\xff"', b'"' + b"x" * 9999 + b'"', b'["1"]'),
    *(b"null", b"true", b"1.5", b"0", b"-1", b"NaN", b"1e999", b"9" * 4000, b"9" * 5000),
]


@cases(
    "body",
    *(b"", b"<html>created</html>", b"null", b'"messages"', b"[]", b"{}", b"[" * 100_000),
    *(b'{"messages":null}', b'{"messages":[]}', b'{"messages":{}}', b'{"messages":["1234"]}'),
    b'{"messages":{"0":{"id":"1"}}}',
    b'{"messages":[{}]}',
    *(b'{"messages":[{"id":%s}]}' % id for id in NO_IDS),
    b'{"messages":[{"id":"1"}],"messages":[]}',
    b'{"messages":' + b'{"messages":' * 9999 + b'[{"id":"1"}]' + b"}" * 10_000,
    b'{"messages":[{"id":"1"}]',
    _error(82),
    _error(1020),
)
def test_a_success_without_an_id_is_unknown(body: bytes) -> None:
    failure = _failure(transport(), 201, body)
    assert type(failure) is OutcomeUnknown
    assert "the answer has no id: " in failure.text
    assert failure.code in ("http 201", "82", "1020")
    with pytest.raises(NotSent, match="the answer has no id: "):
        _upload(transport(), upload(), 201, body.replace(b"messages", b"media"))


CODES = {
    Refused: (1, 1011, 1020, 1021, 1022, 1023, 1030, 1031, 1032, 7200),
    AccountRefused: (1040, 1041, 1062, 1071),
    NotSent: (82, 1060),
    OutcomeUnknown: (1010, 1024, 1042, 81, 1050, 1051, 1052, 1061, 9999, -1, 0, 10**12),
}
BY_CODE = [(code, outcome) for outcome, codes in CODES.items() for code in codes]


@cases("code, outcome", *BY_CODE)
@cases("as_string", False, True)
def test_codes(code: int, outcome: type[DeliveryError], as_string: bool) -> None:
    body = _error(str(code) if as_string else code)
    failure = _failure(transport(), 400, body)
    assert type(failure) is outcome
    is_code = 0 <= code < 10**9 or (code == -1 and not as_string)
    assert failure.code == (str(code) if is_code else "http 400")
    assert failure.text == "Outgoing messages limit exceeded / Превышено колличество"
    with pytest.raises(DeliveryError) as caught:
        _upload(transport(), upload(), 400, body)
    assert type(caught.value) is (NotSent if outcome is OutcomeUnknown else outcome)


def test_of_many_errors_the_first_counts() -> None:
    [first] = json.loads(_error(82, "a"))["errors"]
    second = {"code": 0, "details": "b", "title": "c"}
    failure = _failure(transport(), 400, json.dumps({"errors": [first, second]}).encode())
    assert (failure.code, failure.text) == ("82", "a / Превышено колличество")


@cases("code", None, True, 82.0, "82 ", "", "٨٢", "9" * 5000, [82], {})
def test_only_integers_are_codes(code: Any) -> None:
    failure = _failure(transport(), 400, _error(code))
    assert (type(failure), failure.code) == (OutcomeUnknown, "http 400")


@cases(
    "status, outcome",
    *((status, AccountRefused) for status in (401, 403)),
    *((status, Refused) for status in (301, 302, 307, 308, 404, 405, 413, 414, 415, 422)),
    (429, NotSent),
    *((status, OutcomeUnknown) for status in (299, 300, 303, 305, 399, 400, 402, 408, 409, 499)),
    *((status, OutcomeUnknown) for status in (500, 502, 503, 504, 599, 600, 999)),
)
@cases("body", b"", b"<html>no</html>", b'{"errors":[{"code":4711}]}')
def test_statuses(status: int, outcome: type[DeliveryError], body: bytes) -> None:
    failure = _failure(transport(), status, body)
    assert type(failure) is outcome
    assert failure.code == ("4711" if b"4711" in body else f"http {status}")
    said = "check GREENAPI_TOKEN" if status in (401, 403) else f"the gateway answered {status}"
    assert said in failure.text
    with pytest.raises(DeliveryError) as caught:
        _upload(transport(), upload(), status, body)
    assert type(caught.value) is (NotSent if outcome is OutcomeUnknown else outcome)


@cases(
    "status, code, outcome",
    (429, 1010, NotSent),
    (429, 1040, NotSent),
    (401, 82, AccountRefused),
    (403, 1042, AccountRefused),
    (500, 82, OutcomeUnknown),
    (503, 1040, OutcomeUnknown),
    (404, 82, NotSent),
    (404, 1010, OutcomeUnknown),
    (404, 1024, OutcomeUnknown),
    (404, 1042, OutcomeUnknown),
    (422, 1041, AccountRefused),
    (302, 1060, NotSent),
    (600, 1020, Refused),
)
def test_which_of_the_two_counts(status: int, code: int, outcome: type[DeliveryError]) -> None:
    failure = _failure(transport(), status, _error(code))
    assert (type(failure), failure.code) == (outcome, str(code))


@cases(
    "status, code, throttled",
    (429, None, True),
    (429, 1060, True),
    (400, 82, True),
    (404, 82, True),
    (400, 1060, False),
)
def test_whether_the_whole_account_waits(status: int, code: int | None, throttled: bool) -> None:
    failure = _failure(transport(), status, _error(code))
    assert isinstance(failure, NotSent)
    assert failure.throttled is throttled


@cases(
    "status, hint",
    (302, "redirects are not followed, check base_url: the gateway answered 302 Found"),
    (404, "check base_url: the gateway answered 404 Not Found"),
    (405, "check base_url: the gateway answered 405 Method Not Allowed"),
    (401, "check GREENAPI_TOKEN"),
    (403, "check GREENAPI_TOKEN"),
    (500, "the gateway answered 500 Internal Server Error"),
    (599, "the gateway answered 599"),
)
def test_hints(status: int, hint: str) -> None:
    assert _failure(transport(), status).text == hint
    with pytest.raises(DeliveryError) as caught:
        _upload(transport(), upload(), status)
    assert caught.value.text == hint.replace("base_url", "media_url")


def test_the_gateway_s_words_follow_the_hint() -> None:
    failure = _failure(transport(), 401, _error(1041, "Authorization key not allowed"))
    words = "Authorization key not allowed / Превышено колличество"
    assert failure.text == f"check GREENAPI_TOKEN: {words}"


@cases(
    "details, shown",
    ("a\n\tb  c", "a b c / Превышено колличество"),
    ("\x1b[31mred\x00\u200b", r"\x1b[31mred\x00\u200b / Превышено колличество"),
    ("  ", "Превышено колличество"),
    (["x"], "Превышено колличество"),
    ("x" * 1000, "x" * 299 + "…"),
    ("\ud800y", r"\ud800y / Превышено колличество"),
)
def test_words_are_cleaned(details: object, shown: str) -> None:
    assert _failure(transport(), 400, _error(82, details)).text == shown


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


NO_TIMES = [
    *("soon", "", "nan", "inf", "1_0", "9" * 400, "Mon, 99 Foo 2026 00:00:00 GMT"),
    "Mon, 01 Jan 2026 00:00:00 +99999999",
]


@cases(
    "value, seconds",
    ("7", 7),
    (" 7 ", 7),
    ("0.5", 0.5),
    ("0", 0),
    ("-3", 0),
    ("86400", 86400),
    pytest.param(_date(-3600), 0, id="an hour ago"),
    ("Sun, 06 Nov 1994 08:49:37 -0000", 0),
    *((value, None) for value in NO_TIMES),
)
@cases("status, code", (429, None), (400, 82), (400, 1060))
def test_retry_after(value: str, seconds: float | None, status: int, code: int | None) -> None:
    failure = _failure(transport(), status, _error(code), **{"Retry-After": value})
    assert isinstance(failure, NotSent)
    assert failure.retry_after == seconds


def test_retry_after_as_a_date_to_come() -> None:
    failure = _failure(transport(), 429, **{"Retry-After": _date(120)})
    assert isinstance(failure, NotSent)
    assert failure.retry_after == pytest.approx(120, abs=3)
    assert _failure(transport(), 429).retry_after is None


@cases("ahead", -7200, 300, ids=["behind", "ahead"])
def test_retry_after_as_a_date_is_by_the_gateways_clock(ahead: float) -> None:
    headers = {"Date": _date(ahead), "Retry-After": _date(ahead + 120)}
    failure = _failure(transport(), 429, **headers)
    assert isinstance(failure, NotSent)
    assert failure.retry_after == pytest.approx(120, abs=1)


NAMES = st.sampled_from(["messages", "media", "errors", "id", "code", "details", "title"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4)
    ),
)
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
HEADERS = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30)


@given(st.integers(200, 999), BODIES, HEADERS)
def test_any_answer_is_one_of_five_outcomes(status: int, body: bytes, retry_after: str) -> None:
    transport = GreenApi(GreenApi.Settings(token="t0ken"))
    outcome = _outcome(lambda: _send(transport, status, body, **{"Retry-After": retry_after}))
    if isinstance(outcome, Receipt):
        assert 200 <= status < 300
        assert json.loads(body)["messages"][0]["id"]
        assert outcome.id.isprintable()
    else:
        assert outcome.code
        assert outcome.text.isprintable()
        assert 0 < len(outcome.text) <= 300
        assert outcome.__context__ is None


def _outcome(send: Callable[[], Receipt]) -> Receipt | NotSent | Refused | OutcomeUnknown:
    try:
        return send()
    except (NotSent, Refused, OutcomeUnknown) as failure:
        return failure


def test_what_is_no_json_is_refused_unsent() -> None:
    with responses.RequestsMock(), pytest.raises(Refused, match="cannot be written as JSON"):
        transport().send({"to": {1, 2}})
