"""What many tests share: a clean environment, one gateway process, projects to run commands in."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from sqlalchemy import make_url

from dispatcher import cli
from dispatcher.sandbox.process import SandboxProcess

from .proxy import Proxy, proxy

# In CI the same examples every time: a new find belongs to whoever looks for it, not to a change.
hypothesis.settings.register_profile(
    "quick", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.register_profile("long", deadline=None, max_examples=20_000)
hypothesis.settings.load_profile("quick")

# Nothing that the commands write may ever hold it: see `Project.checked`.
TOKEN = "marker-token-5d1c0ffee"
MANIFESTS = Path(__file__).parents[1] / "manifests"
PATIENCE = 900.0 if os.environ.get("CRASH") == "long" else 60.0  # seconds; see crash/conftest.py

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
        yield


def require(found: object, what: str) -> None:
    """Skip the test where something is missing; in CI (`CI=true`) that is a failure."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}, which CI must have", pytrace=False)
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def needs() -> Callable[[object, str], None]:
    """`needs(shutil.which("node"), "node")`: see `require`."""
    return require


class Database:
    """A PostgreSQL database for tests, and what a test asks of it beside the journal."""

    def __init__(self, url: str) -> None:
        self.url = url

    def cut(self) -> None:
        """End every connection to it."""
        self.ask(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Carry out one statement; its rows, if it has any."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def emptied(self) -> str:
        """Forget the journal; its URL, as if there had been none."""
        self.ask("DROP SCHEMA IF EXISTS dispatcher CASCADE")
        return self.url

    def journal(self) -> dict[str, dict[str, Any]]:
        """The journal's messages by message id."""
        rows = self.ask("SELECT message, to_jsonb(messages) FROM dispatcher.messages")
        return dict(rows)


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
    yield Database(make_url(server.url).set(database=name).render_as_string(hide_password=False))
    server.ask(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(module_database: Database) -> Database:
    """A database without a journal."""
    module_database.emptied()
    return module_database


@pytest.fixture(scope="session")
def new_proxy() -> Callable[..., AbstractContextManager[Proxy]]:
    """Have a proxy before a PostgreSQL server for as long as a `with` lasts; see `Proxy`."""
    return proxy


def lines_of(text: str) -> list[str]:
    """As JSON Lines mean it: only a line feed ends a line, U+2028 and the like do not."""
    return text.removesuffix("\n").split("\n") if text else []


@pytest.fixture(scope="session")
def gateway() -> Iterator[SandboxProcess]:
    """The local gateway, in a process of its own, for all tests; see `inbox`."""
    with SandboxProcess() as process:
        yield process


@pytest.fixture
def inbox(gateway: SandboxProcess) -> SandboxProcess:
    """The gateway with no messages, no counts and no faults; uploaded files stay."""
    gateway.clear()
    return gateway


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line of stdout, each of which must be a JSON object."""
        found = [json.loads(line) for line in lines_of(self.stdout)]
        assert all(isinstance(line, dict) for line in found)
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The results of `send --json` by message id."""
        return {line["message"]: line for line in self.events("result")}

    @property
    def statuses(self) -> dict[str, str]:
        """What became of each message, by its id."""
        return {id: line["status"] for id, line in self.results.items()}

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of `send --json`."""
        assert self.lines[-1]["event"] == "summary"
        return self.lines[-1]


class Project:
    """A folder with manifests, and the real command in it, which talks to one gateway."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            "GREENAPI_BASE_URL": url,
            "GREENAPI_MEDIA_URL": url,
            "GREENAPI_TOKEN": TOKEN,
            # Its own pace: an account that one test had to pause is that of all others, too.
            "XDG_STATE_HOME": str(folder.with_name(f"{folder.name}-state")),
        }

    def write(self, name: str, content: str | bytes) -> Path:
        """A file in the project's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def manifest(self, messages: str, name: str = "manifests/m.toml") -> Path:
        """A manifest; `manifest = 1` is put before `messages`."""
        return self.write(name, f"manifest = 1\n{messages}")

    def texts(self, *ids: str, to: str = "79001234567") -> Path:
        """A manifest with a text message for each id, to one recipient."""
        entries = (f'[[messages]]\nid = "{id}"\nto = "{to}"\ntext.body = "I am {id}"' for id in ids)
        return self.manifest("\n".join(entries))

    def config(self, text: str) -> Path:
        return self.write("dispatcher.toml", text)

    def run(self, *arguments: str, **options: Any) -> Result:
        """Run a command to its end; options as for `start`."""
        return self.finish(self.start(*arguments, **options))

    def call(self, *arguments: str, env: Mapping[str, str | None] = {}) -> Result:
        """Run a command in this process: quicker than `run`, and otherwise the same."""
        stdout, stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in {**self.environment, **env}.items():
                patch.delenv(name, raising=False)
                if value is not None:
                    patch.setenv(name, value)
            with redirect_stdout(stdout), redirect_stderr(stderr):
                code = cli.run(list(arguments))
        texts = (stream.detach().getvalue().decode() for stream in (stdout, stderr))
        return self.checked(Result(code, *texts))

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str | None] = {},
        prefix: tuple[str, ...] = (),
        program: tuple[str, ...] = ("-m", "dispatcher"),
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        """Start a command. `env` over the project's environment, None takes away."""
        environment = {**os.environ, **self.environment, **env}
        return subprocess.Popen(
            [*prefix, sys.executable, *program, *arguments],
            cwd=self.folder,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def finish(self, process: subprocess.Popen[str]) -> Result:
        """Wait for a command that was started."""
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            pytest.fail(f"still running after {PATIENCE:g} s; it wrote:\n{stdout}\n{stderr}")
        return self.checked(Result(process.returncode, stdout or "", stderr or ""))

    def checked(self, result: Result) -> Result:
        """What holds for every command: it shows the token to nobody, and no traceback unasked."""
        assert TOKEN not in result.stdout + result.stderr
        for file in self.folder.glob(".dispatcher/*"):
            assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file
        assert "Error: this is a bug" not in result.stderr, result.stderr
        return result

    @property
    def journal_file(self) -> Path:
        return self.folder / ".dispatcher" / "journal.db"

    def journal(self) -> dict[str, dict[str, Any]]:
        """The journal's messages by message id, read as any other program would."""
        address = f"{self.journal_file.as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM messages").fetchall()
        return {row["message"]: dict(row) for row in rows}


@pytest.fixture(scope="session")
def manifests() -> Callable[[str], bytes]:
    """Read a file of the examples in manifests/."""
    return lambda name: (MANIFESTS / name).read_bytes()


@pytest.fixture(scope="session")
def new_project(
    gateway: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Project]:
    """Make a project; `url`: of another gateway."""
    return lambda url=gateway.url: Project(tmp_path_factory.mktemp("project"), url)


@pytest.fixture
def project(inbox: SandboxProcess, new_project: Callable[..., Project]) -> Project:
    """An empty project whose gateway has heard nothing yet."""
    return new_project()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, held so that nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def installed() -> Callable[[Path], dict[str, str]]:
    """Have a distribution in a folder installed, without pip; out: the environment that has it."""

    def installed(folder: Path) -> dict[str, str]:
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        ((name, module),) = project["entry-points"]["dispatcher"].items()
        metadata = folder / "src" / f"{module.partition(':')[0]}-{project['version']}.dist-info"
        metadata.mkdir()
        facts = f"Name: {project['name']}\nVersion: {project['version']}\n"
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\n{facts}")
        (metadata / "entry_points.txt").write_text(f"[dispatcher]\n{name} = {module}\n")
        return {**os.environ, "PYTHONPATH": str(folder / "src")}

    return installed
