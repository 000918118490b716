"""Sources `s3://bucket/key` for the dispatcher: signed links, or uploads with locked content.

Both are offline: a link is signed on this machine, and `s3.lock` has the hash of an upload.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from dispatcher import Link, Upload, hookimpl, mime_type
from dispatcher_s3.bucket import Bucket, S3Settings
from dispatcher_s3.location import Location, parse
from dispatcher_s3.lock import find_entry

if TYPE_CHECKING:
    import click

__all__ = ["S3", "S3Settings"]


class S3:
    """Resolves `s3://…` to links or, with `upload = true` in `[plugins.s3]`, to uploads."""

    Settings: ClassVar[type[S3Settings]] = S3Settings

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._bucket = Bucket(settings)

    @hookimpl
    def dispatcher_resolve_source(self, source: str, base: Path) -> Upload | Link | None:
        """Return a link with the object's name as its identity, or an upload.

        Returns None for other sources.
        """
        location = parse(source)
        if location is None:
            return None
        if self._settings.upload:
            return self._upload(location, base)
        return Link(url=self._bucket.signed(location), identity=str(location))

    @hookimpl
    def dispatcher_commands(self) -> Iterable[click.Command]:
        """Return the command `dispatcher s3-lock`."""
        from dispatcher_s3.command import lock_command

        return [lock_command(self._bucket)]

    def _upload(self, location: Location, base: Path) -> Upload:
        entry = find_entry(location, base)
        return Upload(
            filename=location.filename,
            size=entry.size,
            sha256=entry.sha256,
            mime_type=mime_type(location.filename),
            open=partial(self._bucket.open, location),
        )
