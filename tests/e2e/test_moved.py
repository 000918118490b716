"""Words that a recipient has already are not sent under another name without a word."""

import sqlite3
import unicodedata
from contextlib import closing

import pytest

from tests.support.cases import cases
from tests.support.project import Project, text

ANNA, BORIS = "79001234501", "79001234502"
REFUSED = {"fault": "status", "status": 400, "code": 1022, "times": 1}


def moved(text: str, *former: str) -> str:
    """A message's table that says which names it had."""
    return text.replace("\nto = ", f"\nmoved_from = {list(former)}\nto = ", 1)


def statuses(project: Project, *arguments: str) -> dict[str, str]:
    return {
        "/".join(line["key"].split("/")[1:]): line["status"]
        for line in project.call("plan", "--json", *arguments).planned
    }


def served(project: Project) -> None:
    result = project.call("send", "--json")
    assert (result.code, result.summary["sent"]) == (0, 0), result.stderr


def test_ids_that_were_numbered_anew(project: Project) -> None:
    project.manifest(text("1", body="Hello") + text("2", body="Bye"))
    assert project.call("send").code == 0
    project.manifest(text("1", body="New") + text("2", body="Hello") + text("3", body="Bye"))
    project.call("send").refused(
        'message "3": 1 person has it as m/2, which is not for them any more, or has other words',
        "if it is the same message, put that back",
    )
    project.manifest(text("0", body="New") + text("1", body="Hello") + text("2", body="Bye"))
    assert project.call("send", "--json").statuses == {"0": "sent", "1": "skipped", "2": "skipped"}
    assert sorted(project.arrived()) == ["Bye", "Hello", "New"]


@cases("order", ("a", "b"), ("b", "a"))
def test_words_that_went_from_one_message_to_another(
    project: Project, order: tuple[str, str]
) -> None:
    """Wherever in the manifests the two messages stand."""
    project.manifest(text("a", body="Hello"))
    assert project.call("send").code == 0
    new = {"a": text("a", body="Other words"), "b": text("b", body="Hello")}
    project.manifest("".join(new[id] for id in order))
    project.call("send").refused('message "b": 1 person has it as m/a')
    assert statuses(project, "--only", "b") == {"m/b/1/79001234567": "moved"}


def test_recipients_who_went_from_one_message_to_another(project: Project) -> None:
    project.manifest(text("a", [ANNA, BORIS]))
    assert project.call("send").code == 0
    project.manifest(text("a", ANNA) + text("b", BORIS))
    project.call("send").refused('message "b": 1 person has it as m/a, which is not for them')
    project.manifest(text("a", [ANNA, BORIS]))
    served(project)


def test_a_message_that_became_two(project: Project) -> None:
    project.manifest(text("a", [ANNA, BORIS]))
    assert project.call("send").code == 0
    project.manifest(text("b", ANNA) + text("c", BORIS))
    project.call("send").refused(
        'message "b": 1 person has it as m/a, which is in no manifest any more; '
        'if it is the same message, say moved_from = "a" in it',
        'message "c": 1 person has it as m/a, which is in no manifest any more; '
        "if it is the same message as m/b, make one of the two",
    )
    project.manifest(moved(text("b", ANNA), "a") + text("c", BORIS))
    project.call("send").refused('message "c": 1 person has it as m/a', "as m/b, make one of")
    project.manifest(moved(text("b", [ANNA, BORIS]), "a"))
    served(project)


def test_a_name_that_may_be_in_a_manifest_that_cannot_be_read(project: Project) -> None:
    project.config("")
    project.manifest(text("a", ANNA), "manifests/old.toml")
    assert project.call("send").code == 0
    project.write("manifests/old.toml", "manifest = 1 =")
    project.manifest(text("b", ANNA), "manifests/new.toml")
    project.call("send", "manifests/new.toml").refused(
        "in no manifest any more that can be read (old.toml cannot)"
    )


def test_a_raised_revision_that_was_taken_back(project: Project) -> None:
    project.manifest(text("a", ANNA))
    assert project.call("send").code == 0
    project.manifest(text("a", [ANNA, BORIS]) + "revision = 2\n")
    assert project.call("send").code == 0
    project.manifest(text("a", [ANNA, BORIS]))
    project.call("send").refused('"a": 1 person has it as m/a, in revision 2; say revision = 2')
    project.manifest(text("a", [ANNA, BORIS]) + "revision = 2\n")
    served(project)
    project.manifest(moved(text("b", [ANNA, BORIS]), "a"))
    project.call("send").refused('"b": 1 person has it as m/a, in revision 2; say revision = 2')
    project.manifest(moved(text("b", [ANNA, BORIS]), "a") + "revision = 2\n")
    served(project)
    assert project.arrived(to=BORIS) == ["Hello"]


def test_the_same_words_twice_are_two_messages_as_long_as_both_are_there(project: Project) -> None:
    project.manifest(text("monday"))
    assert project.call("send").code == 0
    project.manifest(text("monday") + text("tuesday"))
    assert project.call("send").code == 0
    project.manifest(text("monday") + "revision = 2\n" + text("tuesday") + text("friday"))
    assert project.call("send", "--json").summary["sent"] == 2
    project.manifest(text("tuesday") + moved(text("sunday"), "friday"))
    served(project)
    assert len(project.arrived()) == 4


def test_a_manifest_that_was_split(project: Project) -> None:
    project.manifest(text("first", body="Hello") + text("last", body="Bye"))
    assert project.call("send").code == 0
    project.manifest(text("first", body="Hello"))
    new = text("first", body="Good day") + text("last", body="Bye")
    project.manifest(new, "manifests/n.toml")
    project.call("send").refused('message "last": 1 person has it as m/last', '"m/last" in it')
    project.manifest(new.replace('"last"', '"last"\nmoved_from = "m/last"'), "manifests/n.toml")
    assert project.call("send").code == 0
    assert sorted(project.arrived()) == ["Bye", "Good day", "Hello"]


def test_what_arrived_under_any_name_counts_before_what_failed(project: Project) -> None:
    project.inbox.faults([REFUSED])
    project.manifest(text("a") + text("b"))
    assert project.call("send", "--json").statuses == {"a": "failed", "b": "sent"}
    project.manifest(moved(text("c"), "a", "b"))
    served(project)


def test_messages_that_became_one(project: Project) -> None:
    """Whatever is newest of what somebody has under its names, no words arrive twice."""
    project.manifest(text("a", body="Hello") + text("b", body="Bye"))
    assert project.call("send").code == 0
    project.manifest(moved(text("b", body="Hello"), "a"))
    assert statuses(project) == {"m/b/1/79001234567": "sent"}
    assert project.call("send", "--resend", "changed", "--yes").code == 0
    project.manifest(text("a", body="Hello") + text("b", body="Hello"))
    project.inbox.faults([REFUSED])
    assert project.call("send", "--resend", "changed", "--yes").code == 1
    assert project.statuses() == {"a": "sent", "b": "failed"}
    project.manifest(moved(text("c", body="Hello"), "a", "b"))
    served(project)
    project.manifest(moved(text("c", body="Good day"), "a", "b"))
    assert statuses(project) == {"m/c/1/79001234567": "changed"}
    assert sorted(project.arrived()) == ["Bye", "Hello"]


def test_what_may_have_arrived_under_one_of_several_names(project: Project) -> None:
    """It is settled first, whatever arrived under another one later."""
    project.inbox.faults([{"fault": "reset_after", "times": 1}])
    project.manifest(text("a", body="Hello") + text("b", body="Bye"))
    assert project.call("send", "--json").statuses == {"a": "unknown", "b": "sent"}
    project.manifest(moved(text("b", body="Hello"), "a"))
    result = project.call("send", "--resend", "changed")
    assert result.code == 5
    assert "if it arrived: dispatcher settle default/m/a/1/79001234567 --sent" in result.stderr
    project.manifest(moved(text("b", body="Bye"), "a"))
    served(project)
    assert project.call("settle", "default/m/a/1/79001234567", "--not-sent").code == 0
    served(project)
    assert project.arrived() == ["Hello", "Bye"]


@cases("says", True, False, ids=["with moved_from", "without"])
def test_what_an_older_checkout_sent_meanwhile(project: Project, says: bool) -> None:
    """The new name failed; then somebody sent from a checkout that has the old one only."""
    new = moved(text("b"), "a") if says else text("b")
    project.manifest(text("a", BORIS))
    assert project.call("send").code == 0
    project.inbox.faults([REFUSED])
    project.manifest(new)
    assert project.call("send").code == 1
    assert project.statuses()["b"] == "failed"
    project.manifest(text("a"))
    assert project.call("send").code == 0
    project.manifest(new)
    if says:
        served(project)
    else:
        project.call("send").refused('message "b": 1 person has it as m/a')


@cases("status", "failed", "unknown")
def test_a_former_name_that_a_mac_wrote(project: Project, status: str) -> None:
    """The record is changed where it is, in its own spelling."""
    old = unicodedata.normalize("NFC", "йод")
    apart = unicodedata.normalize("NFD", old)
    project.manifest(text(old), f"manifests/{old}.toml")
    assert project.call("send").code == 0
    key = f"default/{apart}/{apart}/1/79001234567"
    with closing(sqlite3.connect(project.journal_file)) as journal, journal:
        journal.execute(
            "UPDATE messages SET key = ?, manifest = ?, message = ?, status = ?",
            (key, apart, apart, status),
        )
    (project.folder / f"manifests/{old}.toml").unlink()
    project.manifest(f'moved_from = "{apart}"\n' + moved(text("new"), apart), "manifests/n.toml")
    result = project.call("send", "--json")
    assert result.statuses == {"new": "sent" if status == "failed" else "unknown"}
    if status == "unknown":
        assert project.call("settle", key, "--not-sent").code == 0
        assert project.call("send", "--json").statuses == {"new": "sent"}
    (row,) = project.journal().values()
    assert (row["key"], row["status"], row["attempts"]) == (key, "sent", 2)


@pytest.mark.parametrize(
    ("head", "arguments"),
    [('repeat = "daily"\n', ()), ('repeat = "run"\n', ("--run", "spring"))],
    ids=["daily", "run"],
)
def test_a_run_in_which_a_message_is_renamed(
    project: Project, head: str, arguments: tuple[str, ...]
) -> None:
    project.manifest(head + text("a"))
    assert project.call("send", *arguments).code == 0
    project.manifest(head + text("b"))
    project.call("send", *arguments).refused('message "b": 1 person has it as m/a')
    project.manifest(head + moved(text("b"), "a"))
    result = project.call("send", "--json", *arguments)
    assert (result.code, result.statuses) == (0, {"b": "skipped"})
    if arguments:
        assert project.call("send", "--json", "--run", "summer").statuses == {"b": "sent"}
