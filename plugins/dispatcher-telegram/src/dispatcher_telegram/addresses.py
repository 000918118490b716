"""Who a bot can write to: the id of a chat, or the name of a public channel or group.

Sources: Bot API, "sendMessage", `chat_id`, and "Chat", `id`.
"""

from __future__ import annotations

import re

from dispatcher import Address, AddressError

USERNAME = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}", re.ASCII)
CHAT_ID = re.compile(r"-?[1-9][0-9]{0,15}", re.ASCII)
FIRST_CHANNEL = -1_000_000_000_000  # ids of groups are above it, of supergroups and channels below
MAX_BITS = 52  # of an id, says "Chat"


def read_address(written: str) -> Address:
    """Return a chat's id as it is, or the name of a channel in small letters.

    Telegram takes no notice of capitals in names. Raises AddressError.
    """
    recipient = written.strip()
    if USERNAME.fullmatch(recipient):
        return Address(to=recipient.lower(), recipient_type="channel")
    if CHAT_ID.fullmatch(recipient) and abs(int(recipient)) < 1 << MAX_BITS:
        return Address(to=recipient, recipient_type=_kind(int(recipient)))
    if recipient.startswith("+"):
        raise AddressError(
            f'"{written}" is a phone number; a bot writes to the id of a chat, like 123456789'
        )
    raise AddressError(
        f'"{written}" is no chat of Telegram: write its id, like 123456789 or -1001234567890, '
        "or the name of a public channel, like @shop_news"
    )


def _kind(chat: int) -> str:
    if chat > 0:
        return "user"
    return "group" if chat > FIRST_CHANNEL else "channel"
