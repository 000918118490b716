"""What gateways say of messages that they have accepted before: asked for, and recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dispatcher.api.configured_journal import ConfiguredJournal
from dispatcher.api.configured_transports import ConfiguredTransports
from dispatcher.errors import ConfigError
from dispatcher.models import DeliveryStatus, Payload
from dispatcher.registry import Registry
from dispatcher.transports import override

if TYPE_CHECKING:
    from dispatcher.journal import NotedStatuses


def said(
    registry: Registry, transports: ConfiguredTransports, body: Payload | None
) -> list[DeliveryStatus]:
    """Return what a webhook's body, or for None the gateway, says.

    Raises ConfigError if the transport does not support this, PluginError, DeliveryError.
    """
    name = transports.default
    with transports.outside_a_run(name) as (transport,):
        if not transport.has_statuses:
            raise ConfigError(
                f'the transport "{name}" cannot tell what became of messages after the gateway '
                f"has accepted them{_able(registry)}"
            )
        return transport.statuses(body)


def _able(registry: Registry) -> str:
    able = [name for name, each in registry.transports().items() if override(each, "statuses")]
    return f"; these can, with --transport: {', '.join(able)}" if able else ""


def note(
    journal: ConfiguredJournal, transport: str, statuses: Iterable[DeliveryStatus], wait: float
) -> NotedStatuses:
    """Record what a transport said of messages that the journal has."""
    from dispatcher.journal import NotedStatuses

    given = list(statuses)
    with journal.reading() as known:
        if known is None or not given:  # do not make a journal that knows no message
            return NotedStatuses([], missing=len(given), ambiguous=0)
    with journal.writing("statuses", wait) as held:
        return held.note_statuses(transport, given)
