"""Forbids what a hook must not do: connect, start programs, write, read other files.

Python's audit events show it, whichever function is called for it.
"""

from __future__ import annotations

import mimetypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from sysconfig import get_path
from typing import Any

_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
# What an import reads: code, wherever it is, and all files of installed packages.
_CODE = (".py", ".pyc", ".so", ".pyd", ".pth")
_PACKAGES = tuple({get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_here = threading.local()


@dataclass
class Watch:
    """What was observed: the files that were read (`opened`), and sentences (`forbidden`)."""

    opened: list[Path] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)

    def notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Record an event; raise PermissionError for what no hook may do."""
        if arguments and "__pycache__" in str(arguments[0]):
            return  # an import writes what it compiled
        if event == "open":
            self._open(*arguments)
        elif event in _NETWORK or event == "socket.__new__":
            self._forbid(f"it used the network ({event})")
        elif event in _PROGRAMS:
            self._forbid(f"it started a program ({event})")
        elif event in _CHANGES:
            self._forbid(f"it changed files ({event})")

    def require_pure(self, *folders: Path) -> None:
        """Fail if anything forbidden was done, or a file outside of these folders was read."""
        assert not self.forbidden, f"a hook is pure, but {self.forbidden[0]}"
        inside = [folder.resolve() for folder in folders]
        for path in self.opened:
            known = any(path.resolve().is_relative_to(folder) for folder in inside)
            assert known, f"a hook is pure, but it opened {path}"

    def _open(self, path: Any, mode: str | None, flags: int) -> None:
        if not isinstance(path, (str, bytes)) or (flags & _WRITES == 0 and _by_import(path)):
            return
        if flags & _WRITES:
            self._forbid(f"it wrote a file ({path!r})")
        self.opened.append(Path(os.fsdecode(path)))

    def _forbid(self, what: str) -> None:
        self.forbidden.append(what)
        raise PermissionError(f"{what}, which a hook must not")


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch what this thread does; what a hook must not do fails with PermissionError."""
    _listen()
    if not mimetypes.inited:
        mimetypes.init()  # reads the system's tables
    _here.watch = watch = Watch()
    try:
        yield watch
    finally:
        _here.watch = None


def _by_import(path: str | bytes) -> bool:
    name = os.fsdecode(path)
    return name.endswith(_CODE) or name.startswith(_PACKAGES)


@cache
def _listen() -> None:
    """Add the audit hook, once: none can be removed."""
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is not None:
        watch.notice(event, arguments)
