"""`diff` in the repositories that people and CI have: which commit, and what of it can be read."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from dispatcher.api import Dispatcher
from tests.support.cases import cases
from tests.support.git import committed, git
from tests.support.project import Project, text

LIST = '[[messages]]\nid = "a"\nrecipients = "people.csv"\ntext.body = "Dear {{ name }}!"\n'
NOTHING = "Nothing changes for recipients, compared with "
Text = Callable[..., Path]


@pytest.fixture
def repository(offline: Project) -> Project:
    """One with a commit on main, and a changed message on a branch."""
    offline.manifest(text("a"))
    offline.write(".gitignore", ".dispatcher/\n")
    committed(offline.folder)
    git(offline.folder, "checkout", "-b", "branch")
    commit(offline, body="Goodbye")
    return offline


def commit(project: Project, body: str) -> None:
    project.manifest(text("a", body=body))
    git(project.folder, "commit", "--all", "--message", body)


def cloned(source: Project, *options: str) -> Project:
    """A clone of the branch, as CI makes it."""
    folder = source.folder.with_name("clone")
    git(source.folder, "clone", "--branch", "branch", *options, source.folder.as_uri(), folder)
    return Project(folder)


def test_the_commit_where_the_branch_began_is_the_default(repository: Project) -> None:
    git(repository.folder, "checkout", "main")
    commit(repository, body="Meanwhile")
    git(repository.folder, "checkout", "branch")
    result = repository.call("diff")
    assert re.match(r"Compared with [0-9a-f]{7} \(merge base with main\):\n", result.stdout)
    assert "text.body: [-Hello-]{+Goodbye+}\n" in result.stdout
    assert (result.code, result.stderr) == (0, "")


def test_without_a_temporary_folder(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    why = "No usable temporary directory found"
    monkeypatch.setattr("tempfile.gettempdir", Mock(side_effect=FileNotFoundError(2, why)))
    repository.call("diff").refused(f"no folder for the commit: {why}; TMPDIR can name another")


def test_nothing_is_one_line(repository: Project) -> None:
    result = repository.call("diff", "HEAD", "--check")
    assert (result.code, result.stderr) == (0, "")
    assert re.fullmatch(NOTHING + r"[0-9a-f]{7} \(HEAD\)\.\n", result.stdout)
    assert repository.call("diff", "HEAD", "--format", "markdown").stdout == result.stdout


def test_the_working_tree_counts_as_it_is(repository: Project) -> None:
    repository.manifest(text("a", body="Goodbye") + text("b"))
    repository.manifest(text("c"), "manifests/untracked.toml")
    found = repository.call("diff", "HEAD", "--json").events("diff")
    assert [(each["kind"], each["message"]) for each in found] == [
        ("new", "m/b"),
        ("new", "untracked/c"),
    ]


def test_a_path_limits_both_sides(repository: Project) -> None:
    repository.manifest(text("b"), "manifests/b.toml")
    assert "m/a" in repository.call("diff", "main").stdout
    only = repository.call("diff", "main", "manifests/b.toml").stdout
    assert "b/b" in only
    assert "m/a" not in only
    assert repository.call("diff", "manifests/b.toml").stdout.count("\n+ ") == 1
    repository.config("")
    repository.call("diff", "main", "/etc/hosts").refused("is not in the git repository")


@cases("name", "main", "origin/main", "{commit}")
def test_no_folder_takes_the_place_of_a_revision(name: str, repository: Project) -> None:
    git(repository.folder, "update-ref", "refs/remotes/origin/main", "main")
    name = name.format(commit=git(repository.folder, "rev-parse", "main").strip())
    repository.manifest(text("b"), f"{name}/b.toml")
    repository.call("diff", name).refused(f"--rev {name} for the revision", f"./{name} for the")
    assert "m/a" in repository.call("diff", "--rev", name).stdout
    only = repository.call("diff", f"./{name}").stdout
    assert "b/b" in only
    assert "m/a" not in only
    assert "m/a" not in repository.call("diff", "--rev", name, name).stdout


@cases("name", "-x", "--help", "^main", "")
def test_what_git_would_take_for_something_else_is_no_revision(
    name: str, repository: Project
) -> None:
    git(repository.folder, "update-ref", "refs/tags/-x", "main")
    repository.call("diff", f"--rev={name}").refused(f'there is no revision "{name}" here')
    assert "Goodbye" in repository.call("diff", "--rev", "refs/tags/-x").stdout


@cases("name", "two\nlines", "two\u2028lines", "two\x85lines", " space ", "end\n")
def test_a_folder_may_have_any_name(name: str, repository: Project) -> None:
    moved = Project(repository.folder.rename(repository.folder.with_name(name)))
    assert "Goodbye" in moved.call("diff").stdout


def test_a_linked_worktree_compares_itself(repository: Project) -> None:
    folder = repository.folder.with_name("linked")
    git(repository.folder, "worktree", "add", folder, "-b", "other", "main")
    linked = Project(folder)
    assert linked.call("diff").stdout.startswith(NOTHING)
    assert "Goodbye" in linked.call("diff", "branch").stdout


def test_a_configuration_below_the_top_of_the_repository(repository: Project) -> None:
    below = Project(repository.folder / "apps" / "shop")
    below.manifest(text("a", body="One"))
    below.config("")
    git(repository.folder, "add", "--all")
    git(repository.folder, "commit", "--message", "Below")
    below.manifest(text("a", body="Two"))
    assert "text.body: [-One-]{+Two+}\n" in below.call("diff", "HEAD").stdout


def test_a_detached_head_without_a_default_branch_says_what_to_do(repository: Project) -> None:
    clone = cloned(repository)
    git(clone.folder, "checkout", "--detach")
    git(clone.folder, "remote", "set-head", "origin", "--delete")
    assert "(merge base with origin/main)" in clone.call("diff").stdout
    git(clone.folder, "branch", "--remotes", "--delete", "origin/main", "origin/branch")
    git(clone.folder, "branch", "--delete", "--force", "branch")
    clone.call("diff").refused("dispatcher diff REV", "git fetch origin main")


def test_a_shallow_clone_says_what_to_fetch(repository: Project) -> None:
    git(repository.folder, "checkout", "main")
    clone = cloned(repository, "--depth=1", "--no-single-branch")
    clone.call("diff").refused("git fetch --unshallow", "fetch-depth: 0")
    clone.call("diff", "HEAD~1").refused("git fetch --unshallow")
    clone.call("diff", "v1").refused("git fetch --depth=1 origin v1")
    assert "Goodbye" in clone.call("diff", "origin/main").stdout


def test_a_partial_clone_is_not_completed_over_the_network(repository: Project) -> None:
    git(repository.folder, "config", "uploadpack.allowFilter", "true")
    clone = cloned(repository, "--filter=blob:none")
    clone.call("diff", "origin/main").refused("not in this clone", "git fetch --refetch")


def test_a_git_that_ends_too_early_gives_no_half_of_a_file(
    repository: Project, tmp_path: Path
) -> None:
    repository.write("manifests/long.txt", "word " * 20_000)
    repository.manifest('[[messages]]\nid = "a"\nto = "79001234567"\ntext.file = "long.txt"\n')
    committed(repository.folder)
    git_itself = shutil.which("git")
    passes_on = """
import os, subprocess, sys
git, left = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE), 50_000
while left and (piece := os.read(git.stdout.fileno(), left)):
    left -= os.write(1, piece)
git.kill()"""
    script = (
        f'case "$*" in *cat-file*) exec {sys.executable} -c \'{passes_on}\' {git_itself} "$@";;\n'
        f'*) exec {git_itself} "$@";; esac'
    )
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    result = repository.call("diff", "HEAD", env={"PATH": path})
    result.refused("git ended before the whole file was there")


def test_a_bare_repository_has_nothing_to_compare(repository: Project) -> None:
    bare = cloned(repository, "--bare")
    bare.call("diff").refused("git says: this operation must be run in a work tree")


def test_a_repository_of_somebody_else_can_be_trusted(repository: Project) -> None:
    result = repository.call("diff", env={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    result.refused("dubious ownership", "git config --global --add safe.directory ")


def test_what_is_no_revision_or_no_repository_is_said(offline: Project) -> None:
    offline.manifest(text("a"))
    for arguments in ([], ["main"]):
        offline.call("diff", *arguments).refused("is in no git repository", "git init")
    git(offline.folder, "init")
    offline.call("diff").refused("there is no commit yet")
    committed(offline.folder)
    offline.call("diff", "nowhere").refused('no revision "nowhere"', "git fetch origin nowhere")


def test_branches_without_a_common_commit_are_compared_by_name(repository: Project) -> None:
    git(repository.folder, "checkout", "--orphan", "lonely")
    git(repository.folder, "commit", "--message", "Alone")
    repository.call("diff").refused("have no commit in common", "dispatcher diff REV")
    assert "Goodbye" in repository.call("diff", "main").stdout


def test_a_hook_of_git_does_not_mislead_it(repository: Project) -> None:
    elsewhere = {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index", "GIT_WORK_TREE": "/"}
    assert "Goodbye" in repository.call("diff", env=elsewhere).stdout


def test_nothing_is_written_and_no_program_of_the_repository_runs(repository: Project) -> None:
    ran = repository.folder.with_name("ran")
    for name in ("filter.x.smudge", "filter.x.clean", "core.fsmonitor", "diff.x.textconv"):
        git(repository.folder, "config", name, f"touch {ran}; cat")
    repository.write(".gitattributes", "*.toml filter=x diff=x export-ignore\n")
    hook = repository.write(".git/hooks/post-checkout", f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    git(repository.folder, "-c", "core.fsmonitor=false", "add", ".gitattributes")
    ran.unlink(missing_ok=True)
    before = state(repository.folder)
    assert "[-Hello-]{+Goodbye+}" in repository.call("diff", "main").stdout
    assert state(repository.folder) == before
    assert not ran.exists()


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time."""
    files = (each for each in folder.rglob("*") if each.is_file())
    infos = {str(each): each.stat() for each in files}
    return {name: (info.st_size, info.st_mtime_ns) for name, info in infos.items()}


def test_what_leads_out_of_the_repository_is_not_taken_for_its_content(offline: Project) -> None:
    secret = offline.folder.with_name("secret.csv")
    secret.write_text("to,name\n79001234501,Secret\n")
    offline.manifest(LIST)
    list_, folder = offline.folder / "manifests" / "people.csv", offline.folder / "manifests" / "up"
    list_.symlink_to("../../secret.csv")
    folder.symlink_to(secret.parent)
    committed(offline.folder)
    list_.unlink()
    folder.unlink()
    offline.write("manifests/people.csv", "to,name\n79001234501,Anna\n")
    result = offline.call("diff", "HEAD")
    assert "Secret" not in result.stdout
    assert "+ m/a  new: text for 1 person" in result.stdout
    for name in ("people.csv", "up"):
        assert f"manifests/{name} is a link that leads out of the repository" in result.stderr


@cases("there", True, False)
def test_no_file_out_of_the_copy_is_written(
    there: bool, offline: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = offline.folder.with_name("tmp")
    victim = temporary / "atk" / "victim.rc"
    victim.parent.mkdir(parents=True)
    if there:
        victim.write_text("precious")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    project = Project(offline.folder / "p")
    project.manifest(text("a"))
    config = project.folder / "dispatcher.toml"
    # The last link, which is copied because of the second one, decides where the first one leads.
    config.symlink_to("../q/1/2/3/n/../../atk/victim.rc")
    (project.folder / "z").symlink_to("../q")
    deep = offline.folder / "q" / "1" / "2" / "3"
    deep.mkdir(parents=True)
    (deep / "n").symlink_to("../../../../p")
    committed(offline.folder)
    config.unlink()
    project.config("")
    result = project.call("diff", "HEAD")
    assert result.code == 0
    assert "p/dispatcher.toml is a link that leads out of the repository" in result.stderr
    assert [each.name for each in temporary.rglob("*")] == ["atk", *["victim.rc"] * there]
    assert not there or victim.read_text() == "precious"


@cases("target", "missing/../../..", "/etc", "..")
def test_a_configuration_is_replaced_and_not_followed(target: str, offline: Project) -> None:
    offline.manifest(text("a"))
    config = offline.folder / "dispatcher.toml"
    config.symlink_to(target)
    committed(offline.folder)
    config.unlink()
    offline.config("")
    result = offline.call("diff", "HEAD")
    assert result.code == 0
    assert "dispatcher.toml is a link that leads out of the repository" in result.stderr


def test_a_folder_in_place_of_a_configuration_is_replaced(offline: Project) -> None:
    offline.manifest(text("a"))
    offline.write("dispatcher.toml/x", "")
    committed(offline.folder)
    offline.write("dispatcher.toml/x", "").unlink()
    (offline.folder / "dispatcher.toml").rmdir()
    offline.config("")
    result = offline.call("diff", "HEAD")
    assert "planned with the configuration of today" in result.stderr
    assert result.stdout.startswith(NOTHING)


def test_a_link_may_lead_to_a_folder_above(offline: Project) -> None:
    below = Project(offline.folder / "m")
    below.config("")
    below.manifest(text("a"))
    offline.write("list.csv", "to,name\n79001234501,Anna\n")
    (below.folder / "top").symlink_to("..")
    (below.folder / "a-first").symlink_to("top/list.csv")
    committed(offline.folder)
    result = below.call("diff", "HEAD")
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.startswith(NOTHING)


def test_links_within_the_repository_are_followed(offline: Project) -> None:
    offline.manifest(LIST)
    offline.write("manifests/lists/first.csv", "to,name\n79001234501,Anna\n")
    (offline.folder / "manifests" / "people.csv").symlink_to("lists/first.csv")
    committed(offline.folder)
    offline.write("manifests/lists/first.csv", "to,name\n79001234501,Maria\n")
    assert "Dear [-Anna-]{+Maria+}!" in offline.call("diff", "HEAD").stdout


def test_a_file_in_lfs_is_itself_where_it_is_at_hand(offline: Project) -> None:
    files = {each: hashlib.sha256(each.encode()).hexdigest() for each in ("Old", "New")}
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n"
    offline.manifest('[[messages]]\nid = "a"\nto = "79001234567"\ndocument.source = "a.txt"\n')
    offline.write("manifests/a.txt", pointer.format(files["Old"]))
    committed(offline.folder)
    offline.write("manifests/a.txt", "Old")
    assert offline.call("diff", "HEAD").stdout.startswith(NOTHING)
    offline.write("manifests/a.txt", "New")
    result = offline.call("diff", "HEAD")
    assert "manifests/a.txt is in Git LFS, and what it was is not here" in result.stderr
    id = files["Old"]
    offline.write(f".git/lfs/objects/{id[:2]}/{id[2:4]}/{id}", "Old")
    result = offline.call("diff", "HEAD")
    assert f"sha256 [-{id[:12]}-]{{+{files['New'][:12]}+}}" in result.stdout
    assert result.stderr == ""


def test_a_submodule_is_told(offline: Project, repository: Project) -> None:
    other = repository.folder.with_name("other")
    other.mkdir()
    Project(other).manifest(text("shared"), "shared.toml")
    committed(other)
    git(repository.folder, "submodule", "add", other.as_uri(), "manifests/shared")
    git(repository.folder, "commit", "--message", "Submodule")
    assert "manifests/shared is a submodule" in repository.call("diff", "HEAD").stderr


def test_a_link_out_of_the_configuration_s_folder_is_followed(offline: Project) -> None:
    shop = Project(offline.folder / "shop")
    shop.config("")
    shop.manifest(LIST)
    offline.write("lists/people.csv", "to,name\n79001234501,Anna\n")
    (shop.folder / "manifests" / "people.csv").symlink_to("../../lists/people.csv")
    shop.config('files.roots = ["manifests", "../lists"]\n')
    committed(offline.folder)
    offline.write("lists/people.csv", "to,name\n79001234501,Maria\n")
    result = shop.call("diff", "HEAD")
    assert "Dear [-Anna-]{+Maria+}!" in result.stdout
    assert result.stderr == ""


@cases(
    "former",
    'manifests = "manifests"\nnonsense = 1\n',
    'transport = "gone"\n',
    "[transports.greenapi]\nnonsense = 1\n",
)
def test_a_configuration_that_cannot_be_used_any_more_is_replaced(
    repository: Project, former: str
) -> None:
    repository.config(former)
    git(repository.folder, "add", "--all")
    git(repository.folder, "commit", "--message", "Nonsense")
    repository.config("")
    commit(repository, body="Hello again")
    result = repository.call("diff", "HEAD~1")
    assert "planned with the configuration of today" in result.stderr
    assert str(repository.folder.parent) not in result.stderr
    assert "dispatcher-diff-" not in result.stderr
    assert "[-Goodbye-]" in result.stdout


def test_each_side_has_its_own_configuration(repository: Project) -> None:
    repository.config('manifests = "messages"\n')
    (repository.folder / "manifests").rename(repository.folder / "messages")
    assert repository.call("diff", "HEAD").stdout.startswith(NOTHING)


def test_of_two_with_the_same_words_the_one_that_is_gone_was_renamed(repository: Project) -> None:
    repository.manifest(text("a") + text("b"))
    git(repository.folder, "commit", "--all", "--message", "Twins")
    repository.manifest(text("a") + text("c"))
    result = repository.call("diff", "HEAD", "--check")
    assert result.code == 1
    assert 'say moved_from = "b" in it' in result.stdout


def test_annotations_are_as_validate_has_them(repository: Project) -> None:
    result = repository.call("diff", "--check", "--format", "github")
    assert result.code == 1
    [line] = result.stdout.splitlines()
    assert line.startswith('::error file=manifests/m.toml,line=3,col=6::message "a": content ')
    repository.manifest(text("a", body="Goodbye") + "revision = 2\n")
    result = repository.call("diff", "--check", "--format", "github")
    assert result.code == 0
    assert result.stdout.startswith("::warning file=manifests/m.toml,line=6,col=12::")


def test_problems_of_today_are_annotations_too(repository: Project) -> None:
    repository.manifest(text("a", to="7"))
    result = repository.call("diff", "--format", "github")
    assert result.code == 2
    assert result.stdout.startswith("::error file=manifests/m.toml,line=4,col=6::")


HOSTILE = (
    "@team", "#1", "<img src=x>", "</pre>", "</details>", "[a](https://evil.example)", "`code`",
    "**bold**", "| cell", "https://evil.example", "www.evil.example", "~~x~~", "&amp;", "\\u202e",
    "::error::x", "##[error]x",
)  # fmt: skip


@cases("words", *HOSTILE)
def test_no_text_is_markup_in_a_comment(words: str, repository: Project) -> None:
    repository.manifest(text("a", body=words) + text("b", body=words))
    shown = repository.call("diff", "--format", "markdown").stdout
    for line in shown.replace("> [!CAUTION]\n", "").splitlines():
        foreign = re.sub(r"</?(?:pre|ins|del|code|details|summary)(?: open)?>", "", line)
        assert not re.search(r"[<>`\[\]~\x1b\u202e]|@|www\.|https?:", foreign.removeprefix("> ")), (
            line
        )
    assert shown.count("<pre>") == shown.count("</pre>") == 2
    assert not re.search(r"^(::|##\[)", shown, re.MULTILINE)


def test_numbers_are_masked_in_a_comment(repository: Project) -> None:
    repository.manifest(text("a", to=["79001234567", "79001234568"], body="Call 79001234567!"))
    shown = repository.call("diff", "--format", "markdown").stdout
    assert "79001234567" not in shown
    assert "79001234568" not in shown
    assert "+7900&#42;&#42;&#42;4568" in shown


WRITTEN = (
    "79001234567",
    "+7 900 123-45-67",
    "8 (900) 123 45 67",
    "123-45-67",
    "+7\u00a0900\u00a01234567",
)


@cases("written", *WRITTEN)
def test_the_number_of_whose_copy_is_shown_is_masked_however_it_is_written(
    written: str, repository: Project
) -> None:
    repository.write("manifests/list.csv", f"to,phone\n79001234567,{written}\n")
    message = '[[messages]]\nid = "a"\nrecipients = "list.csv"\ntext.body = "For {{ phone }}: %s"\n'
    repository.manifest(message % "2026-12-01, 8 800 555-35-35")
    git(repository.folder, "add", "--all")
    git(repository.folder, "commit", "--message", "List")
    repository.manifest(message % "2026-12-02, 8 800 555-35-35")
    shown = repository.call("diff", "HEAD", "--format", "markdown").stdout
    assert "for 1 person" in shown
    assert "+7900&#42;&#42;&#42;4567:" in shown
    assert not re.search("45.?67", shown.replace("&#42;4567", ""))
    assert "8 800 555-35-35" in shown
    assert "<ins>02</ins>" in shown


def test_numbers_in_what_is_wrong_with_the_commit_are_masked(offline: Project) -> None:
    offline.manifest(text("a", to=["79001234567", "+7 900 123-45-67"]))
    committed(offline.folder)
    offline.manifest(text("a", to="79001234567"))
    shown = offline.call("diff", "HEAD", "--format", "markdown").stdout
    assert "twice" in shown
    assert "9001234567" not in shown


def test_the_api_gives_the_same(repository: Project) -> None:
    with Dispatcher.open(repository.folder) as dispatcher:
        diff = dispatcher.diff("main", ["manifests"])
    [change] = diff.changes
    assert (change.kind, str(change.name), change.altered) == ("changed", "m/a", 1)
    assert diff.fails
    assert not os.path.lexists(repository.folder / ".dispatcher")
