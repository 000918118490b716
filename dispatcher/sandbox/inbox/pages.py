"""The pages of the inbox."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from dispatcher.bubbles.bubble import Bubble, bubble_of, summary_of
from dispatcher.bubbles.pages import SAFE, STATIC, TEMPLATES, templates
from dispatcher.sandbox.contract import CONTENT
from dispatcher.sandbox.faults import CHECKS, FAULTS, Faults
from dispatcher.sandbox.inbox.checks import checks
from dispatcher.sandbox.inbox.common import COMMON, full
from dispatcher.sandbox.inbox.curl import curl
from dispatcher.sandbox.inbox.events import Events
from dispatcher.sandbox.inbox.look import Wanted, look, wanted_of
from dispatcher.sandbox.inbox.uploads import FOLDER, Uploads
from dispatcher.sandbox.messages import Message, Messages, moment
from dispatcher.sandbox.openapi import describe
from dispatcher.sandbox.refusals import Refusals

HERE: Final = Path(__file__).parent


@dataclass
class Inbox:
    """Shows what the gateway remembers; changes nothing."""

    messages: Messages
    uploads: Uploads
    faults: Faults
    refusals: Refusals
    events: Events

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.show_inbox, methods=["GET"]),
            Route("/inbox/events", self.events.stream, methods=["GET"]),
            Route("/inbox/messages/{id}", self.show_message, methods=["GET"]),
            Route("/inbox/refused", self.show_refused, methods=["GET"]),
            Route(FOLDER + "{id}", self.uploads.serve, methods=["GET"]),
            Route("/help", self.show_help, methods=["GET"]),
            Mount("/static/bubbles", StaticFiles(directory=STATIC)),
            Mount("/static/inbox", StaticFiles(directory=HERE / "static")),
        ]

    async def show_inbox(self, request: Request) -> Response:
        """The chats and the one that is open."""
        wanted, version = wanted_of(request.query_params), self.events.version
        view, find = await look(self.messages, wanted), self.uploads.finder()

        def bubbles() -> Iterator[tuple[Message, Bubble, str]]:
            for each in view.messages:
                yield each, bubble_of(json.loads(each.body), find), moment(each.received_at)

        return await _page(
            "inbox.html",
            version=version,
            view=view,
            wanted=wanted,
            link=lambda **changes: _link(wanted, changes),
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
            checks=checks(payload, self.uploads.media.get),
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

    def _rules(self) -> dict[str, Any]:
        rules = self.faults.view()
        switches = [(each, full(each.rule) in rules) for each in COMMON]
        return {"rules": rules, "switches": switches, "faults": FAULTS, "meanings": CHECKS}


async def _page(template: str, **values: object) -> Response:
    """The page, written beside the gateway's work: it may be long."""
    made = templates(HERE / "templates", TEMPLATES).get_template(template)
    written = await asyncio.to_thread(lambda: made.render(values).encode(errors="replace"))
    return HTMLResponse(written, headers=dict(SAFE))


def _url(request: Request) -> str:
    return f"http://{request.headers['host']}"


def _link(wanted: Wanted, changes: Mapping[str, object]) -> str:
    """The address of this page with some things changed."""
    asked = {**asdict(wanted), **changes}
    defaults = asdict(Wanted())
    return "?" + urlencode(
        {name: it for name, it in asked.items() if it not in (defaults[name], "")}
    )
