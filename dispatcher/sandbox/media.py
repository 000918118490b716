"""The uploaded files, each kept for 24 hours (docs/greenapi-v1.md, "Media")."""

import hashlib
import re
import stat
import time
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import astuple
from itertools import starmap
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

from pydantic import Field, ValidationError, computed_field
from pydantic.dataclasses import dataclass

from dispatcher.media import mime_type
from dispatcher.sandbox.contract import Refusal, Strict
from dispatcher.sandbox.store import Count, Database, Timestamp

LARGEST_FILE: Final = 37_000_000
LIFETIME: Final = 24 * 60 * 60
MOST_FILES: Final = 10_000
EXTENSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]*")

# Sent by clients that know no type: the provider's JavaScript client, curl --data-binary, and none.
SAYS_NOTHING: Final = ("text/plain", "application/x-www-form-urlencoded", "")

COLUMNS: Final = "id, size, sha256, extension, content_type, uploaded_at"


@dataclass(frozen=True, config=Strict.model_config)
class Media:
    """One uploaded file: a row of the table, and what /api returns; the folder has its content."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    size: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    extension: Annotated[str, Field(pattern=f"^{EXTENSION.pattern}$")]
    content_type: Annotated[str, Field(pattern=r"^[^\r\n\x00]*$")]  # it becomes a header
    uploaded_at: Timestamp

    @computed_field  # type: ignore[prop-decorator]
    @property
    def expires_at(self) -> Timestamp:
        return self.uploaded_at + LIFETIME


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
            try:
                Media(*fields)
            except ValidationError:
                raise database.damaged(f"upload {number} is none of the sandbox") from None

    async def add(self, chunks: AsyncIterable[bytes], extension: str, content_type: str) -> Media:
        """Store the chunks as a file; keep none if the chunks break off, or there are none."""
        self._delete_expired()
        id = str(uuid4())
        path = self._folder / id
        try:
            size, sha256 = await _write(path, chunks)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        kind = _media_type(content_type, extension)
        media = Media(id, size, sha256, extension, kind, self._clock())
        self._execute(f"INSERT INTO media ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", astuple(media))
        self._delete("number <= (SELECT max(number) FROM media) - ?", MOST_FILES)
        return media

    def get(self, id: str) -> Media | None:
        """Return the upload of this id, if it has not expired; may be called in any thread."""
        oldest = self._clock() - LIFETIME
        return next(self._select("id = ? AND uploaded_at > ?", id, oldest), None)

    def all(self) -> list[Media]:
        """Return the uploads that have not expired, oldest first."""
        self._delete_expired()
        return list(self._select("TRUE ORDER BY number"))

    def remove(self, id: str) -> bool:
        """Delete an upload; return whether there was one."""
        is_there = self.get(id) is not None
        self._delete("id = ?", id)
        return is_there

    def path(self, media: Media) -> Path:
        """Return the path of its content."""
        return self._folder / media.id

    def _select(self, condition: str, *values: object) -> Iterator[Media]:
        query = f"SELECT {COLUMNS} FROM media WHERE {condition}"
        return filter(self._is_there, starmap(Media, self._execute(query, values)))

    def _delete(self, condition: str, value: object) -> None:
        for media in self._select(condition, value):
            self.path(media).unlink()
        self._execute(f"DELETE FROM media WHERE {condition}", (value,))

    def _delete_expired(self) -> None:
        self._delete("uploaded_at <= ?", self._clock() - LIFETIME)

    def _is_there(self, media: Media) -> bool:
        """Whether its file is one of the folder's own, and no link, symbolic or hard."""
        try:
            info = self.path(media).lstat()
        except OSError:
            return False
        return stat.S_ISREG(info.st_mode) and (info.st_size, info.st_nlink) == (media.size, 1)


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
