"""The OpenAPI 3.1 document, for `GET /api/openapi.json` and the page /help.

Its schemas are made from the tables and models that the checks use.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dispatcher.sandbox.contract import CONTENT, GROUP, LONGEST_TEXT, MEDIA_FIELDS, PERSON
from dispatcher.sandbox.faults import Rule
from dispatcher.sandbox.store import COUNTS

Json = dict[str, Any]

STRING: Final[Json] = {"type": "string"}
INTEGER: Final[Json] = {"type": "integer", "minimum": 0}
NUMBER: Final[Json] = {"type": "number", "minimum": 0}
OK: Final[Json] = {"type": "object", "additionalProperties": False}


def ref(name: str) -> Json:
    """Return a reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def array_of(items: Json) -> Json:
    return {"type": "array", "items": items}


def object_of(properties: Mapping[str, Json], required: list[str] | None = None) -> Json:
    """Return an object of these properties, all required unless `required` is given."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


REFUSED: Final[Json] = {"400": ("refused, and why", ref("Refusal"))}
NO_FILE: Final[Json] = {"404": ("there is no such file; the body is empty", None)}
INVALID: Final[Json] = {"422": ("cannot be, and why", ref("Error"))}
FOREIGN: Final[Json] = {"403": ("asked under a foreign name, or by a foreign page", ref("Error"))}


def describe() -> Json:
    """Return the whole document."""
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


def _parameter(name: str, schema: Json, location: str = "query", required: bool = False) -> Json:
    return {"name": name, "in": location, "required": required, "schema": schema}


def _json(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def schemas() -> Json:
    """Return every schema by its name."""
    return {
        "Payload": _payload(),
        "Created": _created(),
        "Refusal": _refusal(),
        "Error": _error(),
        "Message": _message(),
        "Messages": object_of({"total": INTEGER, "messages": array_of(ref("Message"))}),
        "Media": _media_file(),
        "MediaList": object_of({"total": INTEGER, "media": array_of(ref("Media"))}),
        "Rule": Rule.model_json_schema(),
        "Stats": object_of(
            {name: INTEGER | {"description": what} for name, what in COUNTS.items()}
        ),
    }


def _payload() -> Json:
    text = object_of({"body": STRING | {"minLength": 1, "maxLength": LONGEST_TEXT}})
    recipient = STRING | {"pattern": f"^({PERSON.pattern}|{GROUP.pattern})$"}
    head = {
        "to": recipient,
        "recipient_type": {"enum": ["individual", "group"]},
        "type": {"enum": list(CONTENT), "default": "text"},
        "preview_url": {"type": "boolean"},
        "text": text,
    }
    one_content = [{"required": [name]} for name in CONTENT]
    return object_of(head | {kind: _media(kind) for kind in MEDIA_FIELDS}, ["to"]) | {
        "oneOf": one_content
    }


def _media(kind: str) -> Json:
    link = STRING | {"format": "uri", "pattern": "^https?://"}
    special = {"link": link, "provider": object_of({"name": STRING | {"minLength": 1}})}
    properties = {name: special.get(name, STRING) for name in MEDIA_FIELDS[kind]}
    return object_of(properties, []) | {"oneOf": [{"required": ["id"]}, {"required": ["link"]}]}


def _created() -> Json:
    ids = array_of(object_of({"id": STRING}))
    return object_of({"messages": ids, "media": ids, "meta": _meta()}, ["meta"])


def _refusal() -> Json:
    error = object_of({"code": INTEGER, "details": STRING, "title": STRING})
    return object_of({"errors": array_of(error), "meta": _meta()})


def _error() -> Json:
    location: Json = {
        "index": {"type": ["integer", "null"], "minimum": 0},
        "field": {"type": ["string", "null"]},
    }
    return object_of({"error": STRING} | location, ["error"])


def _meta() -> Json:
    return object_of({"api_status": STRING, "version": STRING})


def _message() -> Json:
    return object_of(
        {
            "id": STRING,
            "received_at": STRING | {"format": "date-time"},
            "to": STRING,
            "type": {"enum": list(CONTENT)},
            "payload": ref("Payload"),
            "body": STRING | {"description": "the body as it came"},
            "headers": {"type": "object", "additionalProperties": STRING},
        }
    )


def _media_file() -> Json:
    moment = STRING | {"format": "date-time"}
    texts = dict.fromkeys(("id", "content_type", "extension", "sha256"), STRING)
    return object_of(texts | {"size": INTEGER, "uploaded_at": moment, "expires_at": moment})
