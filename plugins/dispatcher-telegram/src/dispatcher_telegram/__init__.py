"""Sends messages as a bot of Telegram, through its Bot API."""

from __future__ import annotations

from dispatcher import hookimpl

from .transport import Telegram, TelegramSettings

__all__ = ["Telegram", "TelegramSettings"]


@hookimpl
def dispatcher_transports() -> list[type[Telegram]]:
    """Return the transport."""
    return [Telegram]
