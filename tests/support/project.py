"""A project: a folder with manifests, and the command in it."""

import io
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, TypeAlias

import pytest

from dispatcher import cli
from dispatcher.sandbox.process import SandboxProcess
from tests.support.events import why_undocumented
from tests.support.forking import Process, start
from tests.support.gateway import Gateway
from tests.support.plugins import add_metadata
from tests.support.waiting import PATIENCE

# Nothing that the commands write may ever hold it: see `Project.checked`.
TOKEN = "marker-token-5d1c0ffee"
Files: TypeAlias = Mapping[str, str | bytes]
NO_ACCOUNT: Mapping[str, str | None] = dict.fromkeys(
    ["GREENAPI_BASE_URL", "GREENAPI_MEDIA_URL", "GREENAPI_TOKEN"]
)
EXAMPLES = Path(__file__).parents[2] / "manifests"
# What `start` takes for granted: the command, without a stdin, its outputs in pipes.
_PLAIN = ((), ("-m", "dispatcher"), DEVNULL, PIPE, PIPE)
FAST = '[transports.greenapi]\nrate = "100000/s"\n'  # a configuration, for many messages


def lines_of(text: str) -> list[str]:
    """As JSON Lines mean it: only a line feed ends a line, U+2028 and the like do not."""
    return text.removesuffix("\n").split("\n") if text else []


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")


def _written(stream: io.TextIOWrapper) -> str:
    return stream.detach().getvalue().decode()


def text(id: str = "a", to: str | Sequence[str] = "79001234567", body: str = "Hello") -> str:
    """A text message, as a manifest has it."""
    return f'[[messages]]\nid = "{id}"\nto = {json.dumps(to)}\ntext.body = "{body}"\n'


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
        for line in found:
            assert isinstance(line, dict)
            assert not (why := why_undocumented(line)), why
        return found

    def refused(self, *why: str, code: int = 2) -> None:
        """It ended with this code, said all of this on stderr, and printed nothing else."""
        assert (self.code, self.stdout) == (code, ""), self.stdout + self.stderr
        assert all(part in self.stderr for part in why), self.stderr

    @property
    def problems(self) -> list[str]:
        """What `validate` found."""
        return lines_of(self.stdout)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]

    @property
    def told(self) -> str:
        """What stderr says after what `plan` and `send` announce."""
        assert "\nto send: " in self.stderr
        return self.stderr.partition("\nto send: ")[2].partition("\n")[2]

    @property
    def planned(self) -> list[dict[str, Any]]:
        """The messages of `plan --json`."""
        return self.events("plan")

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
    """A folder with manifests, and the real command in it; `url`: of the gateway it talks to.

    `inbox`: the local gateway that all tests share.
    """

    inbox: SandboxProcess

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        # Its own rate limiter: an account that one test had to pause is that of all others, too.
        self.environment = {"XDG_STATE_HOME": str(folder.with_name(f"{folder.name}-state"))}
        if url:
            self.send_to(url)

    def send_to(self, url: str) -> None:
        """Have an account at this gateway from now on."""
        urls = {"GREENAPI_BASE_URL": url, "GREENAPI_MEDIA_URL": url}
        self.environment |= {"GREENAPI_TOKEN": TOKEN, **urls}

    def journal_at(self, url: str) -> None:
        """Have the journal at this address from now on."""
        self.environment["DISPATCHER_JOURNAL"] = url

    def write(self, name: str, content: str | bytes) -> Path:
        """A file in the project's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def write_all(self, files: Files) -> None:
        for name, content in files.items():
            self.write(name, content)

    def manifest(self, messages: str, name: str = "manifests/m.toml") -> Path:
        """A manifest; `manifest = 1` is put before `messages`."""
        return self.write(name, f"manifest = 1\n{messages}")

    def texts(self, *ids: str, to: str = "79001234567", head: str = "") -> Path:
        """A manifest with a text message for each id, to one recipient."""
        return self.manifest(head + "".join(text(id, to, f"I am {id}") for id in ids))

    def texts_to_many(self, count: int) -> Path:
        """A manifest with the texts m0, m1 and so on, each to a recipient of its own."""
        entries = (text(f"m{each}", f"7900123{each:04}", f"m{each}") for each in range(count))
        return self.manifest("".join(entries))

    def text_to_many(self, count: int) -> Path:
        """A manifest with one text, to so many recipients."""
        return self.manifest(text("a", [f"7900{each:07}" for each in range(count)]))

    def send_texts(self, *ids: str, code: int = 0) -> Result:
        """Have these texts, and no others, and send them; `code`: how that must end."""
        self.texts(*ids)
        result = self.call("send", "--json")
        assert result.code == code, result.stderr
        return result

    def config(self, text: str) -> Path:
        return self.write("dispatcher.toml", text)

    def install(self, name: str, source: str) -> None:
        """Have a plugin installed for all commands from now on, as distribution `fake-<name>`."""
        folder = self.write(f"plugins/fake_{name}.py", source).parent
        add_metadata(folder, f"fake-{name}", f"{name} = fake_{name}")
        self.environment["PYTHONPATH"] = str(folder)

    def run(self, *arguments: str, **options: Any) -> Result:
        """Run a command to its end; options as for `start`."""
        return self.finish(self.start(*arguments, **options))

    def call(self, *arguments: str, env: Mapping[str, str | None] = {}) -> Result:
        """Run a command in this process: quicker than `run`, and otherwise the same."""
        return self.call_program(lambda: cli.run(list(arguments)), env)

    def call_program(
        self, program: Callable[[], int], env: Mapping[str, str | None] = {}
    ) -> Result:
        """Run a program, which returns its exit code, as `call` runs a command."""
        stdout, stderr = _stream(), _stream()
        with self._entered(env), redirect_stdout(stdout), redirect_stderr(stderr):
            code = program()
        return self.checked(Result(code, _written(stdout), _written(stderr)))

    def shown(self, *arguments: str) -> str:
        """What a terminal shows of a command: what it writes on stdout and stderr, in order."""
        both = _stream()
        with self._entered(), redirect_stdout(both), redirect_stderr(both):
            code = cli.run(list(arguments))
        return self.checked(Result(code, _written(both), "")).stdout

    @contextmanager
    def _entered(self, env: Mapping[str, str | None] = {}) -> Iterator[None]:
        """Have this process in the project's folder, with its environment and its plugins."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            environment = {**self.environment, **env}
            for name, value in environment.items():
                patch.delenv(name, raising=False)
                if value is not None:
                    patch.setenv(name, value)
            if folder := environment.get("PYTHONPATH"):
                patch.syspath_prepend(folder)
                for module in [each for each in sys.modules if each.startswith("fake_")]:
                    del sys.modules[module]  # of a command before
            yield

    def validate(self, files: Files, *arguments: str) -> Result:
        """Write files, and `validate` them all, or what the arguments name."""
        self.write_all(files)
        return self.call("validate", *(arguments or (".",)))

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str | None] = {},
        prefix: tuple[str, ...] = (),
        program: tuple[str, ...] = ("-m", "dispatcher"),
        stdin: int = DEVNULL,
        stdout: int = PIPE,
        stderr: int = PIPE,
    ) -> Process:
        """Start a command. `env` over the project's environment, None takes away."""
        found = {**os.environ, **self.environment, **env}
        environment = {name: value for name, value in found.items() if value is not None}
        if (prefix, program, stdin, stdout, stderr) == _PLAIN:
            return start([*program, *arguments], self.folder, environment)
        return subprocess.Popen(
            [*prefix, sys.executable, *program, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
        )

    def finish(self, process: Process) -> Result:
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

    def statuses(self) -> dict[str, str]:
        """What the journal calls each message, by its id."""
        return {id: row["status"] for id, row in self.journal().items()}

    def execute(self, statement: str, *values: object) -> None:
        """Change the journal as people do who know SQL."""
        with closing(sqlite3.connect(self.journal_file)) as connection, connection:
            connection.execute(statement, values)

    def planned(self, *arguments: str) -> list[str]:
        """What `plan` says of each message, in the manifest's order."""
        return [line["status"] for line in self.call("plan", "--json", *arguments).planned]

    def arrived(self, **filters: object) -> list[str]:
        """The texts in the inbox, as they arrived."""
        return [each["payload"]["text"]["body"] for each in self.inbox.messages(**filters)]

    def sends_nothing(self, *why: str, **options: Any) -> None:
        """`send` says why, and nothing leaves; options as for `start`."""
        run = self.run if options else self.call
        run("send", **options).refused(*why)
        self.has_sent_nothing()

    def has_sent_nothing(self) -> None:
        assert self.inbox.stats()["requests"] == 0

    @contextmanager
    def preview(self, *paths: str) -> Iterator[str]:
        """The address of a preview, which ends well at Ctrl-C."""
        process = self.start("preview", "--no-open", *paths)
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("preview: http://127.0.0.1:"), process.communicate()
        try:
            yield line.removeprefix("preview: ").strip()
        finally:
            process.send_signal(signal.SIGINT)
            result = self.finish(process)
        assert (result.code, result.stderr) == (0, "")


def on_a_terminal(project: Project, answer: str, *arguments: str) -> Result:
    """What becomes of a command whose questions somebody answers."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        return project.finish(project.start(*arguments, stdin=theirs))
    finally:
        os.close(ours)
        os.close(theirs)


class Held(Project):
    """A project whose gateway does what the test says."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        super().__init__(folder, gateway.url)
        self.gateway = gateway

    def has_sent_nothing(self) -> None:
        assert self.gateway.requests == []

    @contextmanager
    def under_way(self, *arguments: str, request: int = 1, **options: Any) -> Iterator[Process]:
        """Start a command; from this request on, all are answered when the block ends only."""
        release = self.gateway.hold(request)
        process = self.start(*arguments, **options)
        self.gateway.wait_for(request)
        yield process
        release.set()


# What the fixture `new_project` is: it makes a project, which talks to the sandbox or to this URL.
NewProject: TypeAlias = Callable[..., Project]
