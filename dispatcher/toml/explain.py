"""pydantic's findings → sentences that a non-programmer understands, with "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

_KINDS = {
    str: "the text",
    bool: "the value",
    int: "the number",
    float: "the number",
    list: "a list",
    dict: "a table",
}
_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "path_type": "text",
}
_RULES = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must be at most {max_length} characters long",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "may hold letters, digits and . _ - + @ only, no spaces",
}
_SECRET_WORDS = ("token", "secret", "password", "passwd", "apikey", "api_key", "authorization")
# Words that pydantic puts into a path to name a branch of a union; they are no keys of the file.
BRANCHES = frozenset({"<text>", "<list>"})


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "to"?` for the nearest known word, or nothing."""
    from difflib import get_close_matches

    matches = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{matches[0]}"?' if matches else ""


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    flat = key.lower().replace("-", "_")
    return any(word in flat for word in _SECRET_WORDS)


def place(error: ErrorDetails) -> Path:
    """Where in the file's data the finding is."""
    return tuple(part for part in error["loc"] if part not in BRANCHES)


def sentence(error: ErrorDetails, known: Iterable[str] = ()) -> str:
    """What is wrong. `known`: the keys that the table of an unknown key could have."""
    kind, value, path = error["type"], error["input"], place(error)
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return f'unknown key "{key}"{did_you_mean(key, known)}'
    if kind == "missing":
        return f'"{key}" is missing'
    if kind in _EXPECTED:
        return f"{_name(path)}: expected {_EXPECTED[kind]}, got {_shown(value, kind)}"
    if kind == "literal_error":
        return _literal(error, path)
    if kind in _RULES:
        return f"{_name(path)} {_RULES[kind].format(**error.get('ctx', {}))}"
    return f"{_name(path)}: {_plain(error)}"


def _name(path: Path) -> str:
    names = [str(part) for part in path if isinstance(part, str)]
    return names[-1] if names else "the file"


def _shown(value: Any, kind: str) -> str:
    if isinstance(value, (list, dict)):
        return _KINDS[type(value)]
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, str):
        shown = f'"{value[:40]}"'
    hint = " (put it in quotes)" if kind == "string_type" else ""
    return f"{_KINDS.get(type(value), 'the value')} {shown[:60]}{hint}"


def _literal(error: ErrorDetails, path: Path) -> str:
    expected = error["ctx"]["expected"].replace("'", '"')
    value = error["input"]
    words = [word.strip('" ') for word in expected.replace(" or ", ",").split(",")]
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    return f"{_name(path)}: expected {expected}, got {_shown(value, 'literal')}{hint}"


def _plain(error: ErrorDetails) -> str:
    """The sentence of a check of ours, or pydantic's own without its preamble."""
    return error["msg"].removeprefix("Value error, ")
