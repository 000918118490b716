"""Editors and `validate` say the same of a manifest, but for what docs/editor.md lists."""

import re
import shutil
from pathlib import Path

import pytest
import tomli

from dispatcher import Dispatcher, DispatcherError
from dispatcher.toml.file import read_toml
from tests import test_bad_input, test_newer_forms
from tests.e2e import test_mistakes
from tests.support.editors import EDITORS, format_all, program, reports
from tests.support.language_server import language_server
from tests.support.pages import blocks_of
from tests.support.project import EXAMPLES, NewProject, Project
from tests.support.waiting import wait_until
from tests.support.written import files_of_tests
from tests.test_docs import PAGES

ROOT = Path(__file__).parents[1]
LISTED = (ROOT / "docs" / "editor.md").read_text(encoding="utf-8")
LISTED = LISTED.partition("\n## What a schema cannot say\n")[2].partition("\n## ")[0]

# Why a schema cannot say it, as docs/editor.md lists it, and how `validate` begins to say it.
UNSAYABLE = {
    "Other files": (
        'elsewhere: |no such file|".*" is a folder, not|the file .* is outside|cannot use the file'
        "|cannot read the text|write / between|byte 0x|the text (holds|is UTF)"
    ),
    "Templates": (
        r".*\{[{%#]|unknown variable|no filter|a filter lacks|a list or table|the template takes"
        r"|= compares|round works|this is out of the reach|there is no (\?|.x. in)|set cannot be"
        r"|write elif|“ \(U\+201C\) has no place|\* is for|a number is too|body "
    ),
    "Recipients": (
        '".*" (is neither a phone|is more than one number|has decimals|holds ７)|".*": (needs coun'
        "|a phone number has|a number that begins)|recipient_type is"
    ),
    "What a gateway takes": "the text has 4097 characters",
    "Sources": "no plugin knows|provider goes with a link, but the source is a file",
    "Links": '".*" is (not an http or https link|not a valid URL)',
    "What is there twice": "this id is used|.* is a recipient twice|the name .* is also that of",
}
# What this editor alone does not see. (Taplo passes over a file that is not UTF-8.)
OF_ONE = {"tombi": "^$", "taplo": "body is text; put 2026-01-01|this program reads|byte 0x"}
MARK = "\ufeff".encode()  # an editor takes it away before a file is checked


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory, new_project: NewProject) -> dict[str, Path]:
    """Those of what is in the folders of the corpus."""
    folder, project = tmp_path_factory.mktemp("schemas"), new_project()
    commands = {"manifests": ["schema"], "configurations": ["schema", "--config"]}
    paths = {name: folder / f"{name}.json" for name in commands}
    for name, command in commands.items():
        write(paths[name], project.call(*command).stdout)
    return paths


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files that the pages show, and those of the suites of bad input."""
    folder, drafts = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("drafts")
    for kind, texts in (("manifests", shown_manifests()), ("configurations", shown_settings())):
        for number, text in enumerate(texts):
            write(folder / kind / "pages" / f"{number}.toml", text)
    for suite in (test_bad_input, test_mistakes, test_newer_forms):
        for number, files in enumerate(files_of_tests(suite, drafts / suite.__name__)):
            for name, content in files.items():
                if name.isascii() and name.isprintable():
                    kind = "configurations" if name == "dispatcher.toml" else "manifests"
                    write(folder / kind / f"{suite.__name__}-{number}" / name, content)
    return folder


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def shown() -> list[str]:
    pages = (page.read_text(encoding="utf-8") for page in PAGES)
    return [text for page in pages for kind, text in blocks_of(page) if kind == "toml"]


def shown_manifests() -> list[str]:
    """Those of the folder manifests/, and those that the pages show."""
    examples = (path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.toml")))
    return [*examples, *(text for text in shown() if re.search("(?m)^manifest = 1$", text))]


def shown_settings() -> list[str]:
    """What the README shows of dispatcher.toml."""
    return [text for text in shown() if text.startswith("manifests = ")]


@pytest.fixture(scope="module")
def errors(corpus: Path) -> dict[Path, list[str]]:
    """What `validate` says of each manifest: its errors, and what editors are said to refuse."""
    with Dispatcher.open(corpus / "manifests", third_party=False) as dispatcher:
        return {
            file: [
                each.message if each.location.path.endswith(".toml") else f"elsewhere: {each}"
                for each in dispatcher.check(file).problems
                if each.is_error or each.message.startswith("editors refuse")
            ]
            for file in sorted(corpus.glob("manifests/**/*.toml"))
        }


def wrong_settings(file: Path) -> str | None:
    """What is wrong with a dispatcher.toml, in any of its profiles."""
    profiles: list[str | None] = [None]
    try:
        while profiles:
            with Dispatcher.open(
                file.parent, config=file, profile=profiles.pop(), third_party=False
            ) as dispatcher:
                settings = dispatcher.config.settings
                for name in ("greenapi", settings.transport):
                    dispatcher.transports.get(name)
                dispatcher.registry.engine(settings.delivery.engine)
                if dispatcher.config.profile is None:
                    profiles += read_toml(file).data.get("profiles", {})
    except DispatcherError as error:
        return str(error)
    return None


@pytest.fixture(scope="module", params=EDITORS)
def editor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def refused(
    editor: str, corpus: Path, errors: dict[Path, list[str]], schemas: dict[str, Path]
) -> dict[Path, list[str]]:
    """What the editor says of each file that it refuses."""
    return reports(editor, corpus, schemas)


def test_an_editor_refuses_what_validate_refuses(
    editor: str, errors: dict[Path, list[str]], refused: dict[Path, list[str]]
) -> None:
    unsayable = "|".join([*UNSAYABLE.values(), OF_ONE[editor]])
    sayable = {
        file: rest
        for file, found in errors.items()
        if (rest := [error for error in found if not re.match(unsayable, error)])
    }
    assert len(sayable) > 150
    assert {file: sayable[file] for file in sayable if file not in refused} == {}


def test_an_editor_refuses_nothing_else(
    errors: dict[Path, list[str]], refused: dict[Path, list[str]]
) -> None:
    good = [file for file, found in errors.items() if not found or is_complete(file, found)]
    wrongly = {file: refused[file] for file in good if file in refused}
    assert [file for file in wrongly if not file.read_bytes().startswith(MARK)] == []


def is_complete(file: Path, found: list[str]) -> bool:
    """A page shows a manifest without the files that it names."""
    return file.parent.name == "pages" and all(each.startswith("no such file") for each in found)


def test_an_editor_refuses_settings_as_validate_does(
    editor: str, corpus: Path, refused: dict[Path, list[str]]
) -> None:
    files = list(corpus.glob("configurations/**/*.toml"))
    wrong = {file: found for file in files if (found := wrong_settings(file))}
    assert len(wrong) > 30
    missed = {file: wrong[file] for file in wrong if file not in refused}
    assert [each for each in missed.values() if not re.search(OF_ONE[editor], each)] == []
    wrongly = [file for file in files if file in refused and file not in wrong]
    assert [file for file in wrongly if not file.read_bytes().startswith(MARK)] == []


@pytest.mark.parametrize("reason", UNSAYABLE)
def test_what_a_schema_cannot_say_is_listed(
    reason: str, errors: dict[Path, list[str]], refused: dict[Path, list[str]]
) -> None:
    assert f"\n- **{reason}.**" in LISTED
    unseen = (found for file, found in errors.items() if found and file not in refused)
    assert any(all(re.match(UNSAYABLE[reason], error) for error in found) for found in unseen)


def test_a_manifest_that_an_editor_lays_out_is_the_same(editor: str, project: Project) -> None:
    shutil.copytree(EXAMPLES, project.folder / "manifests")
    readable = (text for text in shown_manifests() if r"\x" not in text)
    for number, text in enumerate(readable):
        project.write(f"pages/{number}.toml", text)
    files = sorted(project.folder.rglob("*.toml"))
    plan, good = project.call("plan", "--json"), project.call("validate")
    assert (plan.code, good.code) == (0, 0)
    read = {file: tomli.loads(file.read_text(encoding="utf-8")) for file in files}
    written = {file: file.read_bytes() for file in files}
    format_all(editor, project.folder)
    assert any(file.read_bytes() != written[file] for file in files)
    assert {file: tomli.loads(file.read_text(encoding="utf-8")) for file in files} == read
    assert (project.call("plan", "--json"), project.call("validate")) == (plan, good)


def test_an_editor_completes_keys_and_shows_what_they_mean(
    project: Project, schemas: dict[str, Path]
) -> None:
    head = f"#:schema {schemas['manifests']}\nmanifest = 1\n"
    message = '[[messages]]\nid = "a"\ntransport = ""\n[messages.image]\ncaption = "x"\n\n'
    file = project.write("m.toml", head + message)
    with language_server([program("tombi"), "lsp", "--offline"], file) as server:
        wait_until(lambda: server.hover(6, 1))  # it reads the schema first
        assert server.hover(6, 1).startswith("A text below it; may be a template.")
        assert {"source", "link", "id", "provider"} <= set(server.completions(7, 0))
        assert server.completions(4, 13) == ['"greenapi"']
