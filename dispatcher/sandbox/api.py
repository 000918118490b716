"""/api: the accepted messages, waiting for them, and the faults."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from typing_extensions import TypedDict

from dispatcher.sandbox.contract import Json
from dispatcher.sandbox.faults import FaultInjector, Rules, mistake, rules_error
from dispatcher.sandbox.media import Media, MediaStore
from dispatcher.sandbox.openapi import Error, Operation, describe
from dispatcher.sandbox.store import Count, Filter, Message, Stats, Store

LARGEST_RULES: Final = 1024 * 1024
WHOLE: Final = "a whole number, 0 or more"


class Listing(Filter):
    """The query of `GET /api/messages`."""

    limit: Count | None = Field(None, description=WHOLE)


class Wait(Filter):
    """The query of `GET /api/wait`."""

    count: Count = Field(1, description=WHOLE)
    timeout: float = Field(10.0, ge=0, allow_inf_nan=False, description="seconds, 0 or more")


class Messages(TypedDict):
    """Messages, oldest first; `total` also counts those that a limit leaves out."""

    total: Count
    messages: list[Message]


class Uploads(TypedDict):
    """Uploads, oldest first."""

    total: Count
    media: list[Media]


@dataclass
class Api:
    """The endpoints under /api. Those that are no coroutines run in a thread and change nothing."""

    store: Store
    media: MediaStore
    faults: FaultInjector

    def routes(self) -> list[Operation]:
        unknown, invalid = {404: Error}, {422: Error}
        messages, rules = {200: Messages}, {200: Rules}
        listing, waited = messages | invalid, messages | invalid | {408: Error}
        one, chat = "/api/messages/{id}", "/api/chats/{to}/read"
        return [
            Operation("GET", "/api/messages", self.list_messages, listing, query=Listing),
            Operation("DELETE", "/api/messages", self.clear_messages, messages),
            Operation("GET", one, self.get_message, {200: Message} | unknown),
            Operation("POST", chat, self.mark_read, {200: dict[str, int]} | unknown),
            Operation("GET", "/api/wait", self.wait, waited, query=Wait),
            Operation("GET", "/api/media", self.list_media, {200: Uploads}),
            Operation("GET", "/api/faults", self.list_faults, rules),
            Operation("PUT", "/api/faults", self.put_faults, rules | invalid, body=Rules),
            Operation("DELETE", "/api/faults", self.clear_faults, rules),
            Operation("GET", "/api/stats", self.stats, {200: Stats}),
            Operation("GET", "/api/openapi.json", self.description, {200: dict[str, Any]}),
            Operation("GET", "/readyz", self.ready, {200: dict[str, str]}),
        ]

    def list_messages(self, request: Request) -> Response:
        """Return matching messages, oldest first; `limit` keeps the newest, `total` counts all."""
        wanted = _query(request, Listing)
        found = self.store.find(wanted)
        limit = len(found) if wanted.limit is None else wanted.limit
        newest = self.store.read(found[max(len(found) - limit, 0) :])
        return Json({"total": len(found), "messages": newest})

    async def clear_messages(self, request: Request) -> Response:
        """Delete the messages and the refused requests, and set all counts to 0."""
        self.store.clear()
        return Json({"total": 0, "messages": []})

    def get_message(self, request: Request) -> Response:
        """Return one message by its id, or the `latest`."""
        id = request.path_params["id"]
        message = self.store.get(id)
        if message is None:
            raise HTTPException(404, f"there is no message {id}")
        return Json(message)

    async def mark_read(self, request: Request) -> Response:
        """Mark the messages to a recipient as read."""
        to = request.path_params["to"]
        if not self.store.mark_read(to):
            raise HTTPException(404, f"there is no message to {to}")
        return Json({"unread": 0})

    async def wait(self, request: Request) -> Response:
        """Respond once there are `count` matching messages; with 408 after `timeout` seconds."""
        wanted = _query(request, Wait)
        try:
            found = await self.store.wait(wanted, wanted.count, wanted.timeout)
        except TimeoutError as late:
            raise HTTPException(408, str(late)) from None
        return await asyncio.to_thread(Json, {"total": len(found), "messages": found})

    async def list_media(self, request: Request) -> Response:
        """Return the uploaded files that have not expired, oldest first."""
        media = self.media.all()
        return Json({"total": len(media), "media": media})

    async def list_faults(self, request: Request) -> Response:
        """Return the rules in force; `times` is how often each still applies."""
        return Json(self.faults.view())

    async def put_faults(self, request: Request) -> Response:
        """Replace all rules; the first that matches a request applies."""
        try:
            rules = Rules.model_validate(json.loads(await _read(request)))
        except ValidationError as error:
            return Json(rules_error(error), 422)
        except (ValueError, RecursionError):
            raise HTTPException(422, "the body must be JSON") from None
        self.faults.replace(rules.root)
        return await self.list_faults(request)

    async def clear_faults(self, request: Request) -> Response:
        """Remove all rules."""
        self.faults.replace([])
        return await self.list_faults(request)

    async def stats(self, request: Request) -> Response:
        """Return the counts."""
        return Json(self.store.stats)

    def description(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        return Json(describe(request.app.routes))

    async def ready(self, request: Request) -> Response:
        """Respond as soon as the server is up."""
        return Json({"status": "ready"})


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_RULES:
            raise HTTPException(413, f"the body is larger than {LARGEST_RULES} bytes")
    return bytes(body)


async def show_error(request: Request, error: Exception) -> Response:
    """Return any other error of /api as `{"error": reason}`."""
    assert isinstance(error, HTTPException)
    headers = _allowed(request) if error.status_code == 405 else error.headers
    return Json({"error": error.detail}, error.status_code, headers)


def _allowed(request: Request) -> dict[str, str]:
    """Return the methods of all routes with this path: Starlette names those of one route only."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in matching for method in route.methods or ()}
    return {"Allow": ", ".join(sorted(methods))}


AnyQuery = TypeVar("AnyQuery", bound=Filter)


def _query(request: Request, model: type[AnyQuery]) -> AnyQuery:
    """Return the query of a request, without the parameters that are empty."""
    given = {name: value for name, value in request.query_params.items() if value}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False)
        raise HTTPException(422, mistake(first, str(first["loc"][0]), model)) from None
