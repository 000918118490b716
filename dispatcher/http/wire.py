"""A token in the path of a URL: written to the gateway, and nowhere else.

urllib3 logs the path of every request and repeats it in its errors. So `Route.url` has a word in
the token's place, and only the connection, when it writes the request, puts the token there.

Imported only when something is sent, so that planning does not pay for urllib3.
"""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from urllib3.connectionpool import ConnectionPool

from dispatcher.http.routes import TOKEN


def put_token_into_paths(pool: ConnectionPool, token: SecretStr) -> None:
    """Have all connections of a pool, which has none yet, write the token for the word."""
    kind: Any = pool.ConnectionCls  # type: ignore[attr-defined] # of HTTP(S)ConnectionPool

    class Connection(kind):  # type: ignore[misc]
        def putrequest(self, method: str, url: str, *more: Any, **options: Any) -> None:
            written = url.replace(TOKEN, token.get_secret_value())
            super().putrequest(method, written, *more, **options)

    pool.ConnectionCls = Connection  # type: ignore[attr-defined]
