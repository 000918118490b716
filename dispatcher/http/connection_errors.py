"""What a connection that breaks means for a message; for what a status means see `responses`.

Sources: the exceptions of requests and urllib3, of which only the inner ones say what happened.
Imported by `client` only, so that planning does not pay for requests.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from traceback import walk_tb
from typing import NamedTuple, TypeAlias

from requests import (  # noqa: TID253 - imported only when something is sent
    ConnectTimeout,
    ReadTimeout,
)
from requests.exceptions import (  # noqa: TID253 - see above
    InvalidSchema,
    InvalidURL,
    MissingSchema,
)
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from dispatcher.errors import AccountRefused, NotSent, OutcomeUnknown
from dispatcher.http.responses import Classification, Outcome, Route

Chain: TypeAlias = tuple[BaseException, ...]  # from the outer exception to the inner one


class ResponseTooLarge(Exception):
    """The response is longer than a response ever needs to be."""


class Cause(NamedTuple):
    """A row of a table of exceptions: any of these gives this code and this sentence."""

    errors: tuple[type[BaseException], ...]
    code: str
    text: str


# No request can be made with such settings, for any message.
UNUSABLE = Cause(
    (InvalidURL, InvalidSchema, MissingSchema, LocationValueError),
    "configuration",
    "{setting} or the proxy of the environment cannot be used: {detail}",
)
# It broke before there was a connection, so nothing of the request left.
CONNECTING = (
    Cause((ProxyError,), "proxy", "the proxy gives no connection to {host}: {detail}"),
    Cause((NameResolutionError,), "dns", "the name of {host} cannot be resolved: {detail}"),
    Cause((ConnectionRefusedError,), "connection_refused", "connection refused by {host}"),
    Cause(
        (TimeoutError, ReadTimeoutError, ConnectTimeout),
        "connect_timeout",
        "no connection to {host} within {connect_timeout:g} s",
    ),
    Cause(
        (ssl.SSLCertVerificationError,),
        "tls",
        "no secure connection to {host}: {detail}; check {setting}, and that REQUESTS_CA_BUNDLE "
        "names the certificate's authority, if that is one of your own",
    ),
    Cause(
        (ssl.SSLError, SSLError),
        "tls",
        "no secure connection to {host}: {detail}; check {setting} and the certificates",
    ),
    Cause((Exception,), "connection_failed", "no connection to {host}: {detail}"),
)
# It broke later: the gateway may have accepted the message.
CONNECTED = (
    Cause((ReadTimeoutError, ReadTimeout), "read_timeout", "no answer within {read_timeout:g} s"),
    Cause((TimeoutError,), "write_timeout", "{host} did not take the request in time"),
    Cause(
        (RemoteDisconnected, ConnectionError, IncompleteRead, ssl.SSLError),
        "connection_lost",
        "the connection to {host} broke before the whole answer was there",
    ),
    Cause(
        (HTTPException, DecodeError, ResponseTooLarge),
        "bad_answer",
        "the answer of {host} cannot be read: {detail}",
    ),
    Cause((Exception,), "unexpected", "no answer of {host} was read: {detail}"),
)


def classify(route: Route, error: Exception) -> Classification:
    """Return what an exception in place of a response means.

    The outcome is unknown, unless nothing can have left or repeating does no harm.
    """
    chain = tuple(_chain(error))
    outcome, table = _kind(route, chain)
    cause = next(cause for cause in table if _contains(chain, cause.errors))
    text = cause.text.format(detail=_detail(chain[-1]), host=route.host, **route._asdict())
    return Classification(outcome, cause.code, text)


def _kind(route: Route, chain: Chain) -> tuple[Outcome, tuple[Cause, ...]]:
    if _contains(chain, UNUSABLE.errors):
        return AccountRefused, (UNUSABLE,)
    if _broke_while_connecting(chain):
        return NotSent, CONNECTING
    return route.unless_repeatable(OutcomeUnknown), CONNECTED


def _contains(chain: Chain, errors: tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(error, errors) for error in chain)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those inside it, from the outer to the inner one.

    Never follows `__context__`: it may lead to an earlier attempt, which says nothing about this
    one.
    """
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        inner = (*error.args, getattr(error, "reason", None), error.__cause__)
        error = next((one for one in inner if isinstance(one, BaseException)), None)


def _broke_while_connecting(chain: Chain) -> bool:
    """Whether the name, the connection, the proxy or the TLS handshake failed.

    Classes do not distinguish a failed handshake from TLS that breaks later, nor a proxy that
    refuses from one that closes a connection in use: both look the same in urllib3. That the error
    came through its `connect` does; if that is ever renamed, the outcome becomes "unknown".
    """
    if _contains(chain, (NewConnectionError, ConnectTimeoutError, ConnectTimeout)):
        return True
    return any(
        frame.f_code.co_name == "connect"
        and frame.f_globals.get("__name__") == "urllib3.connection"
        for error in chain
        for frame, _ in walk_tb(error.__traceback__)
    )


def _detail(error: BaseException) -> str:
    for name in ("verify_message", "reason", "strerror"):
        words = getattr(error, name, None)
        if isinstance(words, str) and words:
            return words.replace("_", " ").lower() if words.isupper() else words
    return str(error) or type(error).__name__
