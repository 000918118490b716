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
    "too_short": "must not be empty",
    "string_pattern_mismatch": (
        "may hold letters, digits and . _ - + @ only, no spaces, and begins with a letter or digit"
    ),
}
_SECRET_WORDS = ("token", "secret", "password", "passwd", "apikey", "api_key", "authorization")
# Words that pydantic puts into a path to name a branch of a union; they are no keys of the file.
BRANCHES = frozenset({"<text>", "<list>", "<table>"})
_LONGEST_SHOWN = 60


def printable(text: str) -> str:
    """A text with an escape for each character that would end a line or steer a terminal."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def quoted(text: str) -> str:
    """A text of the user's in a sentence: in quotes, shortened."""
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
    return f'"{shown}"'


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    from difflib import get_close_matches

    folded = {each.lower(): each for each in known}
    matches = get_close_matches(word[:_LONGEST_SHOWN].lower(), folded, n=1, cutoff=0.6)
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
    if kind in _EXPECTED:
        got = f", got {_shown(error['input'], kind)}" if show else ""
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


def _shown(value: Any, kind: str) -> str:
    if isinstance(value, (list, dict)):
        return _KINDS[type(value)]
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if isinstance(value, bool):
        return f"the value {str(value).lower()}"
    hint = " (put it in quotes)" if kind == "string_type" else ""
    return f"{_KINDS.get(type(value), 'the value')} {value}{hint}"


def _literal(error: ErrorDetails, path: Path) -> str:
    expected = error["ctx"]["expected"].replace("'", '"')
    value = error["input"]
    words = [word.strip('" ') for word in expected.replace(" or ", ",").split(",")]
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    return f"{_name(path)}: expected {expected}, got {_shown(value, 'literal')}{hint}"


def _plain(error: ErrorDetails) -> str:
    """The sentence of a check of ours, or pydantic's own without its preamble."""
    return error["msg"].removeprefix("Value error, ")
