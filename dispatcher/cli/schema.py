"""`dispatcher schema`: JSON Schema of manifests, from the core and the installed plugins."""

from __future__ import annotations

from typing import Any

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import session_options
from dispatcher.errors import ExitCode
from dispatcher.manifest.schema import ManifestTable
from dispatcher.printing import print_value


@click.command("schema")
@session_options
def command(dispatcher: Dispatcher) -> int:
    """Print the JSON Schema of manifests; point an editor to it by `#:schema` in the first line."""
    dispatcher.registry.require_healthy()
    schema = ManifestTable.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "dispatcher manifest"
    for table in (schema, *schema["$defs"].values()):
        _name_transports(table, sorted(dispatcher.registry.transports()))
    print_value(schema, indent=2)
    return ExitCode.DONE


def _name_transports(table: dict[str, Any], names: list[str]) -> None:
    """Let editors offer the installed transports, and mark others."""
    properties = table.get("properties", {})
    if "transport" in properties:
        properties["transport"] = {"title": "Transport", "enum": names}
