"""The JSON Schema of dispatcher.toml: its own keys, and the tables of the installed plugins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretBytes, SecretStr

from dispatcher.addresses.lengths import REGIONS
from dispatcher.config.plugin_settings import variable
from dispatcher.config.schema import ConfigurationFile
from dispatcher.redaction import is_secret
from dispatcher.toml.json_schema import JsonSchema, document, table, table_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings


def configuration_schema(
    transports: Mapping[str, type[BaseSettings]],
    plugins: Mapping[str, type[BaseSettings]],
    engines: Collection[str],
) -> JsonSchema:
    """Return the JSON Schema of dispatcher.toml.

    `transports` and `plugins` are those installed, with the classes that read their tables.
    """
    schema = table_of(ConfigurationFile)
    definitions = schema["$defs"]
    owners = {"transports": transports, "plugins": plugins}
    for key in owners:
        definitions[key] = _tables(key, owners[key], definitions)
    definitions["Country"] = {"type": "string", "enum": sorted(REGIONS)}
    for each in (schema, definitions["Settings"]):
        keys = each["properties"]
        for key in owners:
            keys[key] = {"$ref": f"#/$defs/{key}", "description": keys[key]["description"]}
        keys["country"] = {**keys["country"], "$ref": "#/$defs/Country"}
        del keys["country"]["type"]
        if transports:
            keys["transport"]["enum"] = sorted(transports)
    if engines:
        definitions["DeliverySettings"]["properties"]["engine"]["enum"] = sorted(engines)
    return document(schema, "dispatcher.toml")


def _tables(
    kind: str, owners: Mapping[str, type[BaseSettings]], definitions: JsonSchema
) -> JsonSchema:
    """Return the schema of a table with a table for each owner, whose `$defs` are added."""
    tables = {}
    for name in sorted(owners):
        made = _settings_table(owners[name], f"{kind}.{name}.")
        definitions |= made.pop("$defs", {})
        tables[name] = made
    return {"type": "object", "properties": tables, "additionalProperties": False}


def _settings_table(settings: type[BaseSettings], prefix: str) -> JsonSchema:
    if not issubclass(settings, BaseModel):
        return table()
    made = table_of(settings, prefix)
    made.pop("required", None)  # what is not there may be in the environment
    made.setdefault("additionalProperties", True)
    for name, field in settings.model_fields.items():
        if name in made.get("properties", {}) and _holds_secret(name, field):
            made["properties"][name] = _secret(settings, name, field)
    return made


def _holds_secret(name: str, field: FieldInfo) -> bool:
    kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return is_secret(name) or any(kind in (SecretStr, SecretBytes) for kind in kinds)


def _secret(settings: type[BaseSettings], name: str, field: FieldInfo) -> JsonSchema:
    alias = field.validation_alias
    where = alias if isinstance(alias, str) else variable(settings, name)
    own = f"{field.description} " if field.description else ""
    return {"description": f"{own}Never here: set {where} in the environment.", "not": {}}
