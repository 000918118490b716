"""What the tests of a module write into a project, without running a command."""

import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tests.support.project import Project

_LARGE = 20_000  # characters; what a test of sizes writes


class _AllIsWritten(Exception):
    pass


class _Paper(Project):
    """Notes what is written, if it is small; a command ends it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files: dict[str, str | bytes] = {}

    def write(self, name: str, content: str | bytes) -> Path:
        if len(content) > _LARGE:
            return self.folder / name
        self.files[name] = content
        return super().write(name, content)

    def call(self, *_: Any, **__: Any) -> NoReturn:
        raise _AllIsWritten

    def start(self, *_: Any, **__: Any) -> NoReturn:
        raise _AllIsWritten


def files_of_tests(module: ModuleType, folder: Path) -> Iterator[dict[str, str | bytes]]:
    """The files of each case of each test that needs nothing but a project."""
    number = itertools.count()
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        for values in _cases(test):
            if set(inspect.signature(test).parameters) == {"project", *values}:
                paper = _Paper(folder / f"{module.__name__}-{next(number)}")
                paper.folder.mkdir(parents=True)
                try:
                    test(project=paper, **values)
                except _AllIsWritten:
                    yield paper.files


def _cases(test: Any) -> Iterator[dict[str, Any]]:
    """The arguments with which `pytest.mark.parametrize` has a test called."""
    tables = []
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            given = mark.args[0]
            names = given.replace(" ", "").split(",") if isinstance(given, str) else given
            rows = [row if len(names) > 1 else (row,) for row in mark.args[1]]
            tables.append([dict(zip(names, row, strict=True)) for row in rows])
    for chosen in itertools.product(*tables):
        yield {name: value for row in chosen for name, value in row.items()}
