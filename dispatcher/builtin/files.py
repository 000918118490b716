"""Sources that are local files → uploads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dispatcher import (
    SourceError,
    Upload,
    canonical_name,
    content_mismatch,
    find_file,
    hookimpl,
    mime_type,
)

MAX_BYTES = 2_000_000_000  # no gateway takes more, and each file is read to know its content


class Files:
    """Resolves every source that is no URL. `roots`: folders, besides the manifest's own."""

    def __init__(self, roots: Iterable[Path] = ()) -> None:
        self._roots = tuple(roots)

    @hookimpl
    def dispatcher_resolve_source(self, source: str, base: Path) -> Upload | None:
        if "://" in source:
            return None
        path = find_file(source, base, self._roots)
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f'the file "{source}" is larger than {MAX_BYTES // 1_000_000_000} GB')
        try:
            upload = Upload.from_path(path)
        except OSError as error:
            raise SourceError(f'cannot read the file "{source}": {error.strerror}') from None
        if upload.size == 0:
            raise SourceError(f'the file "{source}" is empty')
        # What it is called is what the manifest says, whatever a link of that name leads to.
        name = canonical_name(Path(source).name)
        upload = upload.model_copy(update={"filename": name, "mime_type": mime_type(name)})
        _require_content(upload, source)
        return upload


def _require_content(upload: Upload, source: str) -> None:
    try:
        with upload.open() as stream:
            mismatch = content_mismatch(stream, upload.mime_type)
    except OSError as error:
        raise SourceError(f'cannot read the file "{source}": {error.strerror}') from None
    if mismatch is not None:
        raise SourceError(f'the file "{source}" {mismatch}')
