"""Commands that may not write everywhere."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def unprivileged() -> tuple[str, ...]:
    """The prefix of a command that even for root heeds what may be written."""
    privileges = "-dac_override,-dac_read_search"
    limits = (f"--bounding-set={privileges}", f"--inh-caps={privileges}")
    return ("setpriv", *limits) if os.geteuid() == 0 else ()


@pytest.fixture
def read_only() -> Iterator[Callable[..., None]]:
    """Take the right to write to files and folders away."""
    changed: list[Path] = []

    def protect(*paths: Path) -> None:
        for path in paths:
            changed.append(path)
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)

    yield protect
    for path in reversed(changed):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o200)
