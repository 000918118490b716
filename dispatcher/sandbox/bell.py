"""Tells those who wait that something changed."""

import asyncio


class Bell:
    """Rings at every change; `count` tells one state from the next."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def ring(self) -> None:
        self.count += 1
        self._event.set()
        self._event.clear()

    async def wait(self) -> None:
        """Returns at the next change."""
        await self._event.wait()
