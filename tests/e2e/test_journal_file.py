"""A journal in a file that is damaged, out of reach or in the wrong place."""

import random
import shutil
from collections.abc import Callable

import pytest

from dispatcher.journal import files, open_journal
from dispatcher.sandbox.process import SandboxProcess
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
