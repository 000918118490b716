"""The pages of the inbox: what they show, the uploaded files in them, and what keeps them fresh."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.bubbles.bubble import File, bubble_of, shown_payload, summary_of
from dispatcher.bubbles.pages import HARMLESS, SAFE, STATIC, TEMPLATES, file_headers, templates
from dispatcher.bubbles.search import as_number
from dispatcher.sandbox.contract import CONTENTS
from dispatcher.sandbox.faults import FAULTS, FaultInjector, Rule
from dispatcher.sandbox.media import MediaStore
from dispatcher.sandbox.openapi import Operation, operations
from dispatcher.sandbox.store import Chat, Filter, Message, Store, moment

HERE: Final = Path(__file__).parent
FILES: Final = "/inbox/files/"
PAGE: Final = 25
LONGEST_QUERY: Final = 200
MOST_STREAMS: Final = 50
PAUSE: Final = 0.15  # seconds between two versions: a burst of changes needs only one
STREAM: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}


@dataclass(frozen=True)
class Query:
    """The query of a page; `before` is the id of the message before which a page of a chat ends."""

    chat: str | None = None
    q: str = ""
    type: str = ""
    before: str | None = None
    chats: int = PAGE

    def link(self, **changes: Any) -> str:
        """Return the address of this page with some parameters changed."""
        asked, defaults = asdict(replace(self, **changes)), asdict(Query())
        return "?" + urlencode(
            {name: it for name, it in asked.items() if it not in (defaults[name], "")}
        )


def query_of(parameters: Mapping[str, str]) -> Query:
    """Return the query of these parameters; invalid ones are ignored."""
    type, chats = parameters.get("type", ""), parameters.get("chats", "")
    return Query(
        chat=parameters.get("chat") or None,
        q=parameters.get("q", "").strip()[:LONGEST_QUERY],
        type=type if type in CONTENTS else "",
        before=parameters.get("before") or None,
        chats=int(chats) if re.fullmatch(r"[0-9]{1,6}", chats) else PAGE,
    )


class View(NamedTuple):
    """What a page shows; `chat` is the recipient of the open chat."""

    chats: list[Chat]
    more_chats: bool
    chat: str | None
    messages: list[Message]
    earlier: str | None
    unread: int


def view_of(store: Store, query: Query) -> View:
    """Return what the page for this query shows; a search may take long."""
    found = store.find(Filter(type=query.type, q=as_number(query.q)))
    chats = store.chats(found, query.chats + 1)
    to = query.chat if query.chat and len(store) else chats[0].to if chats else None
    messages = store.chat(to, found, query.before, PAGE + 1) if to else []
    return View(
        chats=chats[: query.chats],
        more_chats=len(chats) > query.chats,
        chat=to,
        messages=messages[-PAGE:],
        earlier=messages[-PAGE].id if len(messages) > PAGE else None,
        unread=store.unread(),
    )


def curl(url: str, body: str) -> str:
    """Return a command that posts a message again, for a shell in which GREENAPI_TOKEN is set.

    The gateway keeps no token, so the command cannot name it.
    """
    return (
        f"curl {quote(f'{url}/v1/messages')} \\\n"
        '  -H "Authorization: Bearer $GREENAPI_TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-raw {quote(body)}"
    )


@dataclass
class Inbox:
    """The pages at /, which change nothing: they are made in threads, as that may take long."""

    store: Store
    media: MediaStore
    faults: FaultInjector
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    streams: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_STREAMS))

    def routes(self) -> list[BaseRoute]:
        return [
            Operation("GET", "/", self.show_inbox, {200: None}),
            Route("/inbox/events", self.send_versions, methods=["GET"]),
            Route("/inbox/messages/{id}", self.show_message, methods=["GET"]),
            Route("/inbox/refused", self.show_refused, methods=["GET"]),
            Route(FILES + "{id}", self.serve_file, methods=["GET"]),
            Route("/help", self.show_help, methods=["GET"]),
            Mount("/static/bubbles", StaticFiles(directory=STATIC)),
            Mount("/static/inbox", StaticFiles(directory=HERE / "static")),
        ]

    @property
    def _version(self) -> str:
        """Identifies the present state, in this run of the server."""
        return f"{self.run}-{self.store.changes.version}"

    async def send_versions(self, request: Request) -> ASGIApp:
        """Send the version of what the pages show, at once and after every change."""
        if self.streams.locked():
            raise HTTPException(503, f"{MOST_STREAMS} pages are open already")
        return self._stream

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.streams:
            await StreamingResponse(self._versions(), headers=STREAM)(scope, receive, send)

    async def _versions(self) -> AsyncIterator[str]:
        yield "retry: 500\n\n"
        while True:
            sent = self.store.changes.version
            yield f"data: {self._version}\n\n"
            await self.store.changes.wait(sent)
            await asyncio.sleep(PAUSE)

    def show_inbox(self, request: Request) -> Response:
        """Show the list of chats, and the open chat."""
        query, version, rules = query_of(request.query_params), self._version, self.faults.view()
        view = view_of(self.store, query)
        bubbles = [shown_payload(each.payload, self._file) for each in view.messages]
        return _page(
            "inbox.html",
            version=version,
            view=view,
            query=query,
            kinds=CONTENTS,
            summary=lambda message: summary_of(bubble_of(message.payload)),
            bubbles=zip(view.messages, bubbles, strict=True),
            refused=self.store.refused_total,
            moment=moment,
            url=_url(request),
            faults=FAULTS,
            rules=rules,
            is_on=lambda rule: Rule(**rule).model_dump() in rules,
        )

    def show_message(self, request: Request) -> Response:
        """Show everything about one message."""
        id = request.path_params["id"]
        message = self.store.get(id)
        if message is None:
            raise HTTPException(404, f"there is no message {id}")
        return _page(
            "message.html",
            message=message,
            received_at=moment(message.received_at),
            payload=json.dumps(message.payload, ensure_ascii=False, indent=2),
            curl=curl(_url(request), message.body),
        )

    def show_refused(self, request: Request) -> Response:
        """Show the refused requests, and why they were refused."""
        shown, total = list(self.store.refused), self.store.refused_total
        return _page("refused.html", shown=shown, total=total, moment=moment)

    def show_help(self, request: Request) -> Response:
        """Show the keys, and the operations of the OpenAPI document."""
        listed = operations(request.app.routes)
        return _page("help.html", operations=listed, url=_url(request))

    def serve_file(self, request: Request) -> Response:
        """Return an uploaded file; types that bubbles do not show are served as octet-stream."""
        media = self.media.get(request.path_params["id"])
        if media is None:
            return Response(status_code=404, headers=dict(HARMLESS))
        # Without a filename: the link to this file has the one given in the message.
        return FileResponse(self.media.path(media), headers=file_headers(media.content_type))

    def _file(self, id: str) -> File | None:
        """Return an uploaded file as bubbles show it; may be called in any thread."""
        media = self.media.get(id)
        if media is None:
            return None
        return File(FILES + id, media.content_type, media.size, f"{id}.{media.extension}")


def _page(template: str, **values: object) -> Response:
    page = templates(HERE / "templates", TEMPLATES).get_template(template).render(values)
    return HTMLResponse(page.encode(errors="replace"), headers=dict(SAFE))


def _url(request: Request) -> str:
    return f"http://{request.headers['host']}"
