"""The files that were uploaded, each kept for 24 hours (docs/greenapi-v1.md, "Media")."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from dispatcher.media import mime_type
from dispatcher.sandbox.messages import moment
from dispatcher.sandbox.responses import Refusal

if TYPE_CHECKING:
    from dispatcher.sandbox.storage import Storage

LARGEST_FILE: Final = 37_000_000
LIFETIME: Final = 24 * 60 * 60
MOST_FILES: Final = 10_000
EXTENSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]*")

# Sent by clients that know no type: the provider's JavaScript client, curl --data-binary, and none.
SAYS_NOTHING: Final = ("text/plain", "application/x-www-form-urlencoded", "")


@dataclass(frozen=True, slots=True)
class Media:
    """One uploaded file, whose bytes are in `path`."""

    id: str
    path: Path
    size: int
    sha256: str
    extension: str
    content_type: str
    uploaded_at: float

    @property
    def expires_at(self) -> float:
        return self.uploaded_at + LIFETIME

    def view(self) -> dict[str, Any]:
        """What `GET /api/media` says about it."""
        return {
            "id": self.id,
            "size": self.size,
            "content_type": self.content_type,
            "extension": self.extension,
            "sha256": self.sha256,
            "uploaded_at": moment(self.uploaded_at),
            "expires_at": moment(self.expires_at),
        }


class MediaStore:
    """Keeps files in a folder, oldest first; forgets each after its time, or of too many."""

    def __init__(
        self, folder: Path, clock: Callable[[], float], storage: "Storage | None" = None
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._storage = storage
        kept = storage.load_media() if storage else ()
        self._by_id = OrderedDict((media.id, media) for media in kept)

    async def add(self, chunks: AsyncIterable[bytes], extension: str, content_type: str) -> Media:
        """Keeps the chunks as a file; nothing stays behind if they break off or there are none."""
        id = str(uuid4())
        path = self._folder / id
        try:
            size, sha256 = await _write(path, chunks)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        kind = _media_type(content_type, extension)
        media = Media(id, path, size, sha256, extension, kind, self._clock())
        self._by_id[id] = media
        if self._storage:
            self._storage.add_media(media)
        if len(self._by_id) > MOST_FILES:
            self._forget(self._oldest())
        return media

    def get(self, id: str) -> Media | None:
        self._expire()
        return self._by_id.get(id)

    def has(self, id: str) -> bool:
        return self.get(id) is not None

    def remove(self, id: str) -> bool:
        """Forgets a file; says whether there was one."""
        self._expire()
        media = self._by_id.get(id)
        if media is not None:
            self._forget(media)
        return media is not None

    def all(self) -> list[Media]:
        """The files that have not expired, oldest first."""
        self._expire()
        return list(self._by_id.values())

    def _expire(self) -> None:
        now = self._clock()
        while self._by_id and self._oldest().expires_at <= now:
            self._forget(self._oldest())

    def _oldest(self) -> Media:
        return next(iter(self._by_id.values()))

    def _forget(self, media: Media) -> None:
        del self._by_id[media.id]
        media.path.unlink(missing_ok=True)
        if self._storage:
            self._storage.drop_media(media)


async def _write(path: Path, chunks: AsyncIterable[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("wb") as file:
        async for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    if not size:
        raise Refusal(1011, "the file is empty")
    return size, digest.hexdigest()


def _media_type(given: str, extension: str) -> str:
    """The type that was given, unless it says nothing: then what the extension stands for."""
    if given.partition(";")[0].strip().lower() not in SAYS_NOTHING:
        return given
    return mime_type(f"file.{extension}")
