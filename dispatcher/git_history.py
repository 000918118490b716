"""Whether a message or a manifest of some name was ever in a git repository, by `git log`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from dispatcher.git_command import GitError, git

_SECONDS = 10.0  # for one question: nobody waits longer for advice
_MANIFESTS = ":(top,icase)*.toml"
_ASK = ("log", "--all", "-1", "--format=%h", "--no-ext-diff", "--no-textconv")


def ever_had(folder: Path, manifest: str | None, id: str | None) -> bool | None:
    """Whether a commit has a manifest of this name, and a message of this id; None means any.

    `folder` is in the repository. Returns None if git cannot tell: it is not installed, this is no
    repository or not its whole history, or it takes too long.
    """
    if shutil.which("git") is None or _git(folder, "rev-parse", "--is-shallow-repository") is None:
        return None
    answers = list(_answers(folder, manifest, id))
    if None in answers:
        return None
    if all(answers):
        return True
    whole = _git(folder, "rev-parse", "--is-shallow-repository") == "false"
    return False if whole else None


def _answers(folder: Path, manifest: str | None, id: str | None) -> Iterator[bool | None]:
    if manifest is not None:
        file = f":(top,icase,glob)**/{_glob(manifest)}.toml"
        yield _found(folder, file) or _found(folder, _MANIFESTS, _line("name", manifest))
    if id is not None:
        yield _found(folder, _MANIFESTS, _line("id", id))


def _found(folder: Path, path: str, line: str | None = None) -> bool | None:
    """Whether a commit changed such a file, or such a line of one."""
    asked = _git(folder, *_ASK, *([f"-G{line}"] if line else []), "--", path)
    return None if asked is None else bool(asked)


def _line(key: str, value: str) -> str:
    """A POSIX extended regular expression for `key = "value"`."""
    return rf"(^|[[:space:]{{,]){key}[[:space:]]*=[[:space:]]*[\"']{_escaped(value)}[\"']"


def _escaped(text: str) -> str:
    return re.sub(r"([][\\.^$*+?(){}|])", r"\\\1", text)


def _glob(name: str) -> str:
    return re.sub(r"([][\\*?])", r"\\\1", name)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None if it fails."""
    try:
        return git(folder, *arguments, seconds=_SECONDS)
    except GitError:
        return None
