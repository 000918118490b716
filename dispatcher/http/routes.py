"""Where requests of one kind go."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from dispatcher.http.dialect import Dialect, Path


class Route(NamedTuple):
    """Where requests of one kind go, and what their answers look like.

    `setting`: the setting that holds the address. `identifier`: where a success has the new id.
    `repeatable`: doing it twice does no harm, so an unknown outcome may be tried again. Timeouts
    are seconds, as in `HttpSettings`. `token`: where it was read, for people. A token may be in the
    path as it is, or as `masking.HIDDEN`.
    """

    url: str
    setting: str
    identifier: Path
    dialect: Dialect
    connect_timeout: float = 5
    read_timeout: float = 30
    repeatable: bool = False
    token: str = "the token"

    @property
    def host(self) -> str:
        """The host, and the port if it is not the usual one."""
        return urlsplit(self.url).netloc
