"""Writes files for users: all of them or none, and never over what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dispatcher.errors import ConfigError
from dispatcher.localfiles import reason

# Whatever the umask: a configuration that others may write is refused.
_FOLDER, _FILE = 0o755, 0o644


class Written(NamedTuple):
    """A file that was asked for; `kept` if it was there before, and is as it was."""

    path: Path
    kept: bool


def write_missing(folder: Path, texts: Mapping[str, str]) -> list[Written]:
    """Write those files that are not there below a folder, which is made if need be.

    `texts` are the files by path. Raises ConfigError, and then nothing is written.
    """
    asked = [Written(folder / name, os.path.lexists(folder / name)) for name in texts]
    made: list[Path] = []
    try:
        for (path, kept), text in zip(asked, texts.values(), strict=True):
            if not kept:
                for parent in _missing_folders(path.parent, folder):
                    parent.mkdir(_FOLDER)
                    made.append(parent)
                _write_new(path, text, made)
    except BaseException as error:
        _remove(made)
        if isinstance(error, OSError):
            where = error.filename or folder
            raise ConfigError(f"cannot write {where}: {reason(error)}") from None
        raise
    return asked


def _missing_folders(parent: Path, folder: Path) -> Iterator[Path]:
    """Yield the folders that are needed for a file in `parent` and not there, the outermost first.

    Raises ConfigError if there is something else, or a link from `folder` or below it to elsewhere.
    """
    own = [folder]
    for part in parent.relative_to(folder).parts:
        own.append(own[-1] / part)
    for each in own:
        if each.is_symlink():
            target = os.readlink(each)
            raise ConfigError(f"cannot write into {each}: it is a link to {target}; name that")
    for each in (*reversed(folder.parents), *own):
        if not os.path.lexists(each):
            yield each
        elif not each.is_dir():
            raise ConfigError(f"cannot write into {each}: it is no folder")


def _write_new(path: Path, text: str, made: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE)
    made.append(path)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _remove(made: list[Path]) -> None:
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
