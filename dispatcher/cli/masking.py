"""Numbers of recipients, masked in what people pass on."""

from __future__ import annotations

import re

# As somebody may have written a recipient: signs of every width, and what is invisible, between.
_NUMBER = re.compile(
    r"\+?\d(?:[\d()./~\u2010-\u2015\u2053\u2212\u223c\u30fc\uff08\uff09\uff0d-\uff0f\uff5e\xad"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff-]|[^\S\n]){5,}\d"
)
# Of mail, and of a channel or a person in a messenger.
_ADDRESS = re.compile(r"(?<![\w.+*-])[\w.+*-]*@[\w*][\w.*-]*")
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


def without_addresses(text: str) -> str:
    """Return a text with everything masked that may be a recipient's number or address."""
    return _ADDRESS.sub(lambda found: masked(found[0]), without_numbers(text))


def without_number(to: str, text: str) -> str:
    """Return a text with a recipient's number masked, however it is written there."""
    end = re.sub(r"\D", "", to)[-_TELLING:]

    def shown(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        return masked(to) if len(end) == _TELLING and end in digits else found[0]

    return _NUMBER.sub(shown, text.replace(to, masked(to)))
