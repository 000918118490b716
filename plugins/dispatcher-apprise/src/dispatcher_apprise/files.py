"""The files of one run: Apprise stores none, so each is sent with its messages."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from functools import cached_property
from pathlib import Path

from dispatcher import NotSent, Upload
from dispatcher.http.files import opened

_PIECE = 1_048_576  # bytes


class Files:
    """Copies, checked while they are made, in a temporary folder that goes with this object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: dict[str, Path] = {}

    def keep(self, file: Upload) -> str:
        """Copy a file, once, and return its id.

        Raises `Refused` if it has changed, and `NotSent`.
        """
        identifier = f"file:{file.sha256}"
        with self._lock:
            if identifier not in self._paths:
                path = self._folder / file.sha256
                try:
                    _copy(file, path)
                except OSError as error:
                    reason = error.strerror or type(error).__name__
                    raise NotSent(f"the file cannot be copied: {reason}", code="file") from None
                self._paths[identifier] = path
        return identifier

    def path(self, identifier: str) -> Path | None:
        """Return the path of a file that was copied in this run, or None."""
        return self._paths.get(identifier)

    @cached_property
    def _folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="dispatcher-apprise-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


def _copy(file: Upload, path: Path) -> None:
    with opened(file) as source, path.open("wb") as copy:
        while piece := source.read(_PIECE):
            copy.write(piece)
