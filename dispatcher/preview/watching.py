"""Detects whether a file has changed, by names, times and sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from dispatcher.manifest.discovery import walk

MOST_FILES: Final = 10_000


def snapshot(paths: Iterable[Path]) -> str:
    """Return a text that identifies the present state of files, and of all files in folders."""
    digest = hashlib.sha256()
    for path in islice(_files(paths), MOST_FILES):
        try:
            state = path.stat()
        except OSError:
            continue  # it was there a moment ago: the next snapshot will differ
        digest.update(f"{path}\0{state.st_mtime_ns}\0{state.st_size}\0".encode(errors="replace"))
    return digest.hexdigest()[:16]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder in walk(path):
            yield from (folder.path / name for name in folder.names)
