"""The transport `whatsapp-cloud`: WhatsApp messages through Meta's Cloud API and its like."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher import Transport, hookimpl
from dispatcher_whatsapp_cloud.transport import WhatsAppCloud

__all__ = ["WhatsAppCloud", "dispatcher_transports"]


@hookimpl
def dispatcher_transports() -> Iterable[type[Transport]]:
    """Return the transport `whatsapp-cloud`."""
    return [WhatsAppCloud]
