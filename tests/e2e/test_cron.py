"""Jobs that run again and again: everybody gets each message once a day, week or month.

The clock of each command is what the test says. One that is killed, or whose clock is set while it
runs, is started as a process; the others run in the test's.
"""

import shlex
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.support.cases import cases
from tests.support.project import Held, Project, Result, text
from tests.support.requirements import require
from tests.support.waiting import opened_files, wait_until

PEOPLE = ("79001234567", "79001234568")
CLOCK = Path(__file__).parents[1] / "support" / "clock"
# How the runs are called, whatever the program makes of it.
RUNS = {"daily": "%Y-%m-%d", "weekly": "%G-W%V", "monthly": "%Y-%m"}


def at(project: Project, moment: str, *arguments: str, zone: str = "UTC") -> Result:
    """Run a command at a moment; `zone`: the system's."""
    # A number leaves the time zone alone.
    with system_zone(zone), time_machine.travel(datetime.fromisoformat(moment).timestamp()):
        return project.call(*arguments)


@contextmanager
def system_zone(name: str) -> Iterator[None]:
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", name)
            time.tzset()
            yield
    finally:
        time.tzset()


def clock(moment: str, **env: str) -> dict[str, str]:
    """The environment of a process that has this time, where the system's zone is UTC."""
    return {"PYTHONPATH": str(CLOCK), "TZ": "UTC", "SIMULATED_TIME": moment, **env}


def write(project: Project, day: date, kinds: Iterable[str] = RUNS, head: str = "") -> None:
    """The digests as they are written on a day, which say for what they are."""
    for kind in kinds:
        body = f"{kind} {day:{RUNS[kind]}}"
        digest = f'repeat = "{kind}"\n{head}{text("news", PEOPLE, body)}'
        project.manifest(digest, f"manifests/{kind}.toml")


def copies(project: Project) -> Counter[tuple[str, str]]:
    """How often each person got each text."""
    return Counter(
        (each["to"], each["payload"]["text"]["body"]) for each in project.inbox.messages()
    )


def once_each(bodies: Iterable[str]) -> Counter[tuple[str, str]]:
    return Counter((to, body) for body in bodies for to in PEOPLE)


def runs_of(result: Result) -> dict[str, str]:
    """What a run sent: the run, by manifest."""
    sent = [line for line in result.events("result") if line["status"] == "sent"]
    return {line["manifest"]: line["key"].partition("/")[0] for line in sent}


def test_thirty_days_of_digests_with_all_that_may_go_wrong(project: Project) -> None:
    days = [date(2026, 11, 16) + timedelta(days=each) for each in range(30)]
    missed = [date(2026, 11, 20), date(2026, 11, 29), date(2026, 11, 30)]
    made_up, killed, refused, unsettled = (date(2026, 12, day) for day in (2, 5, 8, 14))
    lost = PEOPLE[-1]
    left: list[str] = []

    def send(day: date, *arguments: str, hour: int = 9) -> Result:
        write(project, day)
        return at(project, f"{day}T{hour:02}:00Z", "send", "--json", *arguments)

    def history(*arguments: str) -> list[str]:
        rows = project.call("history", "--json", *arguments).lines
        return sorted(row["status"] for row in rows)

    for day in days:
        if day in missed:
            continue
        if left:
            assert at(project, f"{day}T00:10Z", *left).code == 0, "before today's"
            left = []
        if day == killed:
            project.inbox.faults([{"to": lost, "fault": "stall"}])
            write(project, day)
            process = project.start("send", env=clock(f"{day}T08:00Z"))
            wait_until(lambda: history("--run", str(killed)) == ["sending", "sent"])
            process.kill()
            assert project.finish(process).code == -signal.SIGKILL
            project.inbox.faults([])
        if day == refused:
            project.inbox.faults([{"to": lost, "fault": "status", "status": 400, "code": 1022}])
        if day == unsettled:  # a Monday
            project.inbox.faults([{"to": lost, "fault": "html"}])

        result = send(day, hour=23 if day == refused else 9)

        project.inbox.faults([])
        assert result.code == {killed: 5, refused: 4, unsettled: 5}.get(day, 0), result.stderr
        if day == refused:
            (step,) = result.summary["next"]
            left = shlex.split(step["command"])[1:]
        if day == killed:
            (step,) = result.summary["next"]
            assert f" {day}/daily/news/1/{lost} " in step["command"]
            assert project.call(*shlex.split(step["command"])[1:]).code == 0, "it arrived"
        if day == unsettled:
            keys = [line["key"] for line in result.events("result") if line["status"] == "unknown"]
            assert len(keys) == 2, "the day's and the week's"
            assert project.call("settle", *keys, "--not-sent").code == 0
            assert send(day, hour=10).summary["sent"] == 2
        if day == made_up:
            for each in missed:
                late = send(each, "--run", str(each))
                assert (late.code, runs_of(late)) == (0, {"daily": str(each)})

    due = {f"{kind} {day:{form}}" for day in days for kind, form in RUNS.items()}
    assert copies(project) == once_each(due)
    assert history() == ["sent"] * len(due) * len(PEOPLE)


@cases(
    "began, jump, ended",
    ("2026-11-28T23:30Z", 3600, "2026-11-29"),
    ("2026-11-28T12:00Z", -2 * 86_400, "2026-11-26"),
    ids=["midnight", "two days back"],
)
def test_a_run_keeps_the_day_on_which_it_began_whatever_the_clock_says_later(
    held: Held, tmp_path: Path, began: str, jump: int, ended: str
) -> None:
    require(Path("/proc/self/fd").exists(), "/proc, to see a process wait")
    held.texts("a", "b", head='repeat = "daily"\n')

    def start(name: str, *arguments: str) -> Any:
        jumped = tmp_path / name
        env = clock(began, CLOCK_JUMP=str(jump), CLOCK_JUMPED=str(jumped))
        return held.start("send", "--json", *arguments, env=env), jumped

    release = held.gateway.hold()
    first, *jumps = start("first")
    held.gateway.wait_for(1)
    second, jumped = start("second", "--wait", "1m")
    wait_until(lambda: f"{held.journal_file}.lock" in opened_files(second))
    for process, file in ((first, *jumps), (second, jumped)):
        process.send_signal(signal.SIGUSR1)
        wait_until(file.exists)
    release.set()

    sent, waited = held.finish(first), held.finish(second)
    assert (sent.code, sent.statuses) == (0, {"a": "sent", "b": "sent"}), sent.stderr
    assert (waited.code, waited.statuses) == (0, {"a": "skipped", "b": "skipped"}), waited.stderr
    keys = [line["key"] for line in (*sent.events("result"), *waited.events("result"))]
    assert {key.partition("/")[0] for key in keys} == {"2026-11-28"}
    assert held.journal()["b"]["changed_at"].startswith(ended), "so the clock was set"
    assert at(held, "2026-11-29T00:40Z", "send", "--json").summary["sent"] == 2
    assert held.gateway.texts == ["I am a", "I am b"] * 2


def test_nobody_gets_a_day_twice_when_the_clock_is_set_back(project: Project) -> None:
    for day in (26, 27, 28):
        write(project, date(2026, 11, day))
        assert at(project, f"2026-11-{day}T00:20Z", "send").code == 0
    before = copies(project)
    for moment in ("2026-11-27T23:20Z", "2026-11-26T00:20Z", "2026-11-28T00:10Z"):
        write(project, date.fromisoformat(moment[:10]))
        again = at(project, moment, "send", "--json")
        assert (again.code, again.summary["skipped"]) == (0, 6), again.stderr
    assert copies(project) == before
    write(project, date(2026, 11, 29))
    assert runs_of(at(project, "2026-11-29T00:20Z", "send", "--json")) == {"daily": "2026-11-29"}


# Berlin: at 03:00 it is 02:00 again on 2026-10-25; 02:00 is 03:00 on 2027-03-28.
@cases(
    "moments",
    {
        "2026-10-24T23:30+02:00": "2026-10-24",
        "2026-10-25T00:30+02:00": "2026-10-25",
        "2026-10-25T02:30+02:00": None,
        "2026-10-25T02:30+01:00": None,
        "2026-10-25T23:30+01:00": None,
        "2026-10-26T00:30+01:00": "2026-10-26",
    },
    {
        "2027-03-27T23:30+01:00": "2027-03-27",
        "2027-03-28T00:30+01:00": "2027-03-28",
        "2027-03-28T03:30+02:00": None,
        "2027-03-28T23:30+02:00": None,
        "2027-03-29T00:30+02:00": "2027-03-29",
    },
    ids=["winter", "summer"],
)
def test_a_day_with_a_switch_of_the_clock_is_one_day(
    project: Project, moments: dict[str, str | None]
) -> None:
    """Of the jobs around the switch two are at 02:30, or none is."""
    head = 'repeat = "daily"\ntimezone = "Europe/Berlin"\n'
    for moment, sent in moments.items():
        day = date.fromisoformat(moment[:10])
        project.manifest(head + text("news", PEOPLE, f"daily {day}"))
        result = at(project, moment, "send", "--json")
        assert result.code == 0, result.stderr
        assert runs_of(result) == ({"m": sent} if sent else {}), moment
    assert copies(project) == once_each(f"daily {day}" for day in moments.values() if day)


VLADIVOSTOK = "Asia/Vladivostok"  # ten hours before UTC
LAST_WEEK = {
    "2026-12-27T13:30Z": {"daily": "2026-12-27", "weekly": "2026-W52", "monthly": "2026-12"},
    "2026-12-27T14:30Z": {"daily": "2026-12-28", "weekly": "2026-W53"},
    "2026-12-31T14:30Z": {"daily": "2027-01-01", "monthly": "2027-01"},
    "2027-01-01T12:00Z": {},
    "2027-01-03T13:30Z": {"daily": "2027-01-03"},
    "2027-01-03T14:30Z": {"daily": "2027-01-04", "weekly": "2027-W01"},
}


@cases("where", "manifest", "configuration", "system")
def test_the_last_week_of_a_year_where_it_is_tomorrow_already(project: Project, where: str) -> None:
    """The zone that is nearest counts: the manifest's, the configuration's, the system's."""
    west = "America/New_York"
    head = f'timezone = "{VLADIVOSTOK}"\n' if where == "manifest" else ""
    if where != "system":
        zone = VLADIVOSTOK if where == "configuration" else west
        project.config(f'timezone = "{zone}"\n')
    moments = LAST_WEEK if where == "manifest" else dict([*LAST_WEEK.items()][:2])
    for moment, sent in moments.items():
        write(project, date(2027, 1, 1), head=head)
        zone = VLADIVOSTOK if where == "system" else west
        assert runs_of(at(project, moment, "send", "--json", zone=zone)) == sent, moment


def test_a_zone_of_the_system_that_there_is_not_is_no_zone(project: Project) -> None:
    """The system would take UTC for it in silence, and end the day at another hour."""
    project.texts("a", head='repeat = "daily"\n')
    sentence = 'm.toml:2:10: error: environment, TZ: no time zone is named "Europa/Moscow"'
    refused = at(project, "2026-11-29T12:00:00", "send", zone="Europa/Moscow")
    refused.refused(sentence, "Europe/Moscow")
    assert at(project, "2026-11-29T12:00:00", "send", zone="MSK-3").code == 0
