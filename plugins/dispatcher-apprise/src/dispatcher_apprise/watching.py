"""What leaves while Apprise works, which it does not tell: seen by Python's own audit events.

`http.client.send` and `smtplib.send` come before any byte of a request or a command leaves; the
library requests is built on the first. Apprise's log is read for the status of an answer, and goes
nowhere else: it may show what a URL holds.
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

_CONNECTS = ("socket.connect", "socket.getaddrinfo")
_REQUEST = re.compile(rb"[A-Z]+ [^\r\n]* HTTP/1\.[01]\r\n")
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
# Each that may log a URL or what was answered: a filter is asked by the logger's own name only.
_LOGGERS = (
    *("apprise", "requests", "urllib3", "urllib3.connection", "urllib3.connectionpool"),
    *("urllib3.poolmanager", "urllib3.response", "urllib3.util.retry"),
)
_here = threading.local()


@dataclass
class Watch:
    """`tried`: a connection was wanted. `sent`: something left. `requests`: so many, over HTTP.

    `mail_begun`: a mail server was asked to take a message. `statuses`: those that Apprise logged.
    """

    tried: bool = False
    sent: bool = False
    requests: int = 0
    mail_begun: bool = False
    statuses: list[int] = field(default_factory=list)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an audit event."""
        if event in _CONNECTS:
            self.tried = True
        elif event == "http.client.send":
            self.sent = True
            self.requests += bool(_REQUEST.match(_bytes(arguments[1])))
        elif event == "smtplib.send":
            self.sent = True
            self.mail_begun = self.mail_begun or _bytes(arguments[1]).lower().startswith(b"data")

    def read(self, line: str) -> None:
        """Note what a line of Apprise's log says."""
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
    """Keeps to itself what is logged in a thread that is watched."""

    def filter(self, record: logging.LogRecord) -> bool:
        watch: Watch | None = getattr(_here, "watch", None)
        if watch is None:
            return True
        if record.name == "apprise":
            watch.read(record.getMessage())
        return False


@cache
def _listen() -> None:
    """Once: nobody can stop listening to audit events."""
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
