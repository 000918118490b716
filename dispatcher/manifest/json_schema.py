"""The JSON Schema of manifests, which editors use: the schema, and the rules between its keys.

The rules are those of `message_table.py`, as far as JSON Schema can say them; docs/editor.md lists
what it cannot. A message also has what its file's `[defaults]` give it, so a rule that depends on
these is said of the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from dispatcher.addresses.lengths import REGIONS
from dispatcher.manifest.kinds import Kind, Kinds
from dispatcher.manifest.message_table import RECIPIENTS
from dispatcher.manifest.validation import MAX_MESSAGES, MAX_RECIPIENTS
from dispatcher.models import STANDARD_CONTENTS, Content, Contents
from dispatcher.toml.json_schema import (
    JsonSchema,
    TomlGenerator,
    document,
    has,
    has_at_most_one_of,
    has_exactly_one_of,
    has_one_of,
    lacks,
    table,
    table_of,
)
from dispatcher.validation_errors import fields_by_key

# What a text may be. If it holds a template, what it will be is not known.
_TEMPLATE = r"\{[{%#]"
_FILLED = r"[^\x00-\x20]"
_PLAIN = rf"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$|{_TEMPLATE}"
_ONE_LINE = rf"^[^\x00-\x1f\x7f-\x9f]*$|{_TEMPLATE}"
_FILE_NAME = rf"^[^\x00-\x1f\x7f-\x9f/\\]*$|{_TEMPLATE}"
_URL = rf"^[Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x20/?#][^\x00-\x20]*$|{_TEMPLATE}"
_LIST = r"[^/]\.([Cc][Ss][Vv]|[Jj][Ss][Oo][Nn][Ll])(\.[Gg][Zz])?$"
_DELIMITER = r'^[^A-Za-z0-9"\r\n ]$'
_SCALARS = ("string", "number", "integer", "boolean")
_DATES = ("date", "date-time", "time")
_DATE = rf"^[0-9]|{_TEMPLATE}"  # to Tombi, a text is none
_ANNOTATIONS = frozenset({"description", "examples", "default", "title", "deprecated"})
_PATTERNS = {"filename": _FILE_NAME, "link": _URL}  # of keys of a content; others are plain


def manifest_schema(transports: Mapping[str, Contents]) -> JsonSchema:
    """Return the JSON Schema of manifests; `transports` are the kinds of content of each."""
    return _Schema(transports).document()


class _ContentGenerator(TomlGenerator):
    """Adds the rules of a content to the tables within others, to which no defaults are added."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        if issubclass(model := schema["cls"], Content):
            one_of = model.exactly_one_of
            rules = [*([has_exactly_one_of(one_of)] if one_of else ()), *_provider_rules(model)]
            made |= {"allOf": rules} if rules else {}
        return made


class _Schema:
    def __init__(self, transports: Mapping[str, Contents]) -> None:
        self._transports = sorted(transports)
        self._kinds = Kinds(transports)
        # A rule about a kind is the same for all transports, or else it is not in the schema.
        self._known = {
            name: same[0]
            for name in self._kinds.names
            if len(same := self._kinds.models(name)) == 1
        }

    def document(self) -> JsonSchema:
        """Return the whole schema."""
        schema = table_of(self._kinds.manifest_table)
        tables = schema["$defs"]
        message, defaults = tables["MessageTable"], tables["DefaultsTable"]
        for each in (schema, message, defaults):
            if self._transports:
                each["properties"]["transport"]["enum"] = self._transports
        message["properties"]["type"]["enum"] = list(self._kinds.names)
        tables["Country"] = {"type": "string", "enum": sorted(REGIONS)}
        schema["properties"]["messages"]["maxItems"] = MAX_MESSAGES
        for each in (message, defaults):
            _complete_recipients(each["properties"])
        _complete_list(tables["RecipientsTable"]["properties"])
        for name in self._kinds.names:
            contents = self._contents(name, tables)
            message["properties"][name] = contents
            defaults["properties"][name] = _without_required(contents, tables)
        defaults["allOf"] = [has_at_most_one_of(RECIPIENTS)]
        message["allOf"] = list(self._message_rules())
        schema["allOf"] = list(self._rules_with_defaults())
        return document(schema, "dispatcher manifest")

    def _contents(self, name: str, tables: JsonSchema) -> JsonSchema:
        """Return the schema of the content tables of a name, and add their parts to `tables`."""
        kinds = self._kinds.models(name)
        found = []
        for kind in kinds:
            prefix = "" if len(kinds) == 1 else f"{self._owner(kind)}_"
            made = table_of(kind.table, prefix, _ContentGenerator)
            parts = made.pop("$defs", {})
            key = f"{prefix}{kind.table.__name__}"
            if kind.name not in STANDARD_CONTENTS:
                key = f"{prefix}{kind.name}_{kind.table.__name__}"
            made.pop("allOf", None)
            if rules := list(_content_rules(kind)):
                made["allOf"] = rules
            for part, each in parts.items():
                parts[part] = _filled_in(each, usual=_ONE_LINE if part == "Provider" else _PLAIN)
            made = _filled_in(made)
            if kind.model.list_field is not None:
                made = made["properties"][kind.model.list_field]
            tables |= {**parts, key: made}
            found.append({"$ref": f"#/$defs/{key}"})
        described = {"description": _described(kinds[0]), "examples": [_example(kinds[0])]}
        return {**(found[0] if len(found) == 1 else {"anyOf": found}), **described}

    def _owner(self, kind: Kind) -> str:
        return next(
            each for each in self._transports if self._kinds.of(each).get(kind.name) is kind
        )

    def _message_rules(self) -> Iterator[JsonSchema]:
        """Yield what holds for a message whatever the defaults are."""
        names = self._kinds.names
        yield has_at_most_one_of(RECIPIENTS)
        yield has_at_most_one_of(names)
        if others := self._without_preview:
            yield _either(lacks("preview_url"), lacks(*others))
        for kind in names:
            yield _either(lacks(kind), table(type={"const": kind}))
        for transport in self._transports:
            foreign = [name for name in names if name not in self._kinds.of(transport)]
            if foreign:
                named = {"allOf": [has("transport"), table(transport={"const": transport})]}
                yield {"if": named, "then": lacks(*foreign), "else": table()}

    def _rules_with_defaults(self) -> Iterator[JsonSchema]:
        """Yield what a message needs, or must not have, because of the file's defaults."""
        names = self._kinds.names
        yield _unless(has_one_of(RECIPIENTS), has_one_of(RECIPIENTS))
        needed = {name: _needed(kind) for name, kind in self._known.items()}
        whole = {"allOf": [has_exactly_one_of(names), table(**needed)]}
        yield _unless(whole, has_one_of(names))
        for name in names:
            if rule := needed.get(name):
                of_kind = {"allOf": [has(name), table(**{name: rule})]}
                yield _unless(of_kind, table(**{name: rule}))
            previews = name not in self._without_preview
            usual = [table(type={"const": name}), *([] if previews else [lacks("preview_url")])]
            yield _if(has(name), _either(has_one_of(names), {"allOf": usual}))
        for name, kind in self._known.items():
            if "provider" in kind.table.model_fields:
                linked = _either(has("source"), has("link"), lacks("provider"))
                yield _if(_with(name, has("id")), table(**{name: linked}))
                yield _if(_with(name, has("provider")), table(**{name: lacks("id")}))

    @property
    def _without_preview(self) -> list[str]:
        return [
            name
            for name in self._kinds.names
            if not any(kind.model.link_preview for kind in self._kinds.models(name))
        ]


def _described(kind: Kind) -> str:
    """Return the first line of what a model's docstring says."""
    return (kind.model.__doc__ or kind.model.name_for_people()).strip().splitlines()[0]


def _example(kind: Kind) -> Any:
    """Return the shortest table that is a whole content, from the examples of its fields."""
    fields = fields_by_key(kind.table)
    if kind.model.list_field is not None:
        return (fields[kind.model.list_field].examples or [[]])[0]
    needed = [name for name, field in fields.items() if field.is_required()]
    chosen = [each.keys[0] for each in kind.alternatives if each.needed]
    examples = {name: fields[name].examples for name in (*chosen, *needed)}
    return {name: known[0] for name, known in examples.items() if known}


def _without_required(contents: JsonSchema, tables: JsonSchema) -> JsonSchema:
    """Return the schema of a content table in the defaults, which a message completes."""
    key = contents.get("$ref", "").rpartition("/")[2]
    if key and "required" in tables[key]:
        partial = {name: each for name, each in tables[key].items() if name != "required"}
        tables[f"{key}_default"] = partial
        return {**contents, "$ref": f"#/$defs/{key}_default"}
    return contents if key else {"description": contents["description"], "type": "object"}


def _needed(kind: Kind) -> JsonSchema:
    """Return the rule of the keys that a content needs."""
    if kind.model.list_field is not None:
        return {"type": "array"}
    required = [name for name, field in fields_by_key(kind.table).items() if field.is_required()]
    rules = [has_one_of(each.keys) for each in kind.alternatives if each.needed]
    rules += [has(*required)] if required else []
    return {"allOf": rules} if len(rules) > 1 else next(iter(rules), {})


def _filled_in(schema: JsonSchema, key: str = "", usual: str = _PLAIN) -> JsonSchema:
    """Return the schema of a value of a content, for which a template may stand.

    `key` is that of the value, which may have a pattern; others have the `usual` one.
    """
    if "properties" in schema or "$ref" in schema or "const" in schema:
        keys = schema.get("properties", {})
        made = {name: _filled_in(each, name, usual) for name, each in keys.items()}
        return {**schema, "properties": made} if keys else schema
    within: JsonSchema = {
        word: [_filled_in(each, key, usual) for each in each_of]
        for word in ("anyOf", "oneOf", "prefixItems")
        if (each_of := schema.get(word))
    }
    within |= {
        word: _filled_in(each, "", usual)
        for word in ("items", "additionalProperties")
        if isinstance(each := schema.get(word), dict)
    }
    if within or not ("enum" in schema or schema.get("type") in _SCALARS):
        return {**schema, **within}
    said = {word: value for word, value in schema.items() if word in _ANNOTATIONS}
    rules = {word: value for word, value in schema.items() if word not in _ANNOTATIONS}
    if rules.get("type") != "string" or rules.get("format") in _DATES:
        written = _DATE if "format" in rules else _TEMPLATE
        return {**said, "anyOf": [rules, {"type": "string", "pattern": written}]}
    text = {"type": "string", "pattern": _FILLED, "allOf": [{"pattern": _PATTERNS.get(key, usual)}]}
    if rules == {"type": "string"}:
        return {**said, **text}
    return {**said, **text, "anyOf": [rules, {"type": "string", "pattern": _TEMPLATE}]}


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


def _content_rules(kind: Kind) -> Iterator[JsonSchema]:
    for each in kind.alternatives:
        yield has_at_most_one_of(each.keys)
    yield from _provider_rules(kind.table)


def _provider_rules(model: type[BaseModel]) -> Iterator[JsonSchema]:
    if "provider" in model.model_fields:
        yield {"anyOf": [lacks("id"), lacks("provider")]}


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
