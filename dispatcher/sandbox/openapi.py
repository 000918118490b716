"""The server's own description, OpenAPI 3.1, for `GET /api/openapi.json` and the page /help."""

from collections.abc import Sequence
from typing import Any, Final

from dispatcher.sandbox.schemas import (
    INTEGER,
    NUMBER,
    OK,
    STRING,
    array_of,
    object_of,
    ref,
    schemas,
)

Json = dict[str, Any]

REFUSED: Final[Json] = {"400": ("refused, and why", ref("Refusal"))}
NO_FILE: Final[Json] = {"404": ("there is no such file; the body is empty", None)}
INVALID: Final[Json] = {"422": ("cannot be, and why", ref("Error"))}
FOREIGN: Final[Json] = {"403": ("asked under a foreign name, or by a foreign page", ref("Error"))}


def describe() -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sandbox: a local Green API v1", "version": "1"},
        "paths": _gateway() | _messages() | _tools(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _gateway() -> Json:
    taken = {"201": ("accepted", ref("Created"))}
    extension = _parameter("X-Gr-File-Extension", STRING, "header", required=True)
    id = _parameter("id", STRING, "path", required=True)
    file: Json = {"content": {"*/*": {}}}
    token: Json = {"security": [{"token": []}]}
    post_message = _operation("Takes a message", taken | REFUSED, body=_json(ref("Payload")))
    post_media = _operation("Takes a file for 24 hours", taken | REFUSED, [extension], file)
    get = _operation("The bytes of a file", {"200": ("the file", None)} | REFUSED | NO_FILE, [id])
    delete = _operation("Forgets a file", {"200": ("forgotten", OK)} | REFUSED | NO_FILE, [id])
    return {
        "/v1/messages": {"post": post_message | token},
        "/v1/media": {"post": post_media | token},
        "/v1/media/{id}": {"get": get | token, "delete": delete | token},
    }


def _messages() -> Json:
    filters = [_parameter(name, STRING) for name in ("to", "type", "q")]
    limit, count = _parameter("limit", INTEGER), _parameter("count", INTEGER)
    timeout = _parameter("timeout", NUMBER)
    id = _parameter("id", STRING, "path", required=True)
    found: Json = {"200": ("the messages", ref("Messages"))}
    one: Json = {"200": ("the message", ref("Message")), "404": ("unknown", ref("Error"))}
    late: Json = {"408": ("there are fewer after timeout seconds", ref("Error"))}
    listed = _operation(
        "What arrived, oldest first; limit keeps the newest", found | INVALID, [*filters, limit]
    )
    waited = _operation(
        "Waits for count messages", found | late | INVALID, [*filters, count, timeout]
    )
    read = _operation(
        "Marks the messages to a recipient as read",
        {"200": ("done", object_of({"unread": INTEGER})), "404": ("unknown", ref("Error"))}
        | FOREIGN,
        [_parameter("to", STRING, "path", required=True)],
    )
    return {
        "/api/messages": {
            "get": listed,
            "delete": _operation("Forgets the messages and starts to count again", found | FOREIGN),
        },
        "/api/messages/{id}": {"get": _operation("One message by its id, or `latest`", one, [id])},
        "/api/chats/{to}/read": {"post": read},
        "/api/wait": {"get": waited},
    }


def _tools() -> Json:
    rules: Json = {"200": ("the rules in force", array_of(ref("Rule")))}
    put = _operation(
        "Replaces all rules; the first that matches a request applies",
        rules | INVALID | FOREIGN,
        body=_json(array_of(ref("Rule"))),
    )
    faults = {
        "get": _operation("The faults to inject, and how often still", rules),
        "put": put,
        "delete": _operation("No more faults", rules | FOREIGN),
    }
    return {
        "/api/faults": faults,
        "/api/media": _get("The uploaded files, oldest first", ref("MediaList")),
        "/api/stats": _get("How often things happened", ref("Stats")),
        "/api/openapi.json": _get("This description", {"type": "object"}),
        "/readyz": _get("Answers when the server serves", {"type": "object"}),
        "/": _get("The inbox: what arrived, for people", None),
    }


def _get(summary: str, schema: Json | None) -> Json:
    return {"get": _operation(summary, {"200": (summary, schema)})}


def _operation(
    summary: str, answers: Json, parameters: Sequence[Json] = (), body: Json | None = None
) -> Json:
    responses = {
        status: {"description": description} | ({} if schema is None else _json(schema))
        for status, (description, schema) in answers.items()
    }
    asked = {} if body is None else {"requestBody": body | {"required": True}}
    return {"summary": summary, "parameters": list(parameters), "responses": responses} | asked


def _parameter(name: str, schema: Json, place: str = "query", required: bool = False) -> Json:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _json(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}
