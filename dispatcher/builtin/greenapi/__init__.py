"""The built-in transport: WhatsApp messages through Green API, version 1."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher import Transport, hookimpl
from dispatcher.builtin.greenapi.transport import GreenApi

__all__ = ["GreenApi", "dispatcher_transports"]


@hookimpl
def dispatcher_transports() -> Iterable[type[Transport]]:
    """Return the transport `greenapi`."""
    return [GreenApi]
