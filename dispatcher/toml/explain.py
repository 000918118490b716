"""pydantic's findings → sentences that a non-programmer understands, with "did you mean"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

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
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "does not have the form {pattern}",
    "too_short": "must not be empty",
}
_SECRET_WORDS = ("token", "secret", "password", "passwd", "apikey", "api_key", "authorization")
SECRET_FOUND = "a secret belongs in the environment, never here"
# Words that pydantic puts into a path to name a branch of a union; they are no keys of the file.
BRANCHES = frozenset({"<text>", "<list>", "<table>"})
_LONGEST_SHOWN = 60
_MOST_KNOWN = 1000


def quoted(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """A text of the user's in a sentence: in quotes, shortened."""
    shown = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return f'"{shown}"'


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; of very many only the first are considered."""
    return _nearest(word[:_LONGEST_SHOWN], tuple(islice(known, _MOST_KNOWN)))


@lru_cache(maxsize=128)  # many rows have the same columns, and the same mistake
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches

    folded = {each.lower(): each for each in known if len(each) <= 3 * _LONGEST_SHOWN}
    matches = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "to"?` for the nearest known word, or nothing."""
    match = nearest(word, known)
    return f"; did you mean {quoted(match)}?" if match is not None else ""


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    flat = key.lower().replace("-", "_")
    return any(word in flat for word in _SECRET_WORDS)


def place(error: ErrorDetails) -> Path:
    """Where in the file's data the finding is."""
    return tuple(part for part in error["loc"] if part not in BRANCHES)


def sentence(error: ErrorDetails, known: Iterable[str] = (), *, show: bool = True) -> str:
    """What is wrong. `known`: the keys that the table of an unknown key could have.

    `show`: the value at fault, too.
    """
    kind, path = error["type"], place(error)
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return f"unknown key {quoted(key)}{did_you_mean(key, known)}"
    if kind == "missing":
        table = f"{path[-2]}: " if path[1:] and isinstance(path[-2], str) else ""
        return f"{table}{quoted(key)} is missing"
    if kind == "string_type" and show and not isinstance(error["input"], (list, dict)):
        return f"{_name(path)} is text; put {_shown(error['input'])} in quotes"
    if kind in _EXPECTED:
        got = f", got {_shown(error['input'])}" if show else ""
        return f"{_name(path)}: expected {_EXPECTED[kind]}{got}"
    if kind == "literal_error" and show:
        return _literal(error, path)
    if kind in _RULES:
        limits = {name: _whole(limit) for name, limit in error.get("ctx", {}).items()}
        return f"{_name(path)} {_RULES[kind].format(**limits)}"
    return f"{_name(path)}: {_plain(error)}"


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _name(path: Path) -> str:
    names = [str(part) for part in path if isinstance(part, str)]
    return names[-1] if names else "the file"


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


def _literal(error: ErrorDetails, path: Path) -> str:
    expected, value = error["ctx"]["expected"].replace("'", ""), error["input"]
    match = nearest(value, re.split(", | or ", expected)) if isinstance(value, str) else None
    if match is not None:
        return f"{_name(path)}: did you mean {quoted(match)}?"
    return f"{_name(path)} must be {expected}"


def _plain(error: ErrorDetails) -> str:
    """The sentence of a check of ours, or pydantic's own without its preamble."""
    return error["msg"].removeprefix("Value error, ")
