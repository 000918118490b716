"""`history --since`, and the times that people read."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher import Dispatcher
from tests.support.postgres import Database
from tests.support.project import Project

MOSCOW = 'timezone = "Europe/Moscow"\n'  # three hours before UTC
AT = {
    "a": "2026-11-01T20:59:59.999+00:00",
    "b": "2026-11-01T21:00:00.000+00:00",
    "c": "2026-11-02T10:30:00.000+00:00",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def past(request: pytest.FixtureRequest, project: Project) -> Project:
    """Three messages, which were sent before, around and after a midnight in Moscow."""
    if request.param == "postgresql":
        database: Database = request.getfixturevalue("database")
        project.environment["DISPATCHER_JOURNAL"] = database.url
    project.config(MOSCOW)
    project.send_texts(*AT)
    for id, at in AT.items():
        if request.param == "postgresql":
            change = "UPDATE dispatcher.messages SET changed_at = %s WHERE message = %s"
            database.ask(change, at, id)
        else:
            project.execute("UPDATE messages SET changed_at = ? WHERE message = ?", at, id)
    return project


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2026-11-02", "bc"),
        ("2026-11-02T00:00:00.001", "c"),
        ("2026-11-02 13:30", "c"),
        ("2026-11-02 13:31", ""),
        ("2026-11-01T21:00:00Z", "bc"),
        ("2026-11-02T02:00:00+05:00", "bc"),
        ("0001-01-02", "abc"),
        ("36500d", "abc"),
    ],
)
def test_what_has_changed_since(past: Project, since: str, found: str) -> None:
    """A time that says no zone is in the configuration's."""
    result = past.call("history", "--json", "--since", since)
    assert [line["message"] for line in result.lines] == list(found)
    assert result.code == (0 if found else 3)


def test_a_duration_ends_now(project: Project) -> None:
    project.send_texts("a", "b")
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    project.execute("UPDATE messages SET changed_at = ? WHERE message = 'a'", long_ago.isoformat())
    for since, found in (("2h", ["b"]), ("3h30m", ["a", "b"])):
        lines = project.call("history", "--json", "--since", since).lines
        assert [line["message"] for line in lines] == found


def test_since_goes_with_filters_and_exports(past: Project) -> None:
    result = past.call("history", "--since", "2026-11-02", "--message", "b", "--export", "b.jsonl")
    assert (result.code, result.stderr) == (0, "1 message in b.jsonl\n")
    assert AT["b"] in (past.folder / "b.jsonl").read_text(), "in UTC"


@pytest.mark.parametrize(
    "wrong", ["yesterday", "2", "2026-13-01", "99999999999d", "", "0001-01-01"]
)
def test_what_is_no_moment(project: Project, wrong: str) -> None:
    project.config(MOSCOW)
    project.call("history", "--since", wrong).refused("Error: --since: expected a date like", wrong)


def test_people_read_times_of_their_zone_and_counts(past: Project) -> None:
    result = past.call("history")
    times = [line.partition("  ")[0] for line in result.stdout.splitlines()]
    assert times == [
        "2026-11-01 23:59:59 MSK",
        "2026-11-02 00:00:00 MSK",
        "2026-11-02 13:30:00 MSK",
    ]
    assert result.stderr == "3 sent\n"
    assert past.call("history", "--json").lines[0]["changed_at"] == AT["a"]


def test_counts_are_by_status_and_times_of_attempts_are_local(project: Project) -> None:
    project.config(MOSCOW)
    project.inbox.faults([{"fault": "reset_after", "times": 1, "path": "/v1/messages"}])
    project.texts("a", "b", "c")
    project.call("send")
    result = project.call("history", "--attempts")
    assert result.stderr == "2 sent, 1 unknown\n"
    assert len(re.findall(r"^  \S+ \S+ MSK  attempt 1 ", result.stdout, re.MULTILINE)) == 6


def test_a_time_that_somebody_wrote_by_hand_is_shown_as_it_stands(project: Project) -> None:
    project.send_texts("a")
    project.execute("UPDATE messages SET changed_at = 'in spring'")
    assert project.call("history").stdout.startswith("in spring  sent ")


def test_python_takes_a_datetime(past: Project) -> None:
    journal = past.environment.get("DISPATCHER_JOURNAL")
    with Dispatcher.open(past.folder, journal=journal) as dispatcher:
        for since in (datetime(2026, 11, 2), datetime(2026, 11, 1, 21, tzinfo=UTC)):
            assert [row.message for row in dispatcher.history(since=since)] == ["b", "c"]
