"""Starts git: without prompts, hooks, external programs of the repository, or a network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# What the repository's configuration could have git start.
_SAFELY = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false")
# Which repository it is depends on the folder only, also below a hook, for which git sets these.
_OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE")

_FATAL = "fatal: "


class GitError(Exception):
    """git failed; the text is its own sentence, or why it could not be started."""


def git(folder: Path, *arguments: str, seconds: float | None = None) -> str:
    """Return what git prints in a folder, without the last newline. Raises GitError."""
    try:
        done = subprocess.run(
            _command(folder, arguments),
            capture_output=True,
            check=True,
            timeout=seconds,
            env=_environment(),
        )
    except subprocess.CalledProcessError as error:
        raise GitError(_reason(error.stderr.decode(errors="replace"))) from None
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise GitError(f"git cannot be started: {error}") from None
    return os.fsdecode(done.stdout).removesuffix("\n")


@contextmanager
def conversation(folder: Path, *arguments: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Give the two ends of a git that answers requests: where to write, and where to read."""
    with subprocess.Popen(
        _command(folder, arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdin, process.stdout
        process.stdin.close()


def _reason(told: str) -> str:
    """Return the sentence of git that says why it failed; warnings may stand before it."""
    lines = told.strip().splitlines() or [""]
    fatal = (each for each in lines if each.startswith(_FATAL))
    return next(fatal, lines[0]).removeprefix(_FATAL)


def _command(folder: Path, arguments: tuple[str, ...]) -> list[str]:
    return ["git", "-C", str(folder), *_SAFELY, *arguments]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER}
    return {
        **kept,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",  # of a partial clone
        "GIT_ALLOW_PROTOCOL": "none",  # the same, for a git before 2.45
        "LC_ALL": "C.UTF-8",
    }
