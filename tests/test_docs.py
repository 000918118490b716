"""README and docs: every command runs, every output is what it shows, every file is valid."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from dispatcher import config
from dispatcher.cli.app import app
from dispatcher.models import PlanStatus
from dispatcher.sandbox.faults import FAULTS
from dispatcher.sandbox.process import SandboxProcess
from tests.support.git import AUTHOR, committed
from tests.support.pages import (
    COMMANDS,
    PAGES,
    ROOT,
    assert_shows,
    blocks_of,
    commands,
    fenced,
    following,
    read,
    run,
    run_script,
)
from tests.support.plugins import add_metadata
from tests.support.postgres import Database
from tests.support.project import TOKEN, Project
from tests.support.terminal import terminal

README = read("README.md")
BLOCKS = blocks_of(README)
_SECTION = re.compile(r'(docs/[\w-]+\.md), "([^"]+)"')


def example(section: str, language: str) -> str:
    """The first block of this language in a section of docs/sending.md."""
    return next(
        block.text
        for block in fenced(read("docs/sending.md"))
        if (block.section, block.language) == (section, language)
    )


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def followed(test: Path) -> Iterator[tuple[str, str, str]]:
    """The page, section and language of each block whose commands a file of tests runs."""
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "following":
            name, *sections = map(ast.literal_eval, node.args)
            named = {each.arg: each.value for each in node.keywords}
            languages = ast.literal_eval(named["languages"]) if "languages" in named else COMMANDS
            blocks = list(fenced(read(name)))
            for section in sections or {block.section for block in blocks}:
                yield from ((name, section, language) for language in languages)


def test_every_command_of_the_pages_is_run() -> None:
    """A test that begins to follow a page fails unless it runs all that it has named."""
    files = (ROOT / "tests").glob("test_*.py")
    run = {found for file in files for found in followed(file)}
    shown = {
        (str(page.relative_to(ROOT)), block.section, block.language)
        for page in PAGES
        for block in fenced(page.read_text(encoding="utf-8"))
        if block.language in COMMANDS
    }
    assert shown - run == set()


# What a block may be that has no commands.
NO_COMMANDS = "csv diff ini json mermaid python sql text toml yaml".split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_says_whether_it_holds_commands(page: Path) -> None:
    """An indented one would not, so that nobody could find what is not run."""
    text = page.read_text(encoding="utf-8")
    for block in fenced(text):
        assert block.language in (*COMMANDS, *NO_COMMANDS, ""), block
        if block.language in ("text", ""):
            assert not re.search(r"^(\$|dispatcher|pip|docker) ", block.text, re.MULTILINE), block
    outside = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^\n(    |\t)", outside, re.MULTILINE)


@pytest.fixture
def hello(project: Project) -> Project:
    """The README's first manifest."""
    project.write("hello.toml", blocks("toml")[0])
    project.config('manifests = "."')
    return project


def test_every_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with following("README.md", languages=("console",)) as page:
        for block in page.steps():
            if block.language == "toml" and block.text.startswith("manifest = 1"):
                project.write("manifests/hello.toml", block.text)
            if block.language == "console":
                for command, output in commands(block.text):
                    # What else is installed on this machine is none of the page's.
                    alone = "" if command != "dispatcher plugins" else " --no-plugins"
                    assert_shows(output, run(command + alone, project))


def test_what_is_said_of_sending_happens(hello: Project, inbox: SandboxProcess) -> None:
    """The page begins where the README's first manifest ends, with a connection that breaks."""
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    with following(
        "docs/sending.md",
        "Unknown: a person decides",
        "What was sent",
        "Which journal",
        languages=("console",),
    ) as page:
        page.shows(hello)


def test_many_unknown_ones_are_settled_together(project: Project, inbox: SandboxProcess) -> None:
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 2}])
    project.texts("a", head='repeat = "run"\n').rename(project.folder / "manifests/invoices.toml")
    with (
        following("docs/sending.md", "Unknown: a person decides", languages=("sh",)) as page,
        terminal(project.folder, project.environment) as shell,
    ):
        [script] = page.scripts()
        listed, by_file, by_run = script.splitlines()
        key = "2026-11-22/invoices/a/1/79001234567"
        assert "1 unknown" in shell.type("dispatcher send --run 2026-11-22")
        assert shell.type(listed) == ""
        assert f"not sent  {key}" in shell.type(by_file)
        assert "1 unknown" in shell.type("dispatcher send --run 2026-11-22")
        shell.start(by_run, until=r"\[y/N\]")
        assert f"not sent  {key}" in shell.type("y")
    assert len(inbox.messages()) == 2


def test_what_is_said_of_a_few_first_happens(project: Project) -> None:
    project.config('manifests = "."\n[delivery]\nworkers = 1\n')  # results in their order
    with following("docs/sending.md", "A few first") as page:
        for language, name in (("toml", "sale.toml"), ("csv", "customers.csv")):
            project.write(name, example("A few first", language))
        page.shows(project)
    assert sorted(project.arrived(to="79990000000")) == [
        f"Dear {name}, spring prices are here." for name in ("Anna", "Boris")
    ]


def test_what_is_said_of_a_reviewed_plan_happens(project: Project) -> None:
    project.config('manifests = "."')
    for language, name in (("toml", "sale.toml"), ("csv", "customers.csv")):
        project.write(name, example("A few first", language))
    with following("docs/sending.md", "A plan that is reviewed") as page:
        page.shows(project)
    project.has_sent_nothing()


def test_what_is_said_of_a_change_happens(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.environment |= AUTHOR
    with following("docs/diff.md") as page:
        [manifest] = page.of("toml")
        project.write("manifests/shop.toml", manifest)
        committed(project.folder)
        page.shows(project)
        [code] = page.of("python")
    script = project.run(program=("-c", code))
    assert script.stdout == "changed shop/opening 2\nmoved shop/thank-you 0\n"


def write_digest(project: Project, folder: str = "") -> None:
    """The manifest that is sent once a day, with its list and its text."""
    project.write(f"{folder}digest.toml", example("Once a day, a week, a month", "toml"))
    project.write(f"{folder}customers.csv", example("A few first", "csv"))
    project.write(f"{folder}digest.txt", "Good morning, {{ name }}!")


def test_what_is_said_of_once_a_day_happens(project: Project) -> None:
    project.config('manifests = "."')
    write_digest(project)
    with following("docs/sending.md", "Once a day, a week, a month") as page:
        page.shows(project)
    assert project.arrived(to="79001234501") == ["Good morning, Anna!"] * 2


def test_the_line_of_the_crontab_sends(project: Project) -> None:
    with following("docs/how-to/cron.md", "cron") as page:
        [crontab] = page.scripts()
    *variables, line = crontab.splitlines()
    for variable in variables:
        name, _, value = variable.partition("=")
        if name != "PATH":  # it leads to the program, which is not installed there
            project.environment[name] = value.replace("/srv/shop", str(project.folder))
    del project.environment["GREENAPI_TOKEN"]
    token = project.write("token", TOKEN)
    project.environment["GREENAPI_TOKEN_FILE"] = str(token)
    project.config("")
    write_digest(project, "manifests/")
    schedule, command = re.fullmatch(r"((?:\S+ ){5}) *(.*)", line).groups()
    assert schedule == "0 9 * * * "
    for outcome in ("3 sent", "3 skipped"):
        shown = run(command.replace("/srv/shop", str(project.folder)), project)
        assert shown.splitlines()[-1] == outcome
    with following("docs/how-to/cron.md", "How it went") as page:
        [report] = page.scripts()
    command = report.removeprefix("0 12 * * *  ").strip()
    shown = run(command.replace("/srv/shop", str(project.folder)), project)
    head, _, *counts = shown.splitlines()
    assert head.startswith("run 20")
    assert ": 3 messages, " in head
    assert [line.split() for line in counts] == [["digest/digest", "3"]]


def test_the_steps_of_ci_send_once_from_two_fresh_checkouts(
    tmp_path: Path, inbox: SandboxProcess, database: Database
) -> None:
    [steps] = [text for _, text in blocks_of(read("docs/ci.md")) if text.startswith("steps:")]
    shown = re.findall(r"^ +- run: (dispatcher .*)$", steps, re.MULTILINE)
    assert len(shown) == 2
    for outcome in ("1 sent", "1 skipped"):
        checkout = Project(tmp_path / outcome, inbox.url)
        checkout.environment["DISPATCHER_JOURNAL"] = database.url
        checkout.texts("a")
        outputs = [run(command, checkout) for command in shown]
        assert outputs[0] == "", "there is nothing to annotate"
        assert outputs[1].splitlines()[-1] == outcome


def test_what_is_said_of_editors_happens(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with following("docs/editor.md") as page:
        [refused] = [text for text in page.of("toml") if text.startswith("manifest = 1")]
        project.write("manifests/welcome.toml", refused)
        page.shows(project)


def test_every_option_is_in_the_pages() -> None:
    """An option that only --help knows is not found by anybody who does not look for it."""
    pages = [page for page in PAGES if page.is_relative_to(ROOT / "docs")]
    text = README + "\n".join(page.read_text(encoding="utf-8") for page in pages)
    lost = [
        f"{name} {option}"
        for name, command in _commands(app, "dispatcher")
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)
    ]
    assert lost == []


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """All commands, and those below them, with their names."""
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        yield f"{name} {each}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {each}")


def test_what_is_said_of_the_journals_server_happens(hello: Project, database: Database) -> None:
    """The page goes on where a message was sent, and the server has become another one since."""
    hello.environment["DISPATCHER_JOURNAL"] = database.url
    assert "1 sent" in run("dispatcher send", hello)
    hello.write("bye.toml", blocks("toml")[0].replace("hello", "bye"))
    database.ask(
        "UPDATE dispatcher.origin"
        " SET server = jsonb_set(server::jsonb, '{timeline}', '2147483647')::text"
    )
    with following("docs/postgresql.md", "When the journal went back in time") as page:
        page.shows(hello)


def test_an_sqlite_journal_moves_to_postgresql_as_is_said(
    project: Project, inbox: SandboxProcess, database: Database
) -> None:
    for name in ("manifests/hello", "moving/first"):
        project.write(f"{name}.toml", blocks("toml")[0])
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    assert "1 unknown" in run("dispatcher send", project)
    project.environment["DISPATCHER_JOURNAL"] = database.url
    with following("docs/postgresql.md", "From an SQLite journal") as page:
        [script] = page.scripts()
        assert "Plan: 1 sent.\n" in run(script, project)
    assert "1 skipped" in run("dispatcher send", project)
    assert len(inbox.messages()) == 2


def test_the_event_of_what_is_unknown_is_found(project: Project, inbox: SandboxProcess) -> None:
    project.texts("a", "b")
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    project.config("[delivery]\nworkers = 1\n")
    with following("docs/reference/events.md") as page:
        [script] = page.scripts()
    assert run(script, project).splitlines()[-1] == "default/m/a/1/79001234567"


def test_the_configuration_is_valid_and_shows_the_defaults(tmp_path: Path) -> None:
    [text] = [block for block in blocks("toml") if block.startswith("manifests = ")]
    (tmp_path / config.FILE_NAME).write_text(text, encoding="utf-8")
    shown = config.load(tmp_path).settings
    defaults = config.Settings()
    assert shown.delivery == defaults.delivery
    assert (shown.manifests, shown.transport) == (defaults.manifests, defaults.transport)
    assert config.load(tmp_path).journal.endswith("/.dispatcher/journal.db")
    staging = config.load(tmp_path, profile="staging")
    assert staging.settings.transports["greenapi"]["base_url"] == "http://127.0.0.1:8025"


def test_the_readme_sends_for_real(hello: Project) -> None:
    with following("README.md", "Send for real", written={"TOKEN=…": f"TOKEN={TOKEN}"}) as page:
        [script] = page.scripts()
        assert "1 sent" in run_script(script, hello)
    assert hello.arrived() == ["Hello from a file in git! 😃"]


def test_the_fault_of_the_readme_leaves_it_unknown(hello: Project, inbox: SandboxProcess) -> None:
    here = {"http://127.0.0.1:8025": inbox.url}
    with following("README.md", "The sandbox", written=here) as page:
        [script] = page.scripts()
        run_script(script, hello)
    for _ in range(2):
        assert "1 unknown" in hello.call("send").stderr
    assert len(inbox.messages()) == 1


def test_the_plugin_of_the_readme_works(tmp_path: Path) -> None:
    project = Project(tmp_path)
    [code] = [block for block in blocks("python") if "hookimpl" in block]
    [entry_points] = [block for block in blocks("toml") if "entry-points" in block]
    [(name, module)] = tomllib.loads(entry_points)["project"]["entry-points"]["dispatcher"].items()
    project.write(f"{module}.py", code)
    add_metadata(project.folder, name, f"{name} = {module}", "1.0")
    project.environment["PYTHONPATH"] = str(project.folder)
    manifest = blocks("toml")[0].replace("Hello from a file in git!", "It is free of charge")
    project.write("hello.toml", manifest)
    output = run("dispatcher validate hello.toml", project)
    assert 'hello.toml:6:13: error: message "hello": do not write "free of charge"' in output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_the_targets_of_make_are_what_ci_runs() -> None:
    """`make test` runs this test, so it is `.ci/run` that runs these commands."""
    in_ci = {*re.findall(r'^make \w+$|(?<=")make \w+(?=")', read(".ci/run"), re.MULTILINE)}
    with (
        following("README.md", "Try it") as readme,
        following("CONTRIBUTING.md", "Set up, test, lint") as contributing,
    ):
        [tried], [developed] = readme.scripts(), contributing.scripts()
    lines = [line.partition(" #")[0].rstrip() for line in (tried + developed).splitlines()]
    *made, one_file = lines
    assert {*made} <= in_ci
    done = subprocess.run(
        [sys.executable, *one_file.split()[1:]], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"`?make (demo|test|lint|docs|bench)\b", README)
    assert set(targets) == {"demo", "test", "lint", "docs", "bench"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("status", get_args(PlanStatus))
def test_every_status_is_explained(status: str) -> None:
    assert f"| `{status}` |" in README


def _names(path: Path) -> set[str]:
    """What a file defines at its top, and in the classes there."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            names |= {f"{node.name}.{each.name}" for each in methods}
    return names


def test_the_architecture_names_what_exists() -> None:
    """Each row of a table has a file, and names that it defines."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|]*\| `([\w/]+\.py)` \|(.*)\|$", page, re.MULTILINE)
    assert len(rows) == len(re.findall(r"\.py\b", page)), "a file stands in a row of its own"
    for file, names in rows:
        defined = _names(ROOT / "dispatcher" / file)
        assert set(re.findall(r"`([\w.]+)`", names)) <= defined, file


def test_every_name_in_the_text_of_the_architecture_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    text = re.sub(r"^\|.*$", "", page, flags=re.MULTILINE)
    found = set(re.findall(r"`([A-Z]\w+(?:\.\w+)?)`", text))
    files = (ROOT / "dispatcher").rglob("*.py")
    assert found
    assert found <= set().union(*map(_names, files))


def test_the_design_lists_every_fault_of_the_sandbox() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.partition("| fault |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(FAULTS)


def test_sections_of_pages_that_the_code_names_exist() -> None:
    """A comment that sends a reader to a page, as `docs/design.md, "Outcomes"`, is right."""
    files = [*(ROOT / "dispatcher").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    named = {
        found for file in files for found in _SECTION.findall(file.read_text(encoding="utf-8"))
    }
    assert named
    for page, section in named:
        assert f"## {section}\n" in (ROOT / page).read_text(encoding="utf-8"), (page, section)
