"""A plugin's settings: `[plugins.<name>]` in dispatcher.toml, under the environment."""

import json
from collections.abc import Callable

import pytest

from tests.support.cases import cases
from tests.support.project import Project, text

PLUGIN = """
import click
from dispatcher import hookimpl
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

class SignSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SIGN_", extra="forbid")
    name: str = "nobody"
    times: int = Field(default=1, ge=1)
    tags: list[str] = []

class Sign:
    Settings = SignSettings

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def dispatcher_transform_payload(self, payload):
        payload["text"]["body"] += f" {self.settings.name}" * self.settings.times

    @hookimpl
    def dispatcher_commands(self):
        return [click.Command("who", callback=lambda: click.echo(self.settings.name))]

plugin = Sign
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(project: Project) -> Run:
    """Run a command beside that plugin; its exit code and what it said."""
    project.install("sign", PLUGIN)
    points = next(project.folder.glob("plugins/*.dist-info/entry_points.txt"))
    points.write_text("[dispatcher]\nsign = fake_sign:plugin\n")
    project.manifest(text())

    def run(configuration: str, *arguments: str, **variables: str) -> tuple[int, str]:
        project.config(configuration)
        result = project.call(*arguments, env=variables)
        return result.code, result.stdout + result.stderr

    return run


def body(said: str) -> str:
    start, plan, *_ = said.splitlines()
    assert json.loads(start)["event"] == "start"
    return str(json.loads(plan)["payload"]["text"]["body"])


def test_the_table_reaches_the_plugin_and_the_environment_wins(run: Run) -> None:
    table = "[plugins.sign]\nname = 'Ann'\n[profiles.test.plugins.sign]\ntimes = 2\n"
    plan = ("plan", "--json")
    assert body(run("", *plan)[1]) == "Hello nobody"
    assert body(run(table, *plan)[1]) == "Hello Ann"
    assert body(run(table, *plan, "--profile", "test")[1]) == "Hello Ann Ann"
    assert body(run(table, *plan, SIGN_NAME="Eve")[1]) == "Hello Eve"
    assert run(table, "who") == (0, "Ann\n")


@cases(
    "table, problems",
    (
        "[plugins.sign]\nnmae = 'Ann'\ntimes = 0\n",
        [
            'dispatcher.toml:2:1: error: unknown key "nmae"; did you mean "name"?',
            "dispatcher.toml:3:9: error: times must be at least 1",
        ],
    ),
    (
        "[plugins.sing]\nname = 'Ann'\n",
        [
            'dispatcher.toml:1:10: error: no plugin named "sing"; did you mean "sign"?'
            " with settings: "
        ],
    ),
    (
        "[plugins.files]\nroot = '.'\n",
        ['dispatcher.toml:1:10: error: the plugin "files" has no settings'],
    ),
)
def test_what_is_wrong_is_shown_at_its_place(run: Run, table: str, problems: list[str]) -> None:
    code, said = run(table, "send")
    found = sorted(said.removeprefix("Error: ").splitlines())
    assert code == 2
    assert [line[: len(problem)] for line, problem in zip(found, problems, strict=True)] == problems


def test_the_environment_is_blamed_for_its_own_and_not_shown(run: Run) -> None:
    code, said = run("", "send", SIGN_TIMES="s3cret")
    assert (code, said) == (2, "Error: environment, SIGN_TIMES: times: expected a whole number\n")
    code, said = run("", "send", SIGN_TAGS="s3cret, other")
    assert (code, said) == (2, 'Error: environment, SIGN_TAGS: expected JSON, like ["a", "b"]\n')
    assert run("", "plan", SIGN_TAGS='["a"]')[0] == 0


@pytest.mark.parametrize("flags", [("--without", "sign"), ("--no-plugins",)])
def test_table_of_a_plugin_that_is_left_out_is_no_mistake(run: Run, flags: tuple[str, ...]) -> None:
    code, said = run("[plugins.sign]\nname = 1\n", "plan", "--json", *flags)
    assert (code, body(said)) == (0, "Hello")


def test_wrong_settings_keep_no_other_command_from_working(run: Run) -> None:
    assert run("[plugins.sign]\ntimes = 0\n", "--help")[0] == 0
    code, said = run("[plugins.sign]\ntimes = 0\n", "plugins")
    assert (code, "broken" in said, "dispatcher.toml:2:9" in said) == (2, True, True)


def test_the_schema_is_what_stdout_has(run: Run) -> None:
    code, said = run("", "schema")
    assert (code, json.loads(said)["title"]) == (0, "dispatcher manifest")


LIBRARY = """
import click
from dispatcher import Dispatcher, ManifestError, ProjectPath, hookimpl, read_toml_model
from pathlib import Path
from pydantic import BaseModel
from pydantic_settings import BaseSettings

class Word(BaseModel, extra="forbid"):
    say: str
    times: int = 1

class LibrarySettings(BaseSettings):
    words: ProjectPath = Path("words.toml")

class Library:
    Settings = LibrarySettings

    def __init__(self, settings):
        try:
            self.word = read_toml_model(settings.words, Word)
        except ManifestError as error:
            self.word = error

    @hookimpl
    def dispatcher_commands(self):
        def ask():
            with Dispatcher.open() as dispatcher:
                click.echo(dispatcher.transport("greenapi").settings.connect_timeout)

        return [
            click.Command("word", callback=lambda: click.echo(self.word)),
            click.Command("where", callback=ask),
        ]

plugin = Library
"""


@pytest.fixture
def library(project: Project) -> Project:
    project.install("library", LIBRARY)
    points = next(project.folder.glob("plugins/*.dist-info/entry_points.txt"))
    points.write_text("[dispatcher]\nlibrary = fake_library:plugin\n")
    project.config("")
    project.write("words.toml", 'say = "hello"')
    project.write("below/other.toml", 'say = "bye"')
    return project


def test_a_path_of_the_project_is_relative_to_its_configuration(library: Project) -> None:
    assert library.call("word").stdout == "say='hello' times=1\n"
    library.config('[plugins.library]\nwords = "below/other.toml"\n')
    assert library.call("-C", "below", "word").stdout == "say='bye' times=1\n"


def test_all_that_is_wrong_with_a_file_of_a_plugin_is_told_with_its_place(library: Project) -> None:
    library.write("words.toml", "say = 5\ntiems = 2\n")
    assert library.call("word").stdout.splitlines() == [
        "words.toml:1:7: error: say is text; put 5 in quotes",
        'words.toml:2:1: error: unknown key "tiems"; did you mean "times"?',
    ]
    library.write("words.toml", "say = \n")
    assert library.call("word").stdout.startswith("words.toml:1:")


def test_a_command_of_a_plugin_gets_a_transport_with_its_settings(library: Project) -> None:
    library.config("[transports.greenapi]\nconnect_timeout = 17\n")
    assert library.call("where").stdout == "17.0\n"
