"""The transport `greenapi`: builds, checks and posts messages, and uploads their files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from dispatcher import Attachment, MediaId, Message, Payload, Problem, Receipt, Upload
from dispatcher.builtin.greenapi import payload as payloads
from dispatcher.builtin.greenapi import rules
from dispatcher.builtin.greenapi.files import extension
from dispatcher.http.transport import HttpTransport, late_settings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from dispatcher.http.responses import Route

MEDIA_LIFETIME = timedelta(hours=24)  # docs/greenapi-v1.md, "Media"


class GreenApi(HttpTransport):
    """WhatsApp messages through Green API v1 (docs/greenapi-v1.md)."""

    name: ClassVar[str] = "greenapi"
    Settings: ClassVar[type[BaseSettings]] = late_settings(
        "dispatcher.builtin.greenapi.settings", "GreenApiSettings"
    )
    plans_without_settings: ClassVar[bool] = True
    ends_in_time: ClassVar[bool] = True

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """The body of `POST /v1/messages`; an `Upload` stands in it as its `reference`."""
        return payloads.build(message, attachment)

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Every way in which the payload breaks the gateway's contract; never raises."""
        return rules.check(payload, attachment)

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway for 24 hours. Raises `NotSent` for everything that may work
        later: repeating an upload does no harm."""
        expires_at = datetime.now(UTC) + MEDIA_LIFETIME
        headers = {"X-Gr-File-Extension": extension(file)}
        return MediaId(id=self.post_file(self._media, file, headers), expires_at=expires_at)

    def send(self, payload: Payload) -> Receipt:
        """Post one message, once.

        Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`.
        """
        return Receipt(id=self.post_json(self._messages, payload))

    @cached_property
    def _messages(self) -> Route:
        from dispatcher.builtin.greenapi import routes

        return routes.messages(self.settings)

    @cached_property
    def _media(self) -> Route:
        from dispatcher.builtin.greenapi import routes

        return routes.media(self.settings)
