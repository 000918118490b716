"""A journal in a file that is damaged, out of reach or in the wrong place."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.journal import files, open_journal
from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import FAST, Held, NewProject, Project

TO = "79001234567"
PAGE = 4096

# damage


def overwritten(number: int) -> Callable[[bytes], bytes]:
    noise = random.Random(number).randbytes(PAGE)
    return lambda whole: whole[: number * PAGE] + noise + whole[(number + 1) * PAGE :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated in its first page": lambda whole: whole[:1000],
    "truncated": lambda whole: whole[: len(whole) // 2 // PAGE * PAGE],
    "random bytes": lambda whole: random.Random(1).randbytes(len(whole)),
    "a page of zeros": lambda whole: whole[:PAGE] + bytes(PAGE) + whole[2 * PAGE :],
    **{f"page {number} overwritten": overwritten(number) for number in range(10)},
}


@pytest.fixture(scope="module")
def sent(sandbox_process: SandboxProcess, new_project: NewProject) -> Project:
    """A project whose journal has a few pages."""
    sandbox_process.clear()  # of what a test before has left
    project = new_project()
    project.texts_to_many(60)
    project.config(FAST)
    assert project.call("send").code == 0
    return project


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_before_anything_is_sent(
    sent: Project, inbox: SandboxProcess, damage: Callable[[bytes], bytes]
) -> None:
    whole = sent.journal_file.read_bytes()
    sent.texts_to_many(61)
    try:
        sent.journal_file.write_bytes(damage(whole))
        result = sent.call("send")
    finally:
        for file in sent.journal_file.parent.glob("journal.db-*"):
            file.unlink()
        sent.journal_file.write_bytes(whole)
    result.refused(str(sent.journal_file))
    assert any(word in result.stderr for word in ("malformed", "damaged", "not an SQLite database"))
    assert inbox.stats()["requests"] == 0


# the wrong place


def test_folder_that_cannot_be_written(
    project: Project, read_only: Callable[..., None], unprivileged: tuple[str, ...]
) -> None:
    project.texts("a")
    read_only(project.folder)
    why = ("cannot write to the journal's folder", "Permission denied")
    project.sends_nothing(*why, prefix=unprivileged)
    assert project.run("plan", prefix=unprivileged).code == 0


@pytest.mark.parametrize("what", ["folder", "file"])
def test_journal_that_can_only_be_read(
    project: Project, read_only: Callable[..., None], unprivileged: tuple[str, ...], what: str
) -> None:
    project.send_texts("a")
    project.inbox.clear()
    project.texts("a", "b")
    read_only(project.journal_file if what == "file" else project.journal_file.parent)
    project.sends_nothing(f"{project.journal_file}", "is read-only", prefix=unprivileged)
    assert project.run("plan", prefix=unprivileged).code == 0
    assert not [each for each in project.journal_file.parent.iterdir() if each.suffix == ".db-shm"]
    for each in (project.journal_file.parent, project.journal_file):
        each.chmod(each.stat().st_mode | 0o200)
    assert project.run("send", prefix=unprivileged).code == 0


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_network_file_system(project: Project, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    project.texts("a")
    point = str(project.folder.resolve()).replace(" ", r"\040")
    mounts = project.write("mounts", f"/dev/a / ext4 rw 0 0\nserver:/home {point} {kind} rw 0 0\n")
    monkeypatch.setattr(files, "_FILE_SYSTEMS", mounts)
    project.sends_nothing(f"lies on a network ({kind})", "postgresql://")
    elsewhere = f"{point}-elsewhere"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/home {elsewhere} {kind} rw 0 0\n")
    assert project.call("send").code == 0


def test_network_is_found_at_any_name(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.folder = project.folder / "with space – и по-русски"
    project.texts("a")
    written = str(project.folder.resolve()).replace(" ", r"\040")
    mounts = project.write("mounts", f"server:/x {written} nfs rw 0 0\n")
    monkeypatch.setattr(files, "_FILE_SYSTEMS", mounts)
    assert "lies on a network (nfs)" in project.call("send").stderr
    monkeypatch.setattr(files, "_FILE_SYSTEMS", project.folder / "none")
    assert project.call("send").code == 0
    assert project.inbox.stats()["accepted"] == 1


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "made anew by another run"])
def test_journal_that_is_deleted_while_it_is_in_use_stops_the_run(held: Held, again: bool) -> None:
    """As `git clean -dfx` does: what this run sends would be sent again by the next one."""
    held.texts("a", "b")
    with held.under_way("send", "--json") as run:
        shutil.rmtree(held.journal_file.parent)
        if again:
            with open_journal(f"sqlite:///{held.journal_file}"):
                assert held.journal_file.exists()
    result = held.finish(run)

    assert (result.code, result.statuses) == (5, {"a": "unknown"})
    assert "was moved or deleted while it was in use" in result.results["a"]["error"]["text"]
    assert "stopped: the journal " in result.stderr
    assert held.gateway.texts == ["I am a"]


# what cannot be a journal, and where one may lie


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "newer schema": (newer, "newer dispatcher (schema 99); update this one"),
    "corrupt": (lambda path: path.write_bytes(b"garbage" * 1000), "it is not an SQLite database"),
    "a folder": (lambda path: path.mkdir(), "is not a file"),
}


@pytest.mark.parametrize(("spoil", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_journal_is_named_and_nothing_is_sent(
    project: Project, spoil: Callable[[Path], object], why: str
) -> None:
    project.texts("a")
    project.journal_file.parent.mkdir()
    spoil(project.journal_file)
    for command in ("send", "plan", "history"):
        project.call(command).refused(str(project.journal_file), why)
    assert project.inbox.stats()["requests"] == 0


NO_FOLDER, NO_LOCK = "cannot write to the journal's folder", "cannot write the journal's lock"


@cases("file, why", (".dispatcher", NO_FOLDER), (".dispatcher/journal.db.lock/file", NO_LOCK))
def test_journal_that_cannot_be_written_stops_send(project: Project, file: str, why: str) -> None:
    """Its folder is a file, or its lock is a folder."""
    project.texts("a")
    project.write(file, "")
    project.sends_nothing(why, str(project.journal_file.parent))


@pytest.mark.parametrize("why", [NO_FOLDER, NO_LOCK], ids=["at the folder", "at the lock"])
def test_full_disk_stops_send(project: Project, why: str) -> None:
    project.texts("a")
    if why == NO_LOCK:
        project.write(".dispatcher/.gitignore", "*")
    project.sends_nothing(why, prefix=("sh", "-c", 'ulimit -f 0; exec "$0" "$@"'))


@pytest.mark.parametrize("name", ["50% off?", "a#b", "so & so", "Весна 😃", "a?mode=memory"])
def test_journal_lies_where_the_project_lies_whatever_its_name(project: Project, name: str) -> None:
    project.folder = project.folder / name
    project.send_texts("a")
    assert project.journal_file.exists()
    (known,) = project.call("history", "--json").lines
    assert known["id"] == project.inbox.latest()["id"]
    assert project.call("send", "--json").statuses == {"a": "skipped"}
    assert [path.name for path in project.folder.parent.iterdir()] == [name]
