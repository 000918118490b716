"""Server-sent events: tells open pages that something changed; they fetch what they show."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

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
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(self._versions(), media_type="text/event-stream", headers=headers)

    async def _versions(self) -> AsyncIterator[str]:
        self._open += 1
        try:
            yield "retry: 500\n\n"
            while True:
                told = self.version
                yield f"data: {told}\n\n"
                while self.version == told:
                    if not await self._rings():
                        yield ": still here\n\n"
                await asyncio.sleep(BREATH)
        finally:
            self._open -= 1

    async def _rings(self) -> bool:
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._bell.wait()
        except TimeoutError:
            return False
        return True
