"""The pages of the inbox, and the uploaded files as they may show them."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

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
from starlette.types import Receive, Scope, Send

from dispatcher.bubbles.bubble import SHOWN, Bubble, File, bubble_of, summary_of
from dispatcher.bubbles.pages import HARMLESS, SAFE, STATIC, TEMPLATES, templates
from dispatcher.sandbox.contract import CONTENT
from dispatcher.sandbox.faults import FAULTS, FaultInjector, Rule
from dispatcher.sandbox.inbox.views import Query, checks, curl, look, query_of
from dispatcher.sandbox.media import Media, MediaStore
from dispatcher.sandbox.openapi import describe
from dispatcher.sandbox.store import Changes, Message, Store, moment

HERE: Final = Path(__file__).parent
FILES: Final = "/inbox/files/"
MOST_STREAMS: Final = 50
BREATH: Final = 0.15  # seconds; a burst of changes is told once, not once a message
HEARTBEAT: Final = 15.0


class Switch(NamedTuple):
    """A fault that is wanted often: `rule` as `PUT /api/faults` takes it."""

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
    """Streams of versions: each page is told one when it is opened, and at every change."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._run = secrets.token_hex(4)
        self._open = 0

    @property
    def version(self) -> str:
        """Names the present state; no other run of the server has it."""
        return f"{self._run}-{self._changes.version}"

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
            told = self._changes.version
            yield f"data: {self.version}\n\n"
            while self._changes.version == told:
                try:
                    await asyncio.wait_for(self._changes.wait(told), HEARTBEAT)
                except TimeoutError:
                    yield ": still here\n\n"
            await asyncio.sleep(BREATH)


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


@dataclass
class Inbox:
    """Shows what the gateway remembers; changes nothing."""

    store: Store
    media: MediaStore
    faults: FaultInjector

    def __post_init__(self) -> None:
        self.events = Events(self.store.changes)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.show_inbox, methods=["GET"]),
            Route("/inbox/events", self.events.stream, methods=["GET"]),
            Route("/inbox/messages/{id}", self.show_message, methods=["GET"]),
            Route("/inbox/refused", self.show_refused, methods=["GET"]),
            Route(FILES + "{id}", self.serve_file, methods=["GET"]),
            Route("/help", self.show_help, methods=["GET"]),
            Mount("/static/bubbles", StaticFiles(directory=STATIC)),
            Mount("/static/inbox", StaticFiles(directory=HERE / "static")),
        ]

    async def show_inbox(self, request: Request) -> Response:
        """The chats and the one that is open."""
        query, version = query_of(request.query_params), self.events.version
        view = await asyncio.to_thread(look, self.store, query)

        def bubbles() -> Iterator[tuple[Message, Bubble, str]]:
            for each in view.messages:
                yield each, bubble_of(json.loads(each.body), self._file), moment(each.received_at)

        return await _page(
            "inbox.html",
            version=version,
            view=view,
            query=query,
            link=lambda **changes: _link(query, changes),
            kinds=CONTENT,
            summary=lambda message: summary_of(json.loads(message.body)),
            bubbles=bubbles(),
            refused=self.store.refused_total,
            moment=moment,
            url=_url(request),
            **self._rules(),
        )

    async def show_message(self, request: Request) -> Response:
        """Everything about one message."""
        id = request.path_params["id"]
        message = self.store.get(id)
        if message is None:
            raise HTTPException(404, f"there is no message {id}")
        payload = json.loads(message.body)
        return await _page(
            "message.html",
            message=message,
            received_at=moment(message.received_at),
            payload=json.dumps(payload, ensure_ascii=False, indent=2),
            checks=checks(payload, self.media.get),
            curl=curl(_url(request), message.body),
            headers=json.loads(message.headers),
        )

    async def show_refused(self, request: Request) -> Response:
        """What the gateway did not take, and why."""
        shown, total = list(self.store.refused), self.store.refused_total
        return await _page("refused.html", shown=shown, total=total, moment=moment)

    async def show_help(self, request: Request) -> Response:
        """Keys, and what can be asked of this server: its own description."""
        return await _page("help.html", paths=describe()["paths"], url=_url(request))

    async def serve_file(self, request: Request) -> Response:
        """An uploaded file: what bubbles show as what it is, all else as mere bytes."""
        media = self.media.get(request.path_params["id"])
        if media is None:
            return Response(status_code=404, headers=dict(HARMLESS))
        # Without a name: the link that leads here has the one that the message gives to the file.
        kind = {"Content-Type": _harmless_type(media), "Content-Disposition": "attachment"}
        return FileResponse(self.media.path(media), headers={**HARMLESS, **kind})

    def _file(self, id: str) -> File | None:
        """An uploaded file as bubbles show it; in any thread."""
        media = self.media.find(id)
        if media is None:
            return None
        return File(FILES + id, media.content_type, media.size, f"{id}.{media.extension}")

    def _rules(self) -> dict[str, Any]:
        rules = self.faults.view()
        switches = [(each, Rule(**each.rule).model_dump() in rules) for each in SWITCHES]
        return {"rules": rules, "switches": switches, "faults": FAULTS}


async def _page(template: str, **values: object) -> Response:
    """The page, written beside the gateway's work: it may be long."""
    made = templates(HERE / "templates", TEMPLATES).get_template(template)
    written = await asyncio.to_thread(lambda: made.render(values).encode(errors="replace"))
    return HTMLResponse(written, headers=dict(SAFE))


def _url(request: Request) -> str:
    return f"http://{request.headers['host']}"


def _link(query: Query, changes: Mapping[str, object]) -> str:
    """The address of this page with some things changed."""
    asked = {**asdict(query), **changes}
    defaults = asdict(Query())
    return "?" + urlencode(
        {name: it for name, it in asked.items() if it not in (defaults[name], "")}
    )


def _harmless_type(media: Media) -> str:
    given = media.content_type.partition(";")[0].strip().lower()
    known = any(given in types for types in SHOWN.values())
    return given if known else "application/octet-stream"
