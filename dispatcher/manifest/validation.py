"""Validates a manifest's data by the schema: problems in people's words, and what is usable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from dispatcher import models, validation_errors
from dispatcher.manifest import schema
from dispatcher.models import CONTENT_TYPES, LocatedProblem
from dispatcher.names import canonical_name, closest_name
from dispatcher.redaction import SECRET_FOUND, is_secret
from dispatcher.toml import KeyPath
from dispatcher.toml.file import MOST_PROBLEMS, TomlFile
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TABLES: dict[str | int, type[BaseModel]] = {
    "defaults": schema.DefaultsTable,
    "recipients": schema.RecipientsTable,
    "text": schema.TextTable,
    "image": models.Image,
    "video": models.Video,
    "audio": models.Audio,
    "document": models.Document,
    "provider": models.Provider,
}


# Without these a message is still complete: if one is wrong, the rest is still checked.
_OPTIONAL = frozenset(
    "manifest name moved_from repeat timezone transport revision recipient_type preview_url type "
    "caption filename provider".split()
)
# If there is a text in place of a table: the key that was probably meant to hold it.
_MAIN_KEYS: dict[str, str] = {
    **dict.fromkeys(CONTENT_TYPES, "source"),
    "text": "body",
    "provider": "name",
}
MAX_MESSAGES = 50_000
MAX_RECIPIENTS = 100_000  # of one message in the manifest itself
_DEPTH = 5  # the data, messages, a message, its content, provider


def check(file: TomlFile) -> tuple[dict[str, Any], list[LocatedProblem]]:
    """Return the usable part of a manifest's data, with canonical names, and every problem in it.

    What is wrong is removed, so that the rest is checked further; a message that would then lack
    something is replaced by an empty table.
    """
    data, problems = _check(file)
    return _with_canonical_names(data), problems


def _with_canonical_names(data: dict[str, Any]) -> dict[str, Any]:
    found = {**data, "name": canonical_name(data["name"])} if "name" in data else data
    messages = [
        {**each, "id": canonical_name(each["id"])} if "id" in each else each
        for each in data.get("messages", ())
    ]
    return {**found, "messages": messages}


def _check(file: TomlFile) -> tuple[dict[str, Any], list[LocatedProblem]]:
    if not file.data:
        return {}, [file.problem((), "the file is empty; a manifest begins with: manifest = 1")]
    if too_many := list(_too_many(file)):
        return {}, too_many
    try:
        schema.ManifestTable.model_validate(file.data)
    except ValidationError as invalid:
        errors = _causes([_schema_error(each) for each in invalid.errors(include_url=False)])
        problems = [_problem(file, error) for error in errors[:MOST_PROBLEMS]]
        if more := len(errors) - len(problems):
            problems.append(file.problem((), f"{more} more problems of this file are not shown"))
        return _usable(file.data, errors), problems
    return file.data, []


def _too_many(file: TomlFile) -> Iterator[LocatedProblem]:
    """Yield a problem if there are more messages or recipients than are read."""
    advice = "put the recipients into a .csv file: recipients = "
    messages = file.data.get("messages")
    entries = messages if isinstance(messages, list) else []
    if len(entries) > MAX_MESSAGES:
        sentence = f"the file has more than {MAX_MESSAGES} messages; {advice}"
        yield file.problem(("messages", MAX_MESSAGES), f'{sentence}"…"')
        return
    paths: list[KeyPath] = [("messages", number) for number in range(len(entries))]
    for path, table in zip(
        [("defaults",), *paths], [file.data.get("defaults"), *entries], strict=True
    ):
        to = table.get("to") if isinstance(table, dict) else None
        if isinstance(to, list) and len(to) > MAX_RECIPIENTS:
            sentence = f"to names more than {MAX_RECIPIENTS} recipients; {advice}"
            id = message_id(file.data, path)
            yield file.problem((*path, "to"), f'{sentence}"…"', message_id=id)


class _SchemaError(NamedTuple):
    """What pydantic found. `meant` is the last key of its path, or the one an unknown key means.

    `home` is the table, further out, to which an unknown key belongs.
    """

    details: ErrorDetails
    path: KeyPath
    unknown: bool
    meant: str | int | None
    home: KeyPath | None = None


def _schema_error(details: ErrorDetails) -> _SchemaError:
    path = validation_errors.key_path(details)
    if details["type"] != "extra_forbidden":
        return _SchemaError(details, path, False, path[-1])
    home = _home(path)
    return _SchemaError(details, path, True, path[-1] if home is not None else _meant(path), home)


def _home(path: KeyPath) -> KeyPath | None:
    """Return the table to which a key belongs, if it stands in another one, else None.

    In TOML, whatever follows the header of a table belongs to it, up to the next header.
    """
    key, parent = path[-1], path[-2:-1]
    if parent and parent[0] in CONTENT_TYPES:
        return path[:-2] if str(key) in _known_keys(path[:-2]) else None
    head = ("manifest", "name", "repeat", "timezone", "stop_on_failure", "defaults", "messages")
    return () if parent and key in head else None


def _meant(path: KeyPath) -> str | None:
    *table, key = path
    message = _model(table) in (schema.MessageTable, schema.DefaultsTable)
    if message and key in schema.TextTable.model_fields:
        return f"text.{key}"
    return closest_name(str(key), _known_keys(table))


def _causes(errors: list[_SchemaError]) -> list[_SchemaError]:
    """Return the errors, except for keys missing because they are misspelt or misplaced."""
    misspelt = {
        (*(error.path[:-1] if error.home is None else error.home), error.meant)
        for error in errors
        if error.unknown
    }
    return [
        error
        for error in errors
        if error.details["type"] != "missing" or error.path not in misspelt
    ]


def _problem(file: TomlFile, error: _SchemaError) -> LocatedProblem:
    if error.path == ("manifest",) and "manifest" in file.data.get("vars", {}):
        return file.problem(("vars", "manifest"), "manifest belongs above [vars]", key=True)
    id = message_id(file.data, error.path)
    sentence = _sentence(error) if error.home is None else _misplaced(file, error)
    return file.problem(error.path, sentence, key=error.unknown, message_id=id)


def _misplaced(file: TomlFile, error: _SchemaError) -> str:
    *table, key = error.path
    if not file.has_header(tuple(table)):
        owner = "message" if error.home else "manifest"
        return f"{key} belongs to the {owner}, not into {table[-1]}"
    names = ".".join(str(name) for name in table if isinstance(name, str))
    header = f"[[{names}]]" if isinstance(table[-1], int) else f"[{names}]"
    return f"{key} belongs above {header}"


def message_id(data: dict[str, Any], path: KeyPath) -> str | None:
    """Return the id of the message that a path of the data leads into."""
    match path, data:
        case ("messages", int(index), *_), {"messages": list(messages)}:
            entry = messages[index]
            found = entry.get("id") if isinstance(entry, dict) else None
            return canonical_name(found) if isinstance(found, str) and found else f"#{index + 1}"
    return None


def _sentence(error: _SchemaError) -> str:
    path = error.path
    key, parent = str(path[-1]), path[-2] if len(path) > 1 else None
    if error.details["type"] == schema.INVALID_NAME:
        named = [str(each) for each in path if isinstance(each, str)]  # it may be one of a list
        return f"{named[-1]} {error.details['msg']}"
    if error.unknown:
        if is_secret(key):
            return SECRET_FOUND
        if key in ("caption", "filename") and parent in CONTENT_TYPES:
            return f"{key} is not allowed on {parent}"
        if key in ("id", "type", "moved_from") and parent == "defaults":
            return f"{key} cannot be a default; every message has its own"
    elif path == ("manifest",):
        if error.details["type"] == "missing":
            return '"manifest" is missing; a manifest begins with: manifest = 1'
        return "this program reads manifests of version 1 only: manifest = 1"
    elif path == ("messages",):
        return "there are no messages; each begins with [[messages]]"
    elif error.details["type"] == "model_type" and key in _MAIN_KEYS:
        return _no_table(key, error.details["input"])
    return validation_errors.sentence(
        error.details, () if error.meant is None else [str(error.meant)]
    )


def _no_table(key: str, found: object) -> str:
    if isinstance(found, list):
        return f"{key} is one table; its header has single brackets"
    example = quoted(found, 20) if isinstance(found, str) else "…"
    return f"{key} is a table; write {key}.{_MAIN_KEYS[key]} = {example}"


def _known_keys(table: Sequence[str | int]) -> Iterable[str]:
    model = _model(table)
    return model.model_fields if model else ()


def _model(table: Sequence[str | int]) -> type[BaseModel] | None:
    if not table:
        return schema.ManifestTable
    return schema.MessageTable if isinstance(table[-1], int) else _TABLES.get(table[-1])


def _usable(data: dict[str, Any], errors: Iterable[_SchemaError]) -> dict[str, Any]:
    rest: dict[str, Any] = _copied(data, _DEPTH)
    whole = True
    for error in sorted(errors, key=lambda each: each.meant != "id"):
        expendable = _expendable(error)
        if expendable:
            _remove(rest, expendable)
        elif error.meant == "id" and error.path[:1] == ("messages",) and len(error.path) == 3:
            # The rest of the message is checked under the id that its problems name.
            _remove(rest, error.path)
            rest["messages"][error.path[1]]["id"] = message_id(data, error.path)
        elif error.path[0] == "messages" and len(error.path) > 1:
            rest["messages"][error.path[1]] = {}
        else:
            whole = False
    return rest if whole else {**rest, "messages": []}


def _expendable(error: _SchemaError) -> KeyPath:
    """Return the path to remove so that the rest can be checked; empty if there is none."""
    if error.home is not None:
        return ()
    if error.meant is None:
        return error.path
    keys = (*error.path[:-1], error.meant)
    lengths = (length for length, key in enumerate(keys, 1) if key in _OPTIONAL)
    return error.path[: next(lengths, 0)]


def _copied(data: Any, depth: int) -> Any:
    if depth and isinstance(data, dict):
        return {key: _copied(value, depth - 1) for key, value in data.items()}
    if depth and isinstance(data, list):
        return [_copied(value, depth - 1) for value in data]
    return data


def _remove(data: Any, path: KeyPath) -> None:
    for part in path[:-1]:
        if isinstance(data, dict) and part not in data:
            return
        data = data[part]
    data.pop(path[-1], None)
