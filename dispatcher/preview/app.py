"""Serves the preview's page, and the files that it shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from dispatcher.bubbles.pages import SAFE, STATIC, TEMPLATES, file_headers, templates
from dispatcher.errors import Refused
from dispatcher.http.files import opened
from dispatcher.local_server import Guard
from dispatcher.models import Upload
from dispatcher.planning import Planner
from dispatcher.preview.queries import Query, matching, query_of
from dispatcher.preview.reading import Reading, read, shown_message, wrong
from dispatcher.preview.watching import snapshot

HERE: Final = Path(__file__).parent
INTERVAL: Final = 0.4


def create_app(make_planner: Callable[[], Planner], paths: list[Path]) -> ASGIApp:
    """Return the preview of a plan, which is made again whenever a file in `paths` changes."""
    preview = Preview(make_planner, paths)
    routes = [
        Route("/", preview.show, methods=["GET"]),
        Route("/events", preview.events, methods=["GET"]),
        Route("/files/{sha256}", preview.file, methods=["GET"]),
        Mount("/static/bubbles", StaticFiles(directory=STATIC)),
        Mount("/static/preview", StaticFiles(directory=HERE / "static")),
    ]
    return Guard(Starlette(routes=routes))


@dataclass
class Preview:
    """Reads the manifests again when they have changed, and shows them."""

    make_planner: Callable[[], Planner]
    paths: list[Path]
    version: str = ""
    reading: Reading = field(default_factory=Reading)

    async def show(self, request: Request) -> Response:
        """Show the recipients, and the messages to one of them."""
        query = query_of(request.query_params)
        written = await asyncio.to_thread(self._page, query)
        return HTMLResponse(written.encode(errors="replace"), headers=dict(SAFE))

    def _page(self, query: Query) -> str:
        self._refresh()
        reading, version = self.reading, self.version
        chats = matching(reading.chats, query)
        chat = query.chat if query.chat in chats else next(iter(chats), None)
        page = templates(HERE / "templates", TEMPLATES).get_template("preview.html")
        return page.render(
            version=version,
            reading=reading,
            query=query,
            chats=list(islice(chats.items(), query.chats)),
            more=len(chats) - query.chats,
            chat=chat,
            messages=map(shown_message, chats[chat]) if chat else [],
            counts=reading.counts,
            wrong=wrong,
        )

    async def events(self, request: Request) -> Response:
        """Send the version at once and at every change."""
        return StreamingResponse(self._versions(), media_type="text/event-stream")

    async def file(self, request: Request) -> Response:
        """Return a file that a message uploads; a browser may show it but not run it."""
        upload = self.reading.uploads.get(request.path_params["sha256"])
        if upload is None:
            return Response(status_code=404)
        try:
            content = await asyncio.to_thread(_content, upload)
        except Refused:  # it is not the file that was planned: the page is about to be made again
            return Response(status_code=404)
        return Response(content, headers=file_headers(upload.mime_type))

    def _refresh(self) -> None:
        version = snapshot(self.paths)
        if version != self.version:
            self.reading, self.version = read(self.make_planner), version

    async def _versions(self) -> AsyncIterator[str]:
        sent = ""
        while True:
            now = await asyncio.to_thread(snapshot, self.paths)
            yield f"data: {now}\n\n" if now != sent else ": still here\n\n"
            sent = now
            await asyncio.sleep(INTERVAL)


def _content(upload: Upload) -> bytes:
    """Return the checked file's bytes. Raises Refused if it has changed since."""
    with opened(upload) as stream:
        return stream.read()
