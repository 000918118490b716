"""Which git repository a path belongs to, as far as a journal's place depends on it.

Read from `.git` itself (gitrepository-layout(5), git-worktree(1)), without starting git: a folder,
or a file that names one, which in a linked worktree names the folder that all worktrees share.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NoReturn

from dispatcher.errors import ConfigError
from dispatcher.ownership import objection_at

_NAME = ".git"
_NAMED = "gitdir:"
_LONGEST = 1_000_000  # bytes of a file that is read
_TRUE = ("true", "yes", "on", "1", "")


def top_of(path: Path) -> Path | None:
    """The top folder of the repository that a path is in; None: it is in none.

    As the path is written: a folder that is linked into a repository belongs to it. Raises
    ConfigError if somebody else may have written its `.git`.
    """
    top = worktree_of(path)
    if top is not None:
        _require_trusted(top / _NAME)
    return top


def worktree_of(path: Path) -> Path | None:
    """The same, whoever may have written its `.git`: to show where a file is, not to follow it."""
    return next((each for each in (path, *path.parents) if _marks_repository(each / _NAME)), None)


def main_worktree(top: Path) -> Path:
    """Return the path of the main worktree of the repository that this worktree belongs to.

    Of a bare repository, which has none, the repository's own folder. Raises ConfigError.
    """
    mark = top / _NAME
    own = mark if mark.is_dir() else _named_by(mark, _NAMED)
    _require_repository(mark, own)
    if not os.path.lexists(own / "commondir"):  # the main one, or a submodule's
        return top
    shared = _named_by(own / "commondir")
    _require_repository(own / "commondir", shared)
    core = _core_settings(shared)
    if "worktree" in core:  # a submodule's is not beside its repository
        return Path(os.path.realpath(shared / core["worktree"]))
    if shared.name == _NAME:
        return shared.parent
    if core.get("bare", "false").lower() in _TRUE:
        return shared
    _broken(f"git does not say where the main worktree of {shared} is (core.worktree)")


def _marks_repository(mark: Path) -> bool:
    """Whether this `.git` marks a repository, even a damaged one; git ignores any other folder."""
    if not mark.is_dir():
        return os.path.lexists(mark)
    return any(os.path.lexists(mark / name) for name in ("HEAD", "config", "objects", "refs"))


def _named_by(file: Path, prefix: str = "") -> Path:
    """The path that a file holds."""
    text = _text(file)
    if not text.startswith(prefix):
        _broken(f'{file} does not say where its repository is, in a line "{_NAMED} PATH"')
    path = text.removeprefix(prefix).strip()
    if not path or "\0" in path:
        _broken(f"{file} names no folder")
    return Path(os.path.realpath(file.parent / path))


def _require_repository(named_by: Path, folder: Path) -> None:
    """Raise ConfigError if there is no repository, or if it is somebody else's."""
    if not os.path.lexists(folder / "HEAD"):
        named = f", which {named_by} names," if folder != named_by else ""
        _broken(f"{folder}{named} is no git repository: it has no HEAD")
    _require_trusted(folder)


def _require_trusted(path: Path) -> None:
    if sentence := objection_at(path):
        raise ConfigError(sentence)


def _core_settings(shared: Path) -> dict[str, str]:
    """What `[core]` says, its keys in small letters (git-config(1), "Syntax")."""
    settings = {}
    for name in ("config", "config.worktree"):
        section = ""
        for line in _text(shared / name).splitlines() if (shared / name).is_file() else ():
            key, _, value = line.strip().partition("=")
            if key.startswith("["):
                section = key.lower()
            elif section == "[core]":
                settings[key.strip().lower()] = re.sub(r'\\(.)|"', r"\1", value.strip())
    return settings


def _text(file: Path) -> str:
    try:
        if not file.is_file():  # a pipe would be waited for
            _broken(f"{file} is no file")
        with file.open("rb") as opened:
            return os.fsdecode(opened.read(_LONGEST))
    except OSError as error:
        _broken(f"cannot read {file}: {(error.strerror or '').lower()}")


def _broken(sentence: str) -> NoReturn:
    raise ConfigError(
        f"{sentence}; where the journal is depends on it: put it right, or name the journal with "
        "--journal"
    )
