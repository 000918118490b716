"""Campaign parameters for the links in texts and captions: a plugin for the dispatcher.

Configured by `[plugins.utm]` in dispatcher.toml; without it, nothing is changed.
"""

from __future__ import annotations

from typing import ClassVar

from dispatcher import Message, Payload, hookimpl
from dispatcher_utm.links import Campaign, with_texts
from dispatcher_utm.settings import UtmSettings

__all__ = ["Utm", "UtmSettings"]


class Utm:
    """Adds the configured parameters to every link that people read; changes nothing else."""

    Settings: ClassVar[type[UtmSettings]] = UtmSettings

    def __init__(self, settings: UtmSettings) -> None:
        self._settings = settings

    @hookimpl
    def dispatcher_transform_payload(self, payload: Payload, message: Message) -> None:
        """Change, in place, the texts and captions of a payload."""
        parameters = self._settings.parameters(message)
        if parameters:
            campaign = Campaign(parameters, self._settings.domains)
            payload.update(with_texts(payload, campaign.tagged))
