"""Finds what is wrong with data of a file, in sentences for people, with "did you mean"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from dispatcher.names import closest_name, did_you_mean
from dispatcher.toml import KeyPath
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "path_type": "text",
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
}
_RULES = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must not be inf or nan",
    "string_too_long": "must be at most {max_length} characters long",
    "string_too_short": "must be at least {min_length} characters long",
    "string_pattern_mismatch": "does not have the form {pattern}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
# Words that pydantic puts into a path to name a branch of a union; they are no keys of the file.
_BRANCHES = frozenset({"<text>", "<list>", "<table>"})


def errors_of(model: type[BaseModel], data: object) -> list[ErrorDetails]:
    """Return what is wrong with data of a file; raises what a model's validators raise.

    They are taken for JSON, so that a list is right for a set or a tuple, and a text for a value of
    an enumeration; other types are not converted. A date of TOML is right where a date is needed.
    """
    return _merged(data, _errors_of(model, data))


def _merged(data: object, found: list[ErrorDetails]) -> list[ErrorDetails]:
    """Return what is wrong, once for a value that is of no type of a union."""
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for each in found:
        by_path.setdefault(path_in(data, each), []).append(each)
    return [each for path, same in by_path.items() for each in _once(path, same)]


def _once(path: KeyPath, same: list[ErrorDetails]) -> list[ErrorDetails]:
    types = dict.fromkeys(_EXPECTED.get(each["type"], "") for each in same)
    if len(types) < 2 or "" in types:
        return same
    return [{**same[0], "type": "union", "loc": path, "msg": f"expected {' or '.join(types)}"}]


def _errors_of(model: type[BaseModel], data: object) -> list[ErrorDetails]:
    strict = _strict_errors(model, data)
    if not strict:  # as for almost all
        return []
    try:
        as_json = json.dumps(data, default=_iso)
    except (TypeError, ValueError, RecursionError):  # a plugin's payload may hold anything
        return strict
    try:
        model.model_validate_json(as_json, strict=True)
        found: list[ErrorDetails] = []
    except ValidationError as invalid:
        found = invalid.errors(include_url=False)
    if any(each["type"] == "json_invalid" for each in found):  # nested too deep, half a character
        return strict
    # In JSON, a date is a text; here it is none.
    dates = [each for each in strict if isinstance(each["input"], _DATES)]
    places = {each["loc"] for each in dates}
    return [*dates, *(each for each in found if each["loc"] not in places)]


_DATES = (date, time)


def _iso(value: object) -> str:
    if isinstance(value, _DATES):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _strict_errors(model: type[BaseModel], data: object) -> list[ErrorDetails]:
    try:
        model.model_validate(data, strict=True)  # also where a model within says nothing of it
    except ValidationError as invalid:
        return invalid.errors(include_url=False)
    return []


def key_path(error: ErrorDetails) -> KeyPath:
    """Return where in the data the error is."""
    return tuple(part for part in error["loc"] if part not in _BRANCHES)


def path_in(data: object, error: ErrorDetails) -> KeyPath:
    """Return where in the data an error is; pydantic also names the branch of a union, no key."""
    path: list[str | int] = []
    value = data
    for number, part in enumerate(error["loc"], 1):
        is_last = number == len(error["loc"])
        if isinstance(value, dict) and (part in value or is_last):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def submodel(annotation: Any) -> type[BaseModel] | None:
    """Return the model of the tables that a field holds, in whatever list or union they are."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(submodel, get_args(annotation))), None)


def fields_by_key(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields of a model by the keys that a file has for them: aliases, if they have."""
    return {
        field.validation_alias if isinstance(field.validation_alias, str) else name: field
        for name, field in model.model_fields.items()
    }


def known_keys(model: type[BaseModel] | None, path: KeyPath) -> Iterable[str]:
    """Return the keys that the table at a path may have, in data that a model reads."""
    field_of_list = getattr(model, "list_field", None)  # of a content: see `Content.list_field`
    for part in (field_of_list, *path) if field_of_list else path:
        field = fields_by_key(model).get(str(part)) if model else None
        if field is not None:
            model = submodel(field.annotation)
    return fields_by_key(model) if model else ()


def sentence(
    error: ErrorDetails,
    known: Iterable[str] = (),
    *,
    show: bool = True,
    whole: str = "the file",
) -> str:
    """Return what is wrong; `known` are the keys that the table of an unknown key may have.

    With `show`, the sentence shows the wrong value. `whole` is what the data are called.
    """
    kind, path = error["type"], key_path(error)
    key, name = str(path[-1]) if path else "", _name(path) or whole
    if kind == "extra_forbidden":
        return f"unknown key {quoted(key)}{did_you_mean(key, known)}"
    if kind == "missing" and path and isinstance(path[-1], int):
        return f"{name} must have more entries than {path[-1]}"
    if kind == "missing":
        table = f"{path[-2]}: " if path[1:] and isinstance(path[-2], str) else ""
        return f"{table}{quoted(key)} is missing"
    if kind == "string_type" and show and not isinstance(error["input"], (list, dict)):
        return f"{name} is text; put {_shown(error['input'])} in quotes"
    if kind in _EXPECTED:
        got = f", got {_shown(error['input'])}" if show else ""
        return f"{name}: expected {_EXPECTED[kind]}{got}"
    if kind in ("literal_error", "enum") and show:
        return _literal(error, name)
    if kind in _RULES:
        limits = {name: _whole(limit) for name, limit in error.get("ctx", {}).items()}
        if limits.get("min_length") == 1:
            return f"{name} must not be empty"
        return f"{name} {_RULES[kind].format(**limits)}"
    plain = _plain(error)
    return plain if plain.startswith(f"{name} ") else f"{name}: {plain}"


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _name(path: KeyPath) -> str:
    names = [str(part) for part in path if isinstance(part, str)]
    return names[-1] if names else ""


def _shown(value: Any) -> str:
    match value:
        case list():
            return "a list"
        case dict():
            return "a table"
        case str():
            return quoted(value)
        case bool():
            return str(value).lower()
    return str(value)


def _literal(error: ErrorDetails, name: str) -> str:
    expected, value = error["ctx"]["expected"].replace("'", ""), error["input"]
    match = closest_name(value, re.split(", | or ", expected)) if isinstance(value, str) else None
    if match is not None:
        return f"{name}: did you mean {quoted(match)}?"
    return f"{name} must be {expected}"


def _plain(error: ErrorDetails) -> str:
    """Return the sentence of one of our validators, or pydantic's own."""
    return error["msg"].removeprefix("Value error, ")
