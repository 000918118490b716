"""The JSON Schema of manifests, which editors use: the schema, and the rules between its keys.

The rules are those of `message_table.py`, as far as JSON Schema can say them; docs/editor.md lists
what it cannot. A message also has what its file's `[defaults]` give it, so a rule that depends on
these is said of the whole file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dispatcher.addresses.lengths import REGIONS
from dispatcher.manifest.message_table import BODIES, ORIGINS, RECIPIENTS
from dispatcher.manifest.schema import ManifestTable
from dispatcher.manifest.validation import MAX_MESSAGES, MAX_RECIPIENTS
from dispatcher.models import CONTENT_TYPES
from dispatcher.toml.json_schema import (
    JsonSchema,
    document,
    has,
    has_at_most_one_of,
    has_exactly_one_of,
    has_one_of,
    lacks,
    table,
    table_of,
)

# What a text may be. If it holds a template, what it will be is not known.
_TEMPLATE = r"\{[{%#]"
_FILLED = r"[^\x00-\x20]"
_PLAIN = rf"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$|{_TEMPLATE}"
_ONE_LINE = rf"^[^\x00-\x1f\x7f-\x9f]*$|{_TEMPLATE}"
_FILE_NAME = rf"^[^\x00-\x1f\x7f-\x9f/\\]*$|{_TEMPLATE}"
_URL = rf"^[Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x20/?#][^\x00-\x20]*$|{_TEMPLATE}"
_LIST = r"[^/]\.([Cc][Ss][Vv]|[Jj][Ss][Oo][Nn][Ll])(\.[Gg][Zz])?$"
_DELIMITER = r'^[^A-Za-z0-9"\r\n ]$'
_PATTERNS = {"filename": _FILE_NAME, "link": _URL}  # of keys of a content; others are plain

_MEDIA = tuple(kind for kind in CONTENT_TYPES if kind != "text")
# What a content is made from.
_PARTS = {kind: BODIES if kind == "text" else ORIGINS for kind in CONTENT_TYPES}


def manifest_schema(transports: Collection[str]) -> JsonSchema:
    """Return the JSON Schema of manifests; `transports` are the names of those installed."""
    schema = table_of(ManifestTable)
    tables = schema["$defs"]
    message, defaults = tables["MessageTable"], tables["DefaultsTable"]
    for each in (schema, message, defaults):
        if transports:
            each["properties"]["transport"]["enum"] = sorted(transports)
    tables["Country"] = {"type": "string", "enum": sorted(REGIONS)}
    schema["properties"]["messages"]["maxItems"] = MAX_MESSAGES
    for each in (message, defaults):
        _complete_recipients(each["properties"])
    _complete_list(tables["RecipientsTable"]["properties"])
    for kind, parts in _PARTS.items():
        content = tables[message["properties"][kind]["$ref"].rpartition("/")[2]]
        content["allOf"] = list(_content_rules(kind, parts))
        _complete_texts(content["properties"])
    _complete_texts(tables["Provider"]["properties"], _ONE_LINE)
    defaults["allOf"] = [has_at_most_one_of(RECIPIENTS)]
    message["allOf"] = list(_message_rules())
    schema["allOf"] = list(_rules_with_defaults())
    return document(schema, "dispatcher manifest")


def _complete_texts(keys: JsonSchema, usual: str = _PLAIN) -> None:
    for key, value in keys.items():
        if value.get("type") == "string":
            value |= {"pattern": _FILLED, "allOf": [{"pattern": _PATTERNS.get(key, usual)}]}


def _complete_recipients(keys: JsonSchema) -> None:
    one, several = keys["to"]["oneOf"]
    one["pattern"] = several["items"]["pattern"] = _FILLED
    several["maxItems"] = MAX_RECIPIENTS
    keys["recipients"]["oneOf"][0]["pattern"] = _LIST
    _complete_country(keys)


def _complete_list(keys: JsonSchema) -> None:
    keys["file"]["pattern"] = _LIST
    keys["delimiter"]["pattern"] = _DELIMITER
    _complete_country(keys)


def _complete_country(keys: JsonSchema) -> None:
    del keys["country"]["type"]
    keys["country"]["$ref"] = "#/$defs/Country"


def _content_rules(kind: str, parts: Collection[str]) -> Iterator[JsonSchema]:
    yield has_at_most_one_of(parts)
    if kind != "text":
        yield {"anyOf": [lacks("id"), lacks("provider")]}


def _message_rules() -> Iterator[JsonSchema]:
    """Yield what holds for a message whatever the defaults are."""
    yield has_at_most_one_of(RECIPIENTS)
    yield has_at_most_one_of(CONTENT_TYPES)
    yield _either(lacks("preview_url"), lacks(*_MEDIA))
    for kind in CONTENT_TYPES:
        yield _either(lacks(kind), table(type={"const": kind}))


def _rules_with_defaults() -> Iterator[JsonSchema]:
    """Yield what a message needs, or must not have, because of the file's defaults."""
    yield _unless(has_one_of(RECIPIENTS), has_one_of(RECIPIENTS))
    contents = {kind: has_one_of(parts) for kind, parts in _PARTS.items()}
    whole = {"allOf": [has_exactly_one_of(CONTENT_TYPES), table(**contents)]}
    yield _unless(whole, has_one_of(CONTENT_TYPES))
    for kind in CONTENT_TYPES:
        of_kind = {"allOf": [has(kind), table(**{kind: contents[kind]})]}
        yield _unless(of_kind, table(**{kind: contents[kind]}))
        usual = [table(type={"const": kind}), *([] if kind == "text" else [lacks("preview_url")])]
        yield _if(has(kind), _either(has_one_of(CONTENT_TYPES), {"allOf": usual}))
    for kind in _MEDIA:
        linked = _either(has("source"), has("link"), lacks("provider"))
        yield _if(_with(kind, has("id")), table(**{kind: linked}))
        yield _if(_with(kind, has("provider")), table(**{kind: lacks("id")}))


def _with(key: str, rule: JsonSchema) -> JsonSchema:
    """Return the rule that a table has a key, whose value keeps to a rule."""
    return {"allOf": [has(key), table(**{key: rule})]}


def _either(*rules: JsonSchema) -> JsonSchema:
    return {"anyOf": list(rules)}


def _if(defaults: JsonSchema, message: JsonSchema) -> JsonSchema:
    """Return the rule that each message keeps to one if the defaults keep to another."""
    return {"if": _with("defaults", defaults), "then": _each_message(message)}


def _unless(defaults: JsonSchema, message: JsonSchema) -> JsonSchema:
    """Return the rule that each message keeps to one unless the defaults keep to another."""
    return {
        "if": _with("defaults", defaults),
        "then": table(),
        "else": _each_message(message),
    }


def _each_message(rule: JsonSchema) -> JsonSchema:
    return table(messages={"items": rule})
