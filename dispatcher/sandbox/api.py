"""/api: the accepted messages, waiting for them, and the faults."""

import asyncio
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from dispatcher.sandbox.contract import Json
from dispatcher.sandbox.faults import BadRule, FaultInjector, parse_rules
from dispatcher.sandbox.media import MediaStore
from dispatcher.sandbox.openapi import describe
from dispatcher.sandbox.store import COUNTS, Filter, Message, Store

FILTERS: Final = ("to", "type", "q")
PATIENCE: Final = 10.0
LARGEST_RULES: Final = 1024 * 1024


@dataclass
class Api:
    """The endpoints under /api."""

    store: Store
    media: MediaStore
    faults: FaultInjector

    def routes(self) -> list[Route]:
        return [
            Route("/api/messages", self.list_messages, methods=["GET"]),
            Route("/api/messages", self.clear_messages, methods=["DELETE"]),
            Route("/api/messages/{id}", self.get_message),
            Route("/api/chats/{to}/read", self.mark_read, methods=["POST"]),
            Route("/api/wait", self.wait),
            Route("/api/media", self.list_media),
            Route("/api/faults", self.list_faults, methods=["GET"]),
            Route("/api/faults", self.put_faults, methods=["PUT"]),
            Route("/api/faults", self.clear_faults, methods=["DELETE"]),
            Route("/api/stats", self.stats),
            Route("/api/openapi.json", self.description),
            Route("/readyz", self.ready),
        ]

    async def list_messages(self, request: Request) -> Response:
        """Return matching messages, oldest first; `limit` keeps the newest, `total` counts all."""
        _allow_only(request, (*FILTERS, "limit"))
        wanted, limit = _filter(request), _whole(request, "limit", len(self.store))

        def listing() -> Response:
            found = self.store.select(wanted)
            return _listing(len(found), found[max(len(found) - limit, 0) :])

        return await asyncio.to_thread(listing)

    async def clear_messages(self, request: Request) -> Response:
        """Delete the messages and the refused requests, and set all counts to 0."""
        self.store.clear()
        return _listing(0, [])

    async def get_message(self, request: Request) -> Response:
        """Return one message by its id, or the `latest`."""
        id = request.path_params["id"]
        message = self.store.latest() if id == "latest" else self.store.get(id)
        if message is None:
            raise HTTPException(404, f"there is no message {id}")
        return Json(message.view())

    async def mark_read(self, request: Request) -> Response:
        """Mark the messages to a recipient as read."""
        to = request.path_params["to"]
        if not self.store.mark_read(to):
            raise HTTPException(404, f"there is no message to {to}")
        return Json({"unread": 0})

    async def wait(self, request: Request) -> Response:
        """Respond once there are `count` matching messages; with 408 after `timeout` seconds."""
        _allow_only(request, (*FILTERS, "count", "timeout"))
        wanted = _filter(request)
        count = _whole(request, "count", 1)
        timeout = _number(request, "timeout", PATIENCE)
        try:
            found = await self.store.wait(wanted, count, timeout)
        except TimeoutError as late:
            raise HTTPException(408, str(late)) from None
        return await asyncio.to_thread(_listing, len(found), found)

    async def list_media(self, request: Request) -> Response:
        """Return the uploaded files that have not expired, oldest first."""
        media = self.media.all()
        return Json({"total": len(media), "media": [one.view() for one in media]})

    async def list_faults(self, request: Request) -> Response:
        """Return the rules in force; `times` is how often each still applies."""
        return Json(self.faults.view())

    async def put_faults(self, request: Request) -> Response:
        """Replace all rules; respond with 422 and replace none if one of them is invalid."""
        try:
            self.faults.replace(parse_rules(json.loads(await _read(request))))
        except BadRule as bad:
            location = {"index": bad.index, "field": bad.field}
            return Json({"error": str(bad)} | location, 422)
        except (ValueError, RecursionError):
            raise HTTPException(422, "the body must be JSON") from None
        return await self.list_faults(request)

    async def clear_faults(self, request: Request) -> Response:
        """Remove all rules."""
        self.faults.replace([])
        return await self.list_faults(request)

    async def stats(self, request: Request) -> Response:
        """Return the counts."""
        return Json({name: self.store.counts[name] for name in COUNTS})

    async def description(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        return Json(describe())

    async def ready(self, request: Request) -> Response:
        """Respond as soon as the server is up."""
        return Json({"status": "ready"})


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


def _allow_only(request: Request, allowed: Collection[str]) -> None:
    for name in request.query_params:
        if name not in allowed:
            raise HTTPException(422, f"{name}: unknown; there is {', '.join(allowed)}")


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_RULES:
            raise HTTPException(413, f"the body is larger than {LARGEST_RULES} bytes")
    return bytes(body)


def _filter(request: Request) -> Filter:
    return Filter(**{name: request.query_params.get(name) or None for name in FILTERS})


def _number(request: Request, name: str, default: float) -> float:
    try:
        number = float(request.query_params.get(name) or default)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise HTTPException(422, f"{name}: must be a number, 0 or more")
    return number


def _whole(request: Request, name: str, default: int) -> int:
    number = _number(request, name, default)
    if number != int(number):
        raise HTTPException(422, f"{name}: must be a whole number")
    return int(number)


def _listing(total: int, messages: list[Message]) -> Response:
    return Json({"total": total, "messages": [message.view() for message in messages]})
