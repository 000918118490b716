"""The action's steps, run as GitHub's runner would, against a stand-in for its API."""

import importlib
import json
import re
from pathlib import Path

import pytest

from tests.support.cases import cases
from tests.support.ci_files import assert_valid
from tests.support.gateway import Gateway, Serve
from tests.support.git import committed, git
from tests.support.github import ACTION, GitHub, Runner
from tests.support.project import Project

NUMBER, HEAD = 7, "3f2a9c" + "0" * 34
MARK = "<!-- message-dispatcher: . -->"
CHANGED = {"number": NUMBER, "state": "changed", "text": "**Messages: 1 changed**\n"}


@pytest.fixture
def github(gateway: Gateway) -> GitHub:
    github = GitHub(NUMBER, HEAD)
    gateway.reply = github.reply
    return github


@pytest.fixture
def pull_request(tmp_path: Path) -> Project:
    """A branch of a repository, with the messages of the default one."""
    project = Project(tmp_path / "repository")
    project.texts("a", "b")
    committed(project.folder)
    git(project.folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    return project


@pytest.fixture
def runner(pull_request: Project, github: GitHub, gateway: Gateway, tmp_path: Path) -> Runner:
    event = {"pull_request": {"number": NUMBER, "head": {"sha": HEAD}}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    environment = {
        "GITHUB_API_URL": gateway.url,
        "GITHUB_BASE_REF": "main",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_REPOSITORY": "shop/mails",
        "GITHUB_RUN_ID": "4711",
        "GITHUB_SERVER_URL": "https://github.example",
        "TOKEN": GitHub.token,
    }
    return Runner(pull_request.folder, tmp_path / "runner", environment)


def changed(runner: Runner, **environment: str) -> tuple[int, str]:
    result = runner.run("changes", {"token": GitHub.token}, **environment)
    return result.code, result.stdout


def test_the_action_is_what_github_accepts() -> None:
    assert_valid("github-actions", ACTION / "action.yml")
    used = re.findall(r"uses: (\S+)", (ACTION / "action.yml").read_text())
    assert {each.partition("@")[0] for each in used} == {"actions/setup-python"}


def test_no_input_is_part_of_a_script() -> None:
    """Otherwise a value could be a command: docs.github.com, "Script injections"."""
    text = (ACTION / "action.yml").read_text()
    scripts = re.findall(r"^ +run: (.*(?:\n {8,}.*)*)", text, re.MULTILINE)
    assert len(scripts) == 6
    assert "${{" not in "".join(scripts)


def test_a_change_has_one_comment_which_is_edited_in_place(
    pull_request: Project, runner: Runner, github: GitHub
) -> None:
    for number in range(120):  # the API has pages
        github.add(f"comment {number}", "somebody")
    github.add(f"{MARK}\nnot ours", "somebody")
    pull_request.texts("a", "b", "c")
    code, shown = changed(runner)
    assert (code, shown) == (0, "the comment: made\n")
    comment = github.comments[-1]
    first, second, *_ = comment["body"].splitlines()
    assert first == MARK
    assert second.startswith("**Messages: 1 new**")
    assert runner.summary.strip() == comment["body"].removeprefix(MARK).strip()

    pull_request.texts("a", "b", "c", "d")
    assert changed(runner) == (0, "the comment: edited\n")
    assert github.comments[-1] is comment
    assert "**Messages: 2 new**" in comment["body"]
    assert changed(runner) == (0, "the comment: as it was\n")
    assert [each.partition(" ")[0] for each in github.requests if "GET" not in each] == [
        "POST",
        "PATCH",
    ]
    assert "79001234567" not in comment["body"]


def test_no_folder_takes_the_place_of_the_commit_to_compare_with(
    pull_request: Project, runner: Runner
) -> None:
    base = git(pull_request.folder, "rev-parse", "HEAD").strip()
    pull_request.write(f"{base}/empty.toml", "")
    manifest = pull_request.texts("a", "b")
    manifest.write_text(manifest.read_text().replace("I am b", "I am another"))
    assert changed(runner)[0] == 1


def test_a_mistake_is_an_annotation_and_fails(
    pull_request: Project, runner: Runner, github: GitHub
) -> None:
    manifest = pull_request.texts("a", "b")
    manifest.write_text(manifest.read_text().replace("I am b", "I am another"))
    code, shown = changed(runner)
    assert code == 1
    assert "::error file=manifests/m.toml,line=" in shown
    assert "other content for 1 person" in github.comments[-1]["body"]


def test_where_nothing_changes_there_is_no_comment_and_an_old_one_is_outdated(
    runner: Runner, github: GitHub
) -> None:
    assert changed(runner) == (0, "the comment: no comment\n")
    assert github.comments == []
    assert runner.summary.startswith("Nothing changes for recipients")
    old = github.add(f"{MARK}\n**Messages: 1 new**")
    assert changed(runner) == (0, "the comment: edited\n")
    outdated = (
        f"{MARK}\n**Outdated.** Nothing changes for recipients any more. (commit 3f2a9c000000)"
    )
    assert old["body"] == outdated
    assert changed(runner) == (0, "the comment: as it was\n")


def test_where_nothing_can_be_compared_an_old_comment_is_outdated(
    pull_request: Project, runner: Runner, github: GitHub
) -> None:
    pull_request.manifest("[[messages]]\n")
    assert changed(runner) == (2, "the comment: no comment\n")
    old = github.add(f"{MARK}\n**Messages: 1 new**")
    assert changed(runner) == (2, "the comment: edited\n")
    run = "https://github.example/shop/mails/actions/runs/4711"
    assert (
        f"**Outdated.** What changes now could not be found out: see [the run]({run})."
        in old["body"]
    )


def test_a_forks_run_may_not_comment_and_another_one_does(
    pull_request: Project, runner: Runner, github: GitHub
) -> None:
    pull_request.texts("a", "b", "c")
    github.read_only = True
    code, shown = changed(runner)
    assert code == 0
    assert shown.startswith("::notice::this run may not comment (a fork's may not); its summary")
    file = runner.outputs["comment"]
    github.read_only = False
    inputs = {"comment": file, "token": GitHub.token}
    assert runner.run("comment", inputs, COMMIT=HEAD).stdout == "the comment: made\n"
    assert github.comments[-1]["body"].startswith(f"{MARK}\n**Messages: 1 new**")


@cases(
    "written, commit, why",
    (CHANGED, "f" * 40, f"::error::pull request 7 is not at {'f' * 40}: no comment\n"),
    ({**CHANGED, "number": 8}, HEAD, "::error::cannot comment: GET /pulls/8: 404"),
    ({**CHANGED, "number": "7/../8"}, HEAD, "::error::cannot read what changes: ValueError"),
    ({**CHANGED, "state": "x"}, HEAD, "::error::cannot read what changes: ValueError"),
    ({"number": 7}, HEAD, "::error::cannot read what changes: KeyError"),
    ([], HEAD, "::error::cannot read what changes: TypeError"),
)
def test_what_a_strangers_run_wrote_cannot_comment_elsewhere(
    runner: Runner, github: GitHub, tmp_path: Path, written: object, commit: str, why: str
) -> None:
    (tmp_path / "comment.json").write_text(json.dumps(written))
    inputs = {"comment": str(tmp_path / "comment.json"), "token": GitHub.token}
    result = runner.run("comment", inputs, COMMIT=commit)
    assert result.code == 1
    assert result.stdout.startswith(why)
    assert github.comments == []


def test_each_folder_configuration_and_profile_has_its_own_comment(
    runner: Runner, github: GitHub, tmp_path: Path
) -> None:
    (tmp_path / "comment.json").write_text(json.dumps(CHANGED))
    places = [
        {"working-directory": "письма"},
        {"working-directory": "заказы"},
        {"working-directory": "a b"},
        {"working-directory": "a", "config": "b"},
        {"working-directory": "a", "profile": "b"},
        {"working-directory": "a:b"},
        {"working-directory": "a-->b"},
    ]
    inputs = {"comment": str(tmp_path / "comment.json"), "token": GitHub.token}
    for what in ("made", "as it was"):
        for place in places:
            result = runner.run("comment", {**inputs, **place}, COMMIT=HEAD)
            assert result.stdout == f"the comment: {what}\n"
    marks = [comment["body"].splitlines()[0] for comment in github.comments]
    assert len({*marks}) == len(places)
    assert all(mark.isascii() and mark.index("-->") == len(mark) - 3 for mark in marks)


def test_a_comment_that_is_too_long_is_cut_and_says_so(
    runner: Runner, github: GitHub, tmp_path: Path
) -> None:
    lines = "".join(f"line {number} 😃\n" for number in range(9000))
    text = f"**Messages: 1 changed**\n\n<details open>\n\n<pre>{lines}</pre>\n\n</details>\n"
    (tmp_path / "comment.json").write_text(json.dumps({**CHANGED, "text": text}))
    inputs = {"comment": str(tmp_path / "comment.json"), "token": GitHub.token}
    assert runner.run("comment", inputs, COMMIT=HEAD).code == 0
    body = github.comments[-1]["body"]
    assert 64_900 < len(body) <= 65_000
    assert body.startswith(f"{MARK}\n> [!CAUTION]\n> **This is not all: it was cut at 65,000 char")
    assert "[the summary of the run](https://github.example/shop/mails/actions/runs/4711)" in body
    assert re.search(r"\nline \d+ 😃\n</pre>\n</details>$", body)


def test_without_an_answer_of_the_api_the_check_still_counts(
    pull_request: Project, runner: Runner, closed_port: int
) -> None:
    pull_request.texts("a", "b", "c")
    code, shown = changed(runner, GITHUB_API_URL=f"http://127.0.0.1:{closed_port}")
    assert code == 0
    assert shown.startswith("::warning::no comment: GET /issues/7/comments")
    assert "**Messages: 1 new**" in runner.summary


def test_an_answer_of_the_api_that_breaks_off_is_none(
    pull_request: Project, runner: Runner, serve: Serve
) -> None:
    pull_request.texts("a", "b", "c")
    gateway = serve(lambda peer: (peer.read(), peer.answer(200, b"[", "Content-Length: 100")))
    code, shown = changed(runner, GITHUB_API_URL=gateway.url)
    assert code == 0
    assert shown.startswith("::warning::no comment: GET /issues/7/comments")


def test_an_api_that_stops_answering_is_not_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ACTION / ".github" / "action")
    comment = importlib.import_module("comment")
    monkeypatch.setattr(comment, "_TIMEOUT", 0.2)
    gateway = serve(
        lambda peer: (peer.read(), peer.answer(200, b"[", "Content-Length: 100"), peer.stall())
    )
    with pytest.raises(comment.ApiError, match=r"GET /issues/7/comments.*timed out"):
        list(comment.Api(gateway.url, "shop/mails", GitHub.token).comments(NUMBER))


def test_validate_annotates(pull_request: Project, runner: Runner) -> None:
    pull_request.manifest("[[messages]]\n")
    result = runner.run("validate")
    assert result.code == 2
    assert result.stdout.startswith("::error file=manifests/m.toml,line=2,col=1::")


def test_a_schema_that_is_out_of_date_fails(pull_request: Project, runner: Runner) -> None:
    assert runner.run("schemas").code == 0, "a repository may have none"
    pull_request.folder /= "below"
    pull_request.folder.mkdir()
    pull_request.call("init")
    inputs = {"working-directory": "below"}
    assert runner.run("schemas", inputs).code == 0
    pull_request.write("dispatcher.config.schema.json", "{}")
    result = runner.run("schemas", inputs)
    assert result.code == 1
    assert result.stdout == (
        "::error file=below/dispatcher.config.schema.json::out of date: "
        "dispatcher schema --config > dispatcher.config.schema.json\n"
    )


def test_what_is_merged_is_sent_once_and_no_number_is_in_the_log(
    project: Project, tmp_path: Path
) -> None:
    runner = Runner(project.folder, tmp_path / "runner", project.environment)
    project.manifest('[[messages]]\nid = "a"\nrecipients = "list.csv"\ntext.body = "Hello"\n')
    project.write("manifests/list.csv", "to\n")
    assert runner.run("send").stdout == "there are no messages\n"
    project.texts("a", "b")
    for outcome in ("2 sent", "2 skipped"):
        result = runner.run("send")
        assert (result.code, result.stdout) == (0, ""), result.stderr
        assert result.stderr.endswith(f"{outcome}\n")
        assert "79001234567" not in result.stderr
    assert project.arrived() == ["I am a", "I am b"]


@cases("inputs, most", ({}, 1), ({"profile": "real"}, 2))
def test_the_jobs_profile_counts_unless_the_action_is_given_one(
    project: Project, tmp_path: Path, inputs: dict[str, str], most: int
) -> None:
    project.config("[profiles.staging.delivery]\nmax = 1\n[profiles.real.delivery]\nmax = 2\n")
    project.texts("a", "b", "c")
    environment = {**project.environment, "DISPATCHER_PROFILE": "staging"}
    runner = Runner(project.folder, tmp_path / "runner", environment)
    assert f"at most {most} may" in runner.run("send", inputs).stderr


def test_send_fails_as_the_dispatcher_does(project: Project, tmp_path: Path) -> None:
    runner = Runner(project.folder, tmp_path / "runner", project.environment)
    project.manifest("[[messages]]\n")
    assert runner.run("send").code == 2
    project.config("[delivery]\nmax = 1\n")
    project.texts("a", "b")
    result = runner.run("send")
    assert result.code == 2
    assert "at most 1 may" in result.stderr
    project.has_sent_nothing()


def test_no_module_of_the_repository_is_run_as_pip(
    pull_request: Project, runner: Runner, tmp_path: Path
) -> None:
    pull_request.write("pip.py", f"open({str(tmp_path / 'was-run')!r}, 'w')\n")
    runner.run("install", {"version": "0"}, PIP_NO_INDEX="1")
    assert not (tmp_path / "was-run").exists()


@cases(
    "inputs, installed",
    ({}, f"{ACTION}[postgres]"),
    ({"version": "0.1.0"}, "message-dispatcher[postgres]==0.1.0"),
    ({"packages": "dispatcher-s3 ./plugin"}, f"{ACTION}[postgres] dispatcher-s3 ./plugin"),
)
def test_the_version_that_is_asked_for_is_installed(
    runner: Runner, tmp_path: Path, inputs: dict[str, str], installed: str
) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    result = runner.run("install", inputs, PATH=f"{python.parent}:/usr/bin:/bin")
    assert result.stdout == f"-I -m pip install --quiet --disable-pip-version-check {installed}\n"
