"""/v1/messages and /v1/media, as Green API has them (docs/greenapi-v1.md).

Every request is counted, a fault may be injected, the token and the size of the body are checked;
then the request is handled.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.bubbles.pages import HARMLESS
from dispatcher.sandbox.contract import META, Json, Refusal, check, type_of
from dispatcher.sandbox.faults import FaultInjector, inject
from dispatcher.sandbox.media import EXTENSION, LARGEST_FILE, MediaStore
from dispatcher.sandbox.server import Connection
from dispatcher.sandbox.store import LONGEST_BODY, Store

LARGEST_JSON: Final = 1024 * 1024

Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class Gateway:
    """Authorization, and the handlers of authorized requests; `token` None: any token is valid."""

    store: Store
    media: MediaStore
    faults: FaultInjector
    token: str | None

    def routes(self) -> list[Route]:
        def route(
            method: str, path: str, handle: Handler, count: str, largest: int = LARGEST_JSON
        ) -> Route:
            return Route(path, Endpoint(self, handle, count, largest), methods=[method])

        return [
            route("POST", "/v1/messages", self.post_message, "requests"),
            route("POST", "/v1/media", self.post_media, "uploads", LARGEST_FILE),
            route("GET", "/v1/media/{id}", self.get_media, "downloads"),
            route("DELETE", "/v1/media/{id}", self.delete_media, "removals"),
        ]

    def authorize(self, header: str | None) -> None:
        """Raise Refusal 1040 or 1041 unless the header is `Bearer` and a valid token.

        Source: docs/greenapi-v1.md, "Errors".
        """
        if header is None:
            raise Refusal(1040)
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer" or not token or not self._is_valid(token):
            raise Refusal(1041)

    def _is_valid(self, token: str) -> bool:
        return self.token is None or secrets.compare_digest(token.encode(), self.token.encode())

    async def post_message(self, request: Request) -> Response:
        """Accept a message (docs/greenapi-v1.md, "Request")."""
        body, payload = _decode(await request.body())
        message = check(payload, self._is_uploaded)
        kept = self.store.add(message["to"], type_of(message), body, request.scope["headers"])
        self.store.counts["accepted"] += 1
        return _created("messages", kept.id)

    def _is_uploaded(self, id: str) -> bool:
        return self.media.get(id) is not None

    async def post_media(self, request: Request) -> Response:
        """Accept a file (docs/greenapi-v1.md, "Media")."""
        extension = request.headers.get("x-gr-file-extension", "").removeprefix(".")
        content_type = request.headers.get("content-type", "")
        _check_upload(extension, content_type)
        kept = await self.media.add(request.stream(), extension, content_type)
        self.store.counts["uploaded"] += 1
        return _created("media", kept.id)

    async def get_media(self, request: Request) -> Response:
        """Return the content of a file, as a download; 404 with an empty body for an unknown id."""
        media = self.media.get(request.path_params["id"])
        if media is None:
            return Response(status_code=404)
        headers = {**HARMLESS, "Content-Type": media.content_type}
        name = f"{media.id}.{media.extension}"
        return FileResponse(self.media.path(media), headers=headers, filename=name)

    async def delete_media(self, request: Request) -> Response:
        """Delete a file; 404 with an empty body for an unknown id."""
        known = self.media.remove(request.path_params["id"])
        return Json({}) if known else Response(status_code=404)


@dataclass
class Endpoint:
    """One /v1 route as an ASGI application: its handler, its count, its largest body in bytes."""

    gateway: Gateway
    handle: Handler
    count: str
    largest: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = LimitedBody(receive, self.largest)
        request = Request(scope, body)
        self._count(Connection.of(scope))
        try:
            response = await self._respond(request, body)
        except Refusal as refusal:
            # The beginning of a file is of no use to anybody.
            start = b"" if self.count == "uploads" else body.start
            self.gateway.store.refuse(f"{scope['method']} {scope['path']}", refusal, start)
            response = Json(refusal.body(), 400)
        except ClientDisconnect:  # before the whole body arrived
            return
        await response(scope, receive, send)

    def _count(self, connection: Connection) -> None:
        counts = self.gateway.store.counts
        counts[self.count] += 1
        if not connection.used:
            connection.used = True
            counts["connections"] += 1

    async def _respond(self, request: Request, body: "LimitedBody") -> ASGIApp:
        async def handle() -> Response:
            self.gateway.authorize(request.headers.get("authorization"))
            body.check_size(int(request.headers.get("content-length", 0)))
            return await self.handle(request)

        faults, path = self.gateway.faults, request.scope["path"]
        to = await _recipient(request) if faults.need_recipient(path) else None
        rule = faults.take(path, to)
        if rule is None:
            return await handle()
        self.gateway.store.counts["faults"] += 1
        return await inject(rule, request, handle)


class LimitedBody:
    """Receives a request's body; `start` is how it begins. Raises Refusal if it is too large."""

    def __init__(self, receive: Receive, largest: int) -> None:
        self.start = b""
        self._receive = receive
        self._largest = largest
        self._size = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        chunk = message.get("body", b"")
        self._size += len(chunk)
        self.check_size(self._size)
        if len(self.start) < LONGEST_BODY:
            self.start += chunk
        return message

    def check_size(self, size: int) -> None:
        if size > self._largest:
            raise Refusal(1011, f"the body is larger than {self._largest} bytes")


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
