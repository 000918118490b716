"""Wherever a run starts, it finds the one configuration and the one journal of its manifests."""

import copy
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from dispatcher import ConfigError, Dispatcher
from dispatcher.ownership import VARIABLE
from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.git import committed, git
from tests.support.project import Project

JOURNAL = ".dispatcher/journal.db"
MESSAGE = '[[messages]]\nid = "a"\nto = "79001234567"\ntext.body = "Hi"'

# From a repository to the folder in which a command runs, and its arguments.
Place: TypeAlias = Callable[[Path], tuple[Path, list[str]]]


def at(folder: Path, project: Project) -> Project:
    """The same account, from another folder."""
    other = copy.copy(project)
    other.folder = folder
    return other


@pytest.fixture
def project(project: Project) -> Project:
    """One in a folder that nothing else is in."""
    project.folder = project.folder / "shop"
    project.folder.mkdir()
    return project


@pytest.fixture(params=["", 'manifests = "manifests"\n'], ids=["plain", "configured"])
def repository(request: pytest.FixtureRequest, project: Project) -> Project:
    """A git repository with one message, without and with a configuration."""
    project.texts("a")
    if request.param:
        project.config(request.param)
    committed(project.folder)
    return project


def linked(top: Path) -> Path:
    """A second worktree of a repository, elsewhere."""
    tree = top.with_name("linked")
    if not tree.exists():
        git(top, "worktree", "add", tree)
    return tree


def symlink(top: Path, path: str = "") -> Path:
    link = top.with_name("link")
    link.symlink_to(top / path)
    return link


PLACES: dict[str, Place] = {
    "the top": lambda top: (top, []),
    "the top, with a folder": lambda top: (top, ["manifests"]),
    "the top, with a file": lambda top: (top, ["manifests/m.toml"]),
    "a subfolder": lambda top: (top / "manifests", []),
    "a subfolder, with a file": lambda top: (top / "manifests", ["m.toml"]),
    "outside, with a file": lambda top: (top.parent, ["shop/manifests/m.toml"]),
    "outside, with an absolute path": lambda top: (Path("/"), [str(top / "manifests")]),
    "outside, through a link": lambda top: (symlink(top).parent, ["link/manifests"]),
    "outside, through a link to the manifests": lambda top: (
        symlink(top, "manifests").parent,
        ["link"],
    ),
    "a linked folder": lambda top: (symlink(top), []),
    "outside, -C": lambda top: (top.parent, ["-C", "shop"]),
    "outside, -C twice": lambda top: (top.parent, ["-C", "shop", "-C", "manifests", "m.toml"]),
    "a linked worktree": lambda top: (linked(top), []),
    "a linked worktree's subfolder": lambda top: (linked(top) / "manifests", ["m.toml"]),
    "outside, with a path in a linked worktree": lambda top: (
        linked(top).parent,
        ["linked/manifests"],
    ),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_was_sent_is_sent_from_everywhere(
    repository: Project, inbox: SandboxProcess, place: Place
) -> None:
    top = repository.folder
    folder, arguments = place(top)
    assert repository.call("send").told == "1 sent\n"
    assert (top / JOURNAL).exists()

    assert at(folder, repository).call("send", *arguments).told == "1 skipped\n"
    assert at(folder, repository).call("plan", *arguments).stdout.startswith("= sent")
    assert len(inbox.messages()) == 1


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_was_sent_from_anywhere_is_sent(
    repository: Project, inbox: SandboxProcess, place: Place
) -> None:
    top = repository.folder
    folder, arguments = place(top)
    assert at(folder, repository).call("send", *arguments).told == "1 sent\n"

    assert repository.call("send").told == "1 skipped\n"
    assert list(top.parent.rglob("journal.db")) == [top / JOURNAL]


@cases("before", True, False, ids=["before the command", "after it"])
def test_the_configuration_and_the_folder_may_be_named(
    project: Project, inbox: SandboxProcess, before: bool
) -> None:
    project.texts("a")
    project.write("settings/shop.toml", 'manifests = "../manifests"\njournal = "sqlite:///j.db"')
    options = ["-C", str(project.folder), "--config", "settings/shop.toml"]
    elsewhere = at(project.folder.parent, project)

    result = elsewhere.call(*options, "send") if before else elsewhere.call("send", *options)
    assert result.told == "1 sent\n"
    assert (project.folder / "settings/j.db").exists()
    assert project.call("send", "--config", "settings/shop.toml").told == "1 skipped\n"
    assert len(project.call("history", "--config", "settings/shop.toml", "--json").lines) == 1


def test_each_folder_is_relative_to_the_one_before(project: Project) -> None:
    project.texts("a")
    above = at(project.folder.parent, project)
    result = above.call("-C", project.folder.name, "validate", "-C", "manifests", "m.toml")
    assert (result.code, result.stderr) == (0, "1 message, no errors\n")


def test_files_of_other_options_are_in_the_folder_that_is_named(project: Project) -> None:
    project.texts("a")
    project.call("send", "--journal", "sqlite:///my.db")
    project.write("keys.txt", "default/m/a/1/79001234567\n")
    above = at(project.folder.parent, project)
    name = project.folder.name

    flags = ["--journal", "sqlite:///my.db", "-C", name]
    result = above.call("settle", "--sent", "--from", "keys.txt", *flags)
    assert "is not unknown, but sent" in result.stderr
    assert above.call("history", *flags, "--export", "h.csv").code == 0
    assert (project.folder / "h.csv").exists()


def test_a_profile_has_one_journal_for_all_worktrees(
    project: Project, inbox: SandboxProcess
) -> None:
    project.texts("a")
    project.config("[profiles.staging.delivery]\nworkers = 1")
    tree = at(linked(committed(project.folder)), project)
    assert project.call("send", "--profile", "staging").told == "1 sent\n"
    assert tree.call("--profile", "staging", "send").told == "1 skipped\n"
    assert tree.call("send").told == "1 sent\n", "for people it is new"
    assert not (tree.folder / ".dispatcher").exists()


def test_a_relative_journal_below_a_worktree_is_in_the_same_place_of_the_main_one(
    project: Project, inbox: SandboxProcess
) -> None:
    project.manifest(MESSAGE, "app/manifests/m.toml")
    project.write("app/dispatcher.toml", 'journal = "sqlite:///state/j.db"')
    tree = linked(committed(project.folder))
    assert at(tree / "app", project).call("send").told == "1 sent\n"
    assert at(project.folder / "app", project).call("send").told == "1 skipped\n"
    assert (project.folder / "app/state/j.db").exists()


@cases("bare, home", ("shop.git", "shop.git"), ("all/.git", "all"))
def test_worktrees_of_a_bare_repository_share_a_journal(
    project: Project, inbox: SandboxProcess, bare: str, home: str
) -> None:
    project.texts("a")
    above = project.folder.parent
    git(above, "clone", "--bare", committed(project.folder), bare)
    trees = [at(above / "all" / name, project) for name in ("one", "two")]
    for tree in trees:
        git(above / bare, "worktree", "add", tree.folder)
    assert [tree.call("send").told for tree in trees] == ["1 sent\n", "1 skipped\n"]
    assert (above / home / JOURNAL).exists()


def test_a_submodule_is_a_repository_of_its_own(project: Project, inbox: SandboxProcess) -> None:
    project.texts("a")
    committed(project.folder)
    above = project.folder.with_name("above")
    above.mkdir()
    git(above, "init")
    git(above, "submodule", "add", project.folder, "campaigns")
    git(above, "commit", "--message", "All")
    module, tree = above / "campaigns", at(above.with_name("tree"), project)
    git(module, "worktree", "add", tree.folder)

    assert at(above, project).call("send", "campaigns/manifests").told == "1 sent\n"
    assert (module / JOURNAL).exists()
    assert at(module, project).call("send").told == "1 skipped\n"
    assert tree.call("send").told == "1 skipped\n"


def test_a_repository_that_is_kept_elsewhere(project: Project, inbox: SandboxProcess) -> None:
    project.texts("a")
    committed(project.folder)
    store = project.folder.with_name("store")
    git(project.folder, "init", "--separate-git-dir", store)
    assert project.call("send").told == "1 sent\n"
    assert (project.folder / JOURNAL).exists()

    tree = at(linked(project.folder), project)
    result = tree.call("send")
    assert result.code == 2
    assert f"git does not say where the main worktree of {store} is (core.worktree); " in (
        result.stderr
    )
    git(project.folder, "config", "core.worktree", "../shop")
    assert tree.call("send").told == "1 skipped\n"


def test_a_folder_that_is_linked_into_a_repository_belongs_to_it(
    project: Project, inbox: SandboxProcess
) -> None:
    project.texts("a")
    shared = project.folder.with_name("shared")
    shutil.move(project.folder / "manifests", shared)
    (project.folder / "manifests").symlink_to(shared)
    committed(project.folder)
    assert project.call("send", "manifests/m.toml").told == "1 sent\n"
    assert project.call("send").told == "1 skipped\n"
    assert (project.folder / JOURNAL).exists()


def test_without_git_the_journal_is_beside_the_manifests(
    project: Project, inbox: SandboxProcess
) -> None:
    project.texts("a")
    folder = project.folder / "manifests"
    arguments = ["manifests"], ["manifests/m.toml"], ["-C", "manifests", "."]
    said = [project.call("send", *each).told for each in arguments]
    assert said == ["1 sent\n", "1 skipped\n", "1 skipped\n"]
    assert at(Path("/"), project).call("send", str(folder)).told == "1 skipped\n"
    assert (folder / JOURNAL).exists()


def test_the_first_path_decides_and_a_later_one_where_it_has_none(
    project: Project, inbox: SandboxProcess
) -> None:
    project.texts("a")
    project.config('journal = "sqlite:///here.db"')
    project.write("shop/dispatcher.toml", 'journal = "sqlite:///there.db"')
    outside = at(project.folder / "shop", project)
    assert outside.call("send", str(project.folder / "manifests")).told == "1 sent\n"
    assert (project.folder / "here.db").exists()

    stray = project.folder.with_name("stray")
    stray.mkdir()
    shutil.copy(project.folder / "manifests/m.toml", stray / "other.toml")
    result = at(stray, project).call("send", "other.toml", str(project.folder / "manifests"))
    assert "1 skipped" in result.stderr
    assert not (stray / ".dispatcher").exists()


def test_a_program_finds_the_same_as_the_command(
    repository: Project, inbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = repository.folder
    for name, value in repository.environment.items():
        monkeypatch.setenv(name, value)
    repository.call("send")
    named = {"config": "dispatcher.toml"} if (top / "dispatcher.toml").exists() else {}
    for folder, options in (
        (top / "manifests", {}),
        ("/", {"paths": top / "manifests/m.toml"}),
        (top.parent, {"paths": ["shop/manifests", "shop"]}),
        (linked(top), named),
    ):
        with Dispatcher.open(folder, third_party=False, **options) as dispatcher:
            assert dispatcher.journal == f"sqlite:///{repository.journal_file}"
            assert [row.message for row in dispatcher.history()] == ["a"]
    with pytest.raises(ConfigError, match="there is no such file"):
        Dispatcher.open(top, config="nowhere.toml")


# Bad input


def refused(project: Project, *arguments: str) -> str:
    """What is said of a command that sends nothing."""
    result = project.call("send", *arguments)
    assert (result.code, result.stdout) == (2, "")
    assert not list(project.folder.rglob("*.db"))
    return result.stderr


def test_two_configurations_are_one_too_many(project: Project) -> None:
    for name in ("one", "two"):
        project.write(f"{name}/dispatcher.toml", 'manifests = "."')
        project.manifest(MESSAGE, f"{name}/{name}.toml")
    said = refused(project, "one/one.toml", "two")
    assert said == (
        f"Error: one/one.toml belongs to {project.folder}/one/dispatcher.toml, but two to "
        f"{project.folder}/two/dispatcher.toml; name one after the other, or the configuration for "
        "both with --config FILE\n"
    )
    (project.folder / "two/dispatcher.toml").unlink()
    (project.folder / "two/dispatcher.toml").symlink_to("../one/dispatcher.toml")
    assert project.call("validate", "one/one.toml", "two").code == 0, "it is one"


@cases(
    "arguments, sentence",
    (["-C", "nowhere"], '-C: "nowhere": no such file or directory'),
    (["-C", "a.txt"], '-C: "a.txt": not a directory'),
    (["--config", "nowhere.toml"], "--config {}/nowhere.toml: there is no such file"),
    (["--config", "."], "--config {0} is a folder; name the file: {0}/dispatcher.toml"),
    (
        ["--config", "a.toml", "--config", "b.toml"],
        "--config names two files: a.toml and b.toml",
    ),
)
def test_what_is_not_there(project: Project, arguments: list[str], sentence: str) -> None:
    project.texts("a")
    project.write("a.txt", "")
    assert f"Error: {sentence.format(project.folder)}\n" in refused(project, *arguments)
    assert project.call(*arguments, "send").code == 2


def test_the_same_configuration_may_be_named_twice(project: Project) -> None:
    project.texts("a")
    project.config("")
    named = ["--config", "dispatcher.toml"]
    assert project.call(*named, "validate", *named, "--config", "./dispatcher.toml").code == 0


def it_says(text: str) -> Callable[[Path], object]:
    return lambda mark: mark.write_text(text)


def without_commondir(mark: Path) -> None:
    private = Path(mark.read_text().removeprefix("gitdir: ").strip())
    (private / "commondir").write_text("../../nowhere")


def a_pipe(mark: Path) -> None:
    mark.unlink()
    os.mkfifo(mark)


@cases(
    "spoil, sentence",
    (it_says(""), '{mark} does not say where its repository is, in a line "gitdir: PATH"'),
    (it_says("gitdir: \n"), "{mark} names no folder"),
    (it_says("gitdir: /nowhere"), "/nowhere, which {mark} names, is no git repository"),
    (without_commondir, "{top}/.git/nowhere, which {top}/.git/worktrees/linked/commondir names"),
    (a_pipe, "{mark} is no file"),
)
def test_a_broken_git_is_no_reason_to_guess(
    repository: Project, spoil: Callable[[Path], object], sentence: str
) -> None:
    top = repository.folder
    tree = at(linked(top), repository)
    mark = tree.folder / ".git"
    spoil(mark)
    said = refused(tree)
    assert sentence.format(mark=mark, top=top) in said
    assert "put it right, or name the journal with --journal" in said
    assert tree.call("validate").code == 0, "which needs no journal"
    assert tree.call("send", "--journal", "sqlite:///../j.db").told == "1 sent\n"


def test_what_is_no_repository_to_git_is_none(project: Project, inbox: SandboxProcess) -> None:
    project.texts("a")
    committed(project.folder)
    project.write("manifests/.git/notes.txt", "")
    assert project.call("send", "manifests").told == "1 sent\n"
    assert project.journal_file.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@cases("whose", "linked/.git", "shop/.git", "shop/.git/worktrees/linked")
def test_the_git_of_somebody_else_is_not_followed(repository: Project, whose: str) -> None:
    tree = at(linked(repository.folder), repository)
    above = tree.folder.parent
    os.chown(above / whose, 4_000_123, 4_000_124)
    said = refused(tree)
    assert f"{above / whose} belongs to another user (4000123)" in said
    assert f"or set {VARIABLE}={above}" in said
    assert tree.call("send", env={VARIABLE: str(above)}).told == "1 sent\n"
