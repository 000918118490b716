"""What many tests share: a clean environment, one gateway process, projects to run commands in."""

import gc
import importlib.metadata
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hypothesis
import psycopg
import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.boards import delete_boards
from tests.support.gateway import Gateway, Serve
from tests.support.postgres import Database, url_with
from tests.support.project import Held, NewProject, Project
from tests.support.requirements import require

# In CI the same examples every time: a new find belongs to whoever looks for it, not to a change.
hypothesis.settings.register_profile(
    "quick", deadline=None, derandomize=os.environ.get("CI") == "true"
)
# For another Python than the one for which examples are looked for.
hypothesis.settings.register_profile("few", deadline=None, derandomize=True, max_examples=10)
hypothesis.settings.register_profile("long", deadline=None, max_examples=20_000)
hypothesis.settings.load_profile("quick")

# A server on which the tests may make databases; read here, before the environment is cleaned.
POSTGRES = os.environ.get(
    "DISPATCHER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres"
)

_OURS = ("GREENAPI_", "DISPATCHER_", "REQUESTS_", "CURL_")
_COLOURS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", action="store_true", help="Renew the pictures in docs/images."
    )
    parser.addoption("--diffs", action="store_true", help="Renew the outputs in tests/diff/cases.")


def pytest_collection_finish() -> None:
    """What has been collected stays: the garbage collector need not go through it for each test."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the developer's account, proxies, configuration or colours."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            foreign = name.upper().startswith(_OURS) or name.upper().endswith("_PROXY")
            if foreign or name in _COLOURS:
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        # Nor what happens to be installed beside this package.
        installed = importlib.metadata.entry_points(group="dispatcher").names
        patch.setenv("DISPATCHER_DISABLED_PLUGINS", ",".join(installed))
        # For a pytest that a test starts: it would delete the folders of earlier runs.
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("PYTEST_DEBUG_TEMPROOT", str(tmp_path_factory.mktemp("pytest")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _installed_read_once() -> Iterator[None]:
    """What is installed here does not change, and reading it is a third of a short command."""
    read = importlib.metadata.Distribution.entry_points
    known = {each._path: each.entry_points for each in importlib.metadata.distributions()}

    def entry_points(found: Any) -> importlib.metadata.EntryPoints:
        return known[found._path] if found._path in known else read.fget(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata.Distribution, "entry_points", property(entry_points))
        yield


@pytest.fixture(scope="session")
def server() -> Database:
    """The server's own database, in which others are made."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
        why = ""
    except psycopg.Error as error:
        why = str(error).partition("\n")[0]
    require(not why, f"PostgreSQL at DISPATCHER_TEST_POSTGRES: {why}")
    return Database(POSTGRES)


@pytest.fixture(scope="module")
def module_database(server: Database) -> Iterator[Database]:
    """A database of this module alone."""
    name = f"dispatcher_test_{uuid.uuid4().hex[:12]}"
    server.ask(f"CREATE DATABASE {name}")
    yield Database(url_with(server.url, database=name))
    server.ask(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(module_database: Database) -> Database:
    """A database without a journal."""
    module_database.emptied()
    return module_database


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    """The local gateway, in a process of its own, for all tests; see `inbox`."""
    with SandboxProcess() as process:
        yield process


@pytest.fixture
def inbox(sandbox_process: SandboxProcess) -> SandboxProcess:
    """The gateway with no messages, no counts and no faults; uploaded files stay."""
    sandbox_process.clear()
    return sandbox_process


@pytest.fixture(scope="session")
def new_project(
    sandbox_process: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewProject]:
    """Make a project; `url`: of another gateway."""
    made: list[Project] = []

    def new_project(url: str = sandbox_process.url) -> Project:
        project = Project(tmp_path_factory.mktemp("project"), url)
        project.inbox = sandbox_process
        made.append(project)
        return project

    yield new_project
    for project in made:  # some of their runs were killed
        delete_boards(project.journal_file)


@pytest.fixture
def project(inbox: SandboxProcess, new_project: NewProject) -> Project:
    """An empty project whose gateway has heard nothing yet."""
    return new_project()


@pytest.fixture
def held(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """An empty project at a gateway whose answers the test writes, or holds back."""
    project = Held(tmp_path_factory.mktemp("project"), gateway)
    yield project
    delete_boards(project.journal_file)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a gateway of one's own: `serve(behave)`, see `Gateway`."""
    with ExitStack() as started:
        yield lambda *behave: started.enter_context(Gateway(*behave))


@pytest.fixture
def gateway(serve: Serve) -> Gateway:
    """One whose answers the test writes: what needs to be held, timed or watched."""
    return serve()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, held so that nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
