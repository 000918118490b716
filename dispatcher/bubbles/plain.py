"""Any text as what may stand in a page."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup, escape

# What neither HTML nor UTF-8 can carry: controls but tab and line ends, and lone surrogates.
UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with a replacement character for each that cannot be shown."""
    return UNPRINTABLE.sub("\ufffd", text)


def short(text: str, most: int = 200) -> str:
    """The beginning of the text, printable."""
    return printable(text if len(text) <= most else f"{text[: most - 1]}…")


def plain(text: str) -> Markup:
    """The text as it is, escaped."""
    return escape(printable(text))


def size(count: int) -> str:
    """A number of bytes for people: `830 B`, `12.5 kB`."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"
