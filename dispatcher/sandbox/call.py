"""One request to /v1, read straight from the ASGI server: nothing is done twice or in vain."""

from collections.abc import AsyncIterator

from starlette.types import Receive, Scope

from dispatcher.sandbox.errors import Refusal


class Gone(Exception):
    """The client went away before it had sent everything."""


class Call:
    """A request whose body may have at most `largest` bytes."""

    def __init__(self, scope: Scope, receive: Receive, largest: int) -> None:
        self.scope = scope
        self.path: str = scope["path"]
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._largest = largest
        self._left = largest
        self._more = True
        self._body: bytes | None = None

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def check_length(self) -> None:
        """Raises Refusal if the request announces more than it may have."""
        if int(self._headers.get(b"content-length", 0)) > self._largest:
            raise self._too_large()

    async def body(self) -> bytes:
        """All of the body, however often it is asked for; raises what `chunks` raises."""
        if self._body is None:
            parts = []
            while self._more:
                parts.append(await self._next_chunk())
            self._body = b"".join(parts)
        return self._body

    @property
    def seen(self) -> bytes:
        """The body, if all of it was read at once."""
        return self._body or b""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; Refusal as soon as it is too large, Gone if it breaks off."""
        if self._body is not None:
            yield self._body
        while self._more:
            yield await self._next_chunk()

    async def _next_chunk(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._more = message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self._left -= len(chunk)
        if self._left < 0:
            raise self._too_large()
        return chunk

    def _too_large(self) -> Refusal:
        return Refusal(1011, f"the body is larger than {self._largest} bytes")
