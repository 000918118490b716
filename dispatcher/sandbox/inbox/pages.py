"""The pages of the inbox, and the uploaded files as they may show them."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from dispatcher.bubbles.bubble import SHOWN, Bubble, File, Find, bubble_of, summary_of
from dispatcher.bubbles.pages import HARMLESS, SAFE, STATIC, TEMPLATES, templates
from dispatcher.sandbox.changes import Events
from dispatcher.sandbox.contract import CONTENT
from dispatcher.sandbox.faults import FAULTS, FaultInjector, Rule
from dispatcher.sandbox.inbox.details import checks, curl
from dispatcher.sandbox.inbox.queries import Query, look, query_of
from dispatcher.sandbox.media import Media, MediaStore
from dispatcher.sandbox.messages import Message, Messages, moment
from dispatcher.sandbox.openapi import describe
from dispatcher.sandbox.refusals import Refusals

HERE: Final = Path(__file__).parent
FILES: Final = "/inbox/files/"


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


@dataclass
class Inbox:
    """Shows what the gateway remembers; changes nothing."""

    messages: Messages
    media: MediaStore
    faults: FaultInjector
    refusals: Refusals
    events: Events

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
        view, find = await look(self.messages, query), _finder(self.media.all())

        def bubbles() -> Iterator[tuple[Message, Bubble, str]]:
            for each in view.messages:
                yield each, bubble_of(json.loads(each.body), find), moment(each.received_at)

        return await _page(
            "inbox.html",
            version=version,
            view=view,
            query=query,
            link=lambda **changes: _link(query, changes),
            kinds=CONTENT,
            summary=lambda message: summary_of(json.loads(message.body)),
            bubbles=bubbles(),
            refused=self.refusals.total,
            moment=moment,
            url=_url(request),
            **self._rules(),
        )

    async def show_message(self, request: Request) -> Response:
        """Everything about one message."""
        id = request.path_params["id"]
        message = self.messages.get(id)
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
            headers=message.readable_headers(),
        )

    async def show_refused(self, request: Request) -> Response:
        """What the gateway did not take, and why."""
        refusals = self.refusals
        return await _page("refused.html", refusals=refusals, shown=list(refusals), moment=moment)

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
        return FileResponse(media.path, headers={**HARMLESS, **kind})

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


def _finder(uploads: Iterable[Media]) -> Find:
    """Finds files as bubbles show them; in any thread."""
    there = {media.id: media for media in uploads}

    def find(id: str) -> File | None:
        media = there.get(id)
        if media is None:
            return None
        return File(FILES + id, media.content_type, media.size, f"{id}.{media.extension}")

    return find


def _harmless_type(media: Media) -> str:
    given = media.content_type.partition(";")[0].strip().lower()
    known = any(given in types for types in SHOWN.values())
    return given if known else "application/octet-stream"
