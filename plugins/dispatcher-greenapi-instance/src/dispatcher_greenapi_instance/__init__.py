"""The transport `greenapi-instance`: WhatsApp messages through an instance of Green API."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher import Transport, hookimpl
from dispatcher_greenapi_instance.transport import GreenApiInstance

__all__ = ["GreenApiInstance", "dispatcher_transports"]


@hookimpl
def dispatcher_transports() -> Iterable[type[Transport]]:
    """Offer the transport `greenapi-instance`."""
    return [GreenApiInstance]
