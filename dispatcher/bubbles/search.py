"""Whether a search finds a payload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MARKS: Final = str.maketrans("", "", "*_~`")
PHONE_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()-]{3,}")


def mentions(payload: object, sought: str) -> bool:
    """Whether one of its strings contains the text, as written or as shown, without marks."""
    needle = sought.casefold()
    texts = (text.casefold() for text in _strings(payload))
    return any(needle in text or needle in text.translate(MARKS) for text in texts)


def as_number(sought: str) -> str:
    """Return a number as messages have it, digits alone; return any other text as it is."""
    is_number = PHONE_NUMBER.fullmatch(sought) and re.search(r"[ ()+]", sought)
    return re.sub(r"[^0-9]", "", sought) if is_number else sought


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
