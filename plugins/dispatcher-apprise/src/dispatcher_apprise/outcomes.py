"""What it means that Apprise reports a failure: only what is certain is reported as certain.

Apprise returns True or False. What was sent is seen in Python's own audit events, for services that
use `requests` or `smtplib`, as nearly all of them do; for the others nothing is known.
`http.client.send` and `smtplib.send` precede every byte of a request or a command; the library
requests is built on the first. Apprise's log is read for the status of a response, and goes nowhere
else: it may show what a URL contains.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from dispatcher import DeliveryError, NotSent, OutcomeUnknown, Refused

_LATER = {408, 425}  # a request that timed out at the server; one that came too early
# Others may mean "done, look there" (RFC 9110, 15.4).
_MOVED = {301, 302, 307, 308}
_HINTS = {
    401: "; check the target's URL",
    403: "; check the target's URL",
    404: "; check the target's URL",
}
_CONNECTS = ("socket.connect", "socket.getaddrinfo")
_REQUEST = re.compile(rb"[A-Z]+ [^\r\n]* HTTP/1\.[01]\r\n")
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
# Every logger that may log a URL or a response: a filter is asked by the logger's own name only.
_LOGGERS = (
    *("apprise", "requests", "urllib3", "urllib3.connection", "urllib3.connectionpool"),
    *("urllib3.poolmanager", "urllib3.response", "urllib3.util.retry"),
)
_here = threading.local()


def verdict(watch: Watch, traceable: bool) -> DeliveryError:
    """Return how an attempt ended that Apprise reports as failed."""
    if not traceable:
        return _unknown("whether anything was delivered cannot be told for this service")
    if not watch.sent:
        return _nothing_left(watch)
    if watch.requests:
        return _answered(watch)
    if not watch.mail_begun:
        return Refused("the mail server did not let a message begin", code="smtp")
    return _unknown("the mail may have been accepted")


def _nothing_left(watch: Watch) -> DeliveryError:
    if watch.tried:
        return NotSent("no connection to the service", code="connection_failed")
    return Refused("Apprise did not try to send it; check the target and the files", code="apprise")


def _answered(watch: Watch) -> DeliveryError:
    if watch.requests > 1 or len(watch.statuses) != 1:
        return _unknown("no usable answer, or several requests of which some may have arrived")
    [status] = watch.statuses
    code = f"http {status}"
    if status == 429:
        return NotSent("too many requests", code=code)
    if status in _MOVED:
        return Refused("the service answers with a redirect, which is not followed", code=code)
    if 400 <= status < 500 and status not in _LATER:
        return Refused(f"the service refused it{_HINTS.get(status, '')}", code=code)
    return _unknown("the service answered that it failed", code)


def _unknown(why: str, code: str = "apprise") -> OutcomeUnknown:
    return OutcomeUnknown(f"Apprise reports a failure: {why}", code=code)


@dataclass
class Watch:
    """What was observed. `tried` is set if a connection was wanted, `sent` if anything was sent.

    `requests` counts those over HTTP. `mail_begun` is set once a mail server was asked to take a
    message. `statuses` are those that Apprise logged.
    """

    tried: bool = False
    sent: bool = False
    requests: int = 0
    mail_begun: bool = False
    statuses: list[int] = field(default_factory=list)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Record an audit event."""
        if event in _CONNECTS:
            self.tried = True
        elif event == "http.client.send":
            self.sent = True
            self.requests += bool(_REQUEST.match(_bytes(arguments[1])))
        elif event == "smtplib.send":
            self.sent = True
            self.mail_begun = self.mail_begun or _bytes(arguments[1]).lower().startswith(b"data")

    def read(self, line: str) -> None:
        """Record what a line of Apprise's log says."""
        self.statuses += [int(status) for status in _STATUS.findall(line)]


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch this thread."""
    _listen()
    _here.watch = watch = Watch()
    try:
        yield watch
    finally:
        _here.watch = None


class _Silence(logging.Filter):
    """Drops what is logged in a thread that is watched."""

    def filter(self, record: logging.LogRecord) -> bool:
        watch: Watch | None = getattr(_here, "watch", None)
        if watch is None:
            return True
        if record.name == "apprise":
            watch.read(record.getMessage())
        return False


@cache
def _listen() -> None:
    """Add the audit hook, once: none can be removed."""
    sys.addaudithook(_hear)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_Silence())


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is not None:
        watch.hear(event, arguments)


def _bytes(data: object) -> bytes:
    if isinstance(data, str):
        return data.encode(errors="replace")
    return bytes(data) if isinstance(data, (bytes, bytearray, memoryview)) else b""
