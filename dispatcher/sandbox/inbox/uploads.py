"""Uploaded files as a page may show them: a browser must never run one."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from dispatcher.bubbles.bubble import SHOWN, File, Find
from dispatcher.bubbles.pages import HARMLESS
from dispatcher.sandbox.media import Media, MediaStore

FOLDER = "/inbox/files/"


@dataclass
class Uploads:
    """The files of the gateway, under addresses that need no token."""

    media: MediaStore

    def finder(self) -> Find:
        """Finds files as bubbles show them, among those that are there now; in any thread."""
        there = {media.id: media for media in self.media.all()}

        def find(id: str) -> File | None:
            media = there.get(id)
            if media is None:
                return None
            return File(FOLDER + id, media.content_type, media.size, f"{id}.{media.extension}")

        return find

    async def serve(self, request: Request) -> Response:
        """The file: what bubbles show as what it is, all else as mere bytes."""
        media = self.media.get(request.path_params["id"])
        if media is None:
            return Response(status_code=404, headers=dict(HARMLESS))
        # Without a name: the link that leads here has the one that the message gives to the file.
        kind = {"Content-Type": _harmless_type(media), "Content-Disposition": "attachment"}
        return FileResponse(media.path, headers={**HARMLESS, **kind})


def _harmless_type(media: Media) -> str:
    given = media.content_type.partition(";")[0].strip().lower()
    known = any(given in types for types in SHOWN.values())
    return given if known else "application/octet-stream"
