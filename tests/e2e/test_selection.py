"""`--only`, `--to`, `--limit`, `--sample` and `--trial`, of `plan`, `send` and `preview`."""

import re
import shlex
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.support.cases import cases
from tests.support.project import Project, Result, text

TESTER = "79990000000"
PEOPLE = {"79001234501": "Anna", "79001234502": "Boris", "79001234503": "Vera"}
WELCOME = '[[messages]]\nid = "welcome"\nrecipients = "people.csv"\ntext.body = "Hi {{ name }}"\n'


@pytest.fixture
def project(project: Project) -> Project:
    """A text for everybody in a list, another one for two of them."""
    rows = "".join(f"{to},{name}\n" for to, name in PEOPLE.items())
    project.write("manifests/people.csv", f"to,name\n{rows}")
    project.manifest(WELCOME + text("bye", ["79001234501", "79001234502"], "Bye"))
    return project


def keys(result: Result) -> list[str]:
    return [line["key"] for line in result.lines if "key" in line]


def told(result: Result) -> list[str]:
    """The messages of a plan or a run, without the name of the run."""
    return [key.partition("/")[2] for key in keys(result)]


def page(url: str) -> str:
    with build_opener(ProxyHandler({})).open(url, timeout=20) as answer:
        return answer.read().decode()


def shown(url: str) -> set[str]:
    """The recipients whom a preview lists."""
    return set(re.findall(r"chat=([0-9]+)", page(url)))


CHOICES: dict[str, tuple[list[str], list[str]]] = {
    "only": (["--only", "bye"], ["m/bye/1/79001234501", "m/bye/1/79001234502"]),
    "to": (["--to", "+7 900 123-45-03"], ["m/welcome/1/79001234503"]),
    "limit": (["--limit", "1"], ["m/welcome/1/79001234501", "m/bye/1/79001234501"]),
    "all": (
        ["--only", "m/welcome", "--to", "79001234502", "--to", "79001234503", "--limit", "1"],
        ["m/welcome/1/79001234502"],
    ),
}


@pytest.mark.parametrize(("options", "expected"), CHOICES.values(), ids=CHOICES)
def test_what_is_chosen_is_planned_shown_and_sent(
    project: Project, options: list[str], expected: list[str]
) -> None:
    assert told(project.call("plan", "--json", *options)) == expected
    with project.preview(*options) as url:
        assert shown(url) == {key.rpartition("/")[2] for key in expected}
    sent = project.call("send", "--json", *options)
    assert (sent.code, sorted(told(sent))) == (0, sorted(expected))
    assert sent.summary["sent"] == len(project.inbox.messages()) == len(expected)
    rest = project.call("send", "--json")
    assert (rest.summary["sent"], rest.summary["skipped"]) == (5 - len(expected), len(expected))
    assert len(project.inbox.messages()) == 5, "nobody twice, nobody forgotten"


def test_a_sample_is_the_same_in_every_command(project: Project) -> None:
    planned = told(project.call("plan", "--json", "--sample", "1"))
    assert [key.split("/")[1] for key in planned] == ["welcome", "bye"]
    assert told(project.call("plan", "--json", "--sample", "1")) == planned
    with project.preview("--sample", "1") as url:
        assert shown(url) == {key.rpartition("/")[2] for key in planned}
    assert sorted(told(project.call("send", "--json", "--sample", "1"))) == sorted(planned)
    again = project.call("send", "--json", "--sample", "1")
    assert (again.code, again.summary["skipped"]) == (0, 2), "no others in their place"


def test_a_trial_goes_to_one_person_and_nobody_counts_as_served(project: Project) -> None:
    options = ["--only", "welcome", "--sample", "3", "--trial", "+7 (999) 000-00-00"]
    sent = project.call("send", *options)

    assert (sent.code, sent.stderr.splitlines()[-1]) == (0, "3 sent")
    assert "to send: 3 messages to 1 person\n" in sent.stderr
    assert sorted(project.arrived(to=TESTER)) == ["Hi Anna", "Hi Boris", "Hi Vera"]
    assert len(project.inbox.messages()) == 3
    for to in PEOPLE:
        assert f"(to {TESTER} for {to})" in sent.stdout
    rows = project.call("history", "--to", TESTER, "--json").lines
    assert [row["status"] for row in rows] == ["sent"] * 3
    assert {row["key"].rpartition("/")[2] for row in rows} == set(PEOPLE)
    [run] = {row["run"] for row in rows}
    assert re.fullmatch(r"trial-20\d\d-\d\d-\d\dT\d{6}\.\d{3}Z", run)
    assert len(project.call("history", "--run", run, "--json").lines) == 3
    assert project.planned() == ["new"] * 5
    project.inbox.clear()
    assert project.call("send", "--json").summary["sent"] == 5
    assert {each["to"] for each in project.inbox.messages()} == set(PEOPLE)


def test_a_second_trial_sends_again(project: Project) -> None:
    for _ in range(2):
        assert project.call("send", "--json", "--trial", TESTER).summary["sent"] == 2
    assert len(project.inbox.messages(to=TESTER)) == 4


def test_what_failed_is_tried_again_with_the_same_choice(project: Project) -> None:
    """Without it, the command that goes on would send everything to everybody."""
    options = ["--only", "welcome", "--only", "bye", "--limit", "1", "--trial", TESTER]
    project.inbox.faults([{"fault": "status", "status": 400, "code": 1022, "times": 2}])
    failed = project.call("send", *options)
    last = f"2 failed\nfailed, to try again: dispatcher send {' '.join(options)}\n"
    assert failed.stderr.endswith(last)
    assert project.call(*shlex.split(failed.stderr.rpartition("dispatcher ")[2])).code == 0
    assert [each["to"] for each in project.inbox.messages()] == [TESTER] * 2


def test_a_plan_of_a_trial_says_whom_each_copy_stands_for(project: Project) -> None:
    trial = ["--trial", TESTER, "--limit", "1"]
    plan = project.call("plan", *trial)
    assert (plan.code, plan.stderr.splitlines()[-1]) == (0, "Plan: 2 new.")
    assert f'text "Hi Anna"  (to {TESTER} for 79001234501)\n' in plan.stdout
    for command in ("plan", "send"):
        lines = [each for each in project.call(command, "--json", *trial).lines if "key" in each]
        assert {line["for"] for line in lines} == {"79001234501"}
    assert "for" not in project.call("plan", "--json").lines[0]


def test_a_preview_of_a_trial_is_the_chat_with_who_tries_it(project: Project) -> None:
    with project.preview("--trial", TESTER, "--sample", "3") as url:
        assert shown(url) == {TESTER}
        assert re.findall(r"welcome · for \+?([0-9]+)", page(url)) == list(PEOPLE)
    project.has_sent_nothing()


def test_a_trial_uploads_files_and_needs_no_name_of_a_run(project: Project) -> None:
    project.write("manifests/a.pdf", b"%PDF-1.4 trial")
    project.manifest(
        'repeat = "run"\n[[messages]]\nid = "file"\nto = "79001234501"\n'
        'document = { source = "a.pdf", caption = "{{ 1 + 1 }} pages" }\n'
    )
    assert project.call("send").code == 2, "a real one does need it"
    assert project.call("send", "--trial", TESTER).code == 0
    [message] = project.inbox.messages(to=TESTER)
    assert message["payload"]["document"]["caption"] == "2 pages"
    assert project.inbox.stats()["uploads"] == 1


def test_a_trial_under_a_new_name_has_not_moved(project: Project) -> None:
    assert project.call("send").code == 0
    renamed = WELCOME.replace("welcome", "greeting")
    project.manifest(renamed)
    assert project.call("send").code == 2, "everybody has it under the former name"
    assert project.call("send", "--trial", TESTER).code == 0
    project.manifest(renamed.replace("\n", '\nmoved_from = "welcome"\n', 1))
    assert project.call("send", "--json", "--trial", TESTER).summary["sent"] == 1
    assert project.call("send", "--json").summary["skipped"] == 3


@cases(
    "options, sentence",
    (["--limit", "0"], "--limit 0: it takes at least one recipient"),
    (["--sample", "0"], "--sample 0: it takes at least one recipient"),
    (["--limit", "many"], "--limit: "),
    (["--limit", "1", "--sample", "1"], "give only one"),
    (["--only", "welcom"], '--only welcom: there is no such message; did you mean "welcome"?'),
    (["--only", "bye", "--only", "m/by"], "--only m/by: there is no such message; did you mean"),
    (["--to", "12345"], '--to 12345: "12345": a phone number has'),
    (["--trial", "12345"], '--trial 12345: "12345": a phone number has'),
    (["--trial", "79001234567-1581234048"], "a trial goes to one person, not to a group"),
)
@pytest.mark.parametrize("command", [["plan"], ["send"], ["preview", "--no-open"]], ids=" ".join)
def test_what_cannot_be_chosen_ends_the_command(
    project: Project, command: list[str], options: list[str], sentence: str
) -> None:
    project.call(*command, *options).refused(sentence)
    project.has_sent_nothing()


def test_a_trial_of_a_named_run_is_refused(project: Project) -> None:
    for command in ("plan", "send"):
        project.call(command, "--trial", TESTER, "--run", "x").refused("a run of its own")
    project.has_sent_nothing()


@pytest.mark.parametrize("command", [["plan"], ["send"], ["preview", "--no-open"]], ids=" ".join)
def test_a_recipient_without_a_message_is_told(project: Project, command: list[str]) -> None:
    result = project.call(*command, "--to", TESTER)
    result.refused(f"warning: --to {TESTER}: no message goes there\n", code=3)
    project.has_sent_nothing()


def test_problems_come_before_what_is_not_there(project: Project) -> None:
    project.manifest(WELCOME + text("bye", body="{{ nobody }}"))
    for command in ("plan", "send"):
        result: Any = project.call(command, "--only", "welcom")
        result.refused('manifests/m.toml:9:13: error: message "bye": unknown variable "nobody"')
        assert "--only" not in result.stderr
    with project.preview("--only", "welcom") as url:
        assert shown(url) == set()


def test_in_a_trial_one_failure_stops_no_copy_for_others(project: Project) -> None:
    """All go to one person, but each stands for another one."""
    people = ["79001234501", "79001234502", "79001234503"]
    project.manifest("stop_on_failure = true\n" + text("a", people))
    project.inbox.faults([{"fault": "status", "status": 400, "code": 1022, "times": 1}])
    result = project.call("send", "--json", "--trial", "79990000000", "--sample", "3")
    assert (result.code, result.summary["sent"], result.summary["failed"]) == (4, 2, 1)
