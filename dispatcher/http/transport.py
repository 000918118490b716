"""The base class of transports over HTTP."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from typing_extensions import TypeVar

from dispatcher.errors import Refused
from dispatcher.http.responses import MAX_RESPONSE, ErrorMap, Path, Response, Route
from dispatcher.http.settings import HttpSettings, is_loopback
from dispatcher.models import Payload, encode
from dispatcher.transports import BaseTransport

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pydantic_settings import BaseSettings

    from dispatcher.http.client import Client
    from dispatcher.http.files import Body
    from dispatcher.models import Upload


# Without a type of its own, `settings` is anything.
SettingsOf = TypeVar("SettingsOf", bound=HttpSettings, default=Any)


class HttpTransport(BaseTransport, Generic[SettingsOf]):
    """What an HTTP transport has besides `name`, `build`, `check`, `upload` and `send`.

    Its `Settings` derive from `HttpSettings`; `class Carrier(HttpTransport[CarrierSettings])` gives
    `self.settings` this type. `post_json`, `post_file`, `post_form`, `post`, `get` and `ask` make
    one request; they return, or raise a `DeliveryError`. They do not retry, follow no redirect and
    show no token. Several threads may call them.
    """

    Settings: ClassVar[type[BaseSettings]]

    settings: SettingsOf

    def __init__(self, settings: SettingsOf | None = None) -> None:
        made: Any = self.Settings() if settings is None else settings
        self.settings = made
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
        """Return a `Route` with the timeouts and the token of the settings.

        `setting` is the setting with the address. `identifier` is where a success has the new id.
        `repeatable` says whether repeating does no harm.
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
        """Post a JSON body, once, and return the id in the response.

        Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`.
        """
        body = _encoded(payload)
        return self.post(route, body, _json_headers(body))

    def post(self, route: Route, body: Body, headers: Mapping[str, str]) -> str:
        """Post a body, once, as `post_json` does; `headers` give its type and its length."""
        return self._client().post(route, body, headers)

    def post_file(self, route: Route, file: Upload, headers: Mapping[str, str] = {}) -> str:
        """Post the bytes of a file, once, as `post_json` does; it is never in memory as a whole.

        `headers` are added to its type and length. Also raises `Refused` if the file changed; the
        gateway then never gets all of it.
        """
        from dispatcher.http.files import content_type, sent_whole

        own = {"Content-Type": content_type(file), "Content-Length": str(file.size)}
        with sent_whole(file, route) as body:
            return self.post(route, body, {**own, **headers})

    def post_form(
        self, route: Route, file: Upload, name: str, fields: Mapping[str, Any] = {}
    ) -> str:
        """Post a form, as `post_file` does: the fields, then the file as the field `name`.

        A field that is no text is written as JSON. A form that is a message goes to a route that is
        not `repeatable`; its outcomes are those of a message.
        """
        from dispatcher.http.files import Multipart, sent_whole

        with sent_whole(file, route) as body:
            form = Multipart(fields, name, file, body)
            return self.post(route, form, form.headers)

    def get(self, route: Route, good: Collection[int], *, most: int = MAX_RESPONSE) -> Response:
        """Get a URL, once, and return the response, if its status is one of `good`.

        A body of more than `most` bytes is not read: the response is `broken`. Raises what
        `post_json` raises.
        """
        return self._client().ask(route, good, most=most)

    def ask(self, route: Route, payload: Payload, good: Collection[int]) -> Response:
        """Post a JSON body that asks for something and changes nothing, once, as `get` does."""
        body = _encoded(payload)
        return self._client().ask(route, good, "POST", body, _json_headers(body))

    def auth_headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate a request: by default a bearer token."""
        return {"Authorization": f"Bearer {self.token.get_secret_value()}"}

    def require_credentials(self) -> None:
        """Raise ConfigError if there is no usable token; otherwise, its first use would."""
        # Here, the import delays no message that already has its permit.
        import dispatcher.http.client  # noqa: F401

        _ = self.token

    @cached_property
    def token(self) -> SecretStr:
        """The account's token. Raises ConfigError."""
        token: SecretStr = self.settings.credentials()
        return token

    @cached_property
    def account(self) -> str:
        """An id that keeps one account's files and rate apart from another's; it hides the token.

        It changes when the token or any setting that is not in `HttpSettings` changes.
        """
        own = {
            name: str(value)
            for name, value in self.settings
            if name not in HttpSettings.model_fields
        }
        secret = f"{sorted(own.items())} {self.token.get_secret_value()}"
        return hashlib.sha256(secret.encode()).hexdigest()

    @property
    def gateway(self) -> str | None:
        """The URL that messages are posted to."""
        return getattr(self.settings, "base_url", None)

    @property
    def rate(self) -> str | None:
        """The most messages the whole account may send."""
        rate: str | None = self.settings.rate
        return rate

    @property
    def recipient_rate(self) -> str | None:
        """The most messages one recipient may get; None means no limit of its own."""
        rate: str | None = self.settings.recipient_rate
        return rate

    @property
    def local(self) -> bool:
        """Whether the gateway is on this machine."""
        return is_loopback(str(getattr(self.settings, "base_url", "")))

    @property
    def patience(self) -> float:
        """The most seconds that `send` takes: to connect, to send, and to get the response."""
        patience: float = self.settings.connect_timeout + 2 * self.settings.read_timeout
        return patience

    def _client(self) -> Client:
        """Return this thread's client; a forked process must not use its parent's connections."""
        client: Client | None = getattr(self._threads, "client", None)
        if client is None or client.pid != os.getpid():
            from dispatcher.http.client import Client

            client = self._threads.client = Client(self.token, self.auth_headers)
        return client


def _json_headers(body: bytes) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Length": str(len(body))}


def _encoded(payload: Payload) -> bytes:
    try:
        return encode(payload)
    except Exception:  # a plugin may have left anything in it
        raise Refused("the message cannot be written as JSON", code="payload") from None
