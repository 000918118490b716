"""The base of transports over HTTP."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from dispatcher.errors import Refused
from dispatcher.http.responses import ErrorMap, Path, Route
from dispatcher.http.settings import HttpSettings, is_loopback
from dispatcher.models import Payload, encode
from dispatcher.transports import BaseTransport

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pydantic_settings import BaseSettings

    from dispatcher.http.client import Client
    from dispatcher.http.files import Body
    from dispatcher.models import Upload


class HttpTransport(BaseTransport):
    """What a transport over HTTP has besides `name`, `build`, `check`, `upload` and `send`.

    `Settings` is to be derived from `HttpSettings`.
    `post_json`, `post_file`, `post_form` and `post` make one request; they return, or raise a
    `DeliveryError`. They retry nothing, follow no redirect and show no token. Several threads may
    use them.
    """

    Settings: ClassVar[type[BaseSettings]]

    def __init__(self, settings: BaseSettings | None = None) -> None:
        self.settings: Any = self.Settings() if settings is None else settings
        self._threads = threading.local()

    def route(
        self,
        url: str,
        setting: str,
        identifier: Path,
        error_map: ErrorMap,
        *,
        repeatable: bool = False,
    ) -> Route:
        """A `Route` with the timeouts and the token of the settings.

        `setting`: the one with the address. `identifier`: where a success has the new id.
        `repeatable`: whether doing it twice does no harm.
        """
        return Route(
            url,
            setting,
            identifier,
            error_map,
            connect_timeout=self.settings.connect_timeout,
            read_timeout=self.settings.read_timeout,
            repeatable=repeatable,
            token=self.settings.token_origin,
        )

    def post_json(self, route: Route, payload: Payload) -> str:
        """Post a JSON body, once. Out: the id in the response.

        Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`.
        """
        body = _encoded(payload)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return self.post(route, body, headers)

    def post(self, route: Route, body: Body, headers: Mapping[str, str]) -> str:
        """Post a body, once; `headers` say its type and its length. As `post_json`."""
        return self._client().post(route, body, headers)

    def post_file(self, route: Route, file: Upload, headers: Mapping[str, str] = {}) -> str:
        """Post the bytes of a file, once; it is never in memory as a whole.

        `headers`: besides its type and length. As `post_json`; and `Refused`, if it is not the file
        that was planned, `NotSent`, if the gateway did not wait for all of it.
        """
        from dispatcher.http.files import content_type, sent_whole

        own = {"Content-Type": content_type(file), "Content-Length": str(file.size)}
        with sent_whole(file) as body:
            return self.post(route, body, {**own, **headers})

    def post_form(
        self, route: Route, file: Upload, name: str, fields: Mapping[str, str] = {}
    ) -> str:
        """Post a form with text fields, and then the file as the field `name`. As `post_file`."""
        from dispatcher.http.files import Multipart, sent_whole

        with sent_whole(file) as body:
            form = Multipart(fields, name, file, body)
            return self.post(route, form, form.headers)

    def auth_headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate a request: by default a bearer token."""
        return {"Authorization": f"Bearer {self.token.get_secret_value()}"}

    def require_credentials(self) -> None:
        """Raise ConfigError if there is no usable token; without this, the first use does."""
        _ = self.token

    @cached_property
    def token(self) -> SecretStr:
        """The account's token. Raises ConfigError."""
        token: SecretStr = self.settings.credentials()
        return token

    @cached_property
    def account(self) -> str:
        """Tells one account's files and rate from another's, without telling the token.

        It is another one when the token or a setting of the transport's own is another one.
        """
        # The rate limiter asks for this first: here, the import delays no message that already has
        # its permit.
        import dispatcher.http.client  # noqa: F401

        own = {
            name: str(value)
            for name, value in self.settings
            if name not in HttpSettings.model_fields
        }
        secret = f"{sorted(own.items())} {self.token.get_secret_value()}"
        return hashlib.sha256(secret.encode()).hexdigest()

    @property
    def rate(self) -> str | None:
        """At most so many messages of the whole account."""
        rate: str | None = self.settings.rate
        return rate

    @property
    def recipient_rate(self) -> str | None:
        """At most so many messages to one recipient; None: no limit of its own."""
        rate: str | None = self.settings.recipient_rate
        return rate

    @property
    def local(self) -> bool:
        """Whether the gateway is on this machine."""
        return is_loopback(str(getattr(self.settings, "base_url", "")))

    @property
    def patience(self) -> float:
        """Seconds that `send` takes at the most: to connect, to send, and to be answered."""
        patience: float = self.settings.connect_timeout + 2 * self.settings.read_timeout
        return patience

    def _client(self) -> Client:
        """This thread's client; a forked process must not speak on its parent's connections."""
        client: Client | None = getattr(self._threads, "client", None)
        if client is None or client.pid != os.getpid():
            from dispatcher.http.client import Client

            client = self._threads.client = Client(self.token, self.auth_headers)
        return client


def _encoded(payload: Payload) -> bytes:
    try:
        return encode(payload)
    except Exception:  # a plugin may have left anything in it
        raise Refused("the message cannot be written as JSON", code="payload") from None
