"""`/api/faults`: what a rule may be."""

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases

from .client import Client

DEFAULTS = {
    "path": "/v1/messages",
    "to": None,
    "fault": "status",
    "times": None,
    "probability": 1.0,
    "status": 500,
    "code": 1010,
    "retry_after": None,
    "delay": 0,
}

FAULTS = [
    *("status", "refuse", "reset_before", "reset_after", "stall"),
    *("not_json", "no_id", "html", "redirect", "delay"),
]

BAD_VALUES = {
    "path": [None, 5, "", "v1/messages"],
    "to": [5, ["79001234567"]],
    "fault": [None, "explode", ["status"]],
    "times": [-1, 1.5, "2", True],
    "probability": [-0.1, 1.1, "0.5", None, True],
    "status": [None, 99, 600, 204, 304, "500", 500.0],
    "code": [None, -1, "82", 1.5],
    "retry_after": [-1, "", "a\r\nb", "é", True, []],
    "delay": [None, -1, "1", 3601, 1e300],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_documented_rule_is_taken_as_it_is(fault: str, client: Client) -> None:
    rule = DEFAULTS | {"fault": fault}

    answer = client.request("PUT", "/api/faults", json=[rule])

    assert answer.status_code == 200
    assert answer.json() == [rule]
    assert client.request("GET", "/api/faults").json() == [rule]


def test_the_defaults_are_filled_in(client: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"fault": "status"}, {"fault": "html"}])

    html = DEFAULTS | {"fault": "html", "status": 502}
    assert client.request("GET", "/api/faults").json() == [DEFAULTS, html]


@cases("field, value", *((field, value) for field in BAD_VALUES for value in BAD_VALUES[field]))
def test_a_value_that_cannot_be(
    field: str, value: object, client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": "no_id"}])

    rules = [{"fault": "status"}, DEFAULTS | {field: value}]
    answer = client.request("PUT", "/api/faults", json=rules)

    assert answer.status_code == 422
    refusal = answer.json()
    assert refusal["error"].startswith(f"rule 1: {field}: must be ")
    assert (refusal["index"], refusal["field"]) == (1, field)
    kept = client.request("GET", "/api/faults").json()
    assert [rule["fault"] for rule in kept] == ["no_id"], "the rules before stay in force"


@cases(
    "body, reason",
    (b'[{"fault": "status", "probabilty": 1}]', "rule 0: probabilty: unknown"),
    (b'[{"fault": "status", "\\ud800": 1}]', "rule 0: \ud800: unknown"),
    (b"[{}]", "rule 0: fault: is missing"),
    (b'["status"]', "rule 0: must be an object"),
    (b'{"fault": "status"}', "the rules: must be a list"),
    (b'[{"fault": "status", "delay": NaN}]', "rule 0: delay: must be"),
    (b'[{"fault": "status", "delay": Infinity}]', "rule 0: delay: must be"),
    (b"not json", "must be JSON"),
    (b"[" * 100_000, "must be JSON"),
)
def test_a_list_that_cannot_be(body: bytes, reason: str, client: Client) -> None:
    answer = client.request("PUT", "/api/faults", data=body)

    assert answer.status_code == 422
    assert reason in answer.json()["error"]


def test_a_body_of_more_than_a_mebibyte(client: Client) -> None:
    assert client.request("PUT", "/api/faults", data=b" " * 1024 * 1025).status_code == 413


def test_an_empty_list_is_no_faults(client: Client) -> None:
    answer = client.request("PUT", "/api/faults", json=[])

    assert (answer.status_code, answer.json()) == (200, [])
