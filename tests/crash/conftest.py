"""Mailings to be crashed, and libraries that make a disk break or lose what was not synced.

A short profile runs with all other tests. The long one, about an hour:

    CRASH=long .venv/bin/python -m pytest -s tests/crash

Random moments follow from a seed that is printed; CRASH_SEED sets it.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.project import NewProject
from tests.support.requirements import require
from tests.support.waiting import LONG

from .mailing import Mailing, NewMailing


@pytest.fixture
def new_mailing(inbox: SandboxProcess, new_project: NewProject) -> Iterator[NewMailing]:
    """Make a mailing: `new_mailing(recipients, workers=…)`, see `Mailing`."""
    mailings: list[Mailing] = []

    def new_mailing(recipients: int, **options: Any) -> Mailing:
        inbox.clear()
        mailings.append(Mailing(new_project(), inbox, recipients, **options))
        return mailings[-1]

    yield new_mailing
    for mailing in mailings:
        mailing.close()
    inbox.faults([])


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Random:
    """Random numbers; the same ones every time, unless it is the long profile."""
    given = os.environ.get("CRASH_SEED")
    seed = int(given) if given else Random().getrandbits(32) if LONG else 1
    print(f"CRASH_SEED={seed} repeats {request.node.name}")
    return Random(seed)


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Compile a library of this folder; out: the environment of a process that has it."""
    compiler = shutil.which("cc")
    require(compiler, "a C compiler, cc")
    folder = tmp_path_factory.mktemp("libraries")

    def preloaded(name: str) -> dict[str, str]:
        library = folder / f"{name}.so"
        if not library.exists():
            source = Path(__file__).with_name(f"{name}.c")
            flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
            subprocess.run([compiler, *flags, "-o", library, source, "-ldl"], check=True)
        return {"LD_PRELOAD": str(library)}

    return preloaded
