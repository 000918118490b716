"""Server-sent events: tells open pages that something changed; they fetch what they show."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from dispatcher.sandbox.answers import Json
from dispatcher.sandbox.bell import Bell

MOST_STREAMS: Final = 50
BREATH: Final = 0.15  # a burst of changes is told once, not once a message
HEARTBEAT: Final = 15.0


class Events:
    """Streams of versions: each is told when it is opened, and when it has changed."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._run = secrets.token_hex(4)
        self._open = 0

    @property
    def version(self) -> str:
        """Names the present state; no other run of the server has it."""
        return f"{self._run}-{self._bell.count}"

    async def stream(self, request: Request) -> Response:
        """`GET /inbox/events`."""
        if self._open >= MOST_STREAMS:
            return Json({"error": f"{MOST_STREAMS} pages are open already"}, 503)
        return _Stream(self._versions(), self._count)

    def _count(self, change: int) -> None:
        self._open += change

    async def _versions(self) -> AsyncIterator[str]:
        yield "retry: 500\n\n"
        while True:
            told = self.version
            yield f"data: {told}\n\n"
            while self.version == told:
                if not await self._rings():
                    yield ": still here\n\n"
            await asyncio.sleep(BREATH)

    async def _rings(self) -> bool:
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._bell.wait()
        except TimeoutError:
            return False
        return True


class _Stream(StreamingResponse):
    """Counts itself as long as it is open."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], count: Callable[[int], None]) -> None:
        super().__init__(content, headers={"Cache-Control": "no-store"})
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._count(1)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._count(-1)
