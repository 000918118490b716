"""Which files of a folder are manifests, and which are left out though they might be.

A linked folder is followed, once: whatever links there are, each folder is read under one name.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from dispatcher.inputs import open_regular
from dispatcher.localfiles import own_name
from dispatcher.toml.file import reason

CONFIGURATION = "dispatcher.toml"
_LOOKED_AT = 4096  # bytes: a manifest says so at its beginning
_SAYS_MANIFEST = re.compile(r"^\s*manifest\s*=\s*\d", re.MULTILINE)
_SHOWS_MANIFESTS = frozenset({".md", ".rst"})  # documentation, which quotes some

Report = Callable[[Path, str], None]


class Folder(NamedTuple):
    """A folder that was met on a walk, and the names of its files; `own`: no link led to it."""

    path: Path
    names: list[str]
    own: bool


def manifests(path: Path, warn: Report, fail: Report) -> Iterator[Path]:
    """The manifests at a path: a file, or all of a folder in order, but for what is hidden.

    `fail` is told what cannot be read, `warn` what looks like a manifest and is none.
    """
    if not path.is_dir():
        yield own_name(path)
        return
    found: list[Path] = []
    for folder, names, own in walk(path, warn, fail):
        for name in names:
            if name.startswith(".") or name == CONFIGURATION:
                continue
            file = folder / name
            if file.suffix.lower() == ".toml":
                found.append(file)
            elif sentence := _left_out(file, own):
                warn(file, sentence)
    yield from sorted(found)


def _ignored(path: Path, sentence: str) -> None:
    pass


def walk(path: Path, warn: Report = _ignored, fail: Report = _ignored) -> Iterator[Folder]:
    """A folder and all below it, those that links lead to last; hidden ones are left out."""
    seen: set[tuple[int, int]] = set()
    tops = [path]
    for top in tops:
        for folder, folders, names in os.walk(
            top, onerror=lambda error: fail(Path(error.filename), _unreadable(error))
        ):
            here = Path(folder)
            if not _is_new(here, seen):
                folders.clear()
                continue
            shown = sorted(name for name in folders if not name.startswith("."))
            links = [here / name for name in shown if (here / name).is_symlink()]
            tops += [link for link in links if _leads_on(link, warn)]
            folders[:] = [name for name in shown if here / name not in links]
            yield Folder(here, sorted(names), top is path)


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        info = folder.stat()
    except OSError:
        return True  # it is gone, or its parent may only be listed: the walk tells
    known = (info.st_dev, info.st_ino) in seen
    seen.add((info.st_dev, info.st_ino))
    return not known


def _leads_on(link: Path, warn: Report) -> bool:
    """Whether a link leads to another folder than one that it lies in."""
    around = link.parent.resolve()
    if around.is_relative_to(link.resolve()):
        warn(link, "this link is not followed: it leads to a folder that it lies in itself")
        return False
    return True


def _left_out(file: Path, own: bool) -> str | None:
    """Why a file that seems to be a manifest, or to lead to some, is none."""
    try:
        info = file.stat()
    except FileNotFoundError:  # where a link led, such links are somebody else's affair
        return "this link leads nowhere" if own and file.is_symlink() else None
    except OSError:
        return None  # it cannot be a manifest: nobody can read it
    if not stat.S_ISREG(info.st_mode) or file.suffix.lower() in _SHOWS_MANIFESTS:
        return None
    if not _SAYS_MANIFEST.search(_beginning(file)):
        return None
    return "this file holds a manifest, but its name does not end in .toml: it is left out"


def _beginning(file: Path) -> str:
    try:
        with open_regular(file) as stream:
            head = stream.read(_LOOKED_AT)
    except OSError:
        return ""
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return head.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")


def _unreadable(error: OSError) -> str:
    return f"cannot read the folder: {reason(error)}"
