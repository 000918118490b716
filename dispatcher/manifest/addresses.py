"""What a person writes into `to` → what the gateway takes (greenapi-v1-messages, field `to`)."""

from __future__ import annotations

import re

from dispatcher.models import RecipientType

# "79001234567-1581234048": the creator's number and a time stamp, one hyphen between. Also what is
# too short for one is not taken for a number.
_GROUP = re.compile(r"[0-9]+-[0-9]+")
# Digits with what people put between them: "+7 (900) 123-45-67".
_PERSON = re.compile(r"\+?[0-9][0-9 \u00a0\u202f().\-\u2010-\u2013]*")


def normalise(to: str) -> tuple[str, RecipientType]:
    """A recipient and its kind; what is neither a number nor a group id is left as it is."""
    text = to.strip()
    if text.isascii() and text.isdigit():
        return text, "individual"
    if _GROUP.fullmatch(text):
        return text, "group"
    digits = "".join(re.findall("[0-9]", text))
    if _PERSON.fullmatch(text) and 7 <= len(digits) <= 15:
        return digits, "individual"
    return text, "individual"
