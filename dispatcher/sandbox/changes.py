"""Tells those who wait that something changed: in this process, and open pages of the inbox."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

MOST_STREAMS: Final = 50
BREATH: Final = 0.15  # a burst of changes is told once, not once a message
HEARTBEAT: Final = 15.0


class ChangeNotifier:
    """Wakes all who wait at every change; `count` tells one state from the next."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def notify(self) -> None:
        self.count += 1
        self._event.set()
        self._event.clear()

    async def wait(self) -> None:
        """Returns at the next change."""
        await self._event.wait()


class Events:
    """Streams of versions: each page is told one when it is opened, and at every change."""

    def __init__(self, changes: ChangeNotifier) -> None:
        self._changes = changes
        self._run = secrets.token_hex(4)
        self._open = 0

    @property
    def version(self) -> str:
        """Names the present state; no other run of the server has it."""
        return f"{self._run}-{self._changes.count}"

    async def stream(self, request: Request) -> Response:
        """`GET /inbox/events`."""
        if self._open >= MOST_STREAMS:
            return JSONResponse({"error": f"{MOST_STREAMS} pages are open already"}, 503)
        return _Stream(self._versions(), self._count)

    def _count(self, change: int) -> None:
        self._open += change

    async def _versions(self) -> AsyncIterator[str]:
        yield "retry: 500\n\n"
        while True:
            told = self.version
            yield f"data: {told}\n\n"
            while self.version == told:
                if not await self._has_changed():
                    yield ": still here\n\n"
            await asyncio.sleep(BREATH)

    async def _has_changed(self) -> bool:
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._changes.wait()
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
