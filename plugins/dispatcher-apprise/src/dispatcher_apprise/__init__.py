"""The transport `apprise` for the dispatcher: sends to whatever the library Apprise reaches."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher import Transport, hookimpl
from dispatcher_apprise.transport import AppriseTransport

__all__ = ["AppriseTransport", "dispatcher_transports"]


@hookimpl
def dispatcher_transports() -> Iterable[type[Transport]]:
    """Return the transport `apprise`."""
    return [AppriseTransport]
