"""docs/ci.md: the files that it shows are what GitHub and GitLab accept, and those of `init`."""

import re
from pathlib import Path

import pytest
import yaml

from tests.support.ci_files import assert_no_complaints, assert_valid
from tests.support.github import ACTION
from tests.support.project import Project

PAGE = (ACTION / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WORKFLOWS = [text for text in BLOCKS if text.startswith("name:")]
(PIPELINE,) = (text for text in BLOCKS if "stages:" in text)


@pytest.fixture
def workflows(tmp_path: Path) -> list[Path]:
    files = []
    for number, text in enumerate(WORKFLOWS):
        file = tmp_path / ".github" / "workflows" / f"{number}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        files.append(file)
    return files


def test_every_workflow_is_valid(workflows: list[Path]) -> None:
    assert len(workflows) == 3
    assert_valid("github-workflows", *workflows)
    assert_no_complaints(*workflows)


def test_workflows_give_the_action_what_it_takes() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    steps = [
        step
        for text in WORKFLOWS
        for job in yaml.safe_load(text)["jobs"].values()
        for step in job["steps"]
    ]
    ours = [step for step in steps if "message-dispatcher@" in step["uses"]]
    assert [step.get("with", {}).get("task", "check") for step in ours] == [
        *("check", "send"),
        *("check", "comment"),
    ]
    for step in ours:
        assert step.get("with", {}).keys() <= action["inputs"].keys()
    table = PAGE.partition("| input |")[2].partition("\n\n")[0]
    assert {*re.findall(r"`([a-z-]+)`", table)} >= action["inputs"].keys() - {
        "comment",
        "python-version",
    }


def test_nothing_that_may_write_checks_out_what_a_stranger_wrote() -> None:
    for text in WORKFLOWS:
        assert "pull_request_target:" not in text
        if "workflow_run:" in text:
            assert "actions/checkout" not in text


def test_no_checkout_leaves_the_token_where_plugins_can_read_it(tmp_path: Path) -> None:
    Project(tmp_path).call("init", "--github")
    written = (tmp_path / ".github/workflows/messages.yml").read_text()
    for text in (*BLOCKS, written):
        assert text.count("persist-credentials: false") == text.count("actions/checkout")


def test_one_run_sends_at_a_time() -> None:
    jobs = yaml.safe_load(WORKFLOWS[0])["jobs"]
    assert jobs["send"]["concurrency"] == {"group": "dispatcher-send", "cancel-in-progress": False}
    assert "contents" in jobs["check"]["permissions"]
    assert "permissions" not in jobs["send"]


def test_the_pipeline_is_the_one_that_init_writes(tmp_path: Path) -> None:
    Project(tmp_path).call("init", "--gitlab")
    assert (tmp_path / ".gitlab-ci.yml").read_text() == PIPELINE
