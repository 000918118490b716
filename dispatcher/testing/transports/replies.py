"""Answers that no gateway should give, and how one becomes another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatcher.testing.script import Fault, Raw, Step

# In none of these does anybody know whether the message was accepted.
BREAKS: dict[str, Step] = {
    **{fault.name.lower().replace("_", "-"): fault for fault in Fault},
    "not-http": Raw(b"hello\r\n\r\n"),
    "cut-in-the-status": Raw(b"HTTP/1.1 20"),
}
# Libraries warn of it, with the URL.
BAD_HEADERS = Raw(b"HTTP/1.1 401 No\r\nX: y\r\nno header\r\n\r\n")
USELESS: dict[str, Any] = {
    "empty": b"",
    "no-object": "[]",
    "no-id": {},
    "broken-json": '{"id": "m1", "messages": [{"id": "m1',
    "html": "<html><body>Welcome to this network! Please sign in.</body></html>",
    "deep": "[" * 100_000,
    "not-utf-8": b'{"id": "\xff\xfe',
}


def without_id(value: Any, identifier: str) -> Iterator[Any]:
    """A JSON body in which, in the place of the id, stands what is none; nothing if it has none."""
    others: list[Any] = [None, "", " ", {}, [], True]
    for instead in others:
        if (body := _replaced(value, identifier, instead)) != value:
            yield body


def _replaced(value: Any, old: str, new: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, old, new) for each in value]
    return new if str(value) == old else value


def with_words(value: Any, words: str) -> Any:
    """A body that says something more in each of its texts."""
    if isinstance(value, dict):
        return {key: with_words(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [with_words(each, words) for each in value]
    return f"{value} {words}" if isinstance(value, str) else value
