"""Every fault, at every request of a message, at every attempt: what is told, kept and accepted.

What is expected follows from the few rules at the top, never from the product.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, groupby, pairwise
from typing import Any, NamedTuple

import pytest

from dispatcher.delivery import retries
from dispatcher.sandbox.process import SandboxProcess
from tests.support.project import NewProject, Project, Result

ATTEMPTS = 3
CONFIG = f"""
[delivery]
attempts = {ATTEMPTS}
workers = 16
[transports.greenapi]
read_timeout = 2
"""


class Fault(NamedTuple):
    """What the gateway does; what that means for a message; under which code; copies it accepts."""

    rule: dict[str, Any]
    means: str
    code: str | None
    copies: int = 0


def answer(status: int, code: int, means: str, **options: Any) -> Fault:
    return Fault({"fault": "status", "status": status, "code": code, **options}, means, str(code))


LOST = "connection_lost"
REFUSALS = (1, 1011, 1020, 1021, 1022, 1023, 1030, 1031, 1032, 7200)
FAULTS = {
    "429": answer(429, 82, "wait"),
    "429 without a code": answer(429, 9999, "wait"),
    "429 that says when": answer(429, 82, "wait", retry_after=0.01),
    "code 82": answer(400, 82, "wait"),
    "code 1060": answer(400, 1060, "wait"),
    **{f"code {code}": answer(400, code, "refused") for code in REFUSALS},
    "404": answer(404, 9999, "refused"),
    "redirect": Fault({"fault": "redirect"}, "refused", "http 307"),
    **{f"code {code}": answer(400, code, "doubt") for code in (1010, 1024, 1042)},
    "code of tomorrow": answer(400, 9999, "doubt"),
    "500": answer(500, 1010, "doubt"),
    "500 with a sure code": answer(500, 1022, "doubt"),
    "503": answer(503, 82, "doubt", retry_after=0.01),
    "html": Fault({"fault": "html"}, "doubt", "http 502"),
    "refuse": Fault({"fault": "refuse"}, "doubt", LOST),
    "reset_before": Fault({"fault": "reset_before"}, "doubt", LOST),
    "reset_after": Fault({"fault": "reset_after"}, "doubt", LOST, copies=1),
    "stall": Fault({"fault": "stall"}, "doubt", "read_timeout", copies=1),
    "not_json": Fault({"fault": "not_json"}, "doubt", "http 201", copies=1),
    "no_id": Fault({"fault": "no_id"}, "doubt", "http 201", copies=1),
    "delay": Fault({"fault": "delay", "delay": 0.05}, "well", None, copies=1),
}
WELL = Fault({"fault": "delay"}, "well", None, copies=1)
STRIKES: dict[str, Callable[[Fault], list[Fault]]] = {
    "first": lambda fault: [fault] + [WELL] * (ATTEMPTS - 1),
    "second": lambda fault: [FAULTS["429"], fault] + [WELL] * (ATTEMPTS - 2),
    "every": lambda fault: [fault] * ATTEMPTS,
}
# An upload may always be repeated: no message left with it.
AT_UPLOAD = {"doubt": "wait"}
ENDS = {"well": "sent", "wait": "failed", "refused": "failed", "doubt": "unknown"}
EXIT_CODES = {"sent": 0, "failed": 1, "unknown": 5}
# What becomes of a message in the next run, in which nothing fails.
NEXT = {"sent": "skipped", "failed": "sent", "unknown": "unknown"}
CONTENT = {
    "text": 'text.body = "Hello"',
    "link": 'image.link = "https://cdn.example.com/a.png"',
    "upload": 'document.source = "{id}.pdf"',
    "after upload": 'document.source = "{id}.pdf"',
}


class Fate(NamedTuple):
    """How a message ends. `causes`: of each attempt, its status and code."""

    status: str
    code: str | None
    causes: list[tuple[str, str | None]]
    copies: int


def lived(what: str, strike: str, fault: Fault) -> list[tuple[Fault, str]]:
    """The attempts that are made, and what each means: only who surely waits comes again."""
    made = []
    for each in STRIKES[strike](fault):
        means = AT_UPLOAD.get(each.means, each.means) if what == "upload" else each.means
        made.append((each, means))
        if means != "wait":
            break
    return made


def fate(what: str, strike: str, fault: Fault) -> Fate:
    made = lived(what, strike, fault)
    causes = [(ENDS[means], each.code) for each, means in made]
    status, code = causes[-1]
    accepted = sum(each.copies for each, _ in made)
    return Fate(status, code, causes, int(status == "sent") if what == "upload" else accepted)


GROUPS = [
    (what, strike, status)
    for what in CONTENT
    for strike in STRIKES
    for status in EXIT_CODES
    if any(fate(what, strike, fault).status == status for fault in FAULTS.values())
]


def rules(what: str, strike: str, to: str, fault: Fault) -> Iterator[dict[str, Any]]:
    """A rule for each attempt; uploads have no recipient, so that there it is their turn."""
    place = {"path": "/v1/media"} if what == "upload" else {"path": "/v1/messages", "to": to}
    return ({**each.rule, **place, "times": 1} for each, _ in lived(what, strike, fault))


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "BACKOFF", lambda state: 0.0)


@pytest.mark.parametrize(("what", "strike", "status"), GROUPS, ids=map(" ".join, GROUPS))
def test_fate_of_each_message(project: Project, what: str, strike: str, status: str) -> None:
    expected = {name: fate(what, strike, fault) for name, fault in FAULTS.items()}
    names = [name for name, fate in expected.items() if fate.status == status]
    recipients = {id_of(name): f"790000{number:05}" for number, name in enumerate(names)}
    one = "79000099999"  # uploads are told apart by their order: they go to one recipient
    write(project, what, {id: one if what == "upload" else to for id, to in recipients.items()})
    project.inbox.faults(
        chain.from_iterable(
            rules(what, strike, recipients[id_of(name)], FAULTS[name]) for name in names
        )
    )

    result = project.call("send", "--json")

    first = copies(project.inbox)
    assert found(project, result, first) == {id_of(name): expected[name] for name in names}
    attempts = {id_of(name): len(expected[name].causes) for name in names}
    assert {id: line["attempts"] for id, line in result.results.items()} == attempts
    assert result.code == EXIT_CODES[status]
    if what == "upload":
        stats = project.inbox.stats()
        assert stats["uploads"] == sum(attempts.values())
        assert stats["requests"] == (len(names) if status == "sent" else 0)

    project.inbox.faults([])
    again = project.call("send", "--json")
    assert again.statuses == dict.fromkeys(recipients, NEXT[status])
    assert again.code == (5 if status == "unknown" else 0)
    assert copies(project.inbox) == first + Counter(list(recipients) if status == "failed" else ())


REASONS = {
    "code 1022": "Subscriber was not found / Подписчик не найден",
    "429": "Outgoing messages limit exceeded",
    "redirect": "redirects are not followed, check base_url",
}


@pytest.mark.parametrize("name", REASONS)
def test_people_read_why(project: Project, name: str) -> None:
    project.texts("a")
    project.inbox.faults([FAULTS[name].rule])
    result = project.call("send", "--json")
    assert REASONS[name] in result.results["a"]["error"]["text"]


def id_of(name: str) -> str:
    return name.replace(" ", "-")


def write(project: Project, what: str, recipients: dict[str, str]) -> None:
    """A message to each of these, whose body or caption tells which it is."""
    project.config(CONFIG)
    entries = []
    for id, to in recipients.items():
        project.write(f"manifests/{id}.pdf", f"%PDF-1.4\ncontent of {id}")
        content = CONTENT[what].format(id=id)
        if what != "text":
            content += f'\n{content.partition(".")[0]}.caption = "{id}"'
        entries.append(f'[[messages]]\nid = "{id}"\nto = "{to}"\n{content.replace("Hello", id)}\n')
    project.manifest("".join(entries))


def copies(inbox: SandboxProcess) -> Counter[str]:
    """How many copies of each message the gateway accepted."""
    contents = (message["payload"][message["type"]] for message in inbox.messages(limit=1000))
    return Counter(content.get("body") or content["caption"] for content in contents)


def found(project: Project, result: Result, copies: Counter[str]) -> dict[str, Fate]:
    """What was told of each message, and what the journal knows; one must agree with the other."""
    journal, fates = project.journal(), {}
    for row in project.call("history", "--attempts", "--json").lines:
        id = row["message"]
        told, kept = result.results[id], journal[id]
        status, code = told["status"], (told["error"] or {}).get("code")
        assert (row["status"], row["id"], row["error"]) == (status, told["id"], told["error"])
        assert (kept["status"], kept["receipt"], kept["error_code"]) == (status, told["id"], code)
        assert row["attempts"] == kept["attempts"] == told["attempts"]
        fates[id] = Fate(status, code, causes(row["events"]), copies[id])
    return fates


def causes(events: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """How each attempt ended; each has its intent and its end, in this order.

    It may have been claimed ahead, and released, before.
    """
    ends = []
    for before, event in pairwise(events):
        if event["status"] == "new":
            assert (before["status"], event["error"]["code"]) == ("sending", "released")
            events = [each for each in events if each not in (before, event)]
    for number, (attempt, pair) in enumerate(groupby(events, lambda event: event["attempt"]), 1):
        intent, end = pair
        assert (attempt, intent["status"]) == (number, "sending")
        ends.append((end["status"], (end["error"] or {}).get("code")))
    return ends


ACCOUNT = {
    "code 1040": answer(400, 1040, "account"),
    "code 1041": answer(400, 1041, "account"),
    "code 1062": answer(400, 1062, "account"),
    "code 1071": answer(400, 1071, "account"),
    "401": answer(401, 1022, "account"),
    "403": answer(403, 9999, "account"),
}


@pytest.mark.parametrize("what", CONTENT)
@pytest.mark.parametrize("strike", ["first", "second"])
def test_account_at_fault_ends_the_run_at_any_request(
    new_project: NewProject, inbox: SandboxProcess, what: str, strike: str
) -> None:
    path = "/v1/media" if what == "upload" else "/v1/messages"
    for fault in ACCOUNT.values():
        inbox.clear()
        project = new_project()
        write(project, what, dict.fromkeys(("a", "b"), "79000000001"))
        made = STRIKES[strike](fault)[: 1 if strike == "first" else 2]
        inbox.faults({**each.rule, "path": path, "times": 1} for each in made)

        result = project.call("send", "--json")

        row, *others = project.call("history", "--attempts", "--json").lines
        assert causes(row["events"]) == [("failed", each.code) for each in made]
        assert (result.code, result.statuses, others) == (1, {"a": "failed"}, [])
        assert result.summary["not_tried"] == 1
        assert inbox.stats()["accepted"] == 0
