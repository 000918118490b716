"""Validates a manifest's data by the schema: problems in people's words, and what is usable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from dispatcher import validation_errors
from dispatcher.errors import PluginError
from dispatcher.manifest import schema
from dispatcher.manifest.kinds import ContentError, Kind, Kinds
from dispatcher.manifest.message_table import Table, content_types, merged_content
from dispatcher.models import LocatedProblem
from dispatcher.names import canonical_name, closest_name
from dispatcher.redaction import SECRET_FOUND, is_secret
from dispatcher.toml import KeyPath
from dispatcher.toml.file import MOST_PROBLEMS, TomlFile
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Without these a message is still complete: if one is wrong, the rest is still checked.
_OPTIONAL = frozenset(
    "manifest name moved_from repeat timezone transport revision recipient_type preview_url "
    "type".split()
)
MAX_MESSAGES = 50_000
MAX_RECIPIENTS = 100_000  # of one message in the manifest itself
_NO_MANIFEST = (
    "this is no manifest: it has neither manifest = 1 nor [[messages]]; a TOML file of another "
    "kind is left out if its name, or that of its folder, begins with a dot"
)
_DEPTH = 4  # the data, messages, a message, its content


def check(
    file: TomlFile, kinds: Kinds, transport: str
) -> tuple[dict[str, Any], list[LocatedProblem]]:
    """Return the usable part of a manifest's data, with canonical names, and every problem in it.

    `transport` is for a file that names none. What is wrong is removed, so that the rest is checked
    further; a message that would then lack something is replaced by an empty table.
    """
    data, problems = _Validation(file, kinds, transport).check()
    return _with_canonical_names(data), problems


def _with_canonical_names(data: dict[str, Any]) -> dict[str, Any]:
    found = {**data, "name": canonical_name(data["name"])} if "name" in data else data
    messages = [
        each if each.get("id", "").isascii() else {**each, "id": canonical_name(each["id"])}
        for each in data.get("messages", ())
    ]
    return {**found, "messages": messages}


class _Validation:
    """Validates one file."""

    def __init__(self, file: TomlFile, kinds: Kinds, transport: str) -> None:
        self._file, self._data, self._kinds = file, file.data, kinds
        named = self._data.get("transport")
        self._transport = named if isinstance(named, str) else transport

    def check(self) -> tuple[dict[str, Any], list[LocatedProblem]]:
        """Return the usable part of the data, and every problem in it."""
        file = self._file
        if not self._data:
            return {}, [file.problem((), "the file is empty; a manifest begins with: manifest = 1")]
        if too_many := list(_too_many(file)):
            return {}, too_many
        errors = _causes(sorted([*self._errors(), *self._content_errors()], key=_entry_number))
        if not errors:
            return self._data, []
        missing = {each.path for each in errors if each.details["type"] == "missing"}
        if {("manifest",), ("messages",)} <= missing:
            return {}, [file.problem((), _NO_MANIFEST)]
        problems = [self._problem(error) for error in errors[:MOST_PROBLEMS]]
        if more := len(errors) - len(problems):
            problems.append(file.problem((), f"{more} more problems of this file are not shown"))
        return _usable(self._data, errors), problems

    def _errors(self) -> Iterator[_SchemaError]:
        try:
            self._kinds.manifest_table.model_validate(self._data)
        except ValidationError as invalid:
            for details in invalid.errors(include_url=False):
                path = validation_errors.key_path(details)
                yield self._schema_error(details, path, _expendable)

    def _content_errors(self) -> Iterator[_SchemaError]:
        """Yield what is wrong with content tables; what the defaults have wrong, once."""
        defaults = _table(self._data.get("defaults"))
        entries = self._data.get("messages")
        entries = list(map(_table, entries)) if isinstance(entries, list) else []
        told: set[tuple[str, KeyPath]] = set()
        for kind in self._of_defaults(defaults, entries):
            default = defaults[kind.name]
            for error in self._found(kind, default, ("defaults", kind.name)):
                # A message may complete the table.
                if not isinstance(default, dict) or (error.path and not error.is_missing):
                    told.add((kind.name, error.path))
                    yield self._content_error(kind, ("defaults", kind.name), error)
        for number, entry in enumerate(entries):
            of_transport = self._kinds.of(self._transport_of(entry, defaults))
            given = content_types(entry, self._kinds)
            for name in given or content_types(defaults, self._kinds):
                if own_kind := of_transport.get(name):
                    own = entry.get(name, {})
                    table = merged_content(_table(defaults.get(name)), own, own_kind)
                    path = ("messages", number, name)
                    for error in self._found(own_kind, table, path):
                        is_own = not isinstance(own, dict) or not set(error.path[:1]) - own.keys()
                        if is_own or (name, error.path) not in told:
                            yield self._content_error(own_kind, path, error)

    def _found(self, kind: Kind, table: object, path: KeyPath) -> list[ContentError]:
        """Return what is wrong with a content table. Raises PluginError, with its place."""
        try:
            return list(kind.errors(table))
        except PluginError as error:
            id = message_id(self._file.data, path)
            raise PluginError(str(self._file.problem(path, str(error), message_id=id))) from error

    def _of_defaults(self, defaults: Table, entries: Iterable[Table]) -> Iterator[Kind]:
        """Yield the kinds of the content tables of the defaults, as the messages have them."""
        names = content_types(defaults, self._kinds)
        transports = [self._transport_of(each, defaults) for each in entries] if names else []
        for name in names:
            found = (self._kinds.of(each).get(name) for each in (*transports, self._transport))
            first = next(filter(None, found), None)
            if first is not None:
                yield first

    def _transport_of(self, entry: Table, defaults: Table) -> str:
        named = entry.get("transport", defaults.get("transport"))
        return named if isinstance(named, str) else self._transport

    def _content_error(self, kind: Kind, table: KeyPath, error: ContentError) -> _SchemaError:
        path = (*table, *error.path)

        def expendable(found: _SchemaError) -> KeyPath:
            removed = (*table, found.meant) if len(path) == len(table) + 1 else path
            within = tuple(part for part in removed[len(table) :] if part is not None)
            return path[: len(table) + 1] if kind.is_expendable(within) else ()

        return self._schema_error(error.details, path, expendable)

    def _schema_error(
        self, details: ErrorDetails, path: KeyPath, expendable: Callable[[_SchemaError], KeyPath]
    ) -> _SchemaError:
        unknown = details["type"] == "extra_forbidden"
        home = self._home(path) if unknown else None
        meant = path[-1] if home is not None or not unknown else self._meant(path)
        return _SchemaError(details, path, unknown, meant, expendable, home)

    def _home(self, path: KeyPath) -> KeyPath | None:
        """Return the table to which a key belongs, if it stands in another one, else None.

        In TOML, whatever follows the header of a table belongs to it, up to the next header.
        """
        key, parent = path[-1], path[-2:-1]
        if parent and parent[0] in self._kinds.names:
            return path[:-2] if str(key) in self._known_keys(path[:-2]) else None
        head = ("manifest", "name", "repeat", "timezone", "stop_on_failure", "defaults", "messages")
        return () if parent and key in head else None

    def _meant(self, path: KeyPath) -> str | None:
        *table, key = path
        if path[0] == "defaults" or len(table) == 2:
            for kind in self._kinds.of(self._transport_at(path)).values():
                if kind.model.text_file and kind.is_alternative(key) and len(table) <= 2:
                    return f"{kind.name}.{key}"
        return closest_name(str(key), self._known_keys(tuple(table)))

    def _transport_at(self, path: KeyPath) -> str:
        defaults, entry = _table(self._data.get("defaults")), {}
        if path[0] == "messages" and len(path) > 1:
            entry = _table(self._data["messages"][path[1]])
        return self._transport_of(entry, defaults)

    def _known_keys(self, table: KeyPath) -> Iterable[str]:
        """Return the keys that the table at a path may have."""
        match table:
            case ():
                return self._kinds.manifest_table.model_fields
            case ("messages", int()):
                return self._keys_of(self._kinds.message_table, table)
            case ("defaults",):
                return self._keys_of(self._kinds.defaults_table, table)
            case (*_, "recipients"):
                return schema.RecipientsTable.model_fields
            case ("messages", int(), str(name), *within) | ("defaults", str(name), *within):
                kind = self._kinds.of(self._transport_at(table)).get(name)
                return kind.known_keys(tuple(within)) if kind else ()
        return ()

    def _keys_of(self, model: type[BaseModel], path: KeyPath) -> Iterable[str]:
        """Return the keys of a message, without the kinds of content that others have."""
        of_transport = self._kinds.of(self._transport_at(path))
        return [
            key for key in model.model_fields if key not in self._kinds.names or key in of_transport
        ]

    def _problem(self, error: _SchemaError) -> LocatedProblem:
        file = self._file
        if error.path == ("manifest",) and "manifest" in _table(file.data.get("vars")):
            return file.problem(("vars", "manifest"), "manifest belongs above [vars]", key=True)
        id = message_id(file.data, error.path)
        sentence = self._sentence(error) if error.home is None else _misplaced(file, error)
        of_table = isinstance(error.details["input"], dict)
        at_key = error.unknown or (of_table and error.details["type"] == "value_error")
        return file.problem(error.path, sentence, key=at_key, message_id=id)

    def _sentence(self, error: _SchemaError) -> str:
        path = error.path
        key, parent = str(path[-1]), path[-2] if len(path) > 1 else None
        if error.details["type"] == schema.INVALID_NAME:
            named = [str(each) for each in path if isinstance(each, str)]  # it may be one of a list
            return f"{named[-1]} {error.details['msg']}"
        if error.unknown:
            if is_secret(key):
                return SECRET_FOUND
            if error.meant is None and self._is_of_another_kind(path):
                return f"{key} is not allowed on {parent}"
            if key in ("id", "type", "moved_from") and parent == "defaults":
                return f"{key} cannot be a default; every message has its own"
        elif path == ("manifest",):
            if error.details["type"] == "missing":
                return '"manifest" is missing; a manifest begins with: manifest = 1'
            return "this program reads manifests of version 1 only: manifest = 1"
        elif path == ("messages",):
            return "there are no messages; each begins with [[messages]]"
        elif error.details["type"] == "model_type" and key in self._kinds.names:
            kind = self._kinds.of(self._transport_at(path))[key]
            return _no_table(key, error.details["input"], kind.main_key)
        elif error.details["type"] == "model_type" and key == "provider":
            return _no_table(key, error.details["input"], "name")
        return validation_errors.sentence(
            error.details,
            () if error.meant is None else [str(error.meant)],
            whole=key if error.path[:1] in (("messages",), ("defaults",)) else "the file",
        )

    def _is_of_another_kind(self, path: KeyPath) -> bool:
        """Whether another kind of content of the transport has a key that this one has not."""
        parent, key = path[-2:] if len(path) > 1 else (None, path[-1])
        kinds = self._kinds.of(self._transport_at(path))
        return parent in kinds and any(key in kind.table.model_fields for kind in kinds.values())


def _table(value: object) -> Table:
    return value if isinstance(value, dict) else {}


def _entry_number(error: _SchemaError) -> int:
    """Return the number of the message that an error is about; -1: the file as a whole."""
    match error.path:
        case ("messages", int(number), *_):
            return number
    return -1


def _too_many(file: TomlFile) -> Iterator[LocatedProblem]:
    """Yield a problem if there are more messages or recipients than are read."""
    advice = "put the recipients into a .csv file: recipients = "
    messages = file.data.get("messages")
    entries = messages if isinstance(messages, list) else []
    if len(entries) > MAX_MESSAGES:
        sentence = f"the file has more than {MAX_MESSAGES} messages; {advice}"
        yield file.problem(("messages", MAX_MESSAGES), f'{sentence}"…"')
        return
    for number, table in enumerate([file.data.get("defaults"), *entries]):
        to = table.get("to") if isinstance(table, dict) else None
        if isinstance(to, list) and len(to) > MAX_RECIPIENTS:
            path: KeyPath = ("messages", number - 1) if number else ("defaults",)
            sentence = f"to names more than {MAX_RECIPIENTS} recipients; {advice}"
            id = message_id(file.data, path)
            yield file.problem((*path, "to"), f'{sentence}"…"', message_id=id)


class _SchemaError(NamedTuple):
    """What pydantic found. `meant` is the last key of its path, or the one an unknown key means.

    `expendable` returns the path to remove so that the rest can be checked; empty if there is none.
    `home` is the table, further out, to which an unknown key belongs.
    """

    details: ErrorDetails
    path: KeyPath
    unknown: bool
    meant: str | int | None
    expendable: Callable[[_SchemaError], KeyPath]
    home: KeyPath | None = None


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


def _no_table(key: str, found: object, main_key: str) -> str:
    if isinstance(found, list):
        return f"{key} is one table; its header has single brackets"
    example = quoted(found, 20) if isinstance(found, str) else "…"
    return f"{key} is a table; write {key}.{main_key} = {example}"


def _usable(data: dict[str, Any], errors: Iterable[_SchemaError]) -> dict[str, Any]:
    rest: dict[str, Any] = _copied(data, _DEPTH)
    whole = True
    for error in sorted(errors, key=lambda each: each.meant != "id"):
        expendable = _removable(error)
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


def _removable(error: _SchemaError) -> KeyPath:
    """Return the path to remove so that the rest can be checked; empty if there is none."""
    if error.home is not None:
        return ()
    return error.path if error.meant is None else error.expendable(error)


def _expendable(error: _SchemaError) -> KeyPath:
    """Return the path up to a key without which a message is still complete."""
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
