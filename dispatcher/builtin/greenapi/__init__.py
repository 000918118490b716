"""The built-in transport: WhatsApp messages through Green API, version 1."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher import Transport, hookimpl


@hookimpl
def dispatcher_transports() -> Iterable[type[Transport]]:
    """Return the transport `greenapi`."""
    # Where nothing is planned, its settings need not be loaded (benchmarks/startup.py).
    from dispatcher.builtin.greenapi.transport import GreenApi

    return [GreenApi]
