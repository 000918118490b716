"""A manifest's data against `tables.py`: findings in people's words, and what is still usable."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from dispatcher import models
from dispatcher.manifest import tables
from dispatcher.models import CONTENT_TYPES, LocatedProblem
from dispatcher.toml import explain
from dispatcher.toml.file import TomlFile

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TABLES: dict[str | int, type[BaseModel]] = {
    "defaults": tables.DefaultsTable,
    "text": tables.TextTable,
    "image": models.Image,
    "video": models.Video,
    "audio": models.Audio,
    "document": models.Document,
    "provider": models.Provider,
}


def check(file: TomlFile) -> tuple[dict[str, Any], list[LocatedProblem]]:
    """The usable part of a manifest's data, and every problem of its structure.

    Unknown keys are taken out, so that what stands beside them is checked further; a message with
    any other problem is replaced by an empty table.
    """
    try:
        tables.ManifestTable.model_validate(file.data)
    except ValidationError as error:
        findings = error.errors(include_url=False)
        return _usable(file.data, findings), [_problem(file, finding) for finding in findings]
    return file.data, []


def _problem(file: TomlFile, finding: ErrorDetails) -> LocatedProblem:
    path = explain.place(finding)
    at_key = finding["type"] == "extra_forbidden"
    return file.problem(
        path, _sentence(finding), key=at_key, message_id=message_id(file.data, path)
    )


def message_id(data: dict[str, Any], path: explain.Path) -> str | None:
    """The id of the message that a path of the data leads into."""
    match path, data:
        case ("messages", int(index), *_), {"messages": list(messages)}:
            entry = messages[index]
            found = entry.get("id") if isinstance(entry, dict) else None
            return found if isinstance(found, str) else f"#{index + 1}"
    return None


def _sentence(finding: ErrorDetails) -> str:
    path = explain.place(finding)
    key, parent = str(path[-1]), path[-2] if len(path) > 1 else None
    if finding["type"] == "extra_forbidden":
        if explain.is_secret(key):
            return f'"{key}": secrets have no place in a manifest; tokens come from the environment'
        if key in ("caption", "filename") and parent in CONTENT_TYPES:
            return f"{key} is not allowed on {parent}"
        if key in ("id", "type") and parent == "defaults":
            return f"{key} cannot be a default; every message has its own"
    if path == ("manifest",) and finding["type"] == "literal_error":
        return "this program reads manifests of version 1 only: manifest = 1"
    return explain.sentence(finding, _known_keys(path[:-1]))


def _known_keys(path: explain.Path) -> Iterable[str]:
    if not path:
        return tables.ManifestTable.model_fields
    model = tables.MessageTable if isinstance(path[-1], int) else _TABLES.get(path[-1])
    return model.model_fields if model else ()


def _usable(data: dict[str, Any], findings: Iterable[ErrorDetails]) -> dict[str, Any]:
    rest = deepcopy(data)
    for finding in findings:
        path = explain.place(finding)
        if finding["type"] == "missing" and len(path) == 1:
            continue
        if path[:1] == ("messages",) and len(path) > 1 and finding["type"] != "extra_forbidden":
            rest["messages"][path[1]] = {}
        else:
            _remove(rest, path)
    return rest


def _remove(data: Any, path: explain.Path) -> None:
    for part in path[:-1]:
        if isinstance(data, dict) and part not in data:
            return
        data = data[part]
    if isinstance(data, dict):
        data.pop(path[-1], None)
