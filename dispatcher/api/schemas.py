"""The JSON Schemas of manifests and of dispatcher.toml, with what the installed plugins add."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dispatcher.inputs import open_regular
from dispatcher.registry import Registry
from dispatcher.toml.json_schema import JsonSchema

_DIRECTIVE = "#:schema "


def manifest_schema(registry: Registry) -> JsonSchema:
    """Return the schema of manifests. Raises PluginError."""
    from dispatcher.manifest import json_schema

    return json_schema.manifest_schema(registry.contents())


def configuration_schema(registry: Registry) -> JsonSchema:
    """Return the schema of dispatcher.toml. Raises PluginError."""
    from dispatcher.config import json_schema

    return json_schema.configuration_schema(
        {name: transport.Settings for name, transport in registry.transports().items()},
        {each.name: each.settings for each in registry.plugins if each.settings is not None},
        registry.engines(),
    )


def holds(file: Path, schema: JsonSchema) -> bool:
    """Whether a file holds this schema, however it is laid out."""
    try:
        with open_regular(file) as stream:
            found: Any = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return False
    return bool(found == schema)


def named_by(file: Path) -> Path | None:
    """Return the file that the first line of a TOML file names as its schema, if any.

    Editors read it: `#:schema ../dispatcher.schema.json`.
    """
    try:
        with open_regular(file) as stream:
            first = stream.readline(4096).decode("utf-8-sig", errors="replace")
    except OSError:
        return None
    name = first.removeprefix(_DIRECTIVE).strip() if first.startswith(_DIRECTIVE) else ""
    return file.parent / name if name and "://" not in name else None
