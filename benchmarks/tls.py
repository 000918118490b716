"""A durable `dispatcher send` over TLS, as a ratio to how others post the same texts over it.

    python -m benchmarks.tls

As `sending.py`, with a certificate that openssl makes, and that REQUESTS_CA_BUNDLE has all of them
trust. We keep a connection; the others begin a new one, with its handshake, for each post.
"""

from __future__ import annotations

from benchmarks import gateway
from benchmarks.gateway import Certificate
from benchmarks.mailing import mailing
from benchmarks.sending import MESSAGES, compare

GOALS = {"apprise": 4, "sdk": 4}


def main() -> None:
    with mailing(MESSAGES) as mails:
        certificate = Certificate.made(mails.folder)
        with gateway.running(certificate=certificate) as gate:
            compare(mails, gate, GOALS, REQUESTS_CA_BUNDLE=str(certificate.chain))


if __name__ == "__main__":
    main()
