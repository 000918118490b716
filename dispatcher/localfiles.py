"""Names of files in manifests → files, never outside the folders that may be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from dispatcher.errors import SourceError
from dispatcher.names import canonical_name, did_you_mean
from dispatcher.toml.file import reason
from dispatcher.visible import quoted

# What a backslash and the letter after it became in a "…" of TOML; a backslash alone, in a '…'.
_ESCAPES = {"\\": "/", "\b": "/b", "\t": "/t", "\n": "/n", "\f": "/f", "\r": "/r", "\x1b": "/e"}


def find_file(name: str, base: Path, roots: Iterable[Path] = ()) -> Path:
    """The regular, readable file that `name`, relative to `base`, means; links are followed first.

    A name that is not there may be so in another normal form of Unicode. It must lie in `base` or
    in one of `roots`. Raises SourceError with a sentence for the user.
    """
    if not name.strip():
        raise SourceError("the name of the file is empty")
    shown = quoted(name)
    try:
        path = as_spelt(base / name).resolve()
        info = path.stat() if _inside(path, [base, *roots]) else None
    except FileNotFoundError:
        if (written := _with_slashes(name)) != name:
            raise SourceError(f"write / between folders: {quoted(written)}") from None
        raise SourceError(f"no such file: {shown}{neighbour(base / name)}") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"cannot use the file {shown}: {reason(error)}") from None
    if info is None:
        raise SourceError(
            f"the file {shown} is outside the manifests' folder; move it there, or name its "
            'folder in dispatcher.toml: [files] roots = ["…"]'
        )
    return _readable(path, info, shown)


def as_spelt(path: Path) -> Path:
    """The path itself, or if there is none, that of the same letters in another normal form.

    Macs write what others type in one code point as a letter and a mark.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[len(found.parts) :]:
        found /= part if os.path.lexists(found / part) else _entry(found, part) or part
    return found


def own_name(path: Path) -> Path:
    """The path with its last name as the folder has it, where letters' case makes no difference."""
    return path.with_name(_entry(path.parent, path.name) or path.name)


def _entry(folder: Path, name: str) -> str | None:
    """The name in a folder that is `name`, in another normal form, or in another case."""
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError):
        return None
    if name in names:
        return name
    alike = [each for each in names if _folded(each) == _folded(name)]
    same = (each for each in alike if canonical_name(each) == canonical_name(name))
    return next(same, next((each for each in alike if _is_one(folder / each, folder / name)), None))


def _folded(name: str) -> str:
    return canonical_name(canonical_name(name).casefold())


def _is_one(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder.resolve()) for folder in folders)


def _readable(path: Path, info: os.stat_result, shown: str) -> Path:
    if stat.S_ISDIR(info.st_mode):
        raise SourceError(f"{shown} is a folder, not a file")
    if not stat.S_ISREG(info.st_mode):
        raise SourceError(f"{shown} is not a regular file")
    if not os.access(path, os.R_OK):
        raise SourceError(f"the file {shown} may not be read: permission denied")
    return path


def _with_slashes(name: str) -> str:
    """The name with / for each backslash, also for those that TOML took for escapes."""
    return "".join(_ESCAPES.get(each, each) for each in name)


def neighbour(path: Path) -> str:
    """`; did you mean "prices.pdf"?` for a name beside a path that leads nowhere, or nothing."""
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except (OSError, ValueError):
        return ""
