"""Makes JSON Schema for TOML files from models: what editors complete, show and check.

Editors disagree about the newer keywords, so rules use `if`, `not`, `required`, `oneOf` and `anyOf`
only, and every table that a rule describes is open: Tombi warns of keys that it does not name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

JsonSchema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DECIMAL = r"^\s*[+-]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?\s*$"


class TomlGenerator(GenerateJsonSchema):
    """TOML has no null: a key that may be None is left out. Titles would show names of classes."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:
            del made["default"]
        return made

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        return self._list(super().set_schema(schema))

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        return self._list(super().frozenset_schema(schema))

    def _list(self, made: JsonSchemaValue) -> JsonSchemaValue:
        """Return the schema of a set: in a list of a file, what is there twice counts once."""
        return {key: value for key, value in made.items() if key != "uniqueItems"}

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        made = super().tuple_schema(schema)
        if items := [*made.get("prefixItems", ()), *([made["items"]] if "items" in made else ())]:
            made["items"] = {"anyOf": items}  # Taplo does not know `prefixItems`
        return made

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        made = super().decimal_schema(schema)
        for each in made["anyOf"]:
            if each["type"] == "string":
                each["pattern"] = _DECIMAL  # without what editors cannot read
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Say nothing: a default that is no JSON is left out."""


def table_of(
    model: type[BaseModel], prefix: str = "", generator: type[TomlGenerator] = TomlGenerator
) -> JsonSchema:
    """Return the schema of a table that a model reads, with its own `$defs`.

    `prefix` is what the names of these begin with. The schema of a model that JSON Schema cannot
    describe allows any table.
    """
    try:
        made = model.model_json_schema(
            by_alias=False,
            ref_template=f"#/$defs/{prefix}{{model}}",
            schema_generator=generator,
        )
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return table()
    definitions = {f"{prefix}{name}": each for name, each in made.pop("$defs", {}).items()}
    return {**made, "$defs": definitions}


def document(root: JsonSchema, title: str) -> JsonSchema:
    """Return a whole schema, its keys in an order that is always the same."""
    whole = {**root, "$schema": _DIALECT, "title": title}
    ordered: JsonSchema = GenerateJsonSchema().sort(whole)
    return ordered


# Rules


def table(**keys: JsonSchema) -> JsonSchema:
    """Return the rule that these keys of a table, if they are there, are as described."""
    return {"properties": keys, "additionalProperties": True} if keys else _open({})


def has(*keys: str) -> JsonSchema:
    """Return the rule that a table has all of these keys."""
    return _open({"required": list(keys)})


def lacks(*keys: str) -> JsonSchema:
    """Return the rule that a table has none of these keys."""
    return _open({"not": has(*keys) if len(keys) == 1 else has_one_of(keys)})


def has_one_of(keys: Iterable[str]) -> JsonSchema:
    """Return the rule that a table has at least one of these keys."""
    return _open({"anyOf": [has(key) for key in keys]})


def has_exactly_one_of(keys: Iterable[str]) -> JsonSchema:
    """Return the rule that a table has exactly one of these keys."""
    return _open({"oneOf": [has(key) for key in keys]})


def has_at_most_one_of(keys: Iterable[str]) -> JsonSchema:
    """Return the rule that a table has one of these keys, or none."""
    keys = tuple(keys)
    return _open({"oneOf": [*(has(key) for key in keys), lacks(*keys)]})


def _open(rule: JsonSchema) -> JsonSchema:
    return {**rule, "additionalProperties": True}
