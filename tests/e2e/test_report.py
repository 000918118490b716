"""`dispatcher report`: what became of a run, for people, programs and a page to pass on."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from dispatcher import DeliveryStatus, Dispatcher
from dispatcher.sandbox.process import SandboxProcess
from tests.support.gateway import Reply
from tests.support.project import Held, NewProject, Project, text

PEOPLE = [f"7900123456{digit}" for digit in range(6)]
REFUSED = {"fault": "status", "status": 400, "code": 1022, "to": PEOPLE[1]}
LOST = {"fault": "reset_after", "to": PEOPLE[2]}
# What the gateway says later of what it has accepted.
LATER = ["delivered", "read", "undelivered", "undelivered"]
NUMBERS = ("tried", "sent", "failed", "unknown", "sending", "attempts")


def with_dispatcher(project: Project, use: Callable[[Dispatcher], object]) -> None:
    """Use the Python API where the project is."""

    def program() -> int:
        with Dispatcher.open() as dispatcher:
            use(dispatcher)
        return 0

    project.call_program(program)


@pytest.fixture(scope="module")
def past(sandbox_process: SandboxProcess, new_project: NewProject) -> Project:
    """Two messages to several people; one person is refused, the answer of one was lost."""
    sandbox_process.clear()
    project = new_project()
    project.manifest(text("hello", PEOPLE) + text("news", PEOPLE[:2]))
    sandbox_process.faults([REFUSED, LOST])
    project.call("send")
    sandbox_process.faults([])
    lines = project.call("history", "--status", "sent", "--json").lines
    sent = sorted(lines, key=lambda line: str(line["key"]))  # of hello first, whoever was faster
    later = [
        DeliveryStatus(id=line["id"], status=status, reason="gone" if status[0] == "u" else None)
        for line, status in zip(sent, LATER, strict=False)
    ]
    with_dispatcher(project, lambda dispatcher: dispatcher.note_statuses(later))
    return project


def shown(project: Project, command: str) -> list[dict[str, object]]:
    """What a command that the report names prints."""
    program, *words = command.split()
    assert program == "dispatcher"
    return project.call(*words, "--json").lines


def test_people_see_a_table_and_reasons(past: Project) -> None:
    result = past.call("report")
    assert result.code == 0
    head, *lines = result.stdout.splitlines()
    assert head.startswith("run default: 8 messages, 20")
    assert [line.split() for line in lines[:4]] == [
        ["sent", "failed", "unknown", "delivered", "read", "undelivered"],
        ["m/hello", "4", "1", "1", *told("m/hello", past)],
        ["m/news", "1", "1", "0", *told("m/news", past)],
        ["all", "5", "2", "1", "1", "1", "2"],
    ]
    assert sorted(line.split()[:3] for line in lines[4:]) == [
        ["failed", "2", "1022:"],
        ["undelivered", "2", "gone"],
        ["unknown", "1", "the"],
    ]


def told(name: str, project: Project) -> list[str]:
    """How many of a message were delivered, read and undelivered, as `history` has it."""
    rows = project.call("history", "--message", name.partition("/")[2], "--json").lines
    said = [row["delivery"]["status"] for row in rows if row["delivery"]]
    return [str(said.count(each)) for each in ("delivered", "read", "undelivered")]


def test_its_commands_show_what_is_meant(past: Project) -> None:
    steps = past.call("report", "--json").summary["next"]
    assert [(step["status"], step["count"]) for step in steps] == [
        ("failed", 2),
        ("unknown", 1),
        ("undelivered", 2),
    ]
    for step in steps[:2]:
        found = [line["status"] for line in shown(past, step["command"])]
        assert found == [step["status"]] * step["count"]
    assert len(shown(past, steps[2]["command"])) == 2


def test_its_commands_show_what_was_chosen_only(past: Project) -> None:
    for chosen in (["--message", "news"], ["--since", "1h", "--message", "news"]):
        (step,) = past.call("report", *chosen, "--json").summary["next"]
        found = shown(past, step["command"])
        assert [(line["message"], line["status"]) for line in found] == [("news", "failed")]
    report = past.call("report", "--since", "1h", "--json").summary
    (moment,) = {step["command"].partition("--since ")[2].split()[0] for step in report["next"]}
    assert moment.startswith("20"), "tomorrow it shows the same"


def test_programs_get_every_message_and_reason(past: Project) -> None:
    result = past.call("report", "--json")
    hello, news = result.events("message")
    assert (hello["message"], *(hello[name] for name in NUMBERS)) == ("hello", 6, 4, 1, 1, 0, 6)
    assert (news["message"], *(news[name] for name in NUMBERS)) == ("news", 2, 1, 1, 0, 0, 2)
    reasons = {line["status"]: line for line in result.events("reason")}
    assert (reasons["failed"]["error"]["code"], reasons["failed"]["count"]) == ("1022", 2)
    assert reasons["unknown"]["count"] == 1
    summary = result.summary
    assert [summary[name] for name in NUMBERS] == [8, 5, 2, 1, 0, 8]
    assert summary["first_change"] <= hello["first_change"] <= summary["last_change"]
    assert (summary["run"], summary["other_runs"]) == ("default", [])


def test_what_gateways_say_later_is_counted_as_they_said_it_last(past: Project) -> None:
    """As in `history`: what was read is not counted as delivered once more."""
    result = past.call("report", "--json")
    said = {name: result.summary[name] for name in ("sent", "delivered", "read", "undelivered")}
    assert said == {"sent": 5, "delivered": 1, "read": 1, "undelivered": 2}
    (reason,) = [each for each in result.events("reason") if each["status"] == "undelivered"]
    assert (reason["error"]["text"], reason["count"]) == ("gone", 2)


def test_python_gets_the_same(past: Project) -> None:
    def use(dispatcher: Dispatcher) -> None:
        report = dispatcher.report(message="hello")
        assert report
        assert (report.run, report.total.tried, report.total.counts["sent"]) == ("default", 6, 4)
        (hello,) = report.messages
        assert (hello.manifest, hello.id, hello.attempts) == ("m", "hello", 6)
        reasons = {each.status: each.count for each in report.reasons}
        assert (reasons["failed"], reasons["unknown"]) == (1, 1)
        assert not dispatcher.report("no-such-run")

    with_dispatcher(past, use)


def test_only_some_messages(past: Project) -> None:
    assert past.call("report", "--message", "news", "--json").summary["tried"] == 2
    assert past.call("report", "--since", "1h", "--json").summary["tried"] == 8
    later = past.call("report", "--since", "2999-01-01")
    later.refused("the journal knows no such message", code=3)
    past.call("report", "--manifest", "x").refused("knows no such message", code=3)
    past.call("report", "--since", "soon").refused("--since", "a date like")


def test_the_last_run_and_the_others(project: Project) -> None:
    project.manifest('repeat = "daily"\n' + text())
    for day in ("2026-11-28", "2026-11-29"):
        assert project.call("send", "--run", day).code == 0
    last = project.call("report")
    assert last.stdout.startswith("run 2026-11-29: 1 message, ")
    others = "the last of 2 runs; others, the last first: 2026-11-28; to see one: "
    assert f"{others}dispatcher report 2026-11-28\n" in last.stderr
    assert project.call("report", "2026-11-28").stdout.startswith("run 2026-11-28: 1 message, ")
    project.call("report", "2026-11-27").refused(
        'knows no such message of run "2026-11-27"; did you mean "2026-11-29"?\n', code=3
    )
    project.call("report", "sale").refused(
        'of run "sale"; others, the last first: 2026-11-29, 2026-11-28\n', code=3
    )


def test_one_send_of_several_runs_is_several_reports(project: Project) -> None:
    project.manifest('repeat = "daily"\n' + text("news"), "manifests/daily.toml")
    project.manifest(text("hello"), "manifests/once.toml")
    assert project.call("send").code == 0
    (one,) = project.call("report", "--json").events("message")
    command = project.call("report").stderr.partition("to see one: ")[2].strip()
    (other,) = [line for line in shown(project, command) if line["event"] == "message"]
    assert {one["manifest"], other["manifest"]} == {"daily", "once"}
    assert project.call("report", "--manifest", "once", "--json").summary["run"] == "default"


def test_without_a_journal_there_is_nothing(project: Project) -> None:
    project.call("report").refused("there is no journal", code=3)
    assert not project.journal_file.exists()


def test_a_manifest_with_very_many_messages_is_one_line(project: Project) -> None:
    project.texts_to_many(30)
    project.call("send")
    _, _, row = project.call("report").stdout.splitlines()
    assert row.split() == ["m", "(30", "messages)", "30"]
    assert len(project.call("report", "--json").events("message")) == 30


def test_what_is_under_way_is_sending(held: Held) -> None:
    held.manifest(text("a", PEOPLE[:3]))
    with held.under_way("send") as process:
        summary = held.call("report", "--json").summary
        assert summary["sending"] == summary["tried"] >= 1
    assert held.finish(process).code == 0
    assert held.call("report", "--json").summary["sent"] == 3


class _Page(HTMLParser):
    """The words of a page, and the addresses in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_a_page_to_pass_on(past: Project) -> None:
    result = past.call("report", "--html", "report.html")
    assert (result.code, result.stdout) == (0, "")
    assert "the report of run default is in report.html\n" in result.stderr
    html = (past.folder / "report.html").read_text(encoding="utf-8")
    page = _Page(html)
    assert page.addresses == [], "it needs nothing from elsewhere"
    shown = " ".join(page.words)
    assert "m/hello 4 1 1" in shown
    assert "failed 2 1022:" in shown
    assert not any(person in html for person in PEOPLE)
    assert past.call("report", "--html", "report.html").code == 0, "it is replaced"


def test_a_page_has_no_markup_and_no_number_of_others(held: Held) -> None:
    words = "<b>no</b> +7 900 123-45-67 \x1b[31m\u202e"
    error = {"code": 1022, "details": words, "title": words}
    held.gateway.reply = lambda request: Reply(400, json.dumps({"errors": [error]}).encode())
    held.manifest(text("a", PEOPLE[0]))
    held.call("send")
    held.call("report", "--html", "report.html")
    html = (held.folder / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;no" in html
    for hidden in ("<b>", "123-45-67", "\x1b", "\u202e"):
        assert hidden not in html


def test_nothing_else_is_overwritten_by_a_page(past: Project) -> None:
    manifest = past.folder / "manifests/m.toml"
    before = manifest.read_bytes()
    past.call("report", "--html", "manifests/m.toml").refused("--html", "must end in .html")
    assert manifest.read_bytes() == before
    past.call("report", "--html", "a.html", "--json").refused("either --json or --html")


def test_a_page_that_cannot_be_written_leaves_nothing(past: Project) -> None:
    past.call("report", "--html", "no/such/folder.html").refused("cannot write", code=1)
    there = sorted(each.name for each in past.folder.iterdir())
    (past.folder / "taken.html").mkdir()
    past.call("report", "--html", "taken.html").refused("taken.html")
    assert sorted(each.name for each in past.folder.iterdir()) == [*there, "taken.html"]


ROW = {
    "run": "default",
    "manifest": "m",
    "message": "a",
    "recipient": PEOPLE[0],
    "transport": "greenapi",
    "digest": "d",
    "status": "failed",
    "attempts": 1,
    "receipt": None,
    "error_code": None,
    "error_text": None,
    "changed_at": "2026-11-30T10:00:00.000+00:00",
}


def add_row(project: Project, key: str, **columns: object) -> None:
    """Add to the journal what no run of this test sends."""
    row = {"key": key, **ROW, **columns}
    marks = ", ".join("?" * len(row))
    statement = f"INSERT INTO messages ({', '.join(row)}) VALUES ({marks})"
    project.execute(statement, *row.values())


@pytest.mark.parametrize("seed", range(5))
def test_it_counts_what_history_shows(project: Project, seed: int) -> None:
    project.send_texts("a")
    with_dispatcher(project, lambda each: each.note_statuses([]))
    chance = random.Random(seed)
    for number in range(60):
        status = chance.choice(["sent", "failed", "unknown"])
        why = chance.choice(["no", "gone", "busy"]) if status != "sent" else None
        add_row(
            project,
            f"{number}",
            run=chance.choice(["default", "2026-11-30"]),
            manifest=chance.choice(["m", "n", "caf\u00e9", "cafe\u0301"]),
            message=chance.choice("abc"),
            transport=chance.choice(["greenapi", "", "pigeon"]),
            status=status,
            attempts=chance.randint(1, 4),
            receipt=f"id{number}" if status == "sent" else None,
            error_text=why,
            error_code=chance.choice([None, "400"]) if why else None,
        )
    for run in ("default", "2026-11-30"):
        rows = project.call("history", "--run", run, "--json").lines
        report = project.call("report", run, "--json")
        counts = Counter(row["status"] for row in rows)
        summary = report.summary
        assert {name: summary[name] for name in counts} == counts
        assert (summary["tried"], summary["attempts"]) == (
            len(rows),
            sum(row["attempts"] for row in rows),
        )
        failed = [each for each in report.events("reason") if each["status"] == "failed"]
        assert sum(each["count"] for each in failed) == counts["failed"]
        for each in report.events("message"):
            name = ("--manifest", each["manifest"], "--message", each["message"])
            found = project.call("history", "--run", run, *name, "--json").lines
            own = [row for row in found if row["transport"] == each["transport"]]
            assert each["tried"] == len(own)
        shown = project.call("report", run).stdout.splitlines()[2:]
        names = [line.split()[0] for line in shown if "/" in line]
        assert len(names) == len(set(names)), "each message has one line, whatever its transports"


def test_columns_are_straight_whatever_is_in_them(project: Project) -> None:
    project.send_texts("a")
    project.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) "
        "INSERT INTO messages (key, run, manifest, message, recipient, transport, digest, status,"
        " attempts, changed_at) "
        "SELECT 'k' || i, run, '\u6f22\u5b57\u6f22\u5b57', message, recipient, transport,"
        " digest, status, attempts, changed_at FROM n, messages"
    )
    _, head, *rows = project.call("report").stdout.splitlines()
    assert head == "             sent"
    assert rows == ["m/a             1", "\u6f22\u5b57\u6f22\u5b57/a  12000", "all         12001"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "gone"), ("status", ""), ("attempts", "many"), ("attempts", -3), ("run", b"x")],
)
def test_what_no_run_writes_is_not_counted_as_something_else(
    project: Project, column: str, value: object
) -> None:
    project.send_texts("a")
    add_row(project, "k", **{column: value})
    result = project.call("report")
    result.refused("was not written by a run", "put it right")
    assert "Traceback" not in result.stderr


def test_one_code_of_two_gateways_is_two_reasons(project: Project) -> None:
    project.send_texts("a")
    add_row(project, "k", error_code="400", error_text="no such person")
    add_row(project, "l", error_code="400", error_text="no such loft", transport="pigeon")
    found = {line["error"]["text"] for line in project.call("report", "--json").events("reason")}
    assert found == {"no such person", "no such loft"}


WRITTEN = [
    (PEOPLE[0], "8 (900) 123-45-60", "123-45-60"),
    (PEOPLE[0], "+7.900.123.45.61", "123.45.61"),
    (PEOPLE[0], "0170/123 45 67", "123 45 67"),
    (PEOPLE[0], "+7 900\u2060 123\u201145\u201167", "123"),
    ("79001234567-1581234048", "group 79001234567-1581234048", "34567-158"),
    ("US.13491208655302741918", "for US.13491208655302741918", "120865530274"),
    ("@channel", "chat @Channel", "@Channel"),
    ("@channel", "chat @others", "@others"),
    ("anna.b@mail.example", "no box anna.b@mail.example", "anna.b@mail"),
]


@pytest.mark.parametrize(("to", "words", "hidden"), WRITTEN)
def test_a_page_has_no_address_however_it_is_written(
    project: Project, to: str, words: str, hidden: str
) -> None:
    project.send_texts("a")
    add_row(project, "k", recipient=to, error_text=f"refused: {words}")
    project.call("report", "--html", "report.html")
    html = (project.folder / "report.html").read_text(encoding="utf-8")
    assert "refused: " in html
    assert hidden not in html


def test_a_page_shows_a_time_that_is_none_harmlessly(project: Project) -> None:
    project.send_texts("a")
    project.execute("UPDATE messages SET changed_at = ?", "soon \x1b[31m\u202e")
    assert project.call("report", "--html", "report.html").code == 0
    html = (project.folder / "report.html").read_text(encoding="utf-8")
    assert "soon" in html
    assert not {"\x1b", "\u202e"} & set(html)


def test_a_page_may_be_read_by_those_it_is_for(past: Project) -> None:
    before = os.umask(0o022)
    try:
        past.call("report", "--html", "public.html")
    finally:
        os.umask(before)
    assert (past.folder / "public.html").stat().st_mode & 0o777 == 0o644
