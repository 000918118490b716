"""`plugins new`: what it writes is installed, and passes its tests, mypy and ruff as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.errors import ConfigError
from dispatcher.scaffold import KINDS, create
from tests.support.cases import cases
from tests.support.plugins import installed
from tests.support.project import Project


def run(folder: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy finds out about the libraries is the same for each plugin."""
    return str(tmp_path_factory.mktemp("mypy"))


@pytest.mark.parametrize("options", [*KINDS, "transport --content opinion_poll"])
def test_a_new_plugin_works_as_it_stands(tmp_path: Path, options: str, mypy_cache: str) -> None:
    project = Project(tmp_path)
    command = ("plugins", "new", "spring-sale", "--kind", *options.split())
    assert project.call(*command).code == 0
    folder = tmp_path / "dispatcher-spring-sale"
    environment = installed(folder)
    listed = project.call("plugins", env={"PYTHONPATH": environment["PYTHONPATH"]}).stdout
    assert "spring-sale          dispatcher-spring-sale 0.1.0   active" in listed
    tests = run(folder, "pytest", "-q", "-p", "no:cacheprovider", **environment)
    assert "passed" in tests
    run(folder, "mypy", **environment, MYPYPATH="src", MYPY_CACHE_DIR=mypy_cache)
    run(folder, "ruff", "check", ".")
    run(folder, "ruff", "format", "--check", ".")
    assert "dispatcher-spring-sale" in (folder / "README.md").read_text()


def test_names_of_any_length_are_well_laid_out(tmp_path: Path) -> None:
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        for name in ("x", "a" * 24):
            create(name, kind, tmp_path / kind)
    for number, content in enumerate(("x", "a" * 24, "content", "contents", "file", "s"), 1):
        for name in ("x", "a" * 24):
            (parent := tmp_path / f"{name}-{number}").mkdir()
            create(name, "transport", parent, content)
    run(tmp_path, "ruff", "check", ".")
    run(tmp_path, "ruff", "format", "--check", ".")


@cases("name", "", "a" * 25, "Spring", "spring_sale", "../evil", "1st", "a b", "-x", "x-")
def test_a_bad_name_writes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name for a plugin"):
        create(name, "source", tmp_path)
    assert not list(tmp_path.iterdir())


@cases(
    "content, words",
    ("Poll", "'Poll' is no name, like poll_2"),
    ("opinion-poll", "'opinion-poll' is no name"),
    ("../evil", "is no name"),
    ("", "is no name"),
    ("vars", '"vars" is another key of a message'),
    ("image", '"image" is a standard kind of content'),
    ("a" * 25, "is too long, 24 characters at the most"),
)
def test_a_bad_name_of_a_kind_writes_nothing(tmp_path: Path, content: str, words: str) -> None:
    command = ("plugins", "new", "x", "--kind", "transport", "--content", content)
    ended = Project(tmp_path).call(*command)
    assert ended.code == 2
    assert words in ended.stderr
    assert not (tmp_path / "dispatcher-x").exists()


def test_only_a_transport_has_a_kind_of_content(tmp_path: Path) -> None:
    ended = Project(tmp_path).call("plugins", "new", "x", "--kind", "source", "--content", "poll")
    assert ended.code == 2
    assert "--content is for --kind transport" in ended.stderr
    assert not (tmp_path / "dispatcher-x").exists()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (mine := tmp_path / "dispatcher-x").mkdir()
    with pytest.raises(ConfigError, match="is there already"):
        create("x", "source", tmp_path)
    assert not list(mine.iterdir())


def test_where_nothing_can_be_written_a_sentence_says_so(tmp_path: Path) -> None:
    (file := tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        create("x", "source", file)
