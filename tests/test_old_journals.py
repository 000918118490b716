"""Journals that the dispatchers of before wrote: each opens, and means the same.

`journals/version-N.sql` is what a dispatcher with tables of version N left that was killed while a
message was under way, as `sqlite3 journal.db .dump` has it with `PRAGMA user_version = N` below.
Hosts and ports are made up. Whoever makes a new version adds its journal.
"""

import hashlib
import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.journal import KnownGateway, open_journal
from dispatcher.journal.schema import SCHEMA_VERSION
from dispatcher.journal.sqlite import SqliteBackend
from tests.support.project import Project, text

DUMPS = Path(__file__).with_name("journals")
VERSIONS = range(1, SCHEMA_VERSION + 1)
WITH_SENT_DIGEST = 4  # from then on, what was sent is known also if something else failed later
FILE = """
[[messages]]
id = "file"
to = "79000000001"
document = { source = "price.txt", filename = "price.txt" }
"""
# What the journals have of the manifest m, and what a plan is to say.
STATUSES = {
    "sent": ("sent", "sent"),
    "changed": ("sent", "changed"),
    "refused": ("failed", "retry"),
    "unknown": ("unknown", "unknown"),
    "file": ("sent", "sent"),
    "again": ("failed", "sent"),  # it was refused with other content than was sent before
    "sending": ("sending", "unknown"),
    "new": (None, "new"),
}
# The last digit of whose text it is.
NUMBERS = {"sent": 1, "changed": 2, "refused": 3, "unknown": 4, "again": 2, "sending": 5, "new": 6}


def load(file: Path, version: int, *, dumped: bool = False) -> None:
    """Make a journal of a version; `dumped`: as SQLite's `.dump` has it, without its number."""
    script = (DUMPS / f"version-{version}.sql").read_text()
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)
        if dumped:
            connection.execute("PRAGMA user_version = 0")
    file.chmod(0o600)


@pytest.fixture
def of_version(project: Project) -> Callable[..., Project]:
    """The project whose messages the journals have."""

    def of_version(version: int, *, dumped: bool = False) -> Project:
        load(project.journal_file, version, dumped=dumped)
        project.config("")
        project.write("manifests/price.txt", "Spring prices")
        texts = {id: text(id, f"7900000000{number}") for id, number in NUMBERS.items()}
        texts["changed"] = text("changed", "79000000002", "Hello!")
        if version < WITH_SENT_DIGEST:  # which do not know it: it says what "changed" said before
            texts["again"] += "moved_from = []\n"
        project.manifest("".join(texts.get(id, FILE) for id in STATUSES))
        for form in ("NFC", "NFD"):
            spring, one = (unicodedata.normalize(form, each) for each in ("봄", "한"))
            head = f'name = "{spring}"\n'
            project.manifest(head + text(one, "79000000001"), f"spring-{form}/a.toml")
        digest = text("news", "79000000001") + text("weather", "79000000003")
        project.manifest(f'repeat = "daily"\n{digest}', "daily/digest.toml")
        return project

    return of_version


def contents(project: Project) -> dict[str, str]:
    """The files of the journal, and what they hold."""
    files = project.journal_file.parent.iterdir()
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def made(file: Path) -> set[tuple[str, ...]]:
    """The columns, indexes and triggers of a journal."""
    columns = (
        "SELECT tables.name, columns.name, columns.type, columns.pk"
        " FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
        " WHERE tables.type = 'table'"
    )
    others = "SELECT type, name, sql FROM sqlite_master WHERE type != 'table'"
    with closing(sqlite3.connect(file)) as connection:
        return {*connection.execute(columns), *connection.execute(others)}


def planned(version: int) -> list[str]:
    plans = {id: plan for id, (_, plan) in STATUSES.items()}
    if version < WITH_SENT_DIGEST:
        plans["again"] = "new"
    return list(plans.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_readers_understand_an_older_journal_and_change_nothing(
    of_version: Callable[..., Project], version: int
) -> None:
    project = of_version(version)
    before = contents(project)

    rows = project.call("history", "--json", "--attempts").lines
    known = {row["message"]: row for row in rows if row["run"] == "default"}
    statuses = {id: found for id, (found, _) in STATUSES.items() if found}
    if version < WITH_SENT_DIGEST:
        del statuses["again"]
    assert {id: known[id]["status"] for id in statuses} == statuses
    assert [each["status"] for each in known["sent"]["events"]] == ["sending", "sent"]
    assert known["sent"]["events"][-1]["id"] == known["sent"]["id"]
    assert known["refused"]["error"]["code"] == "1022"
    since = project.call("history", "--json", "--since", "2026-11-30")
    assert len(since.lines) == len(rows)
    assert project.planned() == planned(version)
    assert project.planned("--run", "2026-11-01", "daily") == ["sent", "retry"]
    check = project.call("journal", "check")
    assert (check.code, check.stderr) == (0, "")
    assert check.stdout.startswith(f"whole, schema {version}: ")
    assert (
        project.call("history", "--to", "+7 900 000-00-05", "--json").lines[0]["message"]
        == "sending"
    )

    assert contents(project) == before


@pytest.mark.parametrize("dumped", [False, True], ids=["file", "dump"])
@pytest.mark.parametrize("version", VERSIONS)
def test_send_migrates_an_older_journal_and_sends_what_is_due(
    of_version: Callable[..., Project], tmp_path: Path, version: int, dumped: bool
) -> None:
    project = of_version(version, dumped=dumped)
    due = {
        id for id, plan in zip(STATUSES, planned(version), strict=True) if plan in ("new", "retry")
    }

    first = project.call("send", "--json")
    assert first.code == 5
    assert {id for id, status in first.statuses.items() if status == "sent"} == due
    assert first.statuses["sending"] == first.statuses["unknown"] == "unknown"
    again = project.call("send", "--json")
    assert set(again.statuses.values()) == {"skipped", "unknown"}
    daily = project.call("send", "--json", "--run", "2026-11-01", "daily")
    assert daily.statuses == {"news": "skipped", "weather": "sent"}
    assert len(project.inbox.messages()) == len(due) + 1

    assert project.call("settle", "default/m/sending/1/79000000005", "--not-sent").code == 0
    assert project.call("send", "--json").statuses["sending"] == "sent"
    rows = project.call("history", "--json", "--attempts", "--run", "default").lines
    (events,) = [row["events"] for row in rows if row["message"] == "sending"]
    steps = ["sending", "unknown", "failed", "sending", "sent"]
    assert [each["status"] for each in events] == steps
    check = project.call("journal", "check")
    assert (check.code, check.stderr) == (0, "")

    with open_journal(f"sqlite:///{tmp_path}/new.db") as new:
        new.note_manifest_paths({"m": "m.toml"})
        new.note_gateways([KnownGateway("greenapi", "http://127.0.0.1", local=True)])
    assert made(project.journal_file) == made(tmp_path / "new.db")
    with closing(sqlite3.connect(project.journal_file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("version", VERSIONS)
def test_names_are_found_in_whatever_normal_form_they_were_kept(
    of_version: Callable[..., Project], version: int, form: str
) -> None:
    project = of_version(version)
    where = f"spring-{form}"
    assert project.planned(where) == ["sent"]
    assert set(project.call("send", "--json", where).statuses.values()) == {"skipped"}
    project.has_sent_nothing()
    name = unicodedata.normalize(form, "봄")
    assert len(project.call("history", "--json", "--manifest", name).lines) == 1


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_older_journal_is_migrated_as_a_whole_or_not_at_all(
    of_version: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    project = of_version(version)
    url = f"sqlite:///{project.journal_file}"
    before = made(project.journal_file)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteBackend, "set_version", crash)
        with pytest.raises(KeyboardInterrupt), open_journal(url):
            pass
    assert made(project.journal_file) == before
    assert project.planned() == planned(version)
    assert project.call("send", "--json").statuses["sending"] == "unknown"
