"""What the gateway says of messages after it has accepted them, from its webhook to the history."""

import csv
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.journal import AttemptResult, open_journal
from tests.support.cases import cases
from tests.support.messages import message
from tests.support.postgres import Database
from tests.support.project import Project, Result, text
from tests.support.waiting import opened_files, wait_until

# A gateway whose ids are the recipients; its webhook says {"about": id, "now": status, …}. Asked,
# it does what the file `does` says.
PIGEON = """
import json
from datetime import UTC, datetime
from pathlib import Path
from dispatcher import *

class Pigeon(BaseTransport):
    name = "pigeon"
    local = True
    patience = 0.5
    def build(self, message, attachment): return {"to": message.to, "note": message.content.body}
    def check(self, payload, attachment): return []
    def upload(self, file): return MediaId(id="x")
    def send(self, payload):
        with open("sent", "a") as file: print(json.dumps(payload), file=file)
        return Receipt(id=f"bird-{payload['to']}")
    def statuses(self, body):
        if body is None: return eval(Path("does").read_text())
        if "about" not in body: return []
        at = datetime.fromtimestamp(body["at"], UTC) if "at" in body else None
        if body["now"] == "broken": 1 / 0
        if body["now"] == "odd": return [body["about"]]
        return [DeliveryStatus(id=body["about"], status=body["now"], at=at, reason=body.get("why"))]

@hookimpl
def dispatcher_transports(): return [Pigeon]
"""
TO = "79001234567"
KEY = f"default/m/a/1/{TO}"
AT = 1_790_000_000
NOON = datetime.fromtimestamp(AT, UTC).isoformat(timespec="milliseconds")


def said(now: str, to: str = TO, **more: Any) -> str:
    """A line of what the gateway posted."""
    return json.dumps({"about": f"bird-{to}", "now": now, **more}) + "\n"


def note(project: Project, *lines: str, options: tuple[str, ...] = ("--json",)) -> Result:
    project.write("hooks.jsonl", "".join(lines))
    return project.call("statuses", "hooks.jsonl", *options)


def delivery(project: Project, *filters: str) -> dict[str, Any] | None:
    (line,) = project.call("history", "--json", *filters).lines
    found: dict[str, Any] | None = line["delivery"]
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def sent(project: Project, request: pytest.FixtureRequest) -> Project:
    """A project with one message that was sent."""
    if request.param == "postgresql":
        database: Database = request.getfixturevalue("database")
        project.journal_at(database.url)
    project.install("pigeon", PIGEON)
    project.config('transport = "pigeon"\n')
    project.manifest(text())
    assert project.call("send", "--yes").code == 0
    return project


def test_from_the_webhook_to_the_history(sent: Project) -> None:
    before = sent.call("history", "--json").lines
    assert before[0]["delivery"] is None
    noted = note(sent, said("delivered", at=AT), "\n", said("read", to="1"), '{"other": 1}\n')
    assert noted.code == 0
    known = {"status": "delivered", "at": NOON, "reason": None}
    assert noted.lines == [
        {"event": "status", "key": KEY, "id": f"bird-{TO}", **known},
        {"event": "summary", "noted": 1, "known": 0, "missing": 1, "ambiguous": 0},
    ]
    assert sent.call("history", "--json").lines == [{**before[0], "delivery": known}]
    assert f"sent (delivered) {KEY}" in sent.call("history").stdout
    assert sent.call("send", "--json").statuses == {"a": "skipped"}
    assert (sent.folder / "sent").read_text().count("\n") == 1


def test_people_read_what_was_noted(sent: Project) -> None:
    lines = said("undelivered", why="131026: no WhatsApp"), said("read", to="1")
    noted = note(sent, *lines, options=())
    assert noted.stdout == f"undelivered {KEY}  bird-{TO}  131026: no WhatsApp\n"
    assert noted.stderr == "1 noted, 1 of messages that this journal does not have\n"
    again = note(sent, said("undelivered"), options=())
    assert (again.code, again.stdout, again.stderr) == (0, "", "1 known already\n")
    (shown,) = sent.call("history").stdout.splitlines()
    assert f"sent (undelivered) {KEY}  bird-{TO}  131026: no WhatsApp" in shown
    assert sent.call("send", "--json").statuses == {"a": "skipped"}, "never again by itself"


def test_long_reason_is_cut(sent: Project) -> None:
    noted = note(sent, said("undelivered", why="no WhatsApp \x1b" * 50_000), options=())
    assert noted.stdout.startswith(f"undelivered {KEY}  bird-{TO}  no WhatsApp \\x1b")
    found = delivery(sent)
    assert found is not None
    assert found["reason"] == ("no WhatsApp \x1b" * 50)[:299] + "…"


@cases(
    "lines, left",
    (["delivered", "read"], "read"),
    (["read", "delivered"], "read"),
    (["undelivered", "delivered"], "delivered"),
    (["delivered", "undelivered"], "delivered"),
    (["read", "undelivered"], "read"),
)
def test_what_is_known_is_never_lowered(sent: Project, lines: list[str], left: str) -> None:
    for each in lines:
        assert note(sent, said(each)).code == 0
    assert (delivery(sent) or {})["status"] == left


def test_export_has_columns_for_it(sent: Project) -> None:
    note(sent, said("undelivered", at=AT, why="=1+1"))
    for options, rows in ((), 1), (("--attempts",), 2):
        assert sent.call("history", "--export", "out.csv", *options).code == 0
        with (sent.folder / "out.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == rows
        last = [lines[-1][name] for name in ("delivery", "delivery_at", "delivery_reason")]
        assert last == ["undelivered", NOON, "'=1+1"]
        assert [line["delivery"] for line in lines[:-1]] == [""] * (rows - 1)


def test_line_that_cannot_be_read_keeps_none_of_the_others(sent: Project) -> None:
    bad = ["{no json\n", "[1]\n", said("broken"), said("odd"), "[" * 100_000 + "\n"]
    noted = note(sent, *bad, said("read"))
    assert (noted.code, noted.summary["noted"]) == (2, 1)
    lines = noted.stderr.splitlines()
    numbers = [f"error: line {number}: " for number in range(1, 6)]
    assert [line[: len(numbers[0])] for line in lines] == numbers
    assert "statuses of transport" in lines[2]
    assert "fake-pigeon" in lines[2]
    assert "ZeroDivisionError" in lines[2]
    assert "expected an iterable of DeliveryStatus" in lines[3]
    assert (delivery(sent) or {})["status"] == "read"


def test_nothing_of_the_journal_is_exit_code_3(sent: Project) -> None:
    assert note(sent, said("read", to="1")).code == 3
    nothing = note(sent, options=())
    assert (nothing.code, nothing.stderr) == (3, "nothing was said of any message\n")


def test_body_may_come_on_standard_input(sent: Project) -> None:
    process = sent.start("statuses", "--json", stdin=subprocess.PIPE)
    stdout, _ = process.communicate(said("read"))
    assert process.returncode == 0
    assert json.loads(stdout.splitlines()[0])["status"] == "read"


def test_gateway_is_asked(sent: Project) -> None:
    sent.write("does", f"(DeliveryStatus(id='bird-{TO}', status=each) for each in ['read'])")
    assert sent.call("statuses", "--poll", "--json").summary["noted"] == 1
    assert sent.call("statuses", "--poll", "--json").summary["known"] == 1
    sent.call("statuses", "--poll", "hooks.jsonl").refused()


@cases(
    "does, why",
    ("1 / 0", "failed in statuses of transport"),
    ("[1]", "failed in statuses of transport"),
    ("__import__('time').sleep(60)", "statuses of transport .* did not return within 1.5 s"),
    ("(_ for _ in ()).throw(NotSent('it is away'))", "it is away"),
    ("(_ for _ in ()).throw(ConfigError('only webhooks'))", "only webhooks"),
)
def test_gateway_that_cannot_be_asked_is_named(sent: Project, does: str, why: str) -> None:
    sent.write("does", does)
    asked = sent.call("statuses", "--poll")
    asked.refused()
    assert re.search(why, asked.stderr)


def test_transport_without_statuses_says_who_has_them(sent: Project) -> None:
    refused = note(sent, said("read"), options=("--transport", "greenapi"))
    refused.refused('"greenapi" cannot tell', "these can, with --transport: pigeon")


def test_no_journal_is_made(project: Project) -> None:
    project.install("pigeon", PIGEON)
    assert note(project, said("read"), options=("--transport", "pigeon", "--json")).code == 3
    assert not (project.folder / ".dispatcher").exists()


def test_other_transports_message_of_the_same_id_is_none_of_it(sent: Project) -> None:
    parrot = PIGEON.replace("Pigeon", "Parrot").replace("pigeon", "parrot")
    sent.install("parrot", parrot)
    assert note(sent, said("read"), options=("--transport", "parrot", "--json")).code == 3
    assert delivery(sent) is None


def test_id_that_two_messages_have_is_neithers(sent: Project) -> None:
    """The gateway counts anew, or there were two accounts."""
    sent.manifest(text() + text("b"))
    assert sent.call("send").code == 0
    noted = note(sent, said("read"))
    assert (noted.code, noted.summary["ambiguous"]) == (3, 1)
    assert [line["delivery"] for line in sent.call("history", "--json").lines] == [None, None]


def test_content_that_is_sent_later_begins_anew(sent: Project) -> None:
    note(sent, said("read"))
    sent.install("pigeon", PIGEON.replace("bird-", "swift-"))
    sent.manifest(text(body="Other"))
    assert sent.call("send", "--resend", "changed", "--yes").code == 0
    assert delivery(sent) is None
    (line,) = sent.call("history", "--attempts", "--json").lines
    told = {event["id"]: event["delivery"] for event in line["events"] if event["id"]}
    assert told[f"swift-{TO}"] is None
    assert told[f"bird-{TO}"]["status"] == "read"


def test_late_receipt_that_arrived_lets_a_person_settle(project: Project) -> None:
    """The message is unknown, as its second attempt is; the first one was accepted, as it turned
    out later, and arrived."""
    project.install("pigeon", PIGEON)
    project.config('transport = "pigeon"\n')
    url = f"sqlite:///{project.folder}/.dispatcher/journal.db"
    (project.folder / ".dispatcher").mkdir()
    each = message().model_copy(update={"transport": "pigeon"})
    with open_journal(url) as journal:
        first = journal.claim(each, "digest", None)
        assert first is not None
        journal.conclude(first, AttemptResult("unknown")).result()
        second = journal.claim(each, "digest", journal.lookup([each.key])[each.key])
        assert second is not None
        journal.conclude(second, AttemptResult("unknown")).result()
        journal.conclude(first, AttemptResult("sent", id=f"bird-{TO}")).result()
    noted = note(project, said("delivered"))
    settle = f"dispatcher settle {each.key} --sent"
    assert noted.lines[0]["settle"] == settle
    assert f"{each.key} is unknown, but one attempt is delivered: {settle}" in noted.stderr
    assert f"unknown (delivered) {each.key}" in project.call("history").stdout
    assert project.call(*settle.split()[1:]).code == 0
    assert f"sent (delivered) {each.key}" in project.call("history").stdout


@pytest.fixture
def held(sent: Project) -> Iterator[Project]:
    """A project whose journal another run holds."""
    url = sent.environment.get("DISPATCHER_JOURNAL")
    with open_journal(url or f"sqlite:///{sent.folder}/.dispatcher/journal.db", run="other"):
        yield sent


def test_run_that_holds_the_journal_is_waited_for_or_told(held: Project) -> None:
    noted = note(held, said("read"))
    if "DISPATCHER_JOURNAL" in held.environment:  # PostgreSQL: any number of runs
        assert noted.code == 0
        return
    noted.refused('in use by run "other"', "--wait 10m", code=6)
    noted = note(held, said("read"), options=("--wait", "1s"))
    noted.refused('in use by run "other"', code=6)
    assert delivery(held) is None


def test_it_goes_on_when_the_run_has_ended(project: Project) -> None:
    project.install("pigeon", PIGEON)
    project.config('transport = "pigeon"\n')
    project.send_texts("a")
    hooks = str(project.write("hooks.jsonl", said("read")))
    with open_journal(f"sqlite:///{project.folder}/.dispatcher/journal.db", run="other"):
        waiting = project.start("statuses", hooks, "--wait", "1m")
        lock = f"{project.folder}/.dispatcher/journal.db.lock"
        wait_until(lambda: lock in opened_files(waiting))
        assert delivery(project) is None
    assert project.finish(waiting).code == 0
    assert (delivery(project) or {})["status"] == "read"
