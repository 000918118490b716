"""Who may talk to a server that has no password: not a web page of somewhere else.

A browser on this machine can be made to send requests here. Two checks keep foreign pages out: the
name in `Host` must be one of ours (DNS rebinding), and a page of another origin may do no more than
lead to a page of ours by a link (CSRF).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
FOREIGN_SITES: Final = (b"cross-site", b"same-site")


@dataclass
class Guard:
    """ASGI middleware that answers 403 to what may not come in."""

    app: ASGIApp
    hosts: Collection[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        objection = self._objection(scope)
        if objection is None:
            await self.app(scope, receive, send)
        else:
            await JSONResponse({"error": objection}, 403)(scope, receive, send)

    def _objection(self, scope: Scope) -> str | None:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if hostname(host) not in (*self.hosts, scope["server"][0]):
            return f"the Host header must be this server's own, not {host!r}"
        if is_foreign(headers, host) and not is_link(scope, headers):
            return "the request comes from a page of another origin"
        return None


@lru_cache(maxsize=64)  # one program asks again and again under the same name
def hostname(host: str) -> str | None:
    """The name or address in a Host header, without port and brackets; None if there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_foreign(headers: Mapping[bytes, bytes], host: str) -> bool:
    """Whether a browser says that a page of another origin sent the request."""
    origin = headers.get(b"origin")
    if headers.get(b"sec-fetch-site") in FOREIGN_SITES:
        return True
    return origin is not None and origin.decode("latin-1").lower() != f"http://{host.lower()}"


def is_link(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser says that somebody goes to a page of ours, which changes nothing."""
    is_page = scope["method"] == "GET" and not scope["path"].startswith("/v1/")
    return is_page and headers.get(b"sec-fetch-mode") == b"navigate"
