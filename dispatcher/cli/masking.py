"""Numbers of recipients, masked in what people pass on."""

from __future__ import annotations

import re

# As somebody may have written a recipient.
_NUMBER = re.compile(r"\+?\d(?:[\d().\u2010-\u2015-]|[^\S\n]){5,}\d")
_TELLING = 7  # digits at a number's end: what is before may be left out, or written in another way
_DIGITS, _HIDDEN = 4, 3  # of a number: the most that are shown of each end, the fewest that are not


def masked(recipient: str) -> str:
    """Return a recipient that only those recognise who know it: `+7900***4567`."""
    digits = recipient.isascii() and recipient.replace("-", "").isdigit()
    shown = min(_DIGITS, (len(recipient) - _HIDDEN) // 2)
    if shown < 1:
        return "***"
    return f"{'+' * digits}{recipient[:shown]}***{recipient[-shown:]}"


def without_numbers(text: str) -> str:
    """Return a text with everything masked that may be a recipient's number."""
    return _NUMBER.sub(lambda found: masked(found[0]), text)


def without_number(to: str, text: str) -> str:
    """Return a text with a recipient's number masked, however it is written there."""
    end = re.sub(r"\D", "", to)[-_TELLING:]

    def shown(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        return masked(to) if len(end) == _TELLING and end in digits else found[0]

    return _NUMBER.sub(shown, text.replace(to, masked(to)))
