"""Messages of which nobody knows whether they arrived, and the person who finds out."""

import pytest

from tests.support.cases import cases
from tests.support.project import Project

KEY = "default/m/a/1/79001234567"


@pytest.fixture
def unknown(project: Project) -> Project:
    """A project with one message, accepted by the gateway, whose answer was lost."""
    project.inbox.faults([{"fault": "reset_after", "times": 1, "path": "/v1/messages"}])
    project.send_texts("a", code=5)
    return project


@cases("word, status, copies", ("--sent", "skipped", 1), ("--not-sent", "sent", 2))
def test_next_run_does_as_told(unknown: Project, word: str, status: str, copies: int) -> None:
    assert unknown.call("settle", KEY, word).code == 0
    again = unknown.call("send", "--json")
    assert (again.code, again.statuses) == (0, {"a": status})
    assert len(unknown.inbox.messages()) == copies


def test_what_the_journal_no_longer_knows_is_settled_as_sent(project: Project) -> None:
    """It went back in time, and a person has the keys that the lost runs had reported."""
    project.inbox.faults([{"fault": "status", "status": 400, "code": 1022, "times": 1}])
    assert project.send_texts("a", "b", "c", code=4).statuses["a"] == "failed"
    project.inbox.faults([])
    lost = ["default/m/a/1/79001234567", "default/m/d/1/79001234567"]
    sent, wrong = "default/m/b/1/79001234567", "no key"
    project.texts("a", "b", "c", "d")

    project.call("settle", "--sent", *lost).refused(code=3)
    given = project.call("settle", "--sent", "--missing", *lost, sent, wrong)
    last = project.call("send", "--json")

    assert given.stdout == "".join(f"sent  {key}\n" for key in lost)
    assert f"{sent} is not unknown, but sent" in given.stderr
    assert f'"{wrong}" is no key: RUN/MANIFEST/ID/REVISION/RECIPIENT, as ' in given.stderr
    assert given.code == 3
    assert (last.code, set(last.statuses.values())) == (0, {"skipped"})
    assert all(line["error"] is None for line in last.results.values()), "nothing has changed"
    assert len(project.inbox.messages()) == 2
    for wrong_use in (["--not-sent", *lost], ["--sent", "--run", "x"]):
        assert project.call("settle", "--missing", *wrong_use).code == 2


@cases(
    "key, known",
    ("default/m/a/1/room/7", True),  # a provider's recipient
    ("default/m/a/\N{SUPERSCRIPT TWO}/79001234567", False),
    ("default/m/a/01/79001234567", False),
    ("\ufeffdefault/m/a/1/79001234567", False),
    ("default/m /a/1/79001234567", False),
    ("default/m/a/1/79001234567\u200e", False),
)
def test_only_what_can_be_a_key_is_noted_as_sent(unknown: Project, key: str, known: bool) -> None:
    """What no message can have would protect nobody."""
    settled = unknown.call("settle", "--sent", "--missing", key)
    assert settled.code == (0 if known else 3)
    assert bool(settled.stdout) == known


def test_file_of_keys_may_begin_with_a_byte_order_mark(unknown: Project) -> None:
    """As programs on Windows write it."""
    keys = str(unknown.write("keys", f"\ufeff{KEY}\r\n"))
    assert unknown.call("settle", "--sent", "--missing", "--from", keys).code == 0
    assert unknown.journal()["a"]["status"] == "sent"


def test_what_history_has_as_json_can_be_settled(unknown: Project) -> None:
    listed = unknown.call("history", "--status", "unknown", "--json").stdout
    keys = str(unknown.write("unknown.jsonl", listed))
    assert unknown.call("settle", "--sent", "--from", keys).code == 0
    assert unknown.journal()["a"]["status"] == "sent"


def test_history_shows_the_keys_to_settle(unknown: Project) -> None:
    assert KEY in unknown.call("history", "--status", "unknown").stdout


def test_only_unknown_messages_are_settled(unknown: Project) -> None:
    assert unknown.call("settle", KEY, "--sent").code == 0
    again = unknown.call("settle", KEY, "default/m/b/1/79001234567", "--not-sent")
    assert again.code == 3
    assert again.stderr.splitlines() == [
        f"error: {KEY} is not unknown, but sent",
        f"error: no message default/m/b/1/79001234567; did you mean {KEY} (sent)?",
    ]
    assert unknown.journal()["a"]["status"] == "sent"


@pytest.mark.parametrize("reader", ["> /dev/full", "> >(exec true)"], ids=["full", "unread"])
def test_everything_is_settled_though_nobody_can_read_of_it(project: Project, reader: str) -> None:
    project.inbox.faults([{"fault": "reset_after", "path": "/v1/messages"}])
    project.send_texts("a", "b", "c", code=5)
    prefix = ("bash", "-c", f'exec "$@" {reader}', "bash")
    settled = project.run("settle", "--run", "default", "--sent", "--yes", prefix=prefix)
    assert settled.code == 1
    assert settled.stderr.count("cannot write the output") == 1
    assert list(project.statuses().values()) == ["sent"] * 3
