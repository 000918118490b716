"""Which strings of a payload people read: the same for every transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Green API's `text.body` and `image.caption`, and what other gateways call the same.
READ = frozenset({"body", "caption", "text"})


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text that people read changed, at any depth."""
    if isinstance(value, dict):
        return {key: _item(key, item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [with_texts(item, change) for item in value]
    return value


def _item(key: object, value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str) and key in READ:
        return change(value)
    return with_texts(value, change)
