"""What `send` leaves for a person: each command that it names is run here, and goes on."""

import re
import shlex
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from dispatcher.cli.next_steps import Invocation, Unfinished, next_steps, shell_word
from dispatcher.delivery import Summary
from dispatcher.journal import LATE
from dispatcher.models import Outcome, Status
from dispatcher.testing import factories
from tests.support.postgres import Database
from tests.support.project import Held, Project, Result, on_a_terminal, text

TO = "79001234567"
LOST = {"fault": "reset_after", "path": "/v1/messages"}
REFUSED = {"fault": "status", "status": 400, "code": 1022, "path": "/v1/messages"}


def commands(result: Result) -> list[list[str]]:
    """The arguments of each command that the last lines of stderr name."""
    found = re.findall(r": dispatcher (.*)$", result.stderr, re.MULTILINE)
    return [shlex.split(line) for line in found]


def only(result: Result) -> list[str]:
    """The arguments of the one command that it names."""
    (command,) = commands(result)
    assert result.stderr.endswith(f" {shlex.join(command)}\n")
    return command


@pytest.fixture
def unknown(project: Project) -> Project:
    """A project with one message, whose answer was lost at the first attempt."""
    project.inbox.faults([{**LOST, "times": 1}])
    project.texts("a")
    return project


# unknown


@pytest.mark.parametrize(("place", "status", "copies"), [(0, "skipped", 1), (1, "sent", 2)])
def test_one_unknown_message_is_settled(
    unknown: Project, place: int, status: str, copies: int
) -> None:
    result = unknown.call("send")
    assert result.told.splitlines() == [
        "1 unknown",
        f"unknown, if it arrived: dispatcher settle default/m/a/1/{TO} --sent",
        f"unknown, if it did not: dispatcher settle default/m/a/1/{TO} --not-sent",
    ]
    assert unknown.call(*commands(result)[place]).code == 0
    assert unknown.call("send", "--json").statuses == {"a": status}
    assert len(unknown.inbox.messages()) == copies


def test_programs_read_the_same(unknown: Project) -> None:
    (step,) = unknown.call("send", "--json").summary["next"]
    assert step == {
        "status": "unknown",
        "count": 1,
        "command": f"dispatcher settle default/m/a/1/{TO} --sent",
        "otherwise": f"dispatcher settle default/m/a/1/{TO} --not-sent",
    }


def test_nothing_left_nothing_named(project: Project) -> None:
    project.texts("a")
    result = project.call("send", "--json")
    assert (result.summary["next"], result.stderr) == ([], "")


@pytest.mark.parametrize("journal", ["sqlite", "postgresql"])
def test_a_renamed_message_is_settled_under_the_name_that_the_journal_has(
    unknown: Project, journal: str, request: pytest.FixtureRequest
) -> None:
    given: list[str] = []
    if journal == "postgresql":
        database: Database = request.getfixturevalue("database")
        given = ["--journal", database.url]
    unknown.call("send", *given)
    (unknown.folder / "manifests/m.toml").unlink()
    unknown.manifest('moved_from = "m"\n' + text("a", TO, "I am a"), "manifests/n.toml")

    result = unknown.call("send", *given)

    assert result.stderr.count(f"dispatcher settle default/m/a/1/{TO} --") == 2
    assert unknown.call(*commands(result)[0]).code == 0
    assert unknown.call("send", "--json", *given).statuses == {"a": "skipped"}


def test_several_unknown_messages_are_listed(project: Project) -> None:
    project.inbox.faults([LOST])
    project.config("")
    project.manifest(text("x"), "manifests/other.toml")
    project.call("send")
    project.manifest('repeat = "run"\n' + text("a") + text("b"), "manifests/m.toml")

    result = project.call("send", "--run", "evening", "manifests/m.toml")

    command = only(result)
    assert command == "history --status unknown --run evening --manifest m".split()
    shown = project.call(*command, "--json").lines
    assert [line["key"] for line in shown] == [f"evening/m/{id}/1/{TO}" for id in "ab"]


def test_what_is_unknown_in_several_manifests_is_narrowed_to_the_run(project: Project) -> None:
    project.inbox.faults([LOST])
    for name in ("m", "n"):
        project.manifest(text("a"), f"manifests/{name}.toml")
    command = only(project.call("send"))
    assert command == "history --status unknown --run default".split()
    assert len(project.call(*command).stdout.splitlines()) == 2


def test_a_message_that_may_have_arrived_twice_is_looked_at() -> None:
    """The journal knows it as something else meanwhile: there is nothing to settle."""
    summary, message = Summary(), factories.message()
    outcome = Outcome(status=Status.UNKNOWN, error=LATE)
    summary.add(message, outcome, message.key)
    (step,) = next_steps(summary, Invocation(), [])
    assert step.command.startswith("dispatcher history --attempts --run ")


# failed, not tried, interrupted


def test_what_failed_is_tried_again(project: Project) -> None:
    project.inbox.faults([{**REFUSED, "times": 1}])
    project.texts("a", "b")
    result = project.call("send")
    assert result.told == "1 sent, 1 failed\nfailed, to try again: dispatcher send\n"
    assert project.call(*only(result), "--json").statuses == {"a": "sent", "b": "skipped"}


def test_one_line_where_one_command_goes_on(project: Project) -> None:
    project.inbox.faults([{**REFUSED, "status": 401, "code": 2, "times": 1}])
    project.texts("a", "b", "c")
    result = project.call("send", "--json")
    assert [(step["status"], step["count"]) for step in result.summary["next"]] == [
        ("failed", 1),
        ("not_tried", 2),
    ]
    assert "failed and not tried, to try again: dispatcher send --json\n" in result.stderr
    assert set(project.call(*only(result)).statuses.values()) == {"sent"}


def test_an_interrupted_run_is_gone_on_with(held: Held) -> None:
    held.texts("a", "b", "c")
    with held.under_way("send", "--yes") as process:
        process.send_signal(signal.SIGINT)
    result = held.finish(process)
    assert result.code == 130
    assert result.stderr.endswith("not tried, to try again: dispatcher send --yes\n")
    assert held.call(*only(result), "--json").statuses["c"] == "sent"


def test_everything_that_was_given_is_given_again(project: Project) -> None:
    project.texts("a")
    (project.folder / "manifests").rename(project.folder / "my manifests")
    project.write("settings/my.toml", '[profiles.staging.transports.greenapi]\nrate = "9/s"\n')
    project.inbox.faults([{**REFUSED, "times": 1}])
    given = shlex.split(
        "-C settings -C .. --config 'settings/my.toml' --profile staging --transport greenapi"
        " --without links --journal sqlite:///j.db --wait 1s --resend changed 'my manifests/m.toml'"
    )
    command = only(project.call("--profile", "staging", "send", *given))
    assert sorted(command) == sorted(["send", *given])
    assert project.call(*command, "--json").statuses == {"a": "sent"}
    assert (project.folder / "j.db").exists()


def test_what_the_environment_says_is_said_but_no_password(project: Project) -> None:
    project.texts("a")
    project.config("[profiles.staging]\n")
    project.inbox.faults([REFUSED])
    env = {"DISPATCHER_PROFILE": "staging", "DISPATCHER_JOURNAL": "sqlite:///a b.db"}
    command = only(project.call("send", env=env))
    assert command == ["send", "--journal", "sqlite:///a b.db", "--profile", "staging"]
    assert project.call(*command).code == 1, "it is the one that failed"


@pytest.mark.parametrize("secret", ["pw", "correct-horse"])
@pytest.mark.parametrize("form", ["postgres:{}@ ", "postgres@ ?password={}"])
def test_no_password_is_shown(project: Project, database: Database, secret: str, form: str) -> None:
    """The server asks nobody for it here."""
    user, query = form.format(secret).split(" ")
    url = f"postgresql://{user}{database.url.partition('@')[2]}{query}"
    project.texts("a")
    project.inbox.faults([REFUSED])

    given = project.call("send", "--json", "--journal", url)
    configured = project.call("send", "--json", env={"DISPATCHER_JOURNAL": url})

    assert "***" in given.summary["next"][0]["command"]
    assert only(configured) == ["send", "--json"], "the environment is left to say it"
    for result in (given, configured):
        assert result.code == 1, result.stderr
        shown = result.stdout + result.stderr
        assert not any(f"{before}{secret}" in shown for before in ":=")


def test_a_day_is_finished_as_that_day(project: Project) -> None:
    project.inbox.faults([{**REFUSED, "times": 1}])
    project.texts("a", head='repeat = "daily"\n')
    command = only(project.call("send"))
    assert command[:2] == ["send", "--run"]
    (key,) = (line["key"] for line in project.call("history", "--json").lines)
    assert key.startswith(f"{command[2]}/m/a/")
    assert project.call(*command, "--json").statuses == {"a": "sent"}


MORNING = datetime(2026, 11, 28, 5, tzinfo=UTC)
# Manifests of two days, and one that has no day.
FOLDER = {
    "east": 'repeat = "daily"\ntimezone = "Asia/Tokyo"\n',
    "once": "",
    "week": 'repeat = "weekly"\ntimezone = "America/Los_Angeles"\n',
    "west": 'repeat = "daily"\ntimezone = "America/Los_Angeles"\n',
}


@time_machine.travel(MORNING)
@pytest.mark.parametrize("paths", ["manifests", ""])
def test_a_day_is_finished_as_that_day_beside_what_has_another_one(
    project: Project, paths: str
) -> None:
    project.config("")
    for name, head in FOLDER.items():
        project.manifest(head + text("a") + text("b"), f"manifests/{name}.toml")
    keys = [line["key"] for line in project.call("plan", "--json").planned]
    project.inbox.faults([{**REFUSED, "status": 401, "code": 2}])
    result = project.call("send", "--json", *paths.split())
    assert result.summary["not_tried"] > 0, "the account was refused"
    project.inbox.faults([])

    steps = result.summary["next"]
    assert sum(step["count"] for step in steps) == len(keys)
    lines = list(dict.fromkeys(step["command"] for step in steps))
    assert lines == [
        "dispatcher send --json --run 2026-11-28 manifests/east.toml",
        "dispatcher send --json manifests/once.toml",
        "dispatcher send --json --run 2026-11-27 manifests/week.toml manifests/west.toml",
    ]
    with time_machine.travel(MORNING + timedelta(days=30)):
        assert sorted(key for line in lines for key in sent_by(project, line)) == sorted(keys)


@time_machine.travel(MORNING)
def test_one_name_finishes_the_day_of_a_whole_folder(project: Project) -> None:
    for kind in ("daily", "weekly", "monthly"):
        project.manifest(f'repeat = "{kind}"\n{text("a")}', f"manifests/{kind}.toml")
    keys = [line["key"] for line in project.call("plan", "--json").planned]
    project.inbox.faults([{**REFUSED, "times": 2}])
    (step,) = project.call("send", "--json").summary["next"]
    assert step["command"] == "dispatcher send --json --run 2026-11-28"
    with time_machine.travel(MORNING + timedelta(days=30)):
        assert len(sent_by(project, step["command"])) == 2
    rows = project.call("history", "--json").lines
    assert sorted(row["key"] for row in rows) == sorted(keys)
    assert len(project.inbox.messages()) == len(keys)


def sent_by(project: Project, line: str) -> list[str]:
    """The keys of what a command that was shown sends."""
    result = project.call(*shlex.split(line)[1:])
    assert result.code == 0, result.stderr
    return [each["key"] for each in result.events("result") if each["status"] == "sent"]


def test_what_may_have_arrived_is_not_sent_once_more_by_the_same_command() -> None:
    invocation = Invocation(own={"resend": ("--resend", "all"), "yes": ("--yes",)})
    (step,) = next_steps(Summary(), invocation, [Unfinished(not_tried=1)])
    assert step.command == "dispatcher send --resend changed --resend moved --yes"


def test_a_path_that_looks_like_an_option_or_like_nothing(project: Project) -> None:
    """Copied into a shell, the line means the same file."""
    name = "-o'\n\u202e é.toml"
    project.manifest(f'name = "m"\n{text("a")}', name)
    project.inbox.faults([{**REFUSED, "times": 1}])
    result = project.call("send", "--", name)
    line = result.stderr.splitlines()[-1].partition("again: ")[2]
    assert line.startswith("dispatcher send -- $'")
    script = f'dispatcher() {{ "$0" -m dispatcher "$@"; }}\n{line}'
    again = project.run(prefix=("bash", "-c", script), program=())
    assert (again.code, again.told) == (0, "1 sent\n")


@pytest.mark.parametrize(
    ("word", "written"),
    [("a.toml", "a.toml"), ("it's", "'it'\"'\"'s'"), ("\udcff'", r"$'\xff\x27'"), ("é", "'é'")],
)
def test_words_of_a_shell(word: str, written: str) -> None:
    assert shell_word(word) == written


# changed


@pytest.fixture
def changed(project: Project) -> Project:
    """Two messages that changed since they were sent, one of them to two people."""
    both = ["79001234567", "79001234568"]
    project.manifest(text("a", both) + text("b"))
    assert project.call("send").code == 0
    project.manifest(text("a", both, "Other") + text("b", body="Other") + text("c", body="New"))
    return project


def test_changed_messages_are_a_warning_with_both_ways_on(changed: Project) -> None:
    result = changed.call("send", "--yes")
    assert (result.code, result.told) == (
        0,
        "1 sent, 3 skipped\n"
        "warning: changed since it was sent, and not sent again: m/a (2 people), m/b (1 person); "
        "raise revision in the manifest, or: dispatcher send --resend changed\n",
    )
    again = on_a_terminal(changed, "y\n", *only(result), "--json")
    assert again.statuses == {"a": "sent", "b": "sent", "c": "skipped"}, again.stderr
    assert changed.call("send", "--strict").told == "4 skipped\n"


def test_strict_ends_with_7(changed: Project) -> None:
    results: list[Any] = [changed.call("send", "--strict", "--json") for _ in range(2)]
    assert [result.code for result in results] == [7, 7]
    (step,) = results[1].summary["next"]
    assert step == {
        "status": "changed",
        "count": 3,
        "messages": {"m/a": 2, "m/b": 1},
        "command": "dispatcher send --strict --json --resend changed",
    }


def test_a_failure_counts_before_what_changed(changed: Project) -> None:
    changed.inbox.faults([REFUSED])
    result = changed.call("send", "--strict")
    assert result.code == 1
    assert [command[-1] for command in commands(result)] == ["--strict", "changed"]


def test_only_the_first_of_many_messages_are_named(project: Project) -> None:
    ids = [f"m{number}" for number in range(12)]
    project.manifest("".join(text(id) for id in ids))
    project.call("send")
    project.manifest("".join(text(id, body="Other") for id in ids))
    result = project.call("send")
    assert "m/m9 (1 person), 2 more; raise revision" in result.stderr


# where commands are started


def test_nothing_is_named_for_a_sandbox_that_is_gone(project: Project) -> None:
    project.manifest(text("a", "79001234567") + text("b", body="x" * 10))
    result = project.call("send", "--sandbox", "--json")
    assert result.summary["next"] == []


@pytest.mark.parametrize("configured", [True, False])
def test_from_elsewhere_the_same_journal_is_meant(
    unknown: Project, tmp_path: Path, configured: bool
) -> None:
    if configured:
        unknown.config("")
    home, unknown.folder = unknown.folder, tmp_path
    result = unknown.call("send", str(home / "manifests"))
    settle = commands(result)[0]
    assert settle[-2:] == (
        ["--config", str(home / "dispatcher.toml")]
        if configured
        else ["-C", str(home / "manifests")]
    )
    assert unknown.call(*settle).code == 0
    assert unknown.call("send", "--json", str(home / "manifests")).statuses == {"a": "skipped"}


def test_a_trial_is_made_again_as_another_one(project: Project) -> None:
    project.inbox.faults([{**REFUSED, "times": 1}])
    project.texts("a")
    trial = ["--only", "a", "--trial", "79990000000"]
    command = only(project.call("send", *trial))
    assert command == ["send", *trial]
    assert project.call(*command, "--json").statuses == {"a": "sent"}
