"""A message is sent once: what the journal says decides (docs/design.md, "Keys and digests")."""

from collections import Counter
from typing import Any

import pytest
import requests

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import NewProject, Project, text

TO = "79001234567"
AUTHORIZED = {"Authorization": "Bearer any"}
GOOD = text("good")


def nothing_left(inbox: SandboxProcess) -> bool:
    stats = inbox.stats()
    return stats["requests"] == stats["uploads"] == stats["connections"] == 0


BAD = {
    "recipient": ('to = "7900"\ntext.body = "Hi"', "b.toml:8:6", "phone number"),
    "variable": (f'to = "{TO}"\ntext.body = "{{{{ name }}}}"', "b.toml:9:13", "unknown variable"),
    "length": (f'to = "{TO}"\ntext.body = "{"x" * 4097}"', "b.toml:9:13", "4097 characters"),
    "key": (f'to = "{TO}"\ntext.bdoy = "Hi"', "b.toml:9:6", 'did you mean "body"?'),
    "caption": (f'to = "{TO}"\naudio = {{id = "1", caption = "!"}}', "b.toml:9:20", "caption"),
    "file": (f'to = "{TO}"\nimage.source = "no.png"', "b.toml:9:16", "no such file"),
    "link": (f'to = "{TO}"\nimage.link = "ftp://example.com"', "b.toml:9:14", "http"),
    "TOML": (f'to = "{TO}"\ntext.body = "unfinished', "b.toml:9:24", "no closing quote"),
    "row": (
        'recipients = "people.csv"\ntext.body = "{{ city }}"',
        "people.csv:3:1",
        "this row has 1 value",
    ),
}


@pytest.mark.parametrize(("bad", "place", "sentence"), BAD.values(), ids=BAD)
def test_one_bad_message_anywhere_and_nothing_leaves(
    project: Project, bad: str, place: str, sentence: str
) -> None:
    project.write("manifests/people.csv", f"to,city\n{TO},Kazan\n79001234568\n")
    project.manifest(GOOD, "manifests/a.toml")
    project.manifest(f'{GOOD}[[messages]]\nid = "bad"\n{bad}\n', "manifests/b.toml")

    project.call("send", "--json").refused(f"manifests/{place}: error: ", sentence)
    assert nothing_left(project.inbox)
    assert not project.journal_file.exists(), "not even a journal is made"


def test_second_send_skips_what_was_sent(project: Project) -> None:
    first = project.send_texts("a", "b")
    assert first.statuses == {"a": "sent", "b": "sent"}
    project.inbox.clear()

    second = project.call("send", "--json")

    assert (second.code, second.statuses) == (0, {"a": "skipped", "b": "skipped"})
    assert nothing_left(project.inbox)
    ids = [result.results["a"]["id"] for result in (first, second)]
    assert ids[0] == ids[1], "it still tells under which id it was sent"


FAILS: list[dict[str, object]] = [
    {"to": "79000000003", "fault": "status", "status": 400, "code": 1022},
    {"to": "79000000004", "fault": "reset_after"},
]
MESSAGES = {
    "sent": "79000000001",
    "changed": "79000000002",
    "retry": "79000000003",
    "unknown": "79000000004",
    "new": "79000000005",
}


@pytest.fixture(scope="module")
def table(sandbox_process: SandboxProcess, new_project: NewProject) -> dict[str, Any]:
    """A message in each state of the journal; then one plan and one send over all of them."""
    sandbox_process.clear()
    project = new_project()

    def write(*ids: str, changed: str = "Hello") -> None:
        bodies = {"changed": changed}
        entries = (text(id, MESSAGES[id], bodies.get(id, "Hello")) for id in ids)
        project.manifest("".join(entries))

    write("sent", "changed", "retry", "unknown")
    sandbox_process.faults(FAILS)
    first = project.call("send", "--json")
    sandbox_process.faults([])
    write(*MESSAGES, changed="Hello again")
    before = project.journal()
    plan = project.call("plan", "--json")
    send = project.call("send", "--json")
    copies = Counter(message["to"] for message in sandbox_process.messages())
    return {
        "first": first,
        "before": before,
        "plan": {line["key"].split("/")[2]: line["status"] for line in plan.planned},
        "plan code": plan.code,
        "send": send,
        "after": project.journal(),
        "copies": {id: copies[to] for id, to in MESSAGES.items()},
    }


@cases(
    "journal, plan, send, copies",
    ("sent", "sent", "skipped", 1),
    ("sent", "changed", "skipped", 1),
    ("failed", "retry", "sent", 1),
    ("unknown", "unknown", "unknown", 1),
    (None, "new", "sent", 1),
)
def test_what_the_journal_says_decides(
    table: dict[str, Any], journal: str | None, plan: str, send: str, copies: int
) -> None:
    id = plan  # each message is named for what the plan shows
    assert table["before"].get(id, {}).get("status") == journal
    assert table["plan"][id] == plan
    assert table["send"].statuses[id] == send
    assert table["copies"][id] == copies


def test_send_says_why_it_skips(table: dict[str, Any]) -> None:
    results = table["send"].results
    assert results["sent"]["error"] is None
    assert results["changed"]["error"]["code"] == "changed"
    assert "revision" in results["changed"]["error"]["text"]
    assert results["unknown"]["error"]["code"] == "unsettled"
    assert [results[id]["attempts"] for id in MESSAGES] == [0, 0, 1, 0, 1]


def test_unknown_wins_over_the_other_exit_codes(table: dict[str, Any]) -> None:
    ends = {"sent": "sent", "changed": "sent", "retry": "failed", "unknown": "unknown"}
    assert table["first"].statuses == ends
    assert (table["first"].code, table["plan code"], table["send"].code) == (5, 0, 5)


def test_journal_counts_attempts_over_runs(table: dict[str, Any]) -> None:
    attempts = {id: table["after"][id]["attempts"] for id in MESSAGES}
    assert attempts == {"sent": 1, "changed": 1, "retry": 2, "unknown": 1, "new": 1}


def test_changed_content_is_no_failure_and_says_so_to_people(project: Project) -> None:
    project.write("manifests/a.png", b"first")
    project.manifest(f'[[messages]]\nid = "a"\nto = "{TO}"\nimage.source = "a.png"')
    assert project.call("send").code == 0
    project.write("manifests/a.png", b"second")

    result = project.call("send")

    assert result.code == 0
    assert "skipped" in result.stdout
    assert "raise its revision" in result.stdout
    assert project.inbox.stats()["accepted"] == project.inbox.stats()["uploads"] == 1


@cases(
    "head, arguments",
    ("[defaults]\nrevision = 2\n", ()),
    ('repeat = "run"\n', ("--run", "2026-11-22")),
    ids=["revision", "run"],
)
def test_raised_revision_or_another_run_sends_once_more(
    project: Project, head: str, arguments: tuple[str, ...]
) -> None:
    project.manifest(GOOD)
    project.call("send")
    project.manifest(f"{GOOD}revision = 1\n")
    assert project.call("send", "--json").statuses == {"good": "skipped"}, "1 is the default"
    project.manifest(head + GOOD)

    again = project.call("send", "--json", *arguments)
    once_more = project.call("send", "--json", *arguments)

    assert [result.statuses["good"] for result in (again, once_more)] == ["sent", "skipped"]
    assert len(project.inbox.messages()) == 2


def media(id: str, *to: str, file: str = "one.pdf") -> str:
    document = f'{{ source = "{file}", caption = "{id}" }}'
    return f'[[messages]]\nid = "{id}"\nto = {list(to)}\ndocument = {document}\n'


def send_well(project: Project, *messages: str, **env: str) -> None:
    project.manifest("".join(messages))
    result = project.call("send", env=env)
    assert result.code == 0, result.stderr


def test_each_content_is_uploaded_once(project: Project) -> None:
    for name, content in {"one.pdf": b"same", "two.pdf": b"same", "other.pdf": b"other"}.items():
        project.write(f"manifests/{name}", content)
    first = media("a", TO, "79001234568", "79001234569", "79001234567-1581234048")
    second = media("b", TO, file="two.pdf") + media("c", TO, file="other.pdf")

    send_well(project, first, second)
    assert project.inbox.stats()["uploads"] == 2, "for six messages, three files and two contents"
    ids = {message["payload"]["document"]["id"] for message in project.inbox.messages()}
    assert len(ids) == 2

    send_well(project, first, second, media("d", TO))
    assert project.inbox.stats()["accepted"] == 7
    assert project.inbox.stats()["uploads"] == 2, "the next run knows"


def test_uploads_of_one_account_mean_nothing_to_another(project: Project) -> None:
    project.write("manifests/one.pdf", b"content")
    send_well(project, media("a", TO))
    send_well(project, media("b", TO), GREENAPI_TOKEN="another-account")
    assert project.inbox.stats()["uploads"] == 2
    send_well(project, media("c", TO))
    assert project.inbox.stats()["uploads"] == 2, "and the first one is still known"


def test_file_that_the_gateway_has_lost_is_uploaded_once_more(project: Project) -> None:
    project.write("manifests/a.pdf", b"content")
    send_well(project, media("a", TO, file="a.pdf"))
    lost = project.inbox.messages()[0]["payload"]["document"]["id"]
    requests.delete(f"{project.inbox.url}/v1/media/{lost}", headers=AUTHORIZED, timeout=5)

    project.manifest(media("b", TO, file="a.pdf"))
    result = project.call("send", "--json")

    assert (result.code, result.results["b"]["attempts"]) == (0, 2)
    assert project.inbox.stats()["uploads"] == 2


def test_refused_message_costs_no_more_than_one_upload(project: Project) -> None:
    """Perhaps it was the file that the gateway did not like; it is asked once, not for ever."""
    project.write("manifests/a.pdf", b"content")
    send_well(project, media("a", TO, file="a.pdf"))
    project.inbox.faults([{"fault": "status", "status": 400, "code": 1021}])
    project.manifest("".join(media(id, TO, file="a.pdf") for id in "bcd"))

    result = project.call("send", "--json")

    assert result.statuses == {"b": "failed", "c": "failed", "d": "failed"}
    assert project.inbox.stats()["uploads"] == 2
