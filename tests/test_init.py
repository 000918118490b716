"""`init`: what it writes works as it stands, and nothing that was there is changed."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from dispatcher.errors import ExitCode
from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.ci_files import assert_no_complaints, assert_valid, run_commands
from tests.support.git import committed, git
from tests.support.plugins import installed
from tests.support.project import NO_ACCOUNT, Project, text

ROOT = Path(__file__).parents[1]
EVERYTHING = ("--github", "--gitlab", "--pre-commit", "--plugin", "footer", "--country", "RU")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty folder, without an account."""
    return Project(tmp_path)


def files_below(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path))
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found}


@cases("arguments", (), EVERYTHING)
def test_a_new_repository_works_as_it_stands(project: Project, arguments: tuple[str, ...]) -> None:
    made = project.call("init", "shop", *arguments)
    assert made.code == 0, made.stderr
    project.folder /= "shop"
    assert made.stdout.splitlines() == [f"wrote shop/{name}" for name in written(made.stdout)]
    assert files_below(project.folder).keys() == set(written(made.stdout))
    for content in files_below(project.folder).values():
        assert content == "" or content.endswith("\n")
    valid = project.call("validate", "--strict")
    assert (valid.code, valid.stderr) == (0, "3 messages, no errors\n")
    assert project.planned() == ["new"] * 3
    sent = project.call("send", "--sandbox", env=NO_ACCOUNT)
    assert (sent.code, "3 sent" in sent.stderr) == (0, True)
    assert project.call("schema", "--check", "dispatcher.schema.json").code == 0
    assert project.call("schema", "--config", "--check", "dispatcher.config.schema.json").code == 0
    staging = project.call("plan", "--profile", "staging")
    assert "greenapi at http://127.0.0.1:8025" in staging.stderr
    with project.preview():
        pass


def written(stdout: str) -> list[str]:
    return [line.removeprefix("wrote shop/") for line in stdout.splitlines()]


def test_it_ends_with_what_to_do_and_where_the_journal_must_be(project: Project) -> None:
    made = project.call("init", "my shop", "--plugin", "footer")
    first, *steps, last = made.stderr.splitlines()
    assert first == "next:"
    commands = [step.split("  ")[1] for step in steps]
    assert commands[:3] == ["cd 'my shop'", "git init", "pip install -e ./dispatcher-footer"]
    assert commands[-1] == "dispatcher send --sandbox"
    assert last.startswith("Without its journal, everything would be sent again: keep ")
    git(project.folder, "init")
    again = project.call("init")
    assert "git init" not in again.stderr
    assert "cd " not in again.stderr


def test_an_extra_that_the_next_steps_need_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = "pip install 'message-dispatcher[sandbox]'"
    assert extra not in project.call("init").stderr
    monkeypatch.setattr("dispatcher.cli.init.find_spec", lambda name: None)
    assert extra in project.call("init").stderr


def test_editors_find_the_schemas(project: Project) -> None:
    project.call("init")
    for name in ("manifests/welcome.toml", "dispatcher.toml"):
        first, *_ = (project.folder / name).read_text().splitlines()
        schema = (project.folder / name).parent / first.removeprefix("#:schema ")
        jsonschema.validate(
            tomllib.loads((project.folder / name).read_text()), json.loads(schema.read_text())
        )
    rules = tomllib.loads((project.folder / ".taplo.toml").read_text())["rule"]
    assert all((project.folder / rule["schema"]["path"]).exists() for rule in rules)


def test_files_for_ci_are_what_their_readers_accept(project: Project) -> None:
    project.call("init", *EVERYTHING)
    workflow, pipeline = ".github/workflows/messages.yml", ".gitlab-ci.yml"
    assert_valid("github-workflows", project.folder / workflow)
    assert_valid("gitlab-ci", project.folder / pipeline)
    assert_no_complaints(project.folder / workflow)
    for name in (workflow, pipeline):
        assert "./dispatcher-footer" in (project.folder / name).read_text()
    config = yaml.safe_load((project.folder / ".pre-commit-config.yaml").read_text())
    (hook,) = config["repos"][0]["hooks"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["language"] == "system"
    assert hook.items() - {("language", "system")} <= hooks[0].items()


def test_a_folder_whose_name_could_be_a_command_is_left_out_of_ci(project: Project) -> None:
    bad = ["dispatcher-x; touch PWNED #", "dispatcher-a b", "dispatcher-$(id)"]
    for name in (*bad, "dispatcher-good-1"):
        project.write(f"{name}/pyproject.toml", "")
    made = project.call("init", "--github", "--gitlab")
    for name in bad:
        assert f"warning: {name} is not installed in CI: rename it" in made.stderr
    for file in (".github/workflows/messages.yml", ".gitlab-ci.yml"):
        for line in re.findall("pip install .*", (project.folder / file).read_text()):
            assert line.split()[3:] == ["./dispatcher-good-1"]
    assert "warning" not in project.call("init").stderr


@pytest.fixture
def branch(inbox: SandboxProcess, tmp_path: Path) -> Project:
    """A branch of a new repository with files for CI, whose change is one message."""
    project = Project(tmp_path, inbox.url)
    project.inbox = inbox
    project.call("init", "--github", "--gitlab")
    git(committed(project.folder), "update-ref", "refs/remotes/origin/main", "HEAD")
    project.manifest(text("late"), "manifests/late.toml")
    return project


def test_the_workflow_checks_and_sends(branch: Project, tmp_path: Path) -> None:
    jobs = yaml.safe_load((branch.folder / ".github/workflows/messages.yml").read_text())["jobs"]
    check, send = (
        [step["run"] for step in jobs[name]["steps"] if "run" in step] for name in ("check", "send")
    )
    branch.write("refs/remotes/origin/main/x.toml", "")  # no place of the commit's
    summary = tmp_path.with_name(f"{tmp_path.name}-summary")
    environment = {"GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(summary)}
    checked = run_commands(check, branch.folder, {**branch.environment, **environment})
    assert (checked.code, checked.stdout) == (0, ""), checked.stderr
    assert summary.read_text().startswith("**Messages: 1 new**")
    sent = run_commands(send, branch.folder, branch.environment)
    assert (sent.code, sent.stdout) == (0, ""), sent.stderr
    assert sent.stderr.endswith("4 sent\n")
    assert "Hello" in branch.arrived()


def test_where_there_are_no_messages_ci_sends_none_and_is_content(branch: Project) -> None:
    jobs = yaml.safe_load((branch.folder / ".github/workflows/messages.yml").read_text())["jobs"]
    pipeline = yaml.safe_load((branch.folder / ".gitlab-ci.yml").read_text())
    scripts = (
        [step["run"] for step in jobs["send"]["steps"] if "run" in step],
        pipeline["send messages"]["script"],
    )
    for file in (branch.folder / "manifests").glob("*.toml"):
        file.unlink()
    empty = '[[messages]]\nid = "a"\nrecipients = "list.csv"\ntext.body = "Hello"\n'
    branch.write("manifests/list.csv", "to\n")
    for manifest, code in ((empty, 0), ("[[messages]]\n", 2)):
        branch.manifest(manifest)
        for script in scripts:
            done = run_commands(script, branch.folder, branch.environment)
            assert (done.code, done.stdout) == (code, ""), done.stderr
    assert branch.arrived() == []


def test_the_pipeline_shows_problems_as_tests_and_in_the_log(branch: Project) -> None:
    pipeline = yaml.safe_load((branch.folder / ".gitlab-ci.yml").read_text())
    base = git(branch.folder, "rev-parse", "HEAD").strip()
    environment = {**branch.environment, "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    branch.write(f"{base}/x.toml", "")  # no place of the commit's
    script = pipeline["check messages"]["script"]
    good = run_commands(script, branch.folder, environment)
    assert good.code == 0, good.stderr
    assert "+ late/late" in good.stdout
    branch.manifest(text("late", to="7900"), "manifests/late.toml")
    bad = run_commands(script, branch.folder, environment)
    assert bad.code == 2
    assert "manifests/late.toml:4:6: error: " in bad.stdout
    report = ElementTree.parse(branch.folder / "problems.xml")
    assert [case.get("name") for case in report.iter("testcase") if len(case)] == [
        "manifests/late.toml"
    ]


def test_git_ignores_the_journal_and_what_is_secret(project: Project) -> None:
    project.call("init")
    git(project.folder, "init")
    ignored = git(project.folder, "check-ignore", ".dispatcher/journal.db", ".env", "plan.json")
    assert len(ignored.splitlines()) == 3


def test_the_plugin_changes_no_schema(project: Project) -> None:
    project.call("init", "--plugin", "footer")
    path = installed(project.folder / "dispatcher-footer")["PYTHONPATH"]
    assert "footer" in project.call("plugins", env={"PYTHONPATH": path}).stdout
    for option in ((), ("--config",)):
        file = f"dispatcher{'.config' * len(option)}.schema.json"
        check = project.call("schema", *option, "--check", file, env={"PYTHONPATH": path})
        assert check.code == 0, check.stderr


def test_what_is_there_is_kept_and_what_is_missing_is_added(project: Project) -> None:
    project.call("init")
    project.config("manifests = 'manifests' # mine\n")
    project.write(".gitignore", "*.pyc\n")
    (project.folder / "manifests" / "customers.csv").unlink()
    (project.folder / ".taplo.toml").unlink()
    before = files_below(project.folder)
    again = project.call("init", "--github", "--country", "RU")
    assert again.code == 0
    after = files_below(project.folder)
    assert after.keys() - before.keys() == {".github/workflows/messages.yml", ".taplo.toml"}
    assert before.items() <= after.items()
    assert "kept dispatcher.toml" in again.stdout
    assert 'warning: dispatcher.toml was kept: say country = "RU" in it' in again.stderr
    assert "warning: .gitignore was kept: add .dispatcher/" in again.stderr
    third = project.call("init", "--github")
    assert "wrote" not in third.stdout
    assert files_below(project.folder) == after


def test_files_that_are_read_only_at_the_top_of_a_repository_are_told(project: Project) -> None:
    git(project.folder, "init")
    made = project.call("init", "mails", "--github")
    assert made.stderr.startswith(
        "warning: mails/.github/workflows/messages.yml is read only at the top of the repository: "
        "move it; mails is its working directory\n"
    )
    assert "warning" not in project.call("init", ".", "--gitlab").stderr


@cases("name", "manifests/sale.toml", "dispatcher.toml")
def test_no_example_is_sent_together_with_real_messages(project: Project, name: str) -> None:
    project.write(name, "")
    project.call("init")
    assert not (project.folder / "manifests" / "welcome.toml").exists()
    assert (project.folder / "dispatcher.schema.json").exists()


def test_a_plugin_that_is_there_is_kept_whole(project: Project) -> None:
    project.write("dispatcher-footer/mine.py", "")
    made = project.call("init", "--plugin", "footer")
    assert "kept dispatcher-footer\n" in made.stdout
    assert [*(project.folder / "dispatcher-footer").iterdir()] == [
        project.folder / "dispatcher-footer" / "mine.py"
    ]


@cases(
    "arguments, why",
    (["file"], "cannot write into file: it is no folder"),
    (["file/below"], "cannot write into file: it is no folder"),
    (["link"], "cannot write into link: it is a link to elsewhere; name that"),
    (
        ["linked", "--github"],
        "cannot write into linked/.github: it is a link to ../elsewhere; name that",
    ),
    (["x" * 300], "file name too long"),
    (["/proc/new"], "cannot write /proc/new: no such file or directory"),
    (["occupied", "--github"], "cannot write into occupied/.github: it is no folder"),
    (["new", "--country", "ru"], '--country: "ru" is no country code of two capital letters'),
    (["new", "--plugin", "My Plugin"], '"My Plugin" is no name for a plugin'),
    (["new", "--plugin", "greenapi"], '"greenapi" is the name of a built-in plugin'),
)
def test_what_cannot_be_written_is_said_and_nothing_is(
    project: Project, arguments: list[str], why: str
) -> None:
    project.write("file", "")
    project.write("occupied/.github", "")
    for folder in ("elsewhere", "linked"):
        (project.folder / folder).mkdir()
    (project.folder / "link").symlink_to("elsewhere")
    (project.folder / "linked" / ".github").symlink_to("../elsewhere")
    before = sorted(project.folder.rglob("*"))
    project.call("init", *arguments).refused(why)
    assert sorted(project.folder.rglob("*")) == before


def test_a_working_directory_that_was_deleted_is_said(project: Project) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$0" -m dispatcher init'
    result = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=project.folder, capture_output=True, text=True
    )
    said = (result.returncode, result.stderr)
    assert said == (ExitCode.USAGE, "Error: the working directory was deleted\n")


@pytest.mark.parametrize("umask", [0o002, 0o000])
def test_the_configuration_is_trusted_whatever_the_umask(project: Project, umask: int) -> None:
    old = os.umask(umask)
    try:
        assert project.call("init", "shop").code == 0
    finally:
        os.umask(old)
    project.folder /= "shop"
    assert project.call("validate").code == 0
    modes = {path.stat().st_mode & 0o022 for path in project.folder.rglob("*")}
    assert modes == {0}
