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
from dispatcher.sandbox.contract import META, Created, Json, Payload, Refusal, RefusalBody, check
from dispatcher.sandbox.faults import MESSAGES, Connection, FaultInjector, silence
from dispatcher.sandbox.media import EXTENSION, LARGEST_FILE, MediaStore
from dispatcher.sandbox.openapi import Operation
from dispatcher.sandbox.store import LONGEST_BODY, Store

LARGEST_JSON: Final = 1024 * 1024


class LimitedRequest(Request):
    """A request whose body is limited: Refusal if it is too large. `start` is how a JSON begins."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.scope, request.receive)
        self._is_json = request.scope["path"] == MESSAGES
        self.start = b""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            self.require_size(size)
            if self._is_json and len(self.start) < LONGEST_BODY:
                self.start += chunk
            yield chunk

    def require_size(self, size: int) -> None:
        """Raise Refusal if a body of so many bytes is too large."""
        largest = LARGEST_JSON if self._is_json else LARGEST_FILE
        if size > largest:
            raise Refusal(1011, f"the body is larger than {largest} bytes")


@dataclass
class Gateway:
    """The endpoints under /v1; without a token, any is valid."""

    store: Store
    media: MediaStore
    faults: FaultInjector
    token: str | None

    def routes(self) -> list[Operation]:
        post_message = self._endpoint("requests", self.post_message)
        post_media = self._endpoint("uploads", self.post_media)
        get_media = self._endpoint("downloads", self.get_media)
        delete_media = self._endpoint("removals", self.delete_media)
        created, unknown = {201: Created, 400: RefusalBody}, {400: RefusalBody, 404: None}
        file, extension = "/v1/media/{id}", ["X-Gr-File-Extension"]
        return [
            Operation("POST", MESSAGES, post_message, created, body=Payload),
            Operation("POST", "/v1/media", post_media, created, body=bytes, headers=extension),
            Operation("GET", file, get_media, {200: None} | unknown),
            Operation("DELETE", file, delete_media, {200: dict[str, str]} | unknown),
        ]

    def _endpoint(
        self, count: str, handle: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[ASGIApp]]:
        """Return the endpoint of a handler, whose requests are counted under this name."""

        @wraps(handle)
        async def endpoint(request: Request) -> ASGIApp:
            limited, connection = LimitedRequest(request), Connection.of(request.scope)
            self.store.stats.count(count)
            if not connection.used:
                connection.used = True
                self.store.stats.count("connections")

            async def handled() -> Response:
                self.authorize(limited.headers.get("authorization"))
                limited.require_size(int(limited.headers.get("content-length", 0)))
                return await handle(limited)

            try:
                return await self.faults.respond(limited, handled)
            except Refusal as refusal:
                asked = f"{request.method} {request.scope['path']}"
                self.store.refuse(asked, refusal, limited.start)
                return Json(refusal.body, 400)
            except ClientDisconnect:  # before the whole body arrived
                return silence

        return endpoint

    def authorize(self, header: str | None) -> None:
        """Raise Refusal 1040 or 1041 unless the header is `Bearer` and a valid token.

        Source: docs/greenapi-v1.md, "Errors".
        """
        if header is None:
            raise Refusal(1040)
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(1041)
        given, valid = token.encode(), (token if self.token is None else self.token).encode()
        if not secrets.compare_digest(given, valid):
            raise Refusal(1041)

    async def post_message(self, request: Request) -> Response:
        """Accept a message."""
        body, payload = _decode(await request.body())
        check(payload, lambda id: self.media.get(id) is not None)
        id = self.store.add(payload, body, request.scope["headers"])
        self.store.stats.count("accepted")
        return Json({"messages": [{"id": id}], "meta": META}, 201)

    async def post_media(self, request: Request) -> Response:
        """Accept a file, for 24 hours."""
        extension = request.headers.get("x-gr-file-extension", "").removeprefix(".")
        content_type = request.headers.get("content-type", "")
        if not extension:
            raise Refusal(7200)
        if not EXTENSION.fullmatch(extension):
            raise Refusal(1011, f"X-Gr-File-Extension {extension!r} is not a file extension")
        if content_type.lower().startswith("multipart/"):
            raise Refusal(1011, "the body must be the file's bytes, not a multipart form")
        kept = await self.media.add(request.stream(), extension, content_type)
        self.store.stats.count("uploaded")
        return Json({"media": [{"id": kept.id}], "meta": META}, 201)

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


def _decode(raw: bytes) -> tuple[str, Any]:
    try:
        body = raw.decode()
        return body, json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(1011, "the body must be JSON in UTF-8") from None
