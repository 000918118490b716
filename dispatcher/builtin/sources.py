"""Resolves a media table's `source`: a URL that the gateway fetches, or a local file to upload."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dispatcher import (
    Link,
    SourceError,
    Upload,
    canonical_name,
    content_mismatch,
    find_file,
    hookimpl,
    mime_type,
)

MAX_BYTES = 2_000_000_000  # no gateway takes more, and each file is read to hash its content


class Links:
    """Resolves every source that is a URL."""

    @hookimpl
    def dispatcher_resolve_source(self, source: str) -> Link | None:
        scheme, separator, _ = source.partition("://")
        if not separator:
            return None
        if scheme.lower() in ("http", "https"):
            return Link(url=source)
        if scheme.isalnum():
            raise SourceError(
                f'no plugin knows what "{scheme}://" means; a source is a local file, or an http '
                "or https link"
            )
        return None


class Files:
    """Resolves every source that is no URL, in the manifest's folder or one of `roots`."""

    def __init__(self, roots: Iterable[Path] = ()) -> None:
        self._roots = tuple(roots)

    @hookimpl
    def dispatcher_resolve_source(self, source: str, base: Path) -> Upload | None:
        if "://" in source:
            return None
        path = find_file(source, base, self._roots)
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f'the file "{source}" is larger than {MAX_BYTES // 1_000_000_000} GB')
        # Its name is the one in the manifest, whatever a symbolic link of that name leads to.
        name = canonical_name(Path(source).name)
        try:
            upload = Upload.from_path(path)
            if upload.size == 0:
                raise SourceError(f'the file "{source}" is empty')
            upload = upload.model_copy(update={"filename": name, "mime_type": mime_type(name)})
            with upload.open() as stream:
                mismatch = content_mismatch(stream, upload.mime_type)
        except OSError as error:
            raise SourceError(f'cannot read the file "{source}": {error.strerror}') from None
        if mismatch is not None:
            raise SourceError(f'the file "{source}" {mismatch}')
        return upload
