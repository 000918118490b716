"""In which order a gateway's tables are asked."""

import json
from typing import Any

import pytest

from dispatcher import AccountRefused, NotSent, OutcomeUnknown, Refused
from dispatcher.http.responses import STATUS_FIRST, ErrorMap, Outcome, Response
from tests.support.cases import cases

ERROR_MAP = ErrorMap(
    by_code={0: AccountRefused, 7: Refused, 8: NotSent},
    by_phrase={"try later": NotSent, "no account": AccountRefused},
    status_first=STATUS_FIRST,
    throttled=(8, "try later"),
)


def answer(status: int, body: Any) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


@cases(
    "status, body, outcome, throttled",
    (401, {"error": {"code": 7}}, AccountRefused, False),  # the status first
    (400, {"error": {"code": 0}}, AccountRefused, False),  # 0 is a code
    (400, {"error": {}}, Refused, False),  # and no code is not 0
    (400, {"error": {"code": 8, "message": "no account"}}, NotSent, True),  # then the code
    (400, {"error": {"code": 99, "message": "Try later."}}, NotSent, True),  # then words
    (400, b"instance has NO ACCOUNT", AccountRefused, False),  # wherever they stand
    (400, {"error": {"message": "else"}}, Refused, False),  # then the status once more
    (418, {"error": {"message": "else"}}, OutcomeUnknown, False),
    (500, b"try later", OutcomeUnknown, True),
    (429, b"\xff", NotSent, True),
)
def test_the_order_of_the_tables(status: int, body: Any, outcome: Outcome, throttled: bool) -> None:
    classification = ERROR_MAP.classify(answer(status, body), "base_url")
    assert (classification.outcome, classification.throttled) == (outcome, throttled)


@cases(
    "status, code, outcome, throttled",
    (403, 17, Refused, False),  # an author's code counts with every error
    (429, 40, OutcomeUnknown, True),
    (503, 31, NotSent, True),  # throttled alone says it
    (500, 17, Refused, False),
    (202, 17, OutcomeUnknown, False),  # no success without an id is an error
    (199, 23, AccountRefused, False),
    (200, 23, OutcomeUnknown, False),
    (299, 23, OutcomeUnknown, False),
    (300, 23, AccountRefused, False),
    (401, 99, AccountRefused, False),
    (403, 99, Refused, False),
    (400, 99, Refused, False),
    (503, 99, OutcomeUnknown, False),
    (404, 99, Refused, False),
)
def test_codes_win_unless_a_gateway_is_known_for_false_ones(
    status: int, code: int, outcome: Outcome, throttled: bool
) -> None:
    by_code = {17: Refused, 23: AccountRefused, 40: OutcomeUnknown}
    error_map = ErrorMap(by_code=by_code, throttled=(31,))
    classification = error_map.classify(answer(status, {"error": {"code": code}}), "base_url")
    assert (classification.outcome, classification.throttled) == (outcome, throttled)


@cases(
    "body, header, wait",
    ({"parameters": {"retry_after": 7}}, None, 7.0),
    ({"parameters": {"retry_after": "7.5"}}, None, 7.5),
    ({"parameters": {"retry_after": 7}}, "3", 7.0),
    ({"parameters": {"retry_after": 7}}, "30", 30.0),
    ({"parameters": {"retry_after": 0}}, None, 0.0),
    *(
        ({"parameters": {"retry_after": odd}}, None, None)
        for odd in (True, -1, "soon", [7], {}, None, "nan", "inf", "9" * 400)
    ),
    ({"parameters": 7}, "3", 3.0),
    ({}, None, None),
)
def test_a_wait_is_read_from_the_body(body: Any, header: str | None, wait: float | None) -> None:
    error_map = ErrorMap(retry_after=("parameters", "retry_after"))
    headers = {"Retry-After": header} if header else {}
    given = Response(429, headers, json.dumps(body).encode())
    assert error_map.classify(given, "").retry_after == wait
    assert ErrorMap().classify(given, "").retry_after == (float(header) if header else None)


def test_a_hint_is_for_errors_whose_code_says_nothing() -> None:
    error_map = ErrorMap(by_code={23: AccountRefused})
    suspended = {"error": {"code": 23, "message": "account suspended"}}
    assert error_map.classify(answer(401, suspended), "base_url").text == "account suspended"
    assert "check the token" in error_map.classify(answer(401, {}), "base_url").text


@cases(
    "status, outcome",
    (399, Refused),
    (499, Refused),
    (500, OutcomeUnknown),
    (599, OutcomeUnknown),
    (600, Refused),
)
def test_where_a_code_is_not_to_be_trusted(status: int, outcome: Outcome) -> None:
    error_map = ErrorMap(by_code={17: Refused}, status_first=STATUS_FIRST)
    assert error_map.classify(answer(status, {"error": {"code": 17}}), "").outcome is outcome


@pytest.mark.parametrize("status", range(300, 400))
def test_a_redirect_that_may_mean_done_is_unknown(status: int) -> None:
    """A status without a meaning of its own is to be read as 300."""
    expected = Refused if status in (301, 302, 307, 308) else OutcomeUnknown
    assert ErrorMap().classify(answer(status, {}), "").outcome is expected


@cases(
    "status, accepted, hint",
    (199, False, "the gateway answered"),
    (200, True, "the answer has no id"),
    (299, True, "the answer has no id"),
    (300, False, "redirects are not followed, check base_url"),
    (399, False, "redirects are not followed, check base_url"),
    (400, False, "the gateway answered"),
)
def test_only_a_success_is_one(status: int, accepted: bool, hint: str) -> None:
    with_id = answer(status, {"id": "m1"})
    assert with_id.accepted_id(("id",)) == ("m1" if accepted else None)
    assert ErrorMap().classify(with_id, "base_url").text.startswith(hint)


@cases("code, known", (10**9 - 1, True), (10**9, False), (-(10**9), False))
@cases("kind", int, str)
def test_a_code_has_nine_digits_at_the_most(code: int, known: bool, kind: type) -> None:
    given = answer(409, {"error": {"code": kind(code)}})
    classification = ErrorMap(by_code={code: Refused}).classify(given, "")
    assert classification.outcome is (Refused if known else OutcomeUnknown)
