"""One thread's connections to the gateway: posts once, follows nothing, shows no token.

Imported only when something is sent, so that planning does not pay for requests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import requests  # noqa: TID253 - this module is imported only when something is sent
from pydantic import SecretStr
from requests.auth import AuthBase  # noqa: TID253 - see above

from dispatcher import AccountRefused, DeliveryError, NotSent
from dispatcher.builtin.greenapi import outcomes
from dispatcher.builtin.greenapi.answers import Answer
from dispatcher.builtin.greenapi.files import CheckedStream
from dispatcher.builtin.greenapi.outcomes import AnswerTooLarge, Verdict
from dispatcher.builtin.greenapi.routes import Route
from dispatcher.builtin.greenapi.settings import is_loopback

MAX_ANSWER = 1024 * 1024  # bytes
PIECE = 64 * 1024  # bytes
MAX_TEXT = 300  # characters of an error that are shown
# Seconds. A connection that was idle for longer may be closed by the gateway just when the next
# request leaves, and then nobody knows whether that request was accepted.
KEEP_ALIVE = 5.0

_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # of a proxy, in its URL


class Bearer(AuthBase):
    """Says who we are. Being an explicit `auth`, it keeps ~/.netrc out of the header."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


@dataclass
class Prepared:
    """What all requests to one URL share; preparing it anew would double the cost of a post."""

    request: requests.PreparedRequest
    environment: Mapping[str, Any]
    used_at: float


class Client:
    """Posts to the gateway, with a session of its own; for one thread. `pid`: its process."""

    def __init__(self, token: SecretStr) -> None:
        self.pid = os.getpid()
        self._token = token
        self._prepared: dict[str, Prepared] = {}
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "message-dispatcher"
        for prefix in ("https://", "http://"):
            self._session.mount(prefix, requests.adapters.HTTPAdapter(max_retries=0))

    def post(self, route: Route, body: bytes | CheckedStream, headers: Mapping[str, str]) -> str:
        """Post a body once; `headers` say its type and length. Returns the id in the answer.

        Raises one of `NotSent`, `Refused`, `AccountRefused`, `OutcomeUnknown`.
        """
        outcome = self._attempt(route, body, headers)
        if isinstance(outcome, DeliveryError):
            # Here, not in an `except`: what requests raised holds the request, and so the token.
            raise outcome
        return outcome

    def _attempt(
        self, route: Route, body: bytes | CheckedStream, headers: Mapping[str, str]
    ) -> str | DeliveryError:
        try:
            answer = self._exchange(route, body, headers)
        except DeliveryError as error:
            verdict = Verdict(type(error), error.code, error.text)
        except Exception as error:  # whatever it is, the message may have left
            verdict = outcomes.of_exception(route, error)
        else:
            identifier = answer.accepted_id(route.answer)
            if identifier is not None:
                return self._without_token(identifier)
            verdict = outcomes.of_answer(route, answer)
        return self._error(verdict)

    def _exchange(
        self, route: Route, body: bytes | CheckedStream, headers: Mapping[str, str]
    ) -> Answer:
        prepared = self._prepare(route.url)
        request = prepared.request.copy()
        request.body = body  # type: ignore[assignment] # anything with `read`, once its length is known
        request.headers.update(headers)
        # The adapter, not the session: that one would look at redirects and their bodies.
        response = self._session.get_adapter(route.url).send(
            request, timeout=(route.connect_timeout, route.read_timeout), **prepared.environment
        )
        answer = _read(response)
        prepared.used_at = monotonic()
        return answer

    def _prepare(self, url: str) -> Prepared:
        if url not in self._prepared:
            request = requests.Request("POST", url, auth=Bearer(self._token))
            self._prepared[url] = Prepared(
                self._session.prepare_request(request), self._environment(url), monotonic()
            )
        prepared = self._prepared[url]
        if monotonic() - prepared.used_at > KEEP_ALIVE:
            self._session.close()  # its connections; it opens new ones when they are needed
        return prepared

    def _environment(self, url: str) -> Mapping[str, Any]:
        """Proxies and certificates that the environment asks for."""
        found = self._session.merge_environment_settings(url, {}, True, None, None)
        if is_loopback(url):
            found["proxies"] = {}  # this machine is not to be found behind a proxy
        bundle = found["verify"]
        if isinstance(bundle, str) and not os.path.exists(bundle):
            raise AccountRefused(
                f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names {bundle}, which does not exist",
                code="configuration",
            )
        return found

    def _error(self, verdict: Verdict) -> DeliveryError:
        text = _PASSWORD.sub("***", self._without_token(" ".join(verdict.text.split())))
        if len(text) > MAX_TEXT:
            text = text[: MAX_TEXT - 1] + "…"
        if verdict.outcome is NotSent:
            wait, throttled = verdict.retry_after, verdict.throttled
            return NotSent(text, code=verdict.code, retry_after=wait, throttled=throttled)
        return verdict.outcome(text, code=verdict.code)

    def _without_token(self, text: str) -> str:
        # In this order: a control character within the token must not hide it.
        shown = "".join(letter for letter in text if letter.isprintable())
        return shown.replace(self._token.get_secret_value(), "***")


def _read(response: requests.Response) -> Answer:
    status, headers = response.status_code, response.headers
    try:
        return Answer(status, headers, _limited(response.iter_content(PIECE)))
    except Exception as error:  # the status may still say enough
        response.close()
        return Answer(status, headers, b"", error)


def _limited(pieces: Iterable[bytes]) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > MAX_ANSWER:
            raise AnswerTooLarge(f"it is longer than {MAX_ANSWER} bytes")
    return bytes(body)
