"""The transport `greenapi`: builds, checks and posts messages, and uploads their files."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from dispatcher import (
    Attachment,
    MediaId,
    Message,
    NotSent,
    Payload,
    Problem,
    Receipt,
    Refused,
    Upload,
    encode,
)
from dispatcher.builtin.greenapi import payload as payloads
from dispatcher.builtin.greenapi import routes, rules
from dispatcher.builtin.greenapi.files import media_headers, opened

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pydantic_settings import BaseSettings

    from dispatcher.builtin.greenapi.client import Client
    from dispatcher.builtin.greenapi.routes import Route
    from dispatcher.builtin.greenapi.settings import GreenApiSettings

MEDIA_LIFETIME = timedelta(hours=24)  # provider's v1 documents, `/v1/media`


class _Settings:
    """The settings' class, loaded when asked for: pydantic-settings is slower than a plan."""

    def __get__(self, transport: object, kind: type[GreenApi]) -> type[BaseSettings]:
        from dispatcher.builtin.greenapi.settings import GreenApiSettings

        return GreenApiSettings


class GreenApi:
    """WhatsApp messages through Green API v1 (greenapi-v1-messages)."""

    name: ClassVar[str] = "greenapi"
    Settings: ClassVar[type[BaseSettings]] = _Settings()  # type: ignore[assignment]
    plans_without_settings: ClassVar[bool] = True

    def __init__(self, settings: GreenApiSettings | None = None) -> None:
        self._given = settings
        self._threads = threading.local()

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """The body of `POST /v1/messages`; an `Upload` stands in it as its `reference`."""
        return payloads.build(message, attachment)

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Every way in which the payload breaks the gateway's contract; never raises."""
        return rules.check(payload, attachment)

    def require_credentials(self) -> None:
        """Raise ConfigError if there is no usable token; without this, the first use does."""
        _ = self._token

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway for 24 hours; it never holds more than a piece in memory.

        Raises `Refused` if the file is not the one that was planned, `NotSent` for everything that
        may work later: repeating an upload does no harm.
        """
        client = self._client()
        headers = media_headers(file)
        expires_at = datetime.now(UTC) + MEDIA_LIFETIME
        with opened(file) as body:
            identifier = client.post(self._media, body, headers)
        if not body.complete:
            raise NotSent("the gateway did not wait for the whole file", code="incomplete")
        return MediaId(id=identifier, expires_at=expires_at)

    def send(self, payload: Payload) -> Receipt:
        """Post one message, once.

        Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`.
        """
        client = self._client()
        body = _encoded(payload)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return Receipt(id=client.post(self._messages, body, headers))

    @property
    def rate(self) -> str:
        """At most so many messages of the whole account."""
        return self._settings.rate

    @property
    def recipient_rate(self) -> str | None:
        """At most so many messages to one recipient; None: no limit of its own."""
        return self._settings.recipient_rate

    @property
    def patience(self) -> float:
        """Seconds that `send` takes at the most, unless an answer trickles."""
        return self._settings.connect_timeout + self._settings.read_timeout

    @cached_property
    def account(self) -> str:
        """Tells one account's media from another's, without telling the token."""
        secret = f"{self._media.url} {self._token.get_secret_value()}"
        return hashlib.sha256(secret.encode()).hexdigest()

    @cached_property
    def _settings(self) -> GreenApiSettings:
        from dispatcher.builtin.greenapi.settings import GreenApiSettings

        return GreenApiSettings() if self._given is None else self._given

    @cached_property
    def _messages(self) -> Route:
        return routes.messages(self._settings)

    @cached_property
    def _media(self) -> Route:
        return routes.media(self._settings)

    @cached_property
    def _token(self) -> SecretStr:
        return self._settings.credentials()

    def _client(self) -> Client:
        """This thread's client; a forked process must not speak on its parent's connections."""
        client: Client | None = getattr(self._threads, "client", None)
        if client is None or client.pid != os.getpid():
            from dispatcher.builtin.greenapi.client import Client

            client = self._threads.client = Client(self._token)
        return client


def _encoded(payload: Payload) -> bytes:
    try:
        return encode(payload)
    except Exception:  # a plugin may have left anything in it
        raise Refused("the message cannot be written as JSON", code="payload") from None
