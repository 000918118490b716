"""What each way of failing means: for the message, the run, the journal and the exit code."""

import socket
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.gateway import Gateway, Reply
from tests.support.project import NewProject, Project

ATTEMPTS = 2
CONFIG = f"""
[delivery]
attempts = {ATTEMPTS}
workers = 32
[transports.greenapi]
read_timeout = 1
"""


@dataclass
class Case:
    """A fault, and how a message ends that always meets it. `copies`: that the gateway accepted."""

    fault: str
    status: str
    code: str | None
    attempts: int = 1
    copies: int = 0
    options: dict[str, Any] = field(default_factory=dict)


def http(status: int, code: int = 1010, **options: Any) -> dict[str, Any]:
    return {"status": status, "code": code, **options}


def refusal(code: int, status: str = "failed", attempts: int = 1) -> Case:
    return Case("status", status, str(code), attempts, options=http(400, code))


REFUSED = (1, 1011, 1020, 1021, 1022, 1023, 1030, 1031, 1032, 7200)
WAIT = (82, 1060)
DOUBTFUL = (1010, 1024, 1042)

CASES = {
    **{f"code {code}": refusal(code) for code in REFUSED},
    **{f"code {code}": refusal(code, attempts=ATTEMPTS) for code in WAIT},
    **{f"code {code}": refusal(code, "unknown") for code in DOUBTFUL},
    "429": Case("status", "failed", "82", ATTEMPTS, 0, http(429, 82, retry_after=0.1)),
    "429 then well": Case("status", "sent", None, 2, 1, http(429, 82, times=1)),
    "500": Case("status", "unknown", "1010", options=http(500)),
    "503": Case("status", "unknown", "1010", options=http(503, retry_after=0.1)),
    "refuse": Case("refuse", "unknown", "connection_lost"),
    "reset_before": Case("reset_before", "unknown", "connection_lost"),
    "reset_after": Case("reset_after", "unknown", "connection_lost", copies=1),
    "stall": Case("stall", "unknown", "read_timeout", copies=1),
    "not_json": Case("not_json", "unknown", "http 201", copies=1),
    "no_id": Case("no_id", "unknown", "http 201", copies=1),
    "html": Case("html", "unknown", "http 502"),
    "redirect": Case("redirect", "failed", "http 307"),
    "none": Case("delay", "sent", None, copies=1),
}
TO = {name: f"790000{number:05}" for number, name in enumerate(CASES)}


def rules() -> list[dict[str, Any]]:
    return [{"to": TO[name], "fault": case.fault, **case.options} for name, case in CASES.items()]


def message(name: str) -> str:
    id = name.replace(" ", "-")
    return f'[[messages]]\nid = "{id}"\nto = "{TO[name]}"\ntext.body = "Hello"\n'


@dataclass
class Sent:
    """Two runs over the same messages: one in which the faults act, one without them."""

    first: dict[str, dict[str, Any]]
    journal: dict[str, dict[str, Any]]
    copies: Counter[str]
    second: dict[str, dict[str, Any]]
    copies_after: Counter[str]
    codes: tuple[int, int]


@pytest.fixture(scope="module")
def sent(sandbox_process: SandboxProcess, new_project: NewProject) -> Sent:
    sandbox_process.clear()
    project = new_project()
    project.config(CONFIG)
    project.manifest("".join(map(message, CASES)))

    sandbox_process.faults(rules())
    first = project.call("send", "--json")
    journal = project.journal()
    copies = Counter(message["to"] for message in sandbox_process.messages())
    sandbox_process.faults([])
    second = project.call("send", "--json")
    copies_after = Counter(message["to"] for message in sandbox_process.messages())
    codes = first.code, second.code
    return Sent(first.results, journal, copies, second.results, copies_after, codes)


@pytest.mark.parametrize("name", CASES)
def test_outcome_of_each_fault(sent: Sent, name: str) -> None:
    case, id = CASES[name], name.replace(" ", "-")
    result, row = sent.first[id], sent.journal[id]
    assert result["status"] == case.status
    assert (result["error"] or {}).get("code") == case.code
    assert result["attempts"] == case.attempts
    assert sent.copies[TO[name]] == case.copies
    assert row["status"] == case.status
    assert (row["attempts"], row["error_code"]) == (case.attempts, case.code)
    assert row["receipt"] == result["id"]


@pytest.mark.parametrize("name", CASES)
def test_next_run_sends_again_what_surely_failed_and_nothing_else(sent: Sent, name: str) -> None:
    case, id = CASES[name], name.replace(" ", "-")
    after = {"sent": "skipped", "failed": "sent", "unknown": "unknown"}
    assert sent.second[id]["status"] == after[case.status]
    assert sent.copies_after[TO[name]] == case.copies + (case.status == "failed")


def test_doubt_decides_the_exit_code(sent: Sent) -> None:
    assert sent.codes == (5, 5)


@pytest.mark.parametrize("name", ["code 1022", "429", "redirect"])
def test_people_read_why(sent: Sent, name: str) -> None:
    reasons = {
        "code 1022": "Subscriber was not found / Подписчик не найден",
        "429": "Outgoing messages limit exceeded",
        "redirect": "redirects are not followed, check base_url",
    }
    assert reasons[name] in sent.first[name.replace(" ", "-")]["error"]["text"]


STOPPING: dict[str, tuple[dict[str, Any], str]] = {
    "code 1041": ({"status": 400, "code": 1041}, "1041"),
    "code 1062": ({"status": 400, "code": 1062}, "1062"),
    "401": ({"status": 401, "code": 1010}, "1010"),
    "403": ({"status": 403, "code": 1010}, "1010"),
}


@pytest.mark.parametrize(("options", "code"), STOPPING.values(), ids=STOPPING)
def test_refused_account_stops_the_run(
    project: Project, inbox: SandboxProcess, options: dict[str, Any], code: str
) -> None:
    project.texts("a", "b", "c", "d")
    inbox.faults([{"fault": "delay", "times": 1}, {"fault": "status", **options}])

    result = project.call("send", "--json")

    assert result.code == 4
    assert result.statuses == {"a": "sent", "b": "failed"}
    assert result.results["b"]["error"]["code"] == code
    assert result.summary["not_tried"] == 2
    assert inbox.stats()["requests"] == 2
    assert {id: row["status"] for id, row in project.journal().items()} == result.statuses


def test_what_a_stopped_run_did_not_try_is_sent_by_the_next(
    project: Project, inbox: SandboxProcess
) -> None:
    project.texts("a", "b", "c")
    inbox.faults([{"fault": "status", "status": 401}])
    project.call("send")
    inbox.faults([])
    plan = project.call("plan", "--json")
    assert [line["status"] for line in plan.lines] == ["retry", "new", "new"]
    assert set(project.call("send", "--json").statuses.values()) == {"sent"}


def test_people_read_that_the_run_stopped(project: Project, inbox: SandboxProcess) -> None:
    project.texts("a", "b")
    inbox.faults([{"fault": "status", "status": 401, "code": 1041}])
    result = project.call("send")
    assert result.code == 1
    assert "stopped: check GREENAPI_TOKEN: Authorization key is not allowed" in result.stderr
    assert "1 failed, 1 not tried" in result.stderr


def test_wrong_token_stops_the_run(new_project: NewProject) -> None:
    with SandboxProcess("--token", "another") as strict:
        project = new_project(strict.url)
        project.texts("a", "b")
        result = project.call("send", "--json")
        assert strict.messages() == []
    assert result.code == 1
    assert result.results["a"]["error"]["code"] == "1041"
    assert result.summary["not_tried"] == 1


def test_where_nobody_listens_it_is_tried_up_to_the_limit(
    new_project: NewProject, inbox: SandboxProcess
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    project = new_project(f"http://127.0.0.1:{port}")
    project.config("[delivery]\nattempts = 3")
    project.texts("a")

    result = project.call("send", "--json")

    assert result.code == 1
    assert result.results["a"]["status"] == "failed"
    assert result.results["a"]["error"]["code"] == "connection_refused"
    assert result.results["a"]["attempts"] == 3
    there = {"GREENAPI_BASE_URL": inbox.url, "GREENAPI_MEDIA_URL": inbox.url}
    assert project.call("send", "--json", env=there).statuses == {"a": "sent"}


def test_attempts_are_at_least_retry_after_apart(project: Project, gateway: Gateway) -> None:
    wait = Reply(429, b"", {"Retry-After": "1"})
    replies = iter([wait, wait, Reply()])
    gateway.reply = lambda asked: next(replies)
    project.send_to(gateway.url)
    project.texts("a")

    result = project.call("send", "--json")

    assert result.statuses == {"a": "sent"}
    times = [asked.at for asked in gateway.requests]
    assert len(times) == result.results["a"]["attempts"] == 3
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))


def test_deadline_ends_the_attempts(project: Project, gateway: Gateway) -> None:
    gateway.reply = lambda asked: Reply(429, b"", {"Retry-After": "3"})
    project.send_to(gateway.url)
    project.config('[delivery]\ndeadline = "2s"')
    project.texts("a")
    result = project.call("send", "--json")
    assert (result.code, result.results["a"]["attempts"]) == (1, 1)


def test_pause_that_nobody_waits_for_ends_the_run(project: Project, inbox: SandboxProcess) -> None:
    """And runs that follow end at once, without asking the gateway."""
    project.config('[delivery]\ndeadline = "2s"')
    project.texts("a", "b")
    inbox.faults([{"fault": "status", **http(429, 82, retry_after=9999)}])
    first = project.call("send", "--json")
    inbox.faults([])
    second = project.call("send", "--json")
    people = project.call("send")

    assert (first.code, second.code) == (1, 1)
    assert (first.statuses, second.statuses) == ({"a": "failed"}, {})
    assert first.results["a"]["error"]["code"] == "82"
    assert (first.summary["not_tried"], second.summary["not_tried"]) == (1, 2)
    assert inbox.stats()["requests"] == 1
    assert "the account is to pause until" in people.stderr


UPLOADS: dict[str, tuple[dict[str, Any], str | None, int]] = {
    "refused": ({"fault": "status", "status": 400, "code": 7200}, "7200", 1),
    "doubtful, so it is repeated": ({"fault": "reset_after", "times": 1}, None, 2),
    "doubtful to the end": ({"fault": "html"}, "http 502", ATTEMPTS),
}


@pytest.mark.parametrize(("fault", "code", "uploads"), UPLOADS.values(), ids=UPLOADS)
def test_message_whose_file_cannot_be_uploaded_never_leaves(
    project: Project, inbox: SandboxProcess, fault: dict[str, Any], code: str | None, uploads: int
) -> None:
    project.config(CONFIG)
    project.write("manifests/a.pdf", b"content")
    project.manifest('[[messages]]\nid = "a"\nto = "79001234567"\ndocument.source = "a.pdf"')
    inbox.faults([{"path": "/v1/media", **fault}])

    result = project.call("send", "--json")

    assert (result.results["a"]["error"] or {}).get("code") == code
    assert result.statuses == {"a": "failed" if code else "sent"}
    assert project.journal()["a"]["status"] == result.statuses["a"]
    assert inbox.stats()["uploads"] == uploads
    assert inbox.stats()["requests"] == (0 if code else 1)


def test_outcome_that_the_journal_cannot_keep_is_unknown_and_ends_the_run(
    project: Project, gateway: Gateway
) -> None:
    """As when the disk is full: what left is not known to have failed, and nothing more leaves."""
    project.send_to(gateway.url)
    project.texts("a", "b")

    def answer(asked: Any) -> Reply:
        break_journal(project)
        return Reply()

    gateway.reply = answer
    result = project.call("send", "--json")
    assert result.code == 5
    assert result.results["a"]["status"] == "unknown"
    assert result.results["a"]["error"]["code"] == "journal"
    assert result.summary["not_tried"] == 1
    assert len(gateway.requests) == 1


def break_journal(project: Project) -> None:
    with closing(sqlite3.connect(project.journal_file)) as connection:
        connection.execute("DROP TABLE events")
