"""A journal that is not there yet is begun by a person's word, for gateways beyond this machine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher import Dispatcher, ExitCode, JournalMissing
from dispatcher.journal import open_journal
from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.git import committed, git
from tests.support.postgres import Database
from tests.support.project import Project, on_a_terminal

# It talks to the sandbox, and says that this is far away.
FAR = """
from dispatcher import hookimpl
from dispatcher.builtin.greenapi.transport import GreenApi

class Far(GreenApi):
    name = "far"
    local = False

@hookimpl
def dispatcher_transports():
    return [Far]
"""
NOT_THERE = "Error: there is no journal {} yet: nobody knows what was sent before\n"
ALLOW = "to begin one: --yes, in Python new_journal=True\n"


@pytest.fixture
def far(project: Project, tmp_path: Path) -> Project:
    """A git repository with one message for a gateway that is far away."""
    project.install("far", FAR)
    shutil.move(project.folder / "plugins", tmp_path)
    project.environment |= {"PYTHONPATH": str(tmp_path / "plugins"), "DISPATCHER_TRANSPORT": "far"}
    project.folder = project.folder / "shop"
    project.texts("a")
    committed(project.folder)
    return project


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if ".git" not in path.parts}


def test_where_there_is_none_nothing_is_sent_without_a_word(
    far: Project, inbox: SandboxProcess
) -> None:
    before = files(far.folder)
    result = far.call("send", "--json")
    assert (result.code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr == NOT_THERE.format(far.journal_file) + ALLOW
    assert files(far.folder) == before
    assert far.call("plan").code == far.call("validate").code == ExitCode.DONE

    assert far.call("send", "--yes").told == "1 sent\n"
    assert far.call("send").told == "1 skipped\n"
    assert len(inbox.messages()) == 1


def test_a_fresh_clone_does_not_know_what_was_sent(far: Project, inbox: SandboxProcess) -> None:
    far.call("send", "--yes")
    original = far.journal_file
    clone = far.folder.with_name("clone")
    git(far.folder.parent, "clone", far.folder, clone)
    far.folder = clone
    result = far.call("send")
    assert (result.code, result.stdout) == (ExitCode.USAGE, "")
    assert str(clone / ".dispatcher/journal.db") in result.stderr
    assert far.call("send", "--journal", f"sqlite:///{original}").told == "1 skipped\n"
    assert len(inbox.messages()) == 1
    assert far.call("send", "--yes").told == "1 sent\n", "who says so gets it"


@cases(
    "first, then, near",
    ([], ["manifests"], ""),
    (["manifests"], [], "/manifests"),
    (["-C", "manifests", "m.toml"], [], "/manifests"),
)
def test_a_journal_nearby_is_named(
    far: Project, inbox: SandboxProcess, first: list[str], then: list[str], near: str
) -> None:
    shutil.rmtree(far.folder / ".git")
    assert far.call("send", "--yes", *first).told == "1 sent\n"
    result = far.call("send", *then)
    assert result.code == ExitCode.USAGE
    found = f"--journal sqlite:///{far.folder}{near}/.dispatcher/journal.db"
    assert result.stderr.endswith(f"there is one elsewhere; if it is this one: {found}\n")
    assert far.call("send", *then, *found.split()).told == "1 skipped\n"
    assert len(inbox.messages()) == 1


def test_on_a_terminal_a_person_is_asked(far: Project, inbox: SandboxProcess) -> None:
    before = files(far.folder)
    refused = on_a_terminal(far, "n\n", "send")
    assert refused.code == ExitCode.INTERRUPTED
    fact = NOT_THERE.format(far.journal_file).removeprefix("Error: ").strip()
    assert f"{fact}. Begin one? [y/N]: " in refused.stderr
    assert (files(far.folder), inbox.messages()) == (before, [])

    begun = on_a_terminal(far, "y\nn\n", "send")
    assert (begun.code, inbox.messages()) == (ExitCode.INTERRUPTED, [])
    assert f"the journal {far.journal_file} is empty: nobody knows" in far.call("send").stderr
    assert "1 sent" in on_a_terminal(far, "y\ny\n", "send").stderr
    assert on_a_terminal(far, "", "send").told == "1 skipped\n"


def test_without_standard_input_there_is_nobody_to_ask(far: Project) -> None:
    far.sends_nothing("there is no journal", prefix=("sh", "-c", 'exec "$@" <&-', "sh"))


@cases("transport", "greenapi", "far")
def test_the_sandbox_needs_no_word(far: Project, transport: str) -> None:
    """Neither one that runs beside it, nor one of this run alone, though an account is set."""
    if transport == "greenapi":
        assert far.call("send", "--transport", transport).told == "1 sent\n"
        shutil.rmtree(far.folder / ".dispatcher")
    away = {"GREENAPI_BASE_URL": "https://api.example.com"}
    assert far.call("send", "--sandbox", "--transport", "greenapi", env=away).code == 0
    assert not (far.folder / ".dispatcher").exists()


@cases("kind", "sqlite", "postgresql")
def test_what_was_tried_on_this_machine_does_not_count_elsewhere(
    far: Project, inbox: SandboxProcess, database: Database, kind: str
) -> None:
    if kind == "postgresql":
        far.journal_at(database.url)
    assert far.call("send", "--transport", "greenapi").told == "1 sent\n"
    result = far.call("send")
    assert result.code == ExitCode.USAGE
    assert f"knows only what was sent to a gateway on this machine ({inbox.url})" in result.stderr
    assert far.call("send", "--transport", "greenapi").told == "1 skipped\n"

    assert "Go on with it? [y/N]: " in on_a_terminal(far, "n\n", "send").stderr
    assert len(inbox.messages()) == 1
    far.texts("a", "b")
    assert far.call("send", "--yes").told == "1 sent, 1 skipped\n"
    assert far.call("send").told == "2 skipped\n", "now it knows a gateway that is far away"

    assert far.call("send", "--transport", "greenapi").told == "2 skipped\n"


def test_a_trial_does_not_count_for_people(far: Project, inbox: SandboxProcess) -> None:
    """Where the journal knows the same transport from a gateway beyond this machine."""
    here = FAR.replace("local = False", "local = os.environ.get('HERE') == '1'")
    far.install("far", f"import os\n{here}")
    shutil.move(far.folder / "plugins", far.folder.parent / "other")
    far.environment["PYTHONPATH"] = str(far.folder.parent / "other")
    assert far.call("send", "--yes").told == "1 sent\n"
    far.texts("a", "b")
    result = far.call("send", env={"HERE": "1"})
    assert result.code == ExitCode.USAGE
    assert "would count as sent to people" in result.stderr
    assert far.call("send").told == "1 sent, 1 skipped\n"


def test_one_message_for_a_gateway_far_away_is_enough(far: Project, inbox: SandboxProcess) -> None:
    message = '[[messages]]\nid = "{0}"\ntransport = "{0}"\nto = "79001234567"\ntext.body = "Hi"\n'
    far.manifest(message.format("greenapi") + message.format("far"))
    assert far.call("send").code == ExitCode.USAGE
    assert inbox.messages() == []


def test_an_empty_file_is_no_journal(far: Project, inbox: SandboxProcess) -> None:
    far.write(".dispatcher/journal.db", "")
    assert far.call("send").stderr == NOT_THERE.format(far.journal_file) + ALLOW
    assert far.call("send", "--yes").told == "1 sent\n"


def test_a_database_without_the_tables_is_no_journal(
    far: Project, inbox: SandboxProcess, database: Database
) -> None:
    far.environment["DISPATCHER_JOURNAL"] = database.url
    result = far.call("send")
    assert result.code == ExitCode.USAGE
    assert result.stderr.startswith("Error: there is no journal postgresql://")
    assert database.ask("SELECT to_regnamespace('dispatcher')") == [(None,)]
    assert far.call("send", "--yes").told == "1 sent\n"
    assert far.call("send").told == "1 skipped\n"


@pytest.fixture
def opened(far: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dispatcher]:
    for name, value in far.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(far.environment["PYTHONPATH"])
    with Dispatcher.open(far.folder, transport="far") as dispatcher:
        yield dispatcher


def test_a_program_says_that_a_journal_may_be_begun(
    opened: Dispatcher, inbox: SandboxProcess
) -> None:
    plan = opened.plan()
    with pytest.raises(JournalMissing, match="there is no journal") as missing:
        list(opened.send(plan))
    assert missing.value.exit_code == ExitCode.USAGE
    assert inbox.messages() == []
    for status in ("sent", "skipped"):
        [result] = opened.send(plan, new_journal=status == "sent")
        assert result.outcome.status == status


@cases("kind", "sqlite", "postgresql")
def test_a_journal_that_goes_before_it_is_opened_is_not_made_anew(
    tmp_path: Path, database: Database, kind: str
) -> None:
    url = database.url if kind == "postgresql" else f"sqlite:///{tmp_path}/j.db"
    with (
        pytest.raises(JournalMissing, match="is not there any more"),
        open_journal(url, create=False),
    ):
        pytest.fail("it was made")
    with open_journal(url):
        pass
    with open_journal(url, create=False) as journal:
        assert journal.history() == []
