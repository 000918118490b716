"""What travels over HTTP, as JSON Schema, made of the tables that the checks use."""

from collections.abc import Mapping
from typing import Any, Final

from dispatcher.sandbox.contract import CONTENT, GROUP, LONGEST_TEXT, MEDIA_FIELDS, PERSON
from dispatcher.sandbox.counts import MEANINGS
from dispatcher.sandbox.faults import BODILESS, FAULTS, LONGEST_DELAY, Rule

Json = dict[str, Any]

STRING: Final[Json] = {"type": "string"}
INTEGER: Final[Json] = {"type": "integer", "minimum": 0}
NUMBER: Final[Json] = {"type": "number", "minimum": 0}
OK: Final[Json] = {"type": "object", "additionalProperties": False}


def schemas() -> Json:
    """Every schema by its name."""
    return {
        "Payload": _payload(),
        "Created": _created(),
        "Refusal": _refusal(),
        "Error": _error(),
        "Message": _message(),
        "Messages": object_of({"total": INTEGER, "messages": array_of(ref("Message"))}),
        "Media": _media_file(),
        "MediaList": object_of({"total": INTEGER, "media": array_of(ref("Media"))}),
        "Rule": _rule(),
        "Stats": object_of(
            {name: INTEGER | {"description": what} for name, what in MEANINGS.items()}
        ),
    }


def ref(name: str) -> Json:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def array_of(items: Json) -> Json:
    return {"type": "array", "items": items}


def object_of(properties: Mapping[str, Json], required: list[str] | None = None) -> Json:
    """An object of these properties, all required unless said otherwise."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
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
    place: Json = {
        "index": {"type": ["integer", "null"], "minimum": 0},
        "field": {"type": ["string", "null"]},
    }
    return object_of({"error": STRING} | place, ["error"])


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


def _rule() -> Json:
    properties: Json = {
        "fault": {"enum": list(FAULTS)},
        "path": STRING | {"pattern": "^/"},
        "to": {"type": ["string", "null"]},
        "times": {"type": ["integer", "null"], "minimum": 0},
        "probability": NUMBER | {"maximum": 1},
        "status": INTEGER | {"minimum": 200, "maximum": 599, "not": {"enum": list(BODILESS)}},
        "code": INTEGER,
        "retry_after": {"type": ["number", "string", "null"], "minimum": 0, "minLength": 1},
        "delay": NUMBER | {"maximum": LONGEST_DELAY},
    }
    defaults = {
        name: {"default": value} for name, value in vars(Rule("")).items() if name != "fault"
    }
    described = {name: schema | defaults.get(name, {}) for name, schema in properties.items()}
    return object_of(described, ["fault"])
