"""Connections of which urllib3 logs nothing that is secret, at whatever level.

It logs the path of every request and repeats it in its errors. So what it gets has `HIDDEN` in the
place of a token, and only the connection, when it writes the request, puts the token there. It also
logs headers of an answer that it cannot read, in which a gateway may say back what it was sent.

Imported only when something is sent, so that planning does not pay for urllib3.
"""

from __future__ import annotations

from http.client import HTTPResponse
from typing import Any

from pydantic import SecretStr
from urllib3.connectionpool import ConnectionPool

from dispatcher.http.masking import HIDDEN


def keep_quiet(pool: ConnectionPool, token: SecretStr) -> None:
    """Have all connections of a pool, which has none yet, show the token to the gateway alone.

    `token`: as a URL has it.
    """
    kind: Any = pool.ConnectionCls  # type: ignore[attr-defined] # of HTTP(S)ConnectionPool

    class Connection(kind):  # type: ignore[misc]
        response_class = _Answer

        def putrequest(self, method: str, url: str, *more: Any, **options: Any) -> None:
            written = url.replace(HIDDEN, token.get_secret_value())
            super().putrequest(method, written, *more, **options)

    pool.ConnectionCls = Connection  # type: ignore[attr-defined]


class _Answer(HTTPResponse):
    """What cannot be read of the headers is dropped: nobody asks for it but urllib3's log."""

    def begin(self) -> None:
        super().begin()
        self.headers.defects.clear()
        self.headers.set_payload("")
