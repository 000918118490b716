"""`/api/openapi.json` and the page `/help` say what is true."""

from typing import Any

import pytest
import requests

from dispatcher.sandbox.process import SandboxProcess

from .client import PERSON, Client

HEADERS = {"X-Gr-File-Extension": "pdf"}
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/v1/messages"): {"to": PERSON, "text": {"body": "x"}},
    ("post", "/v1/media"): ["a file"],
    ("put", "/api/faults"): [],
}

EVERYTHING = {
    ("post", "/v1/messages"),
    ("post", "/v1/media"),
    ("get", "/v1/media/{id}"),
    ("delete", "/v1/media/{id}"),
    ("get", "/api/messages"),
    ("delete", "/api/messages"),
    ("get", "/api/messages/{id}"),
    ("post", "/api/chats/{to}/read"),
    ("get", "/api/wait"),
    ("get", "/api/faults"),
    ("put", "/api/faults"),
    ("delete", "/api/faults"),
    ("get", "/api/media"),
    ("get", "/api/stats"),
    ("get", "/api/openapi.json"),
    ("get", "/readyz"),
    ("get", "/"),
}


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    return dict(client.request("GET", "/api/openapi.json").json())


def call(client: Client, method: str, path: str, id: str) -> requests.Response:
    client.text()
    return client.request(
        method.upper(),
        path.replace("{id}", id).replace("{to}", PERSON),
        json=BODIES.get((method, path)),
        headers=HEADERS,
    )


def conforms(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    """As much of JSON Schema as the document uses."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return conforms(value, document["components"]["schemas"][name], document)
    if schema.get("type") == "array":
        return all(conforms(item, schema["items"], document) for item in value)
    if schema.get("type") != "object" or "properties" not in schema:
        return True
    properties = schema["properties"]
    return set(schema["required"]) <= set(value) <= set(properties) and all(
        conforms(item, properties[name], document) for name, item in value.items()
    )


def test_lists_every_operation(document: dict[str, Any]) -> None:
    operations = {(method, path) for path, item in document["paths"].items() for method in item}

    assert operations == EVERYTHING


@pytest.mark.parametrize(("method", "path"), sorted(EVERYTHING))
def test_every_operation_answers_as_described(
    method: str, path: str, client: Client, document: dict[str, Any]
) -> None:
    id = "latest" if "messages" in path else client.uploaded()

    answer = call(client, method, path, id)

    responses = document["paths"][path][method]["responses"]
    assert answer.status_code in (200, 201)
    described = responses[str(answer.status_code)].get("content", {}).get("application/json")
    assert described is None or conforms(answer.json(), described["schema"], document)


def test_a_wrong_method_is_told_every_right_one(document: dict[str, Any], client: Client) -> None:
    for path, operations in document["paths"].items():
        answer = client.request("PROPFIND", path)

        assert answer.status_code == 405
        allowed = set(answer.headers["Allow"].split(", ")) - {"HEAD"}
        assert allowed == {method.upper() for method in operations}


def test_the_schema_of_a_message_names_its_limits(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["Text"]["properties"]["body"]["maxLength"] == 4096
    assert "caption" not in schemas["Audio"]["properties"]
    assert "filename" in schemas["Document"]["properties"]


def test_the_schema_of_a_rule_has_the_defaults(
    document: dict[str, Any], client: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"fault": "status"}])
    [rule] = client.request("GET", "/api/faults").json()

    described = document["components"]["schemas"]["Rule"]["properties"]

    assert {name: described[name].get("default", "status") for name in described} == rule


def test_the_help_lists_everything(client: Client) -> None:
    answer = client.request("GET", "/help")

    assert answer.headers["Content-Type"].startswith("text/html")
    for method, path in EVERYTHING:
        assert f"{method.upper()} {path}<" in answer.text
