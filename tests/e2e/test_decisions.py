"""What a person decides: second copies, unknown messages, who gets no more; and who is asked."""

import os
import pty
from collections import Counter

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import Project, Result, text

FAILS = {"fault": "status", "status": 400, "code": 1022}
LOSES_THE_ANSWER = {"fault": "reset_after"}
KINDS = ("same", "changed", "unknown", "fails")
TO = {id: f"7900000000{number}" for number, id in enumerate(KINDS)}
KEYS = {id: f"default/m/{id}/1/{to}" for id, to in TO.items()}


def write(project: Project, **bodies: str) -> None:
    """A manifest with a message of each kind; bodies other than "Hello" by id."""
    project.manifest("".join(text(id, to, bodies.get(id, "Hello")) for id, to in TO.items()))


@pytest.fixture
def past(project: Project) -> Project:
    """A run that sent two messages, one of which changed since, lost an answer, and failed once."""
    write(project)
    project.inbox.faults([{**LOSES_THE_ANSWER, "to": TO["unknown"]}, {**FAILS, "to": TO["fails"]}])
    assert project.call("send").code == 5
    write(project, changed="Hello again")
    project.inbox.faults([])
    return project


def copies(inbox: SandboxProcess) -> dict[str, int]:
    counted = Counter(message["to"] for message in inbox.messages())
    return {id: counted[to] for id, to in TO.items()}


def answering(project: Project, answers: str, *arguments: str) -> Result:
    """Run a command for a person at a terminal, who types these answers."""
    ours, terminal = pty.openpty()
    process = project.start(*arguments, stdin=terminal)
    os.close(terminal)
    os.write(ours, answers.encode())
    result = project.finish(process)
    os.close(ours)
    return result


# send --resend

RESEND = {
    "changed": ["changed"],
    "unknown": ["unknown"],
    "failed": [],
    "all": ["changed", "unknown"],
}
RISKS = {
    "changed": "1 message was sent before with other content. Send again?",
    "unknown": "1 message may have arrived, and then arrives twice. Send again?",
}


@pytest.mark.parametrize(("word", "again"), RESEND.items(), ids=RESEND)
def test_second_copies_go_to_whom_they_are_for(past: Project, word: str, again: list[str]) -> None:
    result = past.call("send", "--json", "--resend", word, "--yes")

    assert result.statuses["fails"] == "sent", "a failed message is sent in any case"
    expected = {"same": 1, "changed": 1, "unknown": 1, "fails": 1}
    assert copies(past.inbox) == {id: n + (id in again) for id, n in expected.items()}
    assert result.statuses["same"] == "skipped"
    assert [result.statuses[id] for id in again] == ["sent"] * len(again)
    assert result.code == (0 if "unknown" in again else 5)
    before = copies(past.inbox)
    past.call("send", "--resend", "changed", "--yes")
    assert copies(past.inbox) == {**before, "changed": 2}, "what is sent as it is now is done"


def test_several_second_copies_are_asked_for_in_good_english(project: Project) -> None:
    project.texts("a", "b")
    assert project.call("send").code == 0
    project.manifest(text("a", body="Something else") + text("b", body="Something else"))
    result = project.call("send", "--resend", "changed")
    result.refused("2 messages were sent before with other content. Send again?")


def test_several_words_add_up(past: Project) -> None:
    result = past.call("send", "--resend", "changed", "--resend", "unknown", "--yes")
    assert result.code == 0
    assert copies(past.inbox) == {"same": 1, "changed": 2, "unknown": 2, "fails": 1}


@pytest.mark.parametrize(("word", "again"), RESEND.items(), ids=RESEND)
def test_nobody_is_there_to_agree(past: Project, word: str, again: list[str]) -> None:
    before = copies(past.inbox)
    result = past.call("send", "--resend", word)
    if not again:
        assert result.code == 5
        return
    result.refused(RISKS[again[0]], "agree with --yes")
    assert copies(past.inbox) == before


def test_person_agrees_to_each_kind_of_second_copy(past: Project) -> None:
    result = answering(past, "y\ny\n", "send", "--resend", "all")
    assert result.code == 0
    assert all(risk in result.stderr for risk in RISKS.values())
    assert copies(past.inbox) == {"same": 1, "changed": 2, "unknown": 2, "fails": 1}


@pytest.mark.parametrize("answers", ["n\n", "y\nn\n", "\n", "\x04"])
def test_person_does_not_agree_and_nothing_leaves(past: Project, answers: str) -> None:
    before, journal = copies(past.inbox), past.journal()
    result = answering(past, answers, "send", "--resend", "all")
    assert result.code not in (0, 3, 4, 5)
    assert (copies(past.inbox), past.journal()) == (before, journal)


def test_nobody_is_asked_where_there_is_nothing_to_send_twice(project: Project) -> None:
    project.texts("a")
    assert project.call("send", "--resend", "all").code == 0
    assert project.call("send", "--json", "--resend", "all").statuses == {"a": "skipped"}


def test_failed_resend_is_sent_by_the_next_run(past: Project) -> None:
    past.inbox.faults([{**FAILS, "to": TO["changed"]}])
    first = past.call("send", "--json", "--resend", "changed", "--yes")
    past.inbox.faults([])
    assert first.statuses["changed"] == "failed"
    assert past.call("send", "--json").statuses["changed"] == "sent"
    assert copies(past.inbox)["changed"] == 2


# settle


@pytest.fixture
def doubts(project: Project) -> list[str]:
    """The keys of three messages of two manifests, whose answers were lost."""
    project.inbox.faults([LOSES_THE_ANSWER])
    project.manifest(text("a", TO["same"]) + text("b", TO["changed"]))
    project.manifest(text("a", TO["same"]), "manifests/n.toml")
    assert project.call("send").code == 5
    project.inbox.faults([])
    ends = (f"m/a/1/{TO['same']}", f"m/b/1/{TO['changed']}", f"n/a/1/{TO['same']}")
    return [f"default/{end}" for end in ends]


def unknown(project: Project) -> list[str]:
    lines = project.call("history", "--status", "unknown", "--json").lines
    return sorted(line["key"] for line in lines)


def test_several_keys_are_settled_at_once(project: Project, doubts: list[str]) -> None:
    result = project.call("settle", *doubts[:2], "--sent")
    assert (result.code, result.stdout.splitlines()) == (0, [f"sent  {key}" for key in doubts[:2]])
    assert unknown(project) == doubts[2:]


def test_keys_may_stand_in_a_file(project: Project, doubts: list[str]) -> None:
    project.write("keys.txt", f"\n{doubts[0]}\n  {doubts[2]}  \r\n\n")
    assert project.call("settle", "--from", "keys.txt", "--not-sent").code == 0
    assert unknown(project) == [doubts[1]]


def test_history_and_settle_make_a_pipe(project: Project, doubts: list[str]) -> None:
    ours, theirs = os.pipe()
    process = project.start("settle", "--from", "-", "--sent", stdin=ours)
    os.close(ours)
    with os.fdopen(theirs, "w") as file:
        file.write("\n".join(doubts))
    assert project.finish(process).code == 0
    assert unknown(project) == []


FILTERS: dict[str, tuple[list[str], set[int]]] = {
    "run": (["--run", "default"], {0, 1, 2}),
    "manifest": (["--manifest", "m"], {0, 1}),
    "message": (["--message", "b"], {1}),
    "recipient": (["--to", TO["same"]], {0, 2}),
    "several": (["--to", TO["same"], "--manifest", "n"], {2}),
}


@pytest.mark.parametrize(("filters", "found"), FILTERS.values(), ids=FILTERS)
def test_filters_settle_all_that_they_name(
    project: Project, doubts: list[str], filters: list[str], found: set[int]
) -> None:
    project.call("settle", "--sent", *filters).refused(f"{len(found)} unknown message")
    assert unknown(project) == doubts
    assert project.call("settle", "--sent", "--yes", *filters).code == 0
    assert unknown(project) == [key for n, key in enumerate(doubts) if n not in found]


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 3), ("\n", 3)])
def test_person_is_asked_how_many_messages_are_meant(
    project: Project, doubts: list[str], answer: str, left: int
) -> None:
    result = answering(project, answer, "settle", "--run", "default", "--not-sent")
    assert "3 unknown messages will count as not sent. Go on?" in result.stderr
    assert len(unknown(project)) == left
    assert (result.code == 0) == (left == 0)


def test_filters_that_name_nothing_settle_nothing(project: Project, doubts: list[str]) -> None:
    result = project.call("settle", "--run", "evening", "--sent")
    assert result.code == 3
    assert "no unknown message is like this" in result.stderr


WRONG: dict[str, tuple[list[str], str]] = {
    "no word": (["KEY"], "either --sent or --not-sent"),
    "both words": (["KEY", "--sent", "--not-sent"], "either --sent or --not-sent"),
    "no message": (["--sent"], "name the messages"),
    "keys and filters": (["KEY", "--run", "x", "--sent"], "not both"),
    "a file and filters": (["--from", "keys.txt", "--run", "x", "--sent"], "not both"),
    "no such file": (["--from", "nowhere.txt", "--sent"], "nowhere.txt"),
    "an empty file": (["--from", os.devnull, "--sent"], "name the messages"),
}


@pytest.mark.parametrize(("arguments", "why"), WRONG.values(), ids=WRONG)
def test_what_is_not_clear_settles_nothing(
    project: Project, doubts: list[str], arguments: list[str], why: str
) -> None:
    project.write("keys.txt", doubts[0])
    project.call("settle", *[doubts[0] if it == "KEY" else it for it in arguments]).refused(why)
    assert unknown(project) == doubts


def test_person_with_a_file_that_is_not_text(project: Project, doubts: list[str]) -> None:
    project.write("keys.txt", b"\xff\xfe\x00")
    project.call("settle", "--from", "keys.txt", "--sent").refused("keys.txt")


# stop_on_failure

A, B = TO["same"], TO["changed"]
STORY = "".join(text(id, [A, B], id) for id in "abc")


def told(result: Result) -> dict[tuple[str, str, str], str]:
    """Statuses by manifest, message and the recipient's letter."""
    letter = {A: "A", B: "B"}
    return {
        (line["manifest"], line["message"], letter[line["to"]]): line["status"]
        for line in result.events("result")
    }


@cases("fault, status, code", (FAILS, "failed", 4), (LOSES_THE_ANSWER, "unknown", 5))
def test_recipient_who_missed_a_message_gets_no_more_of_that_manifest(
    project: Project, fault: dict[str, object], status: str, code: int
) -> None:
    project.manifest(f"stop_on_failure = true\n{STORY}")
    project.manifest(text("d", A, "d"), "manifests/n.toml")
    project.inbox.faults([{"fault": "delay", "to": A, "times": 1}, {**fault, "to": A, "times": 1}])

    result = project.call("send", "--json")

    assert result.code == code
    assert told(result) == {
        ("m", "a", "A"): "sent",
        ("m", "b", "A"): status,
        ("m", "c", "A"): "skipped",
        ("n", "d", "A"): "sent",
        **{("m", id, "B"): "sent" for id in "abc"},
    }
    (held,) = (line for line in result.events("result") if line["status"] == "skipped")
    assert (held["error"]["code"], held["attempts"]) == ("stop_on_failure", 0)
    assert "c" not in {line["message"] for line in history(project, A)}, "it stays new"

    again = project.call("send", "--json")
    arrived = project.arrived(to=A)
    if status == "failed":
        assert again.code == 0
        assert arrived == ["a", "d", "b", "c"]
    else:
        assert told(again)["m", "c", "A"] == "skipped", "as long as nobody knows"
        assert project.call("settle", f"default/m/b/1/{A}", "--sent").code == 0
        assert project.call("send").code == 0
        assert project.arrived(to=A)[-1] == "c"


def history(project: Project, to: str) -> list[dict[str, object]]:
    return project.call("history", "--json", "--to", to).lines


def test_retry_that_ends_well_is_no_failure(project: Project) -> None:
    project.manifest(f"stop_on_failure = true\n{STORY}")
    project.inbox.faults([{"fault": "status", "status": 429, "code": 82, "times": 1}])
    assert project.call("send").code == 0
    assert project.inbox.stats()["accepted"] == 6


def test_without_it_the_others_go_out(project: Project) -> None:
    project.manifest(STORY)
    project.inbox.faults([{**FAILS, "to": A, "times": 1}])
    result = project.call("send", "--json")
    assert (result.code, list(told(result).values()).count("sent")) == (4, 5)


def test_it_stands_at_the_top_of_the_file_only(project: Project) -> None:
    for wrong in (f"[defaults]\nstop_on_failure = true\n{STORY}", f"{STORY}stop_on_failure = true"):
        project.manifest(wrong)
        project.sends_nothing("stop_on_failure")


def test_keys_are_those_that_history_shows(past: Project) -> None:
    lines = past.call("history", "--json").lines
    assert {line["message"]: line["key"] for line in lines} == KEYS
