"""Where dispatcher.toml is, and to which folder everything is relative."""

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

    `file`: None, if there is none. `folder`: to which all paths are relative. `manifests`: what is
    meant without a PATH, unless it is configured. `candidates`: each of them would have been it.
    """

    file: Path | None
    folder: Path
    candidates: tuple[Path, ...]
    manifests: str = "manifests"


def find(start: Path, paths: Iterable[str | Path] = (), file: str | Path | None = None) -> Found:
    """The configuration of these manifests and folders.

    `start`: to which all is relative, and from where it is looked for if it is above no PATH.
    `file`: is it, and nothing is looked for. Raises ConfigError.
    """
    if file is not None:
        return _named(_absolute(start, file))
    places = {path: _absolute(start, path) for path in paths}
    candidates = [each for place in (*places.values(), start) for each in _upwards(place)]
    found = {path: first for path, place in places.items() if (first := _first(place))}
    _require_one(found)
    if chosen := next(iter(found.values()), None) or _first(start):
        return Found(chosen, chosen.parent, tuple(candidates))
    first = next(iter(places.values()), None)
    if top := git.top_of(first or start):
        return Found(None, top, tuple(candidates))
    if first is None:
        return Found(None, start, tuple(candidates))
    folder = first if first.is_dir() else first.parent
    return Found(None, folder, tuple(candidates), manifests=".")


def _absolute(start: Path, path: str | Path) -> Path:
    """Without following links: a folder that is linked into a repository belongs to it."""
    return Path(os.path.abspath(start / path))


def _upwards(place: Path) -> Iterable[Path]:
    return (folder / FILE_NAME for folder in (place, *place.parents))


def _first(place: Path) -> Path | None:
    # Also one that cannot be read: without its settings messages might go where they must not.
    return next((path for path in _upwards(place) if os.path.lexists(path)), None)


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
