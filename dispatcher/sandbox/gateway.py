"""The half that pretends to be Green API: /v1/messages and /v1/media (docs/greenapi-v1.md).

The way of every request: count it, let a fault act, check token and size, do the work.
"""

import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.bubbles.pages import HARMLESS
from dispatcher.sandbox.contract import check, type_of
from dispatcher.sandbox.counts import Counts
from dispatcher.sandbox.faults import Connection, FaultInjector, inject
from dispatcher.sandbox.media import EXTENSION, LARGEST_FILE, MediaStore
from dispatcher.sandbox.messages import Messages
from dispatcher.sandbox.refusals import Refusals
from dispatcher.sandbox.responses import META, Json, Refusal

LARGEST_JSON: Final = 1024 * 1024


class LimitedRequest(Request):
    """A request whose body may have at most `largest` bytes: Refusal as soon as it has more."""

    def __init__(self, scope: Scope, receive: Receive, largest: int) -> None:
        super().__init__(scope, receive)
        self._largest = largest
        self.seen = b""  # the body, if all of it was read at once

    def check_length(self) -> None:
        """Raises Refusal if the request announces more than it may have."""
        if int(self.headers.get("content-length", 0)) > self._largest:
            raise self._too_large()

    async def body(self) -> bytes:
        self.seen = await super().body()
        return self.seen

    async def stream(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            if size > self._largest:
                raise self._too_large()
            yield chunk

    def _too_large(self) -> Refusal:
        return Refusal(1011, f"the body is larger than {self._largest} bytes")


Handler = Callable[[LimitedRequest], Awaitable[Response]]


@dataclass
class Gateway:
    """The gateway's work, once a request has passed the door."""

    messages: Messages
    media: MediaStore
    faults: FaultInjector
    counts: Counts
    refusals: Refusals
    token: str | None

    def routes(self) -> list[Route]:
        """What answers which method on which path."""

        def route(
            method: str, path: str, work: Handler, counted: str, largest: int = LARGEST_JSON
        ) -> Route:
            return Route(path, Endpoint(self, work, counted, largest), methods=[method])

        return [
            route("POST", "/v1/messages", self.post_message, "requests"),
            route("POST", "/v1/media", self.post_media, "uploads", LARGEST_FILE),
            route("GET", "/v1/media/{id}", self.get_media, "downloads"),
            route("DELETE", "/v1/media/{id}", self.delete_media, "removals"),
        ]

    def authorize(self, header: str | None) -> None:
        """Raises Refusal 1040 or 1041 unless the header is `Bearer` and a valid token.

        Source: docs/greenapi-v1.md, "Errors".
        """
        if header is None:
            raise Refusal(1040)
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer" or not token or not self._is_valid(token):
            raise Refusal(1041)

    def _is_valid(self, token: str) -> bool:
        return self.token is None or secrets.compare_digest(token.encode(), self.token.encode())

    async def post_message(self, request: LimitedRequest) -> Response:
        """Takes a message that keeps the contract (docs/greenapi-v1.md, "Request")."""
        body, payload = _decode(await request.body())
        message = check(payload, self.media.has)
        kept = self.messages.add(message["to"], type_of(message), body, request.scope["headers"])
        self.counts["accepted"] += 1
        return _created("messages", kept.id)

    async def post_media(self, request: LimitedRequest) -> Response:
        """Takes a file's bytes (docs/greenapi-v1.md, "Media")."""
        extension = (request.headers.get("x-gr-file-extension", "")).removeprefix(".")
        content_type = request.headers.get("content-type", "")
        _check_upload(extension, content_type)
        kept = await self.media.add(request.stream(), extension, content_type)
        self.counts["uploaded"] += 1
        return _created("media", kept.id)

    async def get_media(self, request: LimitedRequest) -> Response:
        """The bytes of a file, as a download; 404 with an empty body for an unknown id."""
        media = self.media.get(request.path_params["id"])
        if media is None:
            return Response(status_code=404)
        headers = {**HARMLESS, "Content-Type": media.content_type}
        return FileResponse(media.path, headers=headers, filename=f"{media.id}.{media.extension}")

    async def delete_media(self, request: LimitedRequest) -> Response:
        """Forgets a file before its time; 404 with an empty body for an unknown id."""
        known = self.media.remove(request.path_params["id"])
        return Json({}) if known else Response(status_code=404)


@dataclass
class Endpoint:
    """One /v1 route as an ASGI application: its work, what it is counted as, its largest body."""

    gateway: Gateway
    work: Handler
    counted: str
    largest: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = LimitedRequest(scope, receive, self.largest)
        self._count(Connection.of(scope))
        try:
            answer = await self._answer(request)
        except Refusal as refusal:
            self.gateway.refusals.add(f"{scope['method']} {scope['path']}", refusal, request.seen)
            answer = Json(refusal.body(), 400)
        except ClientDisconnect:  # before it had sent everything
            return
        await answer(scope, receive, send)

    def _count(self, connection: Connection) -> None:
        self.gateway.counts[self.counted] += 1
        if not connection.used:
            connection.used = True
            self.gateway.counts["connections"] += 1

    async def _answer(self, request: LimitedRequest) -> ASGIApp:
        async def work() -> Response:
            self.gateway.authorize(request.headers.get("authorization"))
            request.check_length()
            return await self.work(request)

        faults, path = self.gateway.faults, request.scope["path"]
        to = await _recipient(request) if faults.need_recipient(path) else None
        rule = faults.take(path, to)
        if rule is None:
            return await work()
        self.gateway.counts["faults"] += 1
        return await inject(rule, request, work)


async def _recipient(request: Request) -> str | None:
    try:
        to = json.loads(await request.body())["to"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return to if isinstance(to, str) else None


def _decode(raw: bytes) -> tuple[str, Any]:
    try:
        body = raw.decode()
        return body, json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(1011, "the body must be JSON in UTF-8") from None


def _check_upload(extension: str, content_type: str) -> None:
    if not extension:
        raise Refusal(7200)
    if not EXTENSION.fullmatch(extension):
        raise Refusal(1011, f"X-Gr-File-Extension {extension!r} is not a file extension")
    if content_type.lower().startswith("multipart/"):
        raise Refusal(1011, "the body must be the file's bytes, not a multipart form")


def _created(kind: str, id: str) -> Response:
    return Json({kind: [{"id": id}], "meta": dict(META)}, 201)
