"""What the journal knows, every attempt of it, for people and for other programs."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatcher.cli.history import _csv_writer, _jsonl_writer
from dispatcher.journal import HistoryRow
from dispatcher.models import Failure
from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import NewProject, Project

TO = "79001234567"
KEY = f"default/m/retried/1/{TO}"
TEXT = "Task to send message was not created"


@pytest.fixture(scope="module")
def past(sandbox_process: SandboxProcess, new_project: NewProject) -> Project:
    """A message that was sent by its second attempt; one that was not, and says when it may be."""
    sandbox_process.clear()
    project = new_project()
    project.config('[delivery]\nattempts = 2\ndeadline = "60s"')
    project.manifest(
        f'[[messages]]\nid = "retried"\nto = "{TO}"\ntext.body = "Hi"\n'
        '[[messages]]\nid = "waits"\nto = "79001234568"\ntext.body = "Hi"\n'
    )
    wait = {"fault": "status", "status": 400, "code": 1060}
    sandbox_process.faults(
        [{**wait, "to": TO, "times": 1}, {**wait, "to": "79001234568", "retry_after": 3600}]
    )
    project.call("send")
    sandbox_process.faults([])
    return project


def test_every_attempt_is_shown(past: Project) -> None:
    result = past.call("history", "--attempts", "--message", "retried")
    head, *attempts = result.stdout.splitlines()
    assert KEY in head
    words = [line.split()[3:6] for line in attempts]
    assert words == [
        ["attempt", "1", "sending"],
        ["attempt", "1", "failed"],
        ["attempt", "2", "sending"],
        ["attempt", "2", "sent"],
    ]
    assert "1060: " in attempts[1]


def test_every_attempt_is_told_to_programs(past: Project) -> None:
    (line,) = past.call("history", "--attempts", "--json", "--message", "retried").lines
    assert (line["status"], line["attempts"]) == ("sent", 2)
    events = line["events"]
    assert [(event["attempt"], event["status"]) for event in events] == [
        (1, "sending"),
        (1, "failed"),
        (2, "sending"),
        (2, "sent"),
    ]
    assert events[1]["error"]["code"] == "1060"
    assert events[3]["id"] == line["id"]
    times = [datetime.fromisoformat(event["at"]) for event in events]
    assert times == sorted(times)
    assert line["changed_at"] == events[-1]["at"]


def test_it_says_before_when_the_gateway_wants_no_attempt(past: Project) -> None:
    (line,) = past.call("history", "--json", "--message", "waits").lines
    left = datetime.fromisoformat(line["not_before"]) - datetime.now(UTC)
    assert timedelta(minutes=55) < left <= timedelta(minutes=66)


@pytest.mark.parametrize(("options", "rows"), [([], 1), (["--attempts"], 4)])
def test_export_for_spreadsheets(past: Project, options: list[str], rows: int) -> None:
    result = past.call("history", "--message", "retried", "--export", "out.csv", *options)
    assert (result.code, result.stdout) == (0, "")
    assert "1 message in out.csv" in result.stderr
    with (past.folder / "out.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == rows
    assert {line["key"] for line in lines} == {KEY}
    assert (lines[-1]["to"], lines[-1]["status"], lines[-1]["attempts"]) == (TO, "sent", "2")
    assert lines[-1]["id"]
    if options:
        assert [line["attempt"] for line in lines] == ["1", "1", "2", "2"]
        assert [line["error_code"] for line in lines] == ["", "1060", "", ""]


@pytest.mark.parametrize("options", [[], ["--attempts"], ["--status", "failed"]])
def test_export_as_json_lines_is_what_json_shows(past: Project, options: list[str]) -> None:
    assert past.call("history", "--export", "out.jsonl", *options).code == 0
    exported = (past.folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    shown = past.call("history", "--json", *options).lines
    assert [{"event": "message", **json.loads(line)} for line in exported] == shown


FORMULAS = {
    "=HYPERLINK(A1)": "'=HYPERLINK(A1)",
    "@SUM(1)": "'@SUM(1)",
    "+cmd|' /C x'!A0": "'+cmd|' /C x'!A0",
    " -2+3": " '-2+3",
    "＝1": "'＝1",
    "a;=1;b": "a;'=1;b",
    "\t=1\r\n=2": "\\t=1\\r\\n=2",
    "-17.5": "-17.5",
    "79001234567": "79001234567",
    "a = b - c": "a = b - c",
    "two\nlines \u202e": "two\\nlines \\u202e",
}


def test_no_cell_of_an_export_is_a_formula(tmp_path: Path) -> None:
    with (tmp_path / "out.csv").open("w+", encoding="utf-8", newline="") as file:
        write = _csv_writer(file)
        for text in FORMULAS:
            write(row(text))
        file.seek(0)
        lines = list(csv.DictReader(file))
    assert [line["error"] for line in lines] == list(FORMULAS.values())
    assert [line["id"] for line in lines] == list(FORMULAS.values())
    assert {line["to"] for line in lines} == {"-1001234567890"}


def test_json_lines_of_an_export_are_exact(tmp_path: Path) -> None:
    with (tmp_path / "out.jsonl").open("w+", encoding="utf-8", newline="") as file:
        write = _jsonl_writer(file)
        for text in FORMULAS:
            write(row(text))
        file.seek(0)
        lines = [json.loads(line) for line in file]
    assert [(line["id"], line["error"]["text"]) for line in lines] == [(t, t) for t in FORMULAS]


def row(text: str) -> HistoryRow:
    """A message of which a gateway said something."""
    return HistoryRow(
        key=f"default/m/a/1/{text}",
        run="default",
        manifest="m",
        message="a",
        recipient="-1001234567890",
        transport="greenapi",
        status="failed",
        attempts=1,
        id=text,
        error=Failure(code="1", text=text),
        changed_at="2026-11-29T00:00:00+00:00",
        not_before=None,
        events=(),
    )


def test_export_of_nothing(past: Project) -> None:
    result = past.call("history", "--run", "never", "--export", "none.csv")
    assert result.code == 3
    assert "the journal knows no such message" in result.stderr


@cases(
    "name, code, why",
    ("out.xlsx", 2, "must end in .csv or .jsonl"),
    ("out", 2, "must end in .csv or .jsonl"),
    ("nowhere/out.csv", 1, "cannot write nowhere/out.csv: no such file or directory"),
    (".", 2, "is a directory"),
)
def test_export_that_cannot_be(past: Project, name: str, code: int, why: str) -> None:
    result = past.call("history", "--export", name)
    assert (result.code, result.stdout) == (code, "")
    assert why in result.stderr
