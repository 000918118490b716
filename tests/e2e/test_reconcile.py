"""A transport that can ask its gateway what became of a message whose answer was lost."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.cases import cases
from tests.support.project import Project, Result, text

TO = "79001234567"
KEY = f"default/m/a/1/{TO}"

# It does what the file `does` says, and notes in `asked` and `sent` what it was called with.
ORACLE = """
import json
from pathlib import Path
from dispatcher import Failure, NotSent, OutcomeUnknown, Receipt, Refused, hookimpl
from pydantic_settings import BaseSettings

def note(name, *what):
    with open(name, "a") as file:
        file.write(json.dumps(what) + "\\n")

class Oracle:
    name = "oracle"
    local = True
    Settings = BaseSettings

    def __init__(self, settings):
        pass

    def build(self, message, attachment):
        return {"for": message.to, "note": message.text.body}

    def check(self, payload, attachment):
        return []

    def upload(self, file):
        raise NotImplementedError

    def send(self, payload):
        note("sent", payload)
        if not Path("does").exists():
            raise OutcomeUnknown("the answer was lost", code="lost")
        return Receipt(id="second")

    def reconcile(self, payload, since):
        note("asked", payload, since.isoformat())
        return eval(Path("does").read_text())

def refused(kind):
    raise kind("it was never there", **{"code": "absent"} if issubclass(kind, Exception) else {})

@hookimpl
def dispatcher_transports():
    return [Oracle]
"""


# Runs a command; its result, and the message's row in the journal.
Lost = Callable[..., tuple[Result, dict[str, Any]]]


@pytest.fixture
def lost(project: Project) -> Lost:
    """A message whose answer was lost; then `send`, when its transport finds out `does`."""
    project.install("oracle", ORACLE)
    project.manifest(f'transport = "oracle"\n{text()}')
    assert project.call("send").code == 5

    def send(does: str, *arguments: str) -> tuple[Result, dict[str, Any]]:
        project.write("does", does)
        result = project.call(*(arguments or ("send", "--json")))
        return result, project.journal()["a"]

    return send


def noted(project: Project, name: str) -> list[Any]:
    file = project.folder / name
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_message_that_the_gateway_has_counts_as_sent(project: Project, lost: Lost) -> None:
    result, row = lost('Receipt(id="found")')
    assert (result.code, result.statuses) == (0, {"a": "skipped"})
    assert result.results["a"]["id"] == "found"
    assert (row["status"], row["receipt"], row["attempts"]) == ("sent", "found", 1)
    assert len(noted(project, "sent")) == 1
    ((payload, since),) = noted(project, "asked")
    assert payload == {"for": TO, "note": "Hello"}
    age = datetime.now(UTC) - datetime.fromisoformat(since)
    assert timedelta(0) < age < timedelta(minutes=1)


def test_message_that_the_gateway_surely_has_not_is_sent(project: Project, lost: Lost) -> None:
    result, row = lost('Failure(code="absent", text="it was never there")')
    assert (result.code, result.statuses) == (0, {"a": "sent"})
    assert (row["status"], row["receipt"], row["attempts"]) == ("sent", "second", 2)
    assert len(noted(project, "sent")) == 2
    (history,) = project.call("history", "--attempts", "--json").lines
    events = [(each["status"], (each["error"] or {}).get("code")) for each in history["events"]]
    assert events == [
        ("sending", None),
        ("unknown", "lost"),
        ("failed", "absent"),
        ("sending", None),
        ("sent", None),
    ]


DOUBTS = {
    "cannot tell": "None",
    "fails": "1 / 0",
    "is cancelled": "refused(__import__('asyncio').CancelledError)",
    "does not know either": "refused(OutcomeUnknown)",
    "is not to be reached": "refused(NotSent)",
    "does not answer such questions": "refused(Refused)",
    "no receipt": '"found"',
    "a receipt of another kind": '{"id": "found"}',
}


@pytest.mark.parametrize("does", DOUBTS.values(), ids=DOUBTS)
def test_what_a_gateway_cannot_tell_stays_unknown(project: Project, lost: Lost, does: str) -> None:
    before = project.journal()["a"]
    result, row = lost(does)
    assert (result.code, result.statuses) == (5, {"a": "unknown"})
    assert row == before
    assert len(noted(project, "sent")) == 1


def test_plan_asks_nobody(project: Project, lost: Lost) -> None:
    result, row = lost('Receipt(id="found")', "plan", "--json")
    assert [line["status"] for line in result.planned] == ["unknown"]
    assert row["status"] == "unknown"
    assert noted(project, "asked") == []


@cases("option", ["--max", "1"], ["--plan", "plan.json"])
def test_what_the_gateway_surely_has_not_is_counted(
    project: Project, lost: Lost, option: list[str]
) -> None:
    """It leaves with what was announced, allowed and reviewed, or not at all."""
    project.manifest(f'transport = "oracle"\n{text()}{text("b")}')
    assert project.call("plan", "--out", "plan.json").code == 0
    absent = 'Failure(code="absent", text="it was never there")'
    result, row = lost(absent, "send", *option)
    why = {"--max": "2 messages would leave", "--plan": "a/1: 1 unknown then, retry now"}
    result.refused(why[option[0]])
    assert (row["status"], len(noted(project, "sent"))) == ("failed", 1)
    result = project.call("send")
    assert "to send: 2 messages to 1 person (1 again after a failure)" in result.stderr
    assert result.code == 0


def test_another_transport_is_not_asked(project: Project, lost: Lost) -> None:
    """Its gateway never got the message, and would say so."""
    project.install("oracle", ORACLE.replace('"oracle"', '"other"'))
    project.manifest(f'transport = "other"\n{text()}')
    result, row = lost('Failure(code="absent", text="it was never there")')
    assert (result.code, row["status"]) == (5, "unknown")
    assert noted(project, "asked") == []
    assert len(noted(project, "sent")) == 1


def test_message_that_says_something_else_is_not_asked_for(project: Project, lost: Lost) -> None:
    """The gateway would be asked for a payload that it never saw."""
    project.manifest(f'transport = "oracle"\n{text(body="Hello again")}')
    result, row = lost("refused(Refused)")
    assert (result.code, row["status"]) == (5, "unknown")
    assert noted(project, "asked") == []


def test_receipt_that_two_messages_would_have_is_nobodys(project: Project, lost: Lost) -> None:
    """The gateway has one message that may be either."""
    project.manifest(f'transport = "oracle"\n{text()}{text("b", body="Bye")}')
    (project.folder / "does").unlink(missing_ok=True)
    assert project.call("send").code == 5
    result, _ = lost('Receipt(id="found")')
    assert (result.code, result.statuses) == (5, {"a": "unknown", "b": "unknown"})


def test_receipt_that_another_message_has_or_had_is_not_taken(project: Project, lost: Lost) -> None:
    project.manifest(f'transport = "oracle"\n{text("b", body="Bye")}')
    project.write("does", "None")
    assert project.call("send").code == 0
    assert project.journal()["b"]["receipt"] == "second"
    project.manifest(f'transport = "oracle"\n{text()}{text("b", body="Bye")}')
    result, row = lost('Receipt(id="second")')
    assert (result.code, row["status"]) == (5, "unknown")
    result, row = lost('Receipt(id="third")')
    assert (result.code, row["status"], row["receipt"]) == (0, "sent", "third")


@cases("answer", "Receipt(id=str(id(payload)))", 'Failure(code="absent", text="gone")')
@cases("option", [], ["--only", "a"])
@cases("word", "--sent", "--not-sent")
def test_of_two_that_say_the_same_one_may_be_taken_for_the_other(
    project: Project, lost: Lost, answer: str, option: list[str], word: str
) -> None:
    """A person decides on the one; then the gateway's word on the other counts, except that what it
    has is the one that has arrived, as far as anybody knows."""
    project.manifest(f'transport = "oracle"\n{text()}{text("b")}')
    assert project.call("send").code == 5
    result, row = lost(answer, "send", "--json", *option)
    assert (result.code, row["status"]) == (5, "unknown")
    assert len(noted(project, "sent")) == 2
    assert project.call("settle", KEY.replace("/a/", "/b/"), word).code == 0
    result, row = lost(answer, "send", "--json", *option)
    is_doubtful = word == "--sent" and answer.startswith("Receipt")
    assert row["status"] == ("unknown" if is_doubtful else "sent")


def test_what_was_found_may_be_another_message_that_is_not_the_same(
    project: Project, lost: Lost
) -> None:
    """To a gateway, messages may look alike that are not; it is asked for one of them alone."""
    project.manifest(f'transport = "oracle"\n{text()}{text("b", body="Bye")}')
    assert project.call("send").code == 5
    found = 'Receipt(id="found")'
    result, row = lost(found, "send", "--json", "--only", "a")
    assert (result.code, row["status"]) == (5, "unknown")
    assert project.call("settle", KEY.replace("/a/", "/b/"), "--sent").code == 0
    result, row = lost(found, "send", "--json", "--only", "a")
    assert (result.code, row["status"]) == (5, "unknown")
    project.execute("UPDATE events SET at = '2020-01-01' WHERE status = 'sent'")
    result, row = lost(found, "send", "--json", "--only", "a")
    assert (result.code, row["status"], row["receipt"]) == (0, "sent", "found")


def test_messages_to_one_person_that_were_all_found_are_settled(
    project: Project, lost: Lost
) -> None:
    project.manifest(f'transport = "oracle"\n{text()}{text("b", body="Bye")}')
    assert project.call("send").code == 5
    result, _ = lost('Receipt(id=payload["note"])')
    assert (result.code, result.results["a"]["id"], result.results["b"]["id"]) == (
        0,
        "Hello",
        "Bye",
    )


@cases("does, asked", ("refused(NotSent)", 3), ("refused(OutcomeUnknown)", 3), ("None", 5))
def test_gateway_that_does_not_answer_is_not_waited_for_once_for_each_message(
    project: Project, lost: Lost, does: str, asked: int
) -> None:
    """A refusal is about the one message."""
    project.manifest(f'transport = "oracle"\n{"".join(text(id) for id in "abcde")}')
    assert project.call("send").code == 5
    for answer, count in ((does, asked), ("refused(Refused)", 5)):
        (project.folder / "asked").unlink(missing_ok=True)
        result, _ = lost(answer)
        assert result.statuses == dict.fromkeys("abcde", "unknown")
        assert len(noted(project, "asked")) == count
