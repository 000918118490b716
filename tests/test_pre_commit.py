"""The hooks of `.pre-commit-hooks.yaml`, in pre-commit itself."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.cases import cases
from tests.support.git import committed, git
from tests.support.project import Project
from tests.support.requirements import require

ROOT = Path(__file__).parents[1]
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


@pytest.fixture(scope="module")
def pre_commit(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], str]:
    """Run a hook of this repository on what is staged in another; return what is shown."""
    home, hooks = (tmp_path_factory.mktemp(name) for name in ("pre-commit", "hooks"))
    shutil.copytree(ROOT / "dispatcher", hooks / "dispatcher")
    for name in (".gitignore", ".pre-commit-hooks.yaml", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, hooks)
    rev = git(committed(hooks), "rev-parse", "HEAD").strip()

    def run(folder: Path, hook: str) -> str:
        chosen = {"repos": [{"repo": str(hooks), "rev": rev, "hooks": [{"id": hook}]}]}
        config = hooks / f"{hook}.yaml"
        config.write_text(yaml.safe_dump(chosen))
        command = [sys.executable, "-m", "pre_commit", "run", "--config", str(config)]
        done = subprocess.run(
            [*command, "--color", "never"],
            cwd=folder,
            env={**os.environ, "PRE_COMMIT_HOME": str(home), "PIP_COMPILE": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        shown = done.stdout + done.stderr
        require("An unexpected error" not in shown, f"pip's registry: {shown[-500:]}")
        return shown

    return run


def test_validate_runs_on_commits_that_can_break_a_message(
    tmp_path: Path, pre_commit: Callable[[Path, str], str]
) -> None:
    project = Project(tmp_path)
    git(tmp_path, "init")
    project.config('manifests = "mailings"')
    project.manifest(
        '[[messages]]\nid = "a"\nrecipients = "list.csv"\ntext.body = "Hello"\n',
        "mailings/sale.toml",
    )
    project.write("mailings/list.csv", "to\n79001234567\n")

    git(tmp_path, "add", "--all")
    assert "Passed" in pre_commit(tmp_path, "dispatcher-validate")
    git(tmp_path, "commit", "--message", "All is well")

    project.write("program.py", "print()\n")
    git(tmp_path, "add", "--all")
    assert "(no files to check)Skipped" in pre_commit(tmp_path, "dispatcher-validate")

    project.write("mailings/list.csv", "to\n7900\n")
    git(tmp_path, "add", "--all")
    shown = pre_commit(tmp_path, "dispatcher-validate")
    assert "Failed" in shown
    assert 'mailings/list.csv:2:1: error: message "a": "7900": a phone number has' in shown


@cases(
    "name",
    "manifests/sale.toml",
    "dispatcher.toml",
    "texts/привет.txt",
    "texts/hello.md",
    "lists/customers.csv",
    "lists/orders.jsonl.gz",
)
def test_hooks_concern_manifests_texts_lists_and_the_configuration(name: str) -> None:
    pattern = HOOKS["dispatcher-validate"]["files"]
    assert {hook["files"] for hook in HOOKS.values()} == {pattern}
    assert re.search(pattern, name)
    assert not re.search(pattern, f"{name}.py")


def test_hooks_check_all_files_together() -> None:
    for hook in HOOKS.values():
        assert hook["pass_filenames"] is False
        assert hook["language"] == "python"


def test_the_page_has_the_hooks_as_they_are() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    shown = [yaml.safe_load(each) for each in re.findall(r"(?s)```yaml\n(repos:.*?)```", page)]
    remote, local = (config["repos"][0]["hooks"] for config in shown)
    assert {hook["id"] for hook in remote} == HOOKS.keys()
    (validate,) = local
    same = ("id", "name", "entry", "pass_filenames", "files")
    assert validate == {name: HOOKS[validate["id"]][name] for name in same} | {"language": "system"}
