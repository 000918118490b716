"""The contract of transports, kept with Apprise's simplest service: JSON over HTTP."""

from __future__ import annotations

from urllib.parse import urlsplit

from dispatcher.testing import Reply, TransportContract
from dispatcher_apprise.settings import AppriseSettings
from dispatcher_apprise.transport import AppriseTransport


def transport(url: str, user: str = "") -> AppriseTransport:
    """With the target `default`: JSON posts to an address that begins with http."""
    target = f"json://{user}{urlsplit(url).netloc}/?rto=0.5&cto=0.5&retry=3&redirect=yes"
    return AppriseTransport(AppriseSettings(APPRISE_URL=target))


class TestApprise(TransportContract):
    token = "secret-token-1234"
    accepted = Reply(200, {})
    accepted_id = "default"
    answers_with_id = False
    to = "default"
    uploaded = None  # no gateway stores them: see test_files.py
    refused = tuple(Reply(status) for status in (400, 401, 403, 404, 413, 422))
    account_refused = ()
    not_sent = (Reply(429),)
    throttled = ()
    unknown = (Reply(500), Reply(408), Reply(503, {}, {"Retry-After": "1"}))

    def make(self, url: str) -> AppriseTransport:
        return transport(url, f"user:{self.token}@")
