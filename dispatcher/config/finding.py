"""Finds dispatcher.toml, and the folder to which everything is relative."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dispatcher import git
from dispatcher.errors import ConfigError

FILE_NAME = "dispatcher.toml"


class Found(NamedTuple):
    """Where a configuration was looked for, and what was found.

    `file` is None if there is none. All paths are relative to `folder`. `manifests` count without a
    PATH, unless configured. Each of `candidates` would have been the file.
    """

    file: Path | None
    folder: Path
    candidates: tuple[Path, ...]
    manifests: str = "manifests"


def find(start: Path, paths: Iterable[str | Path] = (), file: str | Path | None = None) -> Found:
    """Find the configuration of these manifests and folders.

    All paths are relative to `start`, and the search begins there if no PATH is below a
    configuration. If `file` is given, nothing is searched. Raises ConfigError.
    """
    if file is not None:
        return _named(_absolute(start, file))
    folders = {path: _folder(start, path) for path in paths}
    candidates = [each for folder in (*folders.values(), start) for each in _upwards(folder)]
    found = {path: first for path, folder in folders.items() if (first := _first(folder))}
    _require_one(found)
    if chosen := next(iter(found.values()), None) or _first(start):
        return Found(chosen, chosen.parent, tuple(candidates))
    first = next(iter(folders.values()), None)
    if top := git.top_of(first or start):
        return Found(None, top, tuple(candidates))
    if first is None:
        return Found(None, start, tuple(candidates))
    folder = first if first.is_dir() else first.parent
    return Found(None, folder, tuple(candidates), manifests=".")


def _absolute(start: Path, path: str | Path) -> Path:
    """Make a path absolute without following links: a folder linked into a repository is in it."""
    return Path(os.path.abspath(start / path))


def _folder(start: Path, path: str | Path) -> Path:
    """Return a path as it is written, or where its links lead if only there a project is above it:
    otherwise its messages would be compared with no journal, or with one that knows nothing."""
    written = _absolute(start, path)
    real = Path(os.path.realpath(written))
    if real == written or _is_in_project(written) or not _is_in_project(real):
        return written
    return real


def _is_in_project(folder: Path) -> bool:
    return _first(folder) is not None or git.top_of(folder) is not None


def _upwards(folder: Path) -> Iterable[Path]:
    return (each / FILE_NAME for each in (folder, *folder.parents))


def _first(folder: Path) -> Path | None:
    # Also one that cannot be read: without its settings, messages might go to the wrong gateway.
    return next((path for path in _upwards(folder) if os.path.lexists(path)), None)


def _named(file: Path) -> Found:
    if file.is_dir():
        raise ConfigError(f"--config {file} is a folder; name the file: {file / FILE_NAME}")
    if not os.path.lexists(file):
        raise ConfigError(f"--config {file}: there is no such file")
    return Found(file, file.parent, (file,))


def _require_one(found: dict[str | Path, Path]) -> None:
    """Raise ConfigError if two PATHs belong to different configurations."""
    for path, file in found.items():
        first, chosen = next(iter(found.items()))
        if os.path.realpath(file) != os.path.realpath(chosen):
            raise ConfigError(
                f"{first} belongs to {chosen}, but {path} to {file}; name one after the other, or "
                "the configuration for both with --config FILE"
            )
