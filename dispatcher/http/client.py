"""Posts to a gateway, for one thread: posts once, follows no redirect, shows no token.

Imported only when something is sent, so that planning does not pay for requests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import requests  # noqa: TID253 - this module is imported only when something is sent
from pydantic import SecretStr
from requests.auth import AuthBase  # noqa: TID253 - see above

from dispatcher.errors import AccountRefused, DeliveryError, NotSent, OutcomeUnknown
from dispatcher.http import connection_errors
from dispatcher.http.connection_errors import ResponseTooLarge
from dispatcher.http.connections import Deadline, prepare
from dispatcher.http.files import Body
from dispatcher.http.responses import MAX_RESPONSE, Classification, Response, Route
from dispatcher.http.settings import is_loopback
from dispatcher.redaction import HIDDEN, hidden, in_url
from dispatcher.visible import printable

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import ConnectionPool

MAX_TEXT = 300  # characters of an error that are shown
# Seconds. A connection that was idle for longer may be closed by the gateway just when the next
# request leaves, and then nobody knows whether that request was accepted.
KEEP_ALIVE = 5.0

# Statuses of responses that http.client takes for complete without a body. What follows one, as the
# final response follows 102, must not be read as the response to another request.
_BARE = frozenset((*range(200), 204, 304))

_NO_BODY: Mapping[str, str] = MappingProxyType({"Content-Length": "0"})
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # the password of a proxy in its URL


class Redactor:
    """Removes a token from texts for people and from paths; never shows it itself.

    `in_urls` is the token as it is written in a URL.
    """

    def __init__(self, token: SecretStr) -> None:
        self._token = token
        self.in_urls = SecretStr(in_url(token.get_secret_value()))

    def __call__(self, text: str) -> str:
        """Return the text with `HIDDEN` in place of the token, unless that is short."""
        return hidden(text, self._token.get_secret_value())

    def is_in(self, text: str) -> bool:
        """Whether a text shows the token; an id that does is not accepted."""
        return self(text) != text

    def of_path(self, url: str) -> str:
        """Return the URL with `HIDDEN` for the token after the host; `connections` puts it back."""
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        for form in (self._token, self.in_urls):
            path = path.replace(form.get_secret_value(), HIDDEN)
        return f"{scheme}://{host}{slash}{path}"


class AuthHeaders(AuthBase):
    """Adds the headers that authenticate; an explicit `auth` also keeps ~/.netrc out of them."""

    def __init__(self, headers: Callable[[], Mapping[str, str]]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers())
        return request


@dataclass
class Prepared:
    """What all requests to one URL share.

    Preparing it for each would double the cost of a post (benchmarks/sending.py).
    """

    request: requests.PreparedRequest
    headers: Mapping[str, str]
    environment: Mapping[str, Any]
    used_at: float


class Adapter(requests.adapters.HTTPAdapter):
    """Computes only what differs between posts.

    requests would spend a fifth of a post on the rest (benchmarks/sending.py).
    """

    def __init__(self, token_in_urls: SecretStr, deadline: Deadline) -> None:
        super().__init__(max_retries=0)
        self._token_in_urls, self._deadline = token_in_urls, deadline
        self._pools: dict[str | None, ConnectionPool] = {}
        self._paths: dict[str | None, str] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *environment: Any, **more: Any
    ) -> ConnectionPool:
        """Return the connections for a URL; proxies and certificates are always the same."""
        if request.url not in self._pools:
            found = super().get_connection_with_tls_context(request, *environment, **more)
            if found not in self._pools.values():  # one serves all URLs of a host
                prepare(found, self._token_in_urls, self._deadline)
            self._pools[request.url] = found
        return self._pools[request.url]

    def request_url(self, request: requests.PreparedRequest, *proxies: Any) -> str:
        """Return the URL as a request writes it: all of it if a proxy reads it."""
        if request.url not in self._paths:
            self._paths[request.url] = super().request_url(request, *proxies)
        return self._paths[request.url]

    def build_response(
        self, request: requests.PreparedRequest, raw: BaseHTTPResponse
    ) -> requests.Response:
        """Return the response without cookies and the rest that is not used."""
        response = requests.Response()
        response.request = request
        response.status_code, response.raw = raw.status, raw
        response.headers = raw.headers  # type: ignore[assignment] # ignores case as well
        return response

    def close(self) -> None:
        """Close the connections; new ones are made when they are needed."""
        self._pools.clear()
        super().close()


class Client:
    """Posts to a gateway with a session of its own; for one thread of the process `pid`.

    No text shows the `token`. `auth_headers` returns the headers that authenticate.
    """

    def __init__(self, token: SecretStr, auth_headers: Callable[[], Mapping[str, str]]) -> None:
        self.pid = os.getpid()
        self._redactor, self._auth = Redactor(token), AuthHeaders(auth_headers)
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._deadline = Deadline()
        self._session = requests.Session()
        # No header that HTTP/1.1 implies: each is written, and read, for every message.
        self._session.headers = {"User-Agent": "message-dispatcher"}
        for prefix in ("https://", "http://"):
            self._session.mount(prefix, Adapter(self._redactor.in_urls, self._deadline))

    def post(self, route: Route, body: Body, headers: Mapping[str, str]) -> str:
        """Post a body once and return the id in the response; `headers` give its type and length.

        Raises one of `NotSent`, `Refused`, `AccountRefused`, `OutcomeUnknown`.
        """
        outcome = self._attempt(route, body, headers)
        if isinstance(outcome, DeliveryError):
            # Not raised in an `except`: the exceptions of requests hold the request, and so the
            # token.
            raise outcome
        return outcome

    def ask(
        self,
        route: Route,
        good: Collection[int],
        method: str = "GET",
        body: Body = b"",
        headers: Mapping[str, str] = _NO_BODY,
        most: int = MAX_RESPONSE,
    ) -> Response:
        """Make a request that changes nothing, once; return the response, if its status is one of
        `good`.

        Otherwise raises what a `post` would. A body of more than `most` bytes is not read.
        """
        try:
            response = self._exchange(route, body, headers, method, most)
        except Exception as error:
            classification = connection_errors.classify(route, error)
        else:
            if response.status in good:
                return response
            classification = _classified(route, response)
        raise self._error(classification) from None

    def _attempt(self, route: Route, body: Body, headers: Mapping[str, str]) -> str | DeliveryError:
        try:
            response = self._exchange(route, body, headers)
        except DeliveryError as error:
            classification = Classification(type(error), error.code, error.text)
        except Exception as error:  # whatever it is, the message may have left
            classification = connection_errors.classify(route, error)
        else:
            identifier = response.accepted_id(route.identifier)
            if identifier is not None and not self._redactor.is_in(identifier):
                return identifier
            classification = _classified(route, response)
        return self._error(classification)

    def _exchange(
        self,
        route: Route,
        body: Body,
        headers: Mapping[str, str],
        method: str = "POST",
        most: int = MAX_RESPONSE,
    ) -> Response:
        url = self._redactor.of_path(route.url)
        prepared = self._prepare(url, method)
        request = copy(prepared.request)
        request.body = body  # type: ignore[assignment] # anything with `read`, once its length is known
        request.headers = {**prepared.headers, **headers}  # type: ignore[assignment] # it is enough
        self._deadline.response = route.read_timeout
        # The adapter, not the session, which would follow redirects and read their bodies.
        raw = self._session.get_adapter(url).send(
            request, timeout=(route.connect_timeout, route.read_timeout), **prepared.environment
        )
        response = _read(raw, most)
        prepared.used_at = monotonic()
        return response

    def _prepare(self, url: str, method: str) -> Prepared:
        if (method, url) not in self._prepared:
            environment = self._environment(url)
            given = requests.Request(method, url, auth=self._auth)
            request = self._session.prepare_request(given)
            headers = dict(request.headers)
            self._prepared[method, url] = Prepared(request, headers, environment, monotonic())
        prepared = self._prepared[method, url]
        if monotonic() - prepared.used_at > KEEP_ALIVE:
            self._session.close()  # closes its connections; it opens new ones when they are needed
        return prepared

    def _environment(self, url: str) -> Mapping[str, Any]:
        """Return the proxies and certificates that the environment asks for."""
        found = self._session.merge_environment_settings(url, {}, True, None, None)
        if is_loopback(url):
            found["proxies"] = {}  # this machine is never reached through a proxy
        bundle = found["verify"]
        if isinstance(bundle, str) and not os.path.exists(bundle):
            raise AccountRefused(
                f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names {bundle}, which does not exist",
                code="configuration",
            )
        return found

    def _error(self, classification: Classification) -> DeliveryError:
        text = _PASSWORD.sub("***", self._without_token(" ".join(classification.text.split())))
        if len(text) > MAX_TEXT:
            text = text[: MAX_TEXT - 1] + "…"
        if classification.outcome is NotSent:
            wait, throttled = classification.retry_after, classification.throttled
            return NotSent(text, code=classification.code, retry_after=wait, throttled=throttled)
        return classification.outcome(text, code=classification.code)

    def _without_token(self, text: str) -> str:
        plain = "".join(letter for letter in text if letter.isprintable())
        # A control character within the token must not hide it.
        return self._redactor(plain if self._redactor.is_in(plain) else printable(text))


def _read(response: requests.Response, most: int) -> Response:
    status, headers = response.status_code, response.headers
    if status in _BARE:
        response.close()
        return Response(status, headers, b"")
    try:
        body: bytes = response.raw.read(most + 1, decode_content=True)
        if len(body) > most:
            raise ResponseTooLarge(f"it is longer than {most} bytes")
        return Response(status, headers, body)
    except Exception as error:  # the status may still say enough
        response.close()
        return Response(status, headers, b"", error)


def _classified(route: Route, response: Response) -> Classification:
    """Return what a response without the id of an accepted message means."""
    classification = route.error_map.classify(response, route.setting, route.token)
    if response.broken and classification.outcome is OutcomeUnknown:
        return connection_errors.classify(route, response.broken)
    return classification._replace(outcome=route.unless_repeatable(classification.outcome))
