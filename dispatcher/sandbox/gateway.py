"""/v1/messages and /v1/media, as Green API has them (docs/greenapi-v1.md).

Every request is counted, a fault may be injected, the token and the size of the body are checked;
then the request is handled.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp

from dispatcher.bubbles.pages import HARMLESS
from dispatcher.sandbox.contract import (
    META,
    Created,
    Json,
    Payload,
    Refusal,
    RefusalBody,
    check,
    type_of,
)
from dispatcher.sandbox.faults import FaultInjector, inject, silence
from dispatcher.sandbox.media import EXTENSION, LARGEST_FILE, MediaStore
from dispatcher.sandbox.openapi import Operation
from dispatcher.sandbox.server import Connection
from dispatcher.sandbox.store import LONGEST_BODY, Store

MEDIA: Final = "/v1/media"
LARGEST_JSON: Final = 1024 * 1024

Handler = Callable[[Request], Awaitable[Response]]


class LimitedRequest(Request):
    """A request whose body is limited: Refusal if it is too large. `start` is how a JSON begins."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.scope, request.receive)
        self._is_file = request.scope["path"] == MEDIA
        self.start = b""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            self.require_size(size)
            if not self._is_file and len(self.start) < LONGEST_BODY:
                self.start += chunk
            yield chunk

    def require_size(self, size: int) -> None:
        """Raise Refusal if a body of so many bytes is too large."""
        largest = LARGEST_FILE if self._is_file else LARGEST_JSON
        if size > largest:
            raise Refusal(1011, f"the body is larger than {largest} bytes")


@dataclass
class Gateway:
    """Authorization, and the handlers of authorized requests; `token` None: any token is valid."""

    store: Store
    media: MediaStore
    faults: FaultInjector
    token: str | None

    def routes(self) -> list[Operation]:
        post_message = self._endpoint("requests", self.post_message)
        post_media = self._endpoint("uploads", self.post_media)
        get_media = self._endpoint("downloads", self.get_media)
        delete_media = self._endpoint("removals", self.delete_media)
        file, extension = f"{MEDIA}/{{id}}", ["X-Gr-File-Extension"]
        created, no_file = {201: Created, 400: RefusalBody}, {400: RefusalBody, 404: None}
        return [
            Operation("POST", "/v1/messages", post_message, created, body=Payload),
            Operation("POST", MEDIA, post_media, created, body=bytes, headers=extension),
            Operation("GET", file, get_media, {200: None} | no_file),
            Operation("DELETE", file, delete_media, {200: dict[str, str]} | no_file),
        ]

    def _endpoint(self, count: str, handle: Handler) -> Callable[[Request], Awaitable[ASGIApp]]:
        """Return the endpoint of a handler, whose requests are counted under this name."""

        @wraps(handle)
        async def endpoint(request: Request) -> ASGIApp:
            self._count(count, Connection.of(request.scope))
            return await self._respond(LimitedRequest(request), handle)

        return endpoint

    async def _respond(self, request: LimitedRequest, handle: Handler) -> ASGIApp:
        try:
            return await self._faulty(request, handle)
        except Refusal as refusal:
            self.store.refuse(f"{request.method} {request.scope['path']}", refusal, request.start)
            return Json(refusal.body(), 400)
        except ClientDisconnect:  # before the whole body arrived
            return silence

    def _count(self, count: str, connection: Connection) -> None:
        self.store.counts[count] += 1
        if not connection.used:
            connection.used = True
            self.store.counts["connections"] += 1

    async def _faulty(self, request: LimitedRequest, handle: Handler) -> ASGIApp:
        """Return the response under the fault that is injected, if one is."""

        async def handled() -> Response:
            self.authorize(request.headers.get("authorization"))
            request.require_size(int(request.headers.get("content-length", 0)))
            return await handle(request)

        path = request.scope["path"]
        to = await _recipient(request) if self.faults.need_recipient(path) else None
        rule = self.faults.take(path, to)
        if rule is None:
            return await handled()
        self.store.counts["faults"] += 1
        return await inject(rule, request, handled)

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
        """Accept a message."""
        body, payload = _decode(await request.body())
        message = check(payload, self._is_uploaded)
        id = self.store.add(message["to"], type_of(message), body, request.scope["headers"])
        self.store.counts["accepted"] += 1
        return _created("messages", id)

    def _is_uploaded(self, id: str) -> bool:
        return self.media.get(id) is not None

    async def post_media(self, request: Request) -> Response:
        """Accept a file, for 24 hours."""
        extension = request.headers.get("x-gr-file-extension", "").removeprefix(".")
        content_type = request.headers.get("content-type", "")
        _check_upload(extension, content_type)
        kept = await self.media.add(request.stream(), extension, content_type)
        self.store.counts["uploaded"] += 1
        return _created("media", kept.id)

    async def get_media(self, request: Request) -> Response:
        """Return the content of a file, as a download."""
        media = self.media.get(request.path_params["id"])
        if media is None:
            return Response(status_code=404)
        headers = {**HARMLESS, "Content-Type": media.content_type}
        name = f"{media.id}.{media.extension}"
        return FileResponse(self.media.path(media), headers=headers, filename=name)

    async def delete_media(self, request: Request) -> Response:
        """Delete a file."""
        known = self.media.remove(request.path_params["id"])
        return Json({}) if known else Response(status_code=404)


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
    return Json({kind: [{"id": id}], "meta": META}, 201)
