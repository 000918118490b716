"""The pages of the inbox, and the uploaded files in them."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.bubbles.bubble import SHOWN, Bubble, File, bubble_of, summary_of
from dispatcher.bubbles.pages import HARMLESS, SAFE, STATIC, TEMPLATES, templates
from dispatcher.sandbox.contract import CONTENT
from dispatcher.sandbox.faults import FAULTS, FaultInjector, Rule
from dispatcher.sandbox.inbox.views import checks, curl, query_of, view_of
from dispatcher.sandbox.media import Media, MediaStore
from dispatcher.sandbox.openapi import Operation, operations
from dispatcher.sandbox.store import Changes, Message, Store, moment

HERE: Final = Path(__file__).parent
FILES: Final = "/inbox/files/"
MOST_STREAMS: Final = 50
PAUSE: Final = 0.15  # seconds between two versions: a burst of changes needs only one
STREAM: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}


class Switch(NamedTuple):
    """A switch for a common fault; `rule` is as `PUT /api/faults` takes it."""

    name: str
    label: str
    effect: str
    rule: dict[str, Any]


SWITCHES: Final = (
    Switch(
        "limit",
        "Too many requests",
        "Answers 429 and asks to wait for a second; nothing is accepted.",
        {"fault": "status", "status": 429, "code": 82, "retry_after": 1},
    ),
    Switch("slow", "Slow", "Answers after three seconds.", {"fault": "delay", "delay": 3}),
    Switch(
        "reset",
        "Reset after accepting",
        "Accepts the message, then breaks the connection: nobody knows whether it arrived.",
        {"fault": "reset_after"},
    ),
)


class Events:
    """Server-sent events: each open page is sent a version at once and after every change."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._run = secrets.token_hex(4)
        self._open = 0

    @property
    def version(self) -> str:
        """Identifies the present state, in this run of the server."""
        return f"{self._run}-{self._changes.version}"

    async def stream(self, request: Request) -> ASGIApp:
        """Serve `GET /inbox/events`."""
        if self._open >= MOST_STREAMS:
            return JSONResponse({"error": f"{MOST_STREAMS} pages are open already"}, 503)
        return self._respond

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = StreamingResponse(self._versions(), headers=STREAM)
        self._open += 1
        try:
            await response(scope, receive, send)
        finally:
            self._open -= 1

    async def _versions(self) -> AsyncIterator[str]:
        yield "retry: 500\n\n"
        while True:
            sent = self._changes.version
            yield f"data: {self.version}\n\n"
            await self._changes.wait(sent)
            await asyncio.sleep(PAUSE)


@dataclass
class Inbox:
    """The pages at /, which change nothing."""

    store: Store
    media: MediaStore
    faults: FaultInjector

    def __post_init__(self) -> None:
        self.events = Events(self.store.changes)

    def routes(self) -> list[BaseRoute]:
        return [
            Operation("GET", "/", self.show_inbox, {200: None}),
            Route("/inbox/events", self.events.stream, methods=["GET"]),
            Route("/inbox/messages/{id}", self.show_message, methods=["GET"]),
            Route("/inbox/refused", self.show_refused, methods=["GET"]),
            Route(FILES + "{id}", self.serve_file, methods=["GET"]),
            Route("/help", self.show_help, methods=["GET"]),
            Mount("/static/bubbles", StaticFiles(directory=STATIC)),
            Mount("/static/inbox", StaticFiles(directory=HERE / "static")),
        ]

    async def show_inbox(self, request: Request) -> Response:
        """Show the list of chats, and the open chat."""
        query, version = query_of(request.query_params), self.events.version
        view = await asyncio.to_thread(view_of, self.store, query)

        def bubbles() -> Iterator[tuple[Message, Bubble, str]]:
            for each in view.messages:
                yield each, bubble_of(each.payload, self._file), moment(each.received_at)

        return await _page(
            "inbox.html",
            version=version,
            view=view,
            query=query,
            kinds=CONTENT,
            summary=lambda message: summary_of(message.payload),
            bubbles=bubbles(),
            refused=self.store.refused_total,
            moment=moment,
            url=_url(request),
            **self._rules(),
        )

    async def show_message(self, request: Request) -> Response:
        """Show everything about one message."""
        id = request.path_params["id"]
        message = self.store.get(id)
        if message is None:
            raise HTTPException(404, f"there is no message {id}")
        return await _page(
            "message.html",
            message=message,
            received_at=moment(message.received_at),
            payload=json.dumps(message.payload, ensure_ascii=False, indent=2),
            checks=checks(message.payload, self.media.get),
            curl=curl(_url(request), message.body),
        )

    async def show_refused(self, request: Request) -> Response:
        """Show the refused requests, and why they were refused."""
        shown, total = list(self.store.refused), self.store.refused_total
        return await _page("refused.html", shown=shown, total=total, moment=moment)

    async def show_help(self, request: Request) -> Response:
        """Show the keys, and the operations of the OpenAPI document."""
        return await _page(
            "help.html", operations=operations(request.app.routes), url=_url(request)
        )

    async def serve_file(self, request: Request) -> Response:
        """Return an uploaded file; types that bubbles do not show are served as octet-stream."""
        media = self.media.get(request.path_params["id"])
        if media is None:
            return Response(status_code=404, headers=dict(HARMLESS))
        # Without a filename: the link to this file has the one given in the message.
        kind = {"Content-Type": _harmless_type(media), "Content-Disposition": "attachment"}
        return FileResponse(self.media.path(media), headers={**HARMLESS, **kind})

    def _file(self, id: str) -> File | None:
        """Return an uploaded file as bubbles show it; may be called in any thread."""
        media = self.media.get(id)
        if media is None:
            return None
        return File(FILES + id, media.content_type, media.size, f"{id}.{media.extension}")

    def _rules(self) -> dict[str, Any]:
        rules = self.faults.view()
        switches = [(each, Rule(**each.rule).model_dump() in rules) for each in SWITCHES]
        return {"rules": rules, "switches": switches, "faults": FAULTS}


async def _page(template: str, **values: object) -> Response:
    """Return the rendered page; in a thread, as it may take long."""
    made = templates(HERE / "templates", TEMPLATES).get_template(template)
    written = await asyncio.to_thread(lambda: made.render(values).encode(errors="replace"))
    return HTMLResponse(written, headers=dict(SAFE))


def _url(request: Request) -> str:
    return f"http://{request.headers['host']}"


def _harmless_type(media: Media) -> str:
    given = media.content_type.partition(";")[0].strip().lower()
    known = any(given in types for types in SHOWN.values())
    return given if known else "application/octet-stream"
