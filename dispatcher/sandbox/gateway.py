"""The half that pretends to be Green API: what /v1/messages and /v1/media do."""

import json
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import FileResponse, Response

from dispatcher.sandbox.answers import Json
from dispatcher.sandbox.call import Call
from dispatcher.sandbox.contract import check, type_of
from dispatcher.sandbox.endpoint import Door, Endpoint
from dispatcher.sandbox.errors import META, Refusal
from dispatcher.sandbox.media import EXTENSION, LARGEST_FILE, MediaStore
from dispatcher.sandbox.messages import Messages
from dispatcher.sandbox.misbehaviour import Handler

LARGEST_JSON: Final = 1024 * 1024

# A file is somebody's upload: a browser may save it, but neither guess its type nor run it.
HARMLESS: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@dataclass
class Gateway:
    """The gateway's work, once a request has passed the door."""

    door: Door
    messages: Messages
    media: MediaStore

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """What answers which method on which path."""
        return {
            ("POST", "/v1/messages"): self._endpoint(self.post_message, "requests"),
            ("POST", "/v1/media"): self._endpoint(self.post_media, "uploads", LARGEST_FILE),
            ("GET", "/v1/media/{id}"): self._endpoint(self.get_media, "downloads"),
            ("DELETE", "/v1/media/{id}"): self._endpoint(self.delete_media, "removals"),
        }

    async def post_message(self, call: Call) -> Response:
        """Takes a message that keeps the contract (docs/greenapi-v1.md, "Messages")."""
        body, payload = _decode(await call.body())
        message = check(payload, self.media.has)
        kept = self.messages.add(message["to"], type_of(message), body, call.scope["headers"])
        self.door.counts["accepted"] += 1
        return _created("messages", kept.id)

    async def post_media(self, call: Call) -> Response:
        """Takes a file's bytes (docs/greenapi-v1.md, "Media")."""
        extension = (call.header(b"x-gr-file-extension") or "").removeprefix(".")
        content_type = call.header(b"content-type") or ""
        _check_upload(extension, content_type)
        kept = await self.media.add(call.chunks(), extension, content_type)
        self.door.counts["uploaded"] += 1
        return _created("media", kept.id)

    async def get_media(self, call: Call) -> Response:
        """The bytes of a file, as a download; 404 with an empty body for an unknown id."""
        media = self.media.get(call.scope["path_params"]["id"])
        if media is None:
            return Response(status_code=404)
        headers = HARMLESS | {"Content-Type": media.content_type}
        return FileResponse(media.path, headers=headers, filename=f"{media.id}.{media.extension}")

    async def delete_media(self, call: Call) -> Response:
        """Forgets a file before its time; 404 with an empty body for an unknown id."""
        known = self.media.remove(call.scope["path_params"]["id"])
        return Json({}) if known else Response(status_code=404)

    def _endpoint(self, handle: Handler, counted: str, largest: int = LARGEST_JSON) -> Endpoint:
        return Endpoint(self.door, handle, counted, largest)


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
