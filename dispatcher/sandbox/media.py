"""The uploaded files, each kept for 24 hours (docs/greenapi-v1.md, "Media")."""

import hashlib
import re
import stat
import time
from collections.abc import AsyncIterable, Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from dispatcher.media import mime_type
from dispatcher.sandbox.contract import Refusal
from dispatcher.sandbox.database import Database
from dispatcher.sandbox.store import moment

LARGEST_FILE: Final = 37_000_000
LIFETIME: Final = 24 * 60 * 60
MOST_FILES: Final = 10_000
EXTENSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]*")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
CONTENT_TYPE: Final = re.compile(r"[^\r\n\0]{0,1000}")  # it becomes a header

# Sent by clients that know no type: the provider's JavaScript client, curl --data-binary, and none.
SAYS_NOTHING: Final = ("text/plain", "application/x-www-form-urlencoded", "")

COLUMNS: Final = "id, size, sha256, extension, content_type, uploaded_at"


class Media(NamedTuple):
    """One uploaded file, as a row of the table; its content is in the folder, under its id."""

    id: str
    size: int
    sha256: str
    extension: str
    content_type: str
    uploaded_at: float

    @property
    def expires_at(self) -> float:
        return self.uploaded_at + LIFETIME

    def view(self) -> dict[str, Any]:
        """Return what `GET /api/media` says about it."""
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
    """Keeps uploads for their lifetime; if there are more than `MOST_FILES`, the newest.

    An upload is ignored while its file is missing or is not what was written.
    Raises CannotStore if the database holds an upload that the sandbox cannot have written.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._execute = database.execute
        self._folder = database.folder
        self._clock = clock
        for number, *fields in database.rows("media"):
            if not _is_ours(Media(*fields)):
                raise database.damaged(f"upload {number} is none of the sandbox")

    async def add(self, chunks: AsyncIterable[bytes], extension: str, content_type: str) -> Media:
        """Store the chunks as a file; keep none if the chunks break off, or there are none."""
        id = str(uuid4())
        path = self._folder / id
        try:
            size, sha256 = await _write(path, chunks)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        kind = _media_type(content_type, extension)
        media = Media(id, size, sha256, extension, kind, self._clock())
        self._execute(f"INSERT INTO media ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", media)
        for old in self._select("ORDER BY number DESC LIMIT -1 OFFSET ?", MOST_FILES):
            self._delete(old)
        return media

    def get(self, id: str) -> Media | None:
        """Return the upload of this id, if it has not expired; delete all that have."""
        self._expire()
        return self.find(id)

    def find(self, id: str) -> Media | None:
        """Return the same as `get`, but in any thread, as it deletes nothing."""
        media = next(self._select("WHERE id = ?", id), None)
        if media is None or media.expires_at <= self._clock() or not self._is_there(media):
            return None
        return media

    def all(self) -> list[Media]:
        """Return the uploads that have not expired, oldest first."""
        self._expire()
        return [media for media in self._select("ORDER BY number") if self._is_there(media)]

    def remove(self, id: str) -> bool:
        """Delete an upload; return whether there was one."""
        media = self.get(id)
        if media is not None:
            self._delete(media)
        return media is not None

    def path(self, media: Media) -> Path:
        """Return the path of its content."""
        return self._folder / media.id

    def _select(self, condition: str, *values: object) -> Iterator[Media]:
        rows = self._execute(f"SELECT {COLUMNS} FROM media {condition}", values)
        return map(Media._make, rows)

    def _expire(self) -> None:
        now = self._clock()
        oldest_first = self._select("ORDER BY number")
        for media in takewhile(lambda each: each.expires_at <= now, oldest_first):
            self._delete(media)

    def _delete(self, media: Media) -> None:
        self._execute("DELETE FROM media WHERE id = ?", (media.id,))
        if self._is_there(media):
            self.path(media).unlink()

    def _is_there(self, media: Media) -> bool:
        """Whether its file is one of the folder's own, and no link, symbolic or hard."""
        try:
            info = self.path(media).lstat()
        except OSError:
            return False
        return stat.S_ISREG(info.st_mode) and (info.st_size, info.st_nlink) == (media.size, 1)


def _is_ours(media: Media) -> bool:
    """Whether the sandbox may have written this row."""
    try:
        moment(media.expires_at)
        return (
            str(UUID(media.id)) == media.id
            and type(media.size) is int
            and SHA256.fullmatch(media.sha256) is not None
            and EXTENSION.fullmatch(media.extension) is not None
            and CONTENT_TYPE.fullmatch(media.content_type) is not None
        )
    except (ValueError, TypeError, AttributeError, OverflowError, OSError):
        return False


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
    """Return the given type, or that of the extension if the given one says nothing."""
    if given.partition(";")[0].strip().lower() not in SAYS_NOTHING:
        return given
    return mime_type(f"file.{extension}")
