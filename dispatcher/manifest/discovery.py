"""Finds the manifests in a folder, and reports files that are left out though they look like some.

A linked folder is followed once: whatever links there are, each folder is read under one name.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dispatcher.inputs import open_regular
from dispatcher.localfiles import existing_spelling, name_on_disk, reason, similar_file
from dispatcher.models import LocatedProblem, Problem, ReportProblem, located

CONFIGURATION = "dispatcher.toml"
_LOOKED_AT = 4096  # bytes: the beginning of a file shows that it is a manifest
_SAYS_MANIFEST = re.compile(r"^\s*manifest\s*=\s*\d", re.MULTILINE)
_SHOWS_MANIFESTS = frozenset({".md", ".rst"})  # documentation, which quotes manifests


class Folder(NamedTuple):
    """A folder and the names of its files; `own` if no link led to it."""

    path: Path
    names: list[str]
    own: bool


def find(paths: Iterable[Path]) -> tuple[list[Path], list[LocatedProblem]]:
    """Return the manifests at these paths, each of them once, and problems of files and folders.

    A path is a file, or a folder, in which all `*.toml` count that are not hidden.
    """
    chosen: dict[object, Path] = {}
    problems: list[LocatedProblem] = []
    for path in paths:
        for file in _manifests(existing_spelling(path), problems):
            twin = chosen.setdefault(_identity(file), file)
            if twin.is_symlink() and not file.is_symlink():  # a link does not name a file
                chosen[_identity(file)] = file
    return list(chosen.values()), problems


def others(home: Path | None, files: Iterable[Path]) -> list[Path]:
    """Return the other manifests below a folder, if there is one, besides these files."""
    if home is None or not home.is_dir():
        return []
    known = set(map(_identity, files))
    return [file for file in _manifests(home, []) if _identity(file) not in known]


def _identity(path: Path) -> object:
    """Return what all names of one file share, also where upper and lower case are the same."""
    try:
        info = path.stat()
    except (OSError, ValueError):
        return str(path)
    return info.st_dev, info.st_ino


def _manifests(path: Path, problems: list[LocatedProblem]) -> list[Path]:
    if not os.path.lexists(path):
        problems.append(located(path, f"no such file or folder{similar_file(path)}"))
        return []
    if not path.is_dir():
        return [name_on_disk(path)]
    found: list[Path] = []
    known = len(problems)
    for folder, names, own in walk(path, problems.append):
        for name in names:
            if name.startswith(".") or name == CONFIGURATION:
                continue
            file = folder / name
            if file.suffix.lower() == ".toml":
                found.append(file)
            elif sentence := _left_out(file, own):
                problems.append(_warning(file, sentence))
    if not found and not any(each.is_error for each in problems[known:]):
        problems.append(located(path, "no manifests (*.toml) in this folder"))
    return sorted(found)


def _warning(path: Path, sentence: str) -> LocatedProblem:
    return located(path, Problem(message=sentence, severity="warning"))


def _ignore(problem: LocatedProblem) -> None:
    pass


def walk(path: Path, report: ReportProblem = _ignore) -> Iterator[Folder]:
    """Yield a folder and all folders below it except hidden ones; linked ones come last.

    `report` gets what cannot be read, and which links are not followed.
    """
    seen: set[tuple[int, int]] = set()
    tops = [path]
    for top in tops:
        for folder, folders, names in os.walk(
            top, onerror=lambda error: report(_unreadable(error))
        ):
            here = Path(folder)
            if not _is_new(here, seen):
                folders.clear()
                continue
            shown = sorted(name for name in folders if not name.startswith("."))
            links = [here / name for name in shown if (here / name).is_symlink()]
            tops += [link for link in links if _leads_on(link, report)]
            folders[:] = [name for name in shown if here / name not in links]
            yield Folder(here, sorted(names), top is path)


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        info = folder.stat()
    except OSError:
        return True  # it is gone, or its parent may only be listed: the walk reports it
    known = (info.st_dev, info.st_ino) in seen
    seen.add((info.st_dev, info.st_ino))
    return not known


def _leads_on(link: Path, report: ReportProblem) -> bool:
    """Whether a link leads anywhere but to a folder that contains it."""
    around = link.parent.resolve()
    if around.is_relative_to(link.resolve()):
        sentence = "this link is not followed: it leads to a folder that it lies in itself"
        report(_warning(link, sentence))
        return False
    return True


def _left_out(file: Path, own: bool) -> str | None:
    """Return why a file is not read though it looks like a manifest or a link to some, or None."""
    try:
        info = file.stat()
    except FileNotFoundError:  # a broken link: not an error of this folder
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


def _unreadable(error: OSError) -> LocatedProblem:
    return located(Path(error.filename), f"cannot read the folder: {reason(error)}")
