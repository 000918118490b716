"""Who can be written to through an instance (Green API, "Chat id")."""

from __future__ import annotations

import re

from dispatcher import Address, phone_address

# "120363043968066561", 18 digits and more than any phone number has; until 2021 a group was called
# by its creator's number and a time stamp, "79001234567-1581234048".
_GROUP = re.compile(r"([0-9]{16,20}|[0-9]{7,15}-[0-9]{6,15})(?:@g\.us)?")
_HIDDEN = re.compile(r"[0-9]{6,20}@lid")  # a person whose number WhatsApp does not show
_PERSON = re.compile(r"([0-9]+)@c\.us")


def read(written: str, country: str | None) -> Address:
    """A phone number as people write it, or a chat id, with or without what follows its @.

    Raises AddressError.
    """
    text = written.strip()
    if _HIDDEN.fullmatch(text):
        return Address(text, "lid")
    if group := _GROUP.fullmatch(text):
        return Address(group[1], "group")
    person = _PERSON.fullmatch(text)
    return phone_address(person[1] if person else written, country)
