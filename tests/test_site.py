"""The site and the man page: built without a warning, leading somewhere, needing no network."""

import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from dispatcher.cli.app import app
from dispatcher.cli.events import EVENTS
from dispatcher.errors import ExitCode
from dispatcher.registry.conformance import HOOKS
from tests.support.pages import following, run_script
from tests.support.project import Project
from tests.support.requirements import require

ROOT = Path(__file__).parents[1]
_LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class _Page(HTMLParser):
    """What a page loads, where its links lead, and the anchors that it has."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.words: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in _LOADS and (target := values.get(_LOADS[tag])):
            self.loads.append(target)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@cache
def page(file: Path) -> _Page:
    return _Page(file)


def text(file: Path) -> str:
    return " ".join("".join(page(file).words).split())


def build(builder: str, to: Path, *options: str) -> None:
    strict = ("--quiet", "--nitpicky", "--fail-on-warning", "-d", str(to / "doctrees"))
    command = (sys.executable, "-m", "sphinx", *strict, "-b", builder, *options, "docs", str(to))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build("html", folder := tmp_path_factory.mktemp("site"))
    return folder


def pages(site: Path) -> list[Path]:
    return [file for file in site.rglob("*.html") if "_static" not in file.parts]


def test_every_link_leads_to_a_page_and_to_an_anchor_on_it(site: Path) -> None:
    lost = []
    for file in pages(site):
        for link in page(file).links + page(file).loads:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = file.parent / unquote(parts.path) if parts.path else file
            known = target.is_file()
            if known and parts.fragment and target.suffix == ".html":
                known = unquote(parts.fragment) in page(target.resolve()).anchors
            if not known:
                lost.append((file.name, link))
    assert lost == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert {
        load for file in pages(site) for load in page(file).loads if urlsplit(load).netloc
    } == set()
    for file in site.rglob("*.css"):
        assert "url(http" not in file.read_text(encoding="utf-8"), file


def test_the_reference_has_what_the_code_has(site: Path) -> None:
    commands = text(site / "reference" / "commands.html")
    for name in app.list_commands(click.Context(app)):
        assert f"dispatcher {name} " in commands
    codes = text(site / "reference" / "exit-codes.html")
    for code in ExitCode:
        assert f"{int(code)} {code.name} " in codes
    events = text(site / "reference" / "events.html")
    for command, named in EVENTS.items():
        assert all(f"{command}: {event} " in events for event in named)
    hooks = text(site / "reference" / "hooks.html")
    assert all(hook in hooks for hook in HOOKS)
    manifest = text(site / "reference" / "manifest.html")
    for said in (
        "[[messages]]",
        "[messages.recipients]",
        "Raise it to send to everybody once more.",
    ):
        assert said in manifest
    configuration = text(site / "reference" / "configuration.html")
    assert "[profiles.NAME]" in configuration
    assert "GREENAPI_TOKEN_FILE" in configuration


def test_the_design_says_of_exit_codes_what_the_code_says() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    for code in ExitCode:
        assert f"| {int(code)} | {code.meaning} |" in design


def test_the_man_page_is_shown(tmp_path: Path) -> None:
    require(shutil.which("man"), "man")
    project = Project(tmp_path)
    project.environment |= {"HOME": str(tmp_path), "MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
    build("man", tmp_path / "build/docs/man", "-t", "man")
    with following("docs/how-to/completion.md", "The man page") as followed:
        [script] = followed.scripts()
        # Where man looks follows from where programs are.
        shown = run_script(f"{script}man dispatcher", project, path=str(tmp_path / ".local/bin"))
    for said in ("dispatcher - sends", "--resend [", "EXIT STATUS"):
        assert said in shown
