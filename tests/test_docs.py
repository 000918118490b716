"""README and docs: every command runs, every output is what it shows, every file is valid."""

import ast
import re
import sys
import tomllib
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import psycopg
import pytest

from dispatcher import config
from dispatcher.cli.app import app
from dispatcher.models import PlanStatus
from dispatcher.sandbox.faults import FAULTS
from dispatcher.sandbox.process import SandboxProcess
from tests.support.git import AUTHOR, committed
from tests.support.pages import assert_shows, blocks_of, commands, read, run
from tests.support.plugins import add_metadata
from tests.support.postgres import Database
from tests.support.project import TOKEN, Project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SENDING = (ROOT / "docs" / "sending.md").read_text(encoding="utf-8")
# Sections of docs/sending.md with manifests of their own, in this order.
A_FEW_FIRST, REVIEWED, ONCE_A_DAY = (
    "A few first",
    "A plan that is reviewed",
    "Once a day, a week, a month",
)
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


BLOCKS = blocks_of(README)
_SECTION = re.compile(r'(docs/[\w-]+\.md), "([^"]+)"')


def section(heading: str) -> str:
    """A section of docs/sending.md, without its heading."""
    assert f"\n## {heading}\n" in SENDING
    return SENDING.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


@pytest.fixture
def hello(project: Project) -> Project:
    """The README's first manifest."""
    project.write("hello.toml", blocks("toml")[0])
    project.config('manifests = "."')
    return project


def test_every_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    project, shown = Project(tmp_path), 0
    for language, text in BLOCKS:
        if language == "toml" and text.startswith("manifest = 1"):
            project.write("manifests/hello.toml", text)
        if language == "console":
            for command, output in commands(text):
                # What else is installed on this machine is none of the page's.
                alone = f"{command} --no-plugins" if command == "dispatcher plugins" else command
                assert_shows(output, run(alone, project))
                shown += 1
    assert shown == README.count("\n$ ")


def test_what_is_said_of_sending_happens(hello: Project, inbox: SandboxProcess) -> None:
    """The page begins where the README's first manifest ends, with a connection that breaks."""
    page = SENDING
    for heading in (A_FEW_FIRST, REVIEWED, ONCE_A_DAY):
        page = page.replace(section(heading), "")
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    shown = [each for language, text in blocks_of(page) for each in commands(text)]
    assert len(shown) == page.count("\n$ ") > 0
    for command, output in shown:
        assert_shows(output, run(command, hello))


def test_what_is_said_of_a_few_first_happens(project: Project) -> None:
    found = blocks_of(section(A_FEW_FIRST))
    project.config('manifests = "."\n[delivery]\nworkers = 1\n')  # results in their order
    for language, name in (("toml", "sale.toml"), ("csv", "customers.csv")):
        project.write(name, dict(found)[language])
    shown = [each for _, text in found for each in commands(text)]
    assert len(shown) == section(A_FEW_FIRST).count("\n$ ") > 0
    for command, output in shown:
        assert_shows(output, run(command, project))
    assert sorted(project.arrived(to="79990000000")) == [
        f"Dear {name}, spring prices are here." for name in ("Anna", "Boris")
    ]


def test_what_is_said_of_a_reviewed_plan_happens(project: Project) -> None:
    project.config('manifests = "."')
    for language, name in (("toml", "sale.toml"), ("csv", "customers.csv")):
        project.write(name, dict(blocks_of(section(A_FEW_FIRST)))[language])
    shown = [each for _, text in blocks_of(section(REVIEWED)) for each in commands(text)]
    assert len(shown) == section(REVIEWED).count("\n$ ") > 0
    for command, output in shown:
        assert_shows(output, run(command, project))
    project.has_sent_nothing()


def test_what_is_said_of_a_change_happens(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8")
    project = Project(tmp_path)
    project.environment |= AUTHOR
    project.write("manifests/shop.toml", dict(blocks_of(page))["toml"])
    committed(project.folder)
    shown = [each for language, text in blocks_of(page) for each in commands(text)]
    assert len(shown) == page.count("\n$ ") > 0
    for command, output in shown:
        assert_shows(output, run(command, project))
    script = project.run(program=("-c", dict(blocks_of(page))["python"]))
    assert script.stdout == "changed shop/opening 2\nmoved shop/thank-you 0\n"


def write_digest(project: Project, folder: str = "") -> None:
    """The manifest that is sent once a day, with its list and its text."""
    project.write(f"{folder}digest.toml", dict(blocks_of(section(ONCE_A_DAY)))["toml"])
    project.write(f"{folder}customers.csv", dict(blocks_of(section(A_FEW_FIRST)))["csv"])
    project.write(f"{folder}digest.txt", "Good morning, {{ name }}!")


def test_what_is_said_of_once_a_day_happens(project: Project) -> None:
    project.config('manifests = "."')
    write_digest(project)
    shown = [each for _, text in blocks_of(section(ONCE_A_DAY)) for each in commands(text)]
    assert len(shown) == section(ONCE_A_DAY).count("\n$ ") > 0
    for command, output in shown:
        assert_shows(output, run(command, project))
    assert project.arrived(to="79001234501") == ["Good morning, Anna!"] * 2


def test_the_line_of_the_crontab_sends(project: Project) -> None:
    *variables, line = dict(blocks_of(read("docs/how-to/cron.md")))["crontab"].splitlines()
    for variable in variables:
        name, _, value = variable.partition("=")
        if name != "PATH":  # it leads to the program, which is not installed there
            project.environment[name] = value.replace("/srv/shop", str(project.folder))
    del project.environment["GREENAPI_TOKEN"]
    token = project.write("token", TOKEN)
    project.environment["GREENAPI_TOKEN_FILE"] = str(token)
    write_digest(project, "manifests/")
    schedule, command = re.fullmatch(r"((?:\S+ ){5}) *(.*)", line).groups()
    assert schedule == "0 9 * * * "
    for outcome in ("3 sent", "3 skipped"):
        shown = run(command.replace("/srv/shop", str(project.folder)), project)
        assert shown.splitlines()[-1] == outcome


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
    page, project = (ROOT / "docs" / "editor.md").read_text(encoding="utf-8"), Project(tmp_path)
    shown = [each for _, text in blocks_of(page) for each in commands(text)]
    assert len(shown) == page.count("\n$ ") > 0
    [refused] = [text for _, text in blocks_of(page) if text.startswith("manifest = 1")]
    project.write("manifests/welcome.toml", refused)
    for command, output in shown:
        assert_shows(output, run(command, project))


def test_every_option_is_in_the_pages() -> None:
    """An option that only --help knows is not found by anybody who does not look for it."""
    pages = [page for page in PAGES if page.parent != ROOT]
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


def test_what_is_said_of_postgresql_happens(hello: Project, database: Database) -> None:
    """The page begins where a message was sent, and the server has become another one since."""
    page = (ROOT / "docs" / "postgresql.md").read_text(encoding="utf-8")
    shown = [each for _, text in blocks_of(page) for each in commands(text)]
    assert len(shown) == page.count("\n$ ") > 0
    name = f"docs_{uuid.uuid4().hex[:8]}"  # a role is the whole server's
    with psycopg.connect(database.url) as connection:
        for language, text in blocks_of(page):
            if language == "sql":
                connection.execute(text.replace("dispatcher", name).replace("auditor", f"{name}_2"))
        connection.rollback()
    hello.environment["DISPATCHER_JOURNAL"] = database.url
    assert "1 sent" in run("dispatcher send", hello)
    hello.write("bye.toml", blocks("toml")[0].replace("hello", "bye"))
    database.ask(
        "UPDATE dispatcher.origin"
        " SET server = jsonb_set(server::jsonb, '{timeline}', '2147483647')::text"
    )
    for command, output in shown:
        assert_shows(output, run(command, hello))


def test_an_sqlite_journal_moves_to_postgresql_as_is_said(
    project: Project, inbox: SandboxProcess, database: Database
) -> None:
    page = (ROOT / "docs" / "postgresql.md").read_text(encoding="utf-8")
    section = page.partition("## From an SQLite journal\n")[2].partition("\n## ")[0]
    script = "".join(re.findall(r"^    (.*\n)", section, re.MULTILINE))
    assert script.count("dispatcher ") == 4
    keys = "import json, sys; [print(json.loads(line)['key']) for line in sys.stdin]"
    script = script.replace("jq -r .key", f"'{sys.executable}' -c \"{keys}\"")
    script = 'each() { dispatcher "$@"; }\n' + script.replace("dispatcher ", "each ")
    for name in ("manifests/hello", "moving/first"):
        project.write(f"{name}.toml", blocks("toml")[0])
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    assert "1 unknown" in run("dispatcher send", project)
    project.environment["DISPATCHER_JOURNAL"] = database.url
    assert "Plan: 1 sent.\n" in run(script, project)
    assert "1 skipped" in run("dispatcher send", project)
    assert len(inbox.messages()) == 2


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


def test_the_fault_of_the_readme_leaves_it_unknown(hello: Project, inbox: SandboxProcess) -> None:
    rules = re.search(r"-d '(.*)'", README)
    headers = {"Content-Type": "application/json"}
    put = urllib.request.Request(
        f"{inbox.url}/api/faults", rules[1].encode(), headers, method="PUT"
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(put).close()
    for _ in range(2):
        assert "1 unknown" in hello.call("send").stderr
    assert len(inbox.messages()) == 1


def test_the_plugin_of_the_readme_works(tmp_path: Path) -> None:
    project = Project(tmp_path)
    [code] = blocks("python")
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
