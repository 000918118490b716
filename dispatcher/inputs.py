"""The files that messages are made of: remembered when they are checked, and compared later.

If one of them was replaced or changed, the run ends before the next message.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from time import monotonic
from types import MethodType
from typing import NamedTuple, Self

from dispatcher.errors import InputChanged
from dispatcher.media import why_pointer

_ANOTHER = "it is another file than the one that was checked"
# The most files to upload that are compared before a message; each is compared once more when it is
# sent.
_MOST_MEDIA = 4096
# Up to this number of files are compared before every message; with more, comparing may take 5 % of
# the time.
_FEW, _SHARE = 200, 0.05


class FileState(NamedTuple):
    """What distinguishes a file from another one without reading it.

    The system sets `ctime_ns` at every change. It also changes when the content does not (a hard
    link, other permissions), so that only the content can tell whether the file changed.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, info: os.stat_result) -> Self:
        """Return the state from the result of a `stat` call."""
        return cls(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


class InputFile(NamedTuple):
    """A file as it was when it was checked."""

    path: str
    state: FileState
    sha256: str

    @classmethod
    def read(cls, path: str, stream: BufferedReader) -> Self:
        """Describe an open file, and rewind it. Raises OSError."""
        state = FileState.of(os.fstat(stream.fileno()))
        found = cls(path, state, _sha256(stream))
        if FileState.of(os.fstat(stream.fileno())) != state:
            raise OSError(errno.EBUSY, "it is being written")
        return found

    @classmethod
    def opened_by(cls, function: Callable[[], object]) -> Self | None:
        """Return the file that a function opens, or None if it is no `InputFile.open`."""
        owner = function.__self__ if isinstance(function, MethodType) else None
        return owner if isinstance(owner, cls) else None

    def open(self) -> BufferedReader:
        """Open the file for reading. Raises OSError if another file is there now."""
        stream = open_regular(self.path, follow=False)
        try:
            if not self.is_same(stream):
                raise OSError(errno.ESTALE, _ANOTHER)
        except BaseException:
            stream.close()
            raise
        return stream

    def is_same(self, stream: BufferedReader) -> bool:
        """Whether an open file is this one; its content is read only in doubt."""
        now = FileState.of(os.fstat(stream.fileno()))
        if now[:-1] != self.state[:-1]:
            return False
        return now == self.state or _sha256(stream) == self.sha256

    def is_unchanged(self, *, thorough: bool = False) -> bool:
        """Whether the file is still as it was; if `thorough`, its content is read in any case."""
        try:
            if not thorough and FileState.of(os.stat(self.path)) == self.state:
                return True
            with open_regular(self.path) as stream:
                same = self.is_same(stream)
                return same and not (thorough and _sha256(stream) != self.sha256)
        except OSError:
            return False


class Inputs:
    """The files that one plan is made of. Safe to use from several threads.

    Paths are relative to the working directory at the time of creation: a plugin may change it.
    """

    def __init__(self) -> None:
        self._folder = Path()
        with suppress(FileNotFoundError):  # deleted: then no relative path means anything
            self._folder = Path.cwd()
        self._files: dict[str, InputFile] = {}
        self._media: dict[str, InputFile] = {}
        self._lock = threading.Lock()
        self._not_before = 0.0

    def absolute(self, path: Path) -> Path:
        """Return the absolute path, whatever the working directory is by now."""
        return self._folder / path

    def open(self, path: Path) -> BufferedReader:
        """Open a file for reading; it is remembered the first time, and later must be the same.

        Raises OSError, or InputChanged.
        """
        absolute = self.absolute(path)
        stream = open_regular(absolute)
        try:
            if reason := why_pointer(stream):
                raise OSError(errno.EINVAL, f"it {reason}")
            known = self._files.get(str(path))
            if known is None:
                self._remember(str(path), InputFile.read(str(absolute), stream))
            elif not known.is_same(stream):
                raise changed(str(path))
        except BaseException:
            stream.close()
            raise
        return stream

    def note_media(self, file: InputFile) -> None:
        """Remember a file to upload that has been read."""
        with self._lock:
            if len(self._media) < _MOST_MEDIA:
                self._media.setdefault(file.path, file)

    def hashes(self) -> dict[str, str]:
        """Return the hash of each file that has been read, by its absolute path."""
        with self._lock:
            files = [*self._files.values(), *self._media.values()]
        return {each.path: each.sha256 for each in files}

    def require_unchanged(self, *, thorough: bool = False) -> None:
        """Raise InputChanged, which names the file, if one of them is not as it was checked.

        If `thorough`, files that are not uploaded are read again even if they look unchanged.
        """
        with self._lock:
            began = monotonic()
            if began < self._not_before and not thorough:
                return
            for name, file in self._files.items():
                if not file.is_unchanged(thorough=thorough):
                    raise changed(name)
            for file in self._media.values():
                if not file.is_unchanged():
                    raise changed(file.path)
            if len(self._files) + len(self._media) > _FEW:
                self._not_before = began + (monotonic() - began) / _SHARE

    def _remember(self, name: str, file: InputFile) -> None:
        with self._lock:
            self._files[name] = file


def changed(path: str) -> InputChanged:
    """Return the error for a file that is not as it was checked."""
    return InputChanged(f"{path} has changed since it was checked; run again")


def open_regular(path: Path | str, *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading, without waiting for a pipe or a device. Raises OSError.

    With `follow`, a symbolic link is followed.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _sha256(stream: BufferedReader) -> str:
    """Return the hash of a whole open file, which is rewound."""
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    return digest
