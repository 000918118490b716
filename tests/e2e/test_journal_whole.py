"""A journal is several files at one name: what must be noticed before a message leaves."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.journal import files
from tests.support.cases import cases
from tests.support.gateway import Gateway
from tests.support.project import FAST, Held, NewProject, Project
from tests.support.waiting import wait_until


def beside(project: Project, suffix: str) -> Path:
    return project.journal_file.with_name(f"journal.db{suffix}")


def whole(project: Project) -> list[Path]:
    """The journal's files and folder."""
    folder = project.journal_file.parent
    return [*folder.iterdir(), folder]


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose run was killed when a and b were sent and c was under way; d is new."""
    with Gateway() as gateway:
        project = Held(tmp_path_factory.mktemp("project"), gateway)
        project.texts("a", "b", "c")
        with project.under_way("send", request=3) as run:
            wait_until(lambda: project.statuses() == {"a": "sent", "b": "sent", "c": "sending"})
            run.kill()
            project.finish(run)
        project.texts("a", "b", "c", "d")
    return project


@pytest.fixture
def killed(cut_short: Project, held: Held) -> Held:
    """A copy of that for one test."""
    shutil.copytree(cut_short.folder, held.folder, dirs_exist_ok=True)
    return held


def goes_on(killed: Project) -> None:
    """The next run knows all that the killed one had written."""
    sent = killed.call("send", "--json")
    assert sent.statuses == {"a": "skipped", "b": "skipped", "c": "unknown", "d": "sent"}


# other names


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_hard_link_is_refused(killed: Held, suffix: str) -> None:
    other = killed.folder / "other"
    os.link(beside(killed, suffix), other)
    killed.sends_nothing(f"journal.db{suffix} has a second name (a hard link)", "symbolic")
    for reader in ("plan", "history"):
        assert "second name" in killed.call(reader).stderr
    other.unlink()
    goes_on(killed)


def test_symbolic_link_is_the_same_journal(project: Project) -> None:
    project.texts("a")
    link = project.folder / "link.db"
    link.symlink_to(project.journal_file)
    assert project.call("send").code == 0
    again = project.call("send", "--json", "--journal", f"sqlite:///{link}")
    assert again.statuses == {"a": "skipped"}
    assert project.inbox.stats()["accepted"] == 1


@pytest.mark.parametrize("suffix", ["", "-wal", ".lock"])
def test_file_that_is_mounted_alone_is_refused(
    killed: Held, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """As `docker run -v ./journal.db:/app/.dispatcher/journal.db` does."""
    folder = killed.journal_file.parent.resolve()
    entry = "36 35 98:0 /journal.db {} rw,noatime master:1 - ext4 /dev/root rw\n"
    mounts = killed.write("mounts", entry.format(folder))
    monkeypatch.setattr(files, "_MOUNTS", mounts)
    assert killed.call("plan").told == "Plan: 1 new, 2 sent, 1 unknown.\n", "all of it is there"
    mounts.write_text(entry.format(f"{folder}/journal.db{suffix}".replace(" ", r"\040")))
    killed.sends_nothing("is mounted alone", f"mount its folder, {folder}, instead")
    assert "mounted alone" in killed.call("history").stderr


# a log that is gone


def only_the_database_copied(log: Path) -> None:
    kept = log.parent.rename(log.parent.with_name("kept"))
    log.parent.mkdir()
    shutil.copy(kept / "journal.db", log.parent)


LOSSES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "emptied": lambda log: log.write_bytes(b""),
    "only the database copied": only_the_database_copied,
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_journal_without_the_log_of_a_run_that_died_is_refused(
    killed: Held, lose: Callable[[Path], object]
) -> None:
    log = beside(killed, "-wal").read_bytes()
    lose(beside(killed, "-wal"))
    for _ in range(2):
        killed.sends_nothing("is not whole: its journal.db-wal is missing", '"default"')
    for reader in ("plan", "history"):
        result = killed.call(reader)
        assert result.code in (0, 3)
        assert "warning: the journal" in result.stderr
        assert "its journal.db-wal is missing" in result.stderr
    assert killed.call("journal", "check").code == 1

    beside(killed, "-wal").write_bytes(log)
    assert killed.call("journal", "check").code == 0
    goes_on(killed)


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "zeroed": lambda log: bytes(len(log)),
    "without its header": lambda log: bytes(32) + log[32:],
    "only its header": lambda log: log[:32],
    "halved": lambda log: log[: len(log) // 2],
    "damaged": lambda log: log[:100] + b"damage" + log[106:],
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_log_that_is_cut_off_or_damaged_is_not_the_whole_of_it(
    killed: Held, spoil: Callable[[bytes], bytes]
) -> None:
    """SQLite takes what it can read of a log for all of it, without a word."""
    log = beside(killed, "-wal").read_bytes()
    beside(killed, "-wal").write_bytes(spoil(log))
    for reader in ("plan", "history"):
        assert "changes are missing" in killed.call(reader).stderr
    for _ in range(2):
        killed.sends_nothing("is not whole", "changes are missing", "--accept-loss")
    check = killed.call("journal", "check")
    assert (check.code, "changes are missing" in check.stderr) == (1, True)
    assert killed.call("journal", "backup", "copy.db").code == 2

    assert killed.call("journal", "check", "--accept-loss", "--yes").code == 0
    assert killed.call("send").code in (0, 5)


def test_an_older_copy_in_the_journals_place_is_refused(held: Held) -> None:
    held.send_texts("a")
    held.call("journal", "backup", "copy.db")
    held.send_texts("a", "b")
    shutil.copy(held.folder / "copy.db", held.journal_file)
    held.gateway.requests.clear()
    held.sends_nothing("2 of its 4 changes are missing", "an older copy")


@pytest.fixture
def put_back(project: Project) -> Project:
    """A project whose whole .dispatcher, the lock too, was put back to how it was before b."""
    project.send_texts("a")
    folder = project.journal_file.parent
    shutil.copytree(folder, project.folder / "backup")
    project.send_texts("a", "b")
    shutil.rmtree(folder)
    (project.folder / "backup").rename(folder)
    return project


def test_whole_folder_that_was_put_back_is_refused(put_back: Project) -> None:
    for _ in range(2):
        put_back.call("send").refused("2 of its 4 changes are missing")
    for reader in ("plan", "history"):
        assert "2 of its 4 changes are missing" in put_back.call(reader).stderr
    assert put_back.inbox.stats()["accepted"] == 2

    assert put_back.call("journal", "check", "--accept-loss", "--yes").code == 0
    assert put_back.call("send", "--json").statuses == {"a": "skipped", "b": "sent"}


def test_what_a_machine_has_not_seen_is_no_loss(put_back: Project, new_project: NewProject) -> None:
    """The same journal elsewhere, on this machine or another one, and a journal begun anew."""
    elsewhere = new_project()
    shutil.copytree(put_back.folder, elsewhere.folder, dirs_exist_ok=True)
    same_machine = {"XDG_STATE_HOME": put_back.environment["XDG_STATE_HOME"]}
    assert elsewhere.call("send", "--json", env=same_machine).statuses["a"] == "skipped"
    other_machine = {"XDG_STATE_HOME": elsewhere.environment["XDG_STATE_HOME"]}
    assert put_back.call("plan", env=other_machine).told == "Plan: 1 new, 1 sent.\n"
    shutil.rmtree(put_back.journal_file.parent)
    assert put_back.call("send", "--json").statuses == {"a": "sent", "b": "sent"}


def test_run_in_the_sandbox_leaves_nothing_on_the_machine(project: Project) -> None:
    project.texts("a")
    assert project.call("send", "--sandbox").code == 0
    state = Path(project.environment["XDG_STATE_HOME"], "message-dispatcher")
    assert [path.name for path in state.iterdir()] == ["pace.db"]


@pytest.mark.parametrize("size", [0, 32, 5000])
def test_log_that_is_cut_off_in_use_stops_the_run_and_spoils_no_more(held: Held, size: int) -> None:
    held.texts("a", "b", "c")
    with held.under_way("send", "--json", request=2) as run:
        wait_until(lambda: held.statuses()["a"] == "sent")
        os.truncate(beside(held, "-wal"), size)
    result = held.finish(run)
    assert (result.code, result.statuses) == (5, {"a": "sent", "b": "unknown"})
    assert "journal.db-wal was cut off while it was in use" in result.stderr

    held.gateway.requests.clear()
    held.sends_nothing("is not whole")
    assert held.call("journal", "check", "--accept-loss", "--yes").code == 0, "damaged as well"


def test_who_reads_while_a_run_begins_hides_no_loss(held: Held) -> None:
    held.send_texts("a")
    address = f"{held.journal_file.as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()
        held.send_texts("a", "b", "c")
    for suffix in ("-wal", "-shm"):
        beside(held, suffix).unlink()
    held.gateway.requests.clear()
    held.sends_nothing("is not whole", "4 of its 6 changes are missing")


def test_log_of_a_run_whose_end_cannot_be_written_stays(project: Project) -> None:
    """The database refuses results, as a full disk does, but not the intent."""
    project.send_texts("a")
    refusal = "BEGIN SELECT RAISE(FAIL, 'refused'); END"
    project.execute(f"CREATE TRIGGER refuses BEFORE UPDATE ON messages {refusal}")
    project.texts("a", "b")

    assert project.call("send", "--json").statuses == {"a": "skipped", "b": "unknown"}

    assert beside(project, "-wal").exists()
    assert project.call("journal", "check").stdout.startswith("whole, ")
    with closing(sqlite3.connect(project.journal_file)) as journal:
        journal.execute("DROP TRIGGER refuses")
        # While it is open: SQLite deletes the log together with the last connection.
        again = project.call("send", "--json")
    assert again.statuses == {"a": "skipped", "b": "skipped"}, "its receipt is on the board"
    assert len(project.inbox.messages()) == 2


def test_another_program_may_write_the_log_back_while_a_run_is_on(held: Held) -> None:
    held.texts("a", "b", "c")
    with held.under_way("send", "--json", request=2) as run:
        with closing(sqlite3.connect(held.journal_file)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert beside(held, "-wal").stat().st_size == 0
    result = held.finish(run)
    assert (result.code, set(result.statuses.values())) == (0, {"sent"})


def test_loss_is_accepted_by_a_persons_word_only(killed: Held) -> None:
    beside(killed, "-wal").unlink()
    asked = killed.call("journal", "check", "--accept-loss")
    assert (asked.code, "agree with --yes" in asked.stderr) == (2, True)
    killed.sends_nothing("is not whole")
    accepted = killed.call("journal", "check", "--accept-loss", "--yes")
    assert (accepted.code, accepted.stdout.startswith("whole, schema ")) == (0, True)
    assert set(killed.call("send", "--json").statuses.values()) == {"sent"}


def test_log_without_its_journal_is_no_new_journal(killed: Held) -> None:
    killed.journal_file.unlink()
    killed.sends_nothing("is missing, but its journal.db-wal is there")
    assert killed.call("plan").code == 2


def test_log_is_not_mixed_with_a_backup_that_was_put_in_its_journals_place(killed: Held) -> None:
    assert killed.call("journal", "backup", "copy.db").code == 0
    shutil.copy(killed.folder / "copy.db", killed.journal_file)
    killed.sends_nothing("journal.db-wal does not belong to the journal", "move it away")
    for suffix in ("-wal", "-shm"):
        beside(killed, suffix).unlink()
    assert killed.call("send", "--json").statuses["c"] == "unknown"


def test_journal_of_a_run_that_ended_is_one_file(project: Project, new_project: NewProject) -> None:
    project.send_texts("a", "b")
    copy = new_project()
    copy.texts("a", "b")
    copy.journal_file.parent.mkdir()
    shutil.copy(project.journal_file, copy.journal_file)
    assert copy.call("send", "--json").statuses == {"a": "skipped", "b": "skipped"}
    assert project.inbox.stats()["accepted"] == 2


def replaced(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "log moved": ("-wal", lambda path: path.rename(path.with_name("moved"))),
    "log replaced": ("-wal", replaced),
    "lock moved": (".lock", lambda path: path.rename(path.with_name("moved"))),
    "database linked": ("", lambda path: path.with_name("other").hardlink_to(path)),
}


@pytest.mark.parametrize(("suffix", "change"), CHANGES.values(), ids=CHANGES)
def test_change_of_the_files_in_use_stops_the_run_and_loses_nothing(
    held: Held, suffix: str, change: Callable[[Path], object]
) -> None:
    held.texts("a", "b", "c")
    with held.under_way("send", "--json", request=2) as run:
        wait_until(lambda: held.statuses()["a"] == "sent")
        change(beside(held, suffix))
    result = held.finish(run)

    assert (result.code, result.statuses) == (5, {"a": "sent", "b": "unknown"})
    assert f"journal.db{suffix} was " in result.stderr
    assert "while it was in use" in result.stderr
    for left in (held.journal_file.with_name(name) for name in ("moved", "other")):
        left.unlink(missing_ok=True)
    again = held.call("send", "--json")
    assert again.statuses == {"a": "skipped", "b": "skipped", "c": "sent"}, "its receipt was kept"
    assert held.gateway.texts == ["I am a", "I am b", "I am c"]


# readers


def test_reading_takes_no_right_to_write(
    project: Project, read_only: Callable[..., None], unprivileged: tuple[str, ...]
) -> None:
    project.send_texts("a")
    before = sorted(os.listdir(project.journal_file.parent))
    read_only(*whole(project))
    plan = project.run("plan", prefix=unprivileged)
    history = project.run("history", "--attempts", prefix=unprivileged)
    assert (plan.code, plan.told) == (0, "Plan: 1 sent.\n")
    assert (history.code, history.stderr) == (0, "1 sent\n")
    assert sorted(os.listdir(project.journal_file.parent)) == before


def test_log_of_a_run_that_died_is_read_without_a_right_to_write(
    killed: Project, read_only: Callable[..., None], unprivileged: tuple[str, ...]
) -> None:
    read_only(*whole(killed))
    plan = killed.run("plan", prefix=unprivileged)
    assert plan.told == "Plan: 1 new, 2 sent, 1 unknown.\n"


def test_what_is_missing_for_reading_is_named(
    killed: Project, read_only: Callable[..., None], unprivileged: tuple[str, ...]
) -> None:
    beside(killed, "-shm").unlink()
    read_only(*whole(killed))
    killed.run("plan", prefix=unprivileged).refused(
        "to read that takes journal.db-shm, which is missing"
    )


def test_journal_that_may_not_be_read_is_not_an_empty_one(
    project: Project, unprivileged: tuple[str, ...]
) -> None:
    project.send_texts("a")
    for path, mode in ((project.journal_file, 0o600), (project.journal_file.parent, 0o700)):
        path.chmod(0)
        plan = project.run("plan", prefix=unprivileged)
        path.chmod(mode)
        plan.refused("Permission denied")


@pytest.mark.parametrize("loses", [False, True], ids=["as it is", "version inferred"])
def test_journal_restored_from_a_dump_is_no_empty_one(project: Project, loses: bool) -> None:
    project.send_texts("a")
    with closing(sqlite3.connect(project.journal_file)) as connection:
        dump = "\n".join(connection.iterdump())
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    project.journal_file.unlink()
    with closing(sqlite3.connect(project.journal_file)) as connection:
        connection.executescript(dump)
        connection.execute(f"PRAGMA user_version = {0 if loses else version}")
    assert project.call("plan").told == "Plan: 1 sent.\n"
    assert project.call("history").stdout.count("sent") == 1
    assert project.call("send", "--json").statuses == {"a": "skipped"}
    assert project.inbox.stats()["accepted"] == 1


# whose it is


def test_files_of_a_journal_are_their_owners_alone(project: Project) -> None:
    project.texts("a")
    old = os.umask(0o022)
    try:
        project.call("send")
        project.call("journal", "backup", "copy.db")
    finally:
        os.umask(old)
    folder = project.journal_file.parent
    modes = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in (folder, *folder.glob("journal*"), project.folder / "copy.db")
    }
    assert modes.pop(folder) == 0o700
    assert set(modes.values()) == {0o600}


def test_those_who_share_a_journal_keep_sharing_it(project: Project) -> None:
    project.send_texts("a")
    project.journal_file.chmod(0o660)
    beside(project, ".lock").unlink()
    project.call("send")
    assert stat.S_IMODE(project.journal_file.stat().st_mode) == 0o660
    assert stat.S_IMODE(beside(project, ".lock").stat().st_mode) == 0o660
    assert "others may use the file" in project.call("journal", "check").stderr


# where it is


@cases(
    "url, why",
    ("sqlite:///:memory:", "a file that lasts"),
    ("sqlite:///file:journal.db", "a file that lasts"),
    ("sqlite:///j.db?timeout=5", "no parameters, like"),
    ("sqlite:///j.db?", "no parameters"),
    ("sqlite:///", "names no file"),
    ("sqlite:///new/", "names no file"),
    ("sqlite:///manifests", "is not a file"),
    ("sqlite:///..", "is not a file"),
    ("sqlite:///~nobody-of-this-name/j.db", "a home folder that is not there"),
    ("sqlite:///my%20folder/j.db", 'written as it is, without %: "sqlite:///'),
    ("sqlite://j.db", 'lacks a slash: "sqlite:///j.db"'),
    ("sqlite:j.db", "a journal is an SQLite file"),
    ("mysql://host/x", "a journal is an SQLite file"),
)
def test_url_that_means_no_file_is_refused_plainly(project: Project, url: str, why: str) -> None:
    project.texts("a")
    project.write("my folder/j.db", "")
    before = sorted(os.listdir(project.folder))
    project.config(f'journal = "{url}"')
    project.call("send", "--journal", url).refused(why)
    project.sends_nothing(why)
    (project.folder / "dispatcher.toml").unlink()
    assert sorted(os.listdir(project.folder)) == before


def test_tilde_is_the_home_folder(project: Project, tmp_path: Path) -> None:
    project.texts("a")
    env = {"HOME": str(tmp_path)}
    assert project.call("send", "--journal", "sqlite:///~/one.db", env=env).code == 0
    project.config('journal = "sqlite:///~/two.db"')
    assert project.call("send", env=env).code == 0
    assert {path.name for path in tmp_path.glob("*.db")} == {"one.db", "two.db"}


CHDIR = """
import os
from dispatcher import hookimpl

@hookimpl
def dispatcher_validate_message(message, attachment):
    os.chdir("/")
"""


def test_plugin_that_changes_the_directory_moves_no_journal_and_no_input(project: Project) -> None:
    project.write("manifests/to.csv", "to\n79001234567\n79001234568\n")
    project.write("manifests/hello.txt", "Hello")
    project.manifest(
        '[[messages]]\nid = "hello"\nrecipients = "to.csv"\ntext.file = "hello.txt"\n'
        '[[messages]]\nid = "file"\nto = "79001234567"\ndocument.source = "hello.txt"\n'
    )
    project.install("roams", CHDIR)
    result = project.call("send", "--journal", "sqlite:///here.db")
    assert result.code == 0, result.stderr
    assert project.inbox.stats()["accepted"] == 3
    assert (project.folder / "here.db").exists()


# copies


def test_backup_is_whole_also_while_a_run_is_on(held: Held) -> None:
    held.texts("a", "b", "c")
    with held.under_way("send", request=2) as run:
        wait_until(lambda: held.statuses()["a"] == "sent")
        made = held.call("journal", "backup", "copy.db")
        checked = held.call("journal", "check", "copy.db")
        during = held.call("journal", "check")
    held.finish(run)

    assert made.code == checked.code == during.code == 0
    assert checked.stdout == during.stdout
    assert checked.stdout.endswith(": 2 sending, 1 sent\n"), "one of them is claimed ahead"
    assert checked.stderr == ""
    assert "journal.db-wal belongs to it" in during.stderr
    asked = len(held.gateway.requests)
    restored = held.call("send", "--json", "--journal", "sqlite:///copy.db")
    assert restored.statuses == {"a": "skipped", "b": "unknown", "c": "unknown"}
    assert len(held.gateway.requests) == asked


def test_backup_overwrites_nothing_and_leaves_nothing_half_done(project: Project) -> None:
    project.texts("a")
    project.call("journal", "backup", "copy.db").refused("there is no journal")
    project.call("send")
    there = project.write("copy.db", "something else")
    for target, why in (("copy.db", "is there already"), ("no/copy.db", "cannot write to no")):
        project.call("journal", "backup", target).refused(why)
    assert there.read_text() == "something else"
    assert sorted(path.name for path in project.folder.glob("*copy.db*")) == ["copy.db"]


@cases(
    "content, code, why",
    (None, 2, "there is no journal"),
    (b"", 1, "is no journal"),
    (b"no database" * 1000, 1, "not an SQLite database"),
)
def test_check_of_no_journal(project: Project, content: bytes | None, code: int, why: str) -> None:
    if content is not None:
        project.write("copy.db", content)
    project.call("journal", "check", "copy.db").refused(why, code=code)


def test_check_of_a_damaged_copy(project: Project) -> None:
    project.texts_to_many(60)
    project.config(FAST)
    project.call("send")
    whole = project.journal_file.read_bytes()
    project.write("copy.db", whole[: len(whole) // 2 // 4096 * 4096])
    result = project.call("journal", "check", "copy.db")
    assert result.code == 1
    assert "malformed" in result.stderr or "damaged" in result.stderr


@cases(
    "change, why",
    ("status = 'not sent'", "status is 'not sent'"),
    ("status = 'failed', not_before = 'tomorrow'", "'tomorrow'"),
    ("attempts = 'many'", "attempts is 'many'"),
    ("digest = x'00ff'", "digest is "),
)
def test_row_that_was_changed_by_hand_is_named(project: Project, change: str, why: str) -> None:
    project.send_texts("a")
    project.execute(f"UPDATE messages SET {change}")
    for command in ("plan", "send"):
        project.call(command).refused(
            "what the journal has of default/m/a/1/79001234567 was not written", why
        )
    assert project.inbox.stats()["accepted"] == 1


@pytest.mark.parametrize("column", ["status", "error_text", "attempts"])
def test_history_names_a_row_that_it_cannot_show(project: Project, column: str) -> None:
    project.send_texts("a")
    project.execute(f"UPDATE messages SET {column} = x'00ff'")
    for format in ((), ("--json",)):
        project.call("history", *format).refused(
            f"default/m/a/1/79001234567 was not written by a run ({column} is "
        )
