"""The connection that a request came in on, and how to break it."""

import asyncio
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Any, Final

# struct linger is two shorts on Windows, two ints elsewhere: switched on, for 0 seconds.
LINGER_NOT: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Connection:
    """One TCP connection; `used` once a request to /v1 came over it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.used = False

    def close(self) -> None:
        """Closes it now, without sending what is still to be sent."""
        self._transport.abort()

    def reset(self) -> None:
        """Closes it with an RST: what a socket sends that may not linger (socket(7), SO_LINGER)."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self._transport.abort()


def connection_of(scope: Mapping[str, Any]) -> Connection:
    """The connection that the server's protocol put into the state of an ASGI request."""
    connection: Connection = scope["state"]["connection"]
    return connection
