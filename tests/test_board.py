"""The board: of what it says of attempts, nothing is wrong, whatever happens to it."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher import Failure
from dispatcher.journal import (
    AttemptResult,
    Claim,
    Journal,
    NewMessage,
    board,
    open_journal,
    read_journal,
)
from dispatcher.journal.board import Board, DeadBoards
from dispatcher.journal.connection import Connection
from dispatcher.journal.files import file_system
from dispatcher.journal.updates import Updates
from dispatcher.journal.writer import Writer
from tests.support.boards import MEMORY, ahead, boards_of, delete_boards, killed
from tests.support.messages import message
from tests.support.postgres import Database
from tests.support.waiting import LONG

SENT = AttemptResult("sent", id="1")
FAILED = AttemptResult("failed", error=Failure(code="1022", text="Subscriber was not found"))
SLOT = 1024

pytestmark = pytest.mark.skipif(
    file_system(MEMORY) != "tmpfs", reason="needs memory that outlives a process, /dev/shm"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class Name(NamedTuple):
    """A journal and a run on it, of which nobody else knows."""

    journal: str
    owner: str

    @property
    def file(self) -> Path:
        return MEMORY / f"message-dispatcher-{self.journal}-{self.owner}"

    def board(self, slots: int = 4) -> Board:
        return Board(self.journal, self.owner, slots)

    def dead(self) -> DeadBoards:
        return DeadBoards(self.journal)


@pytest.fixture
def new_name() -> Iterator[Callable[..., Name]]:
    """Make names, of the same journal if one is given; what lies there is deleted in the end."""
    made: list[Name] = []

    def new_name(journal: str = "") -> Name:
        made.append(Name(journal or uuid.uuid4().hex, uuid.uuid4().hex))
        return made[-1]

    yield new_name
    for name in made:
        if name.file.is_dir() and not name.file.is_symlink():
            name.file.rmdir()
        else:
            name.file.unlink(missing_ok=True)


@pytest.fixture
def name(new_name: Callable[..., Name]) -> Name:
    return new_name()


def note(name: Name, key: str = "key", attempt: int = 1) -> None:
    """A run that was killed had noted how an attempt ended, and that another had not begun."""
    mine = name.board()
    mine.add_result(key, attempt, SENT)
    mine.add_spare(f"{key} spare", attempt)
    mine.close(delete=False)


def beliefs(name: Name, key: str = "key", attempt: int = 1) -> tuple[AttemptResult | None, bool]:
    """What is believed of the two attempts that `note` noted."""
    dead = name.dead()
    spare = dead.is_spare(name.owner, f"{key} spare", attempt)
    return dead.result(name.owner, key, attempt), spare


ALL, NOTHING = (SENT, True), (None, False)

texts = st.text(st.characters(codec=None), max_size=60)
results = st.builds(
    AttemptResult,
    st.sampled_from(["sent", "failed", "unknown"]),
    st.none() | texts,
    st.none() | st.builds(Failure, code=st.text(max_size=20), text=texts),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


@given(noted=st.dictionaries(st.tuples(texts, st.integers(1, 99)), st.none() | results, max_size=4))
@example({("\ud83d", 1): AttemptResult("sent", "\udcff\ud800"), ("\udcff", 2): None})
def test_what_was_noted_is_known_after_a_kill_and_no_more(
    noted: dict[tuple[str, int], AttemptResult | None],
) -> None:
    name = Name(uuid.uuid4().hex, uuid.uuid4().hex)
    mine = name.board()
    for (key, attempt), result in noted.items():
        assert mine.add_spare(key, attempt)
        if result is not None:
            mine.begin(key, attempt)
            mine.add_result(key, attempt, result)
    mine.close(delete=False)
    dead = name.dead()
    for (key, attempt), result in noted.items():
        assert dead.is_spare(name.owner, key, attempt) == (result is None and attempt == 1)
        assert dead.result(name.owner, key, attempt) == result
        assert not dead.is_spare(name.owner, key, attempt + 100)
        assert dead.result(name.owner, key, attempt + 100) is None
    dead.delete()
    assert not name.file.exists()


def test_nothing_is_known_of_what_has_begun_or_is_in_the_journal(name: Name) -> None:
    mine = name.board()
    for key in ("begun", "cleared", "ended and cleared", "begun at once"):
        assert key == "begun at once" or mine.add_spare(key, 1)
    mine.begin("begun", 1)
    mine.begin("begun at once", 1)
    mine.clear("cleared", 1)
    mine.add_result("ended and cleared", 1, SENT)
    mine.clear("ended and cleared", 1)
    mine.close(delete=False)
    dead = name.dead()
    for key in ("begun", "cleared", "ended and cleared", "begun at once"):
        assert (dead.is_spare(name.owner, key, 1), dead.result(name.owner, key, 1)) == (False, None)


def test_words_of_a_gateway_that_are_too_long_are_cut(name: Name) -> None:
    mine = name.board()
    mine.add_result("key", 1, FAILED._replace(error=Failure(code="1", text="ж" * 5000)))
    mine.close(delete=False)
    found = name.dead().result(name.owner, "key", 1)
    assert found
    assert found.status == "failed"
    assert found.error
    assert found.error.code == "1"
    assert 100 < len(found.error.text) < 5000
    assert set(found.error.text) == {"ж"}


def test_of_an_id_that_has_no_room_nothing_is_known(name: Name) -> None:
    """Better unknown than half of an id; what was noted before is no longer so."""
    mine = name.board()
    mine.add_spare("key", 1)
    mine.begin("key", 1)
    mine.add_result("key", 1, AttemptResult("sent", id="1" * 5000))
    mine.add_result("other", 1, SENT)
    mine.close(delete=False)
    dead = name.dead()
    assert not dead.is_spare(name.owner, "key", 1)
    assert dead.result(name.owner, "key", 1) is None
    assert dead.result(name.owner, "other", 1) == SENT, "the slot beside it is whole"


def test_attempt_without_a_slot_is_not_noted_and_one_that_is_free_is_used_again(name: Name) -> None:
    mine = name.board(slots=2)
    assert mine.add_spare("a", 1)
    assert mine.add_spare("b", 1)
    assert not mine.add_spare("c", 1)
    mine.add_result("c", 1, SENT)
    mine.clear("c", 1)
    mine.clear("a", 1)
    assert mine.add_spare("d", 1)
    mine.close(delete=False)
    dead = name.dead()
    assert [dead.is_spare(name.owner, key, 1) for key in "abcd"] == [False, True, False, True]
    assert dead.result(name.owner, "c", 1) is None


def test_some_slots_are_kept_for_attempts_that_are_not_claimed_ahead(name: Name) -> None:
    mine = Board(name.journal, name.owner, 3, reserved=1)
    assert [mine.add_spare(key, 1) for key in "abc"] == [True, True, False]
    mine.begin("c", 1)
    mine.add_result("c", 1, SENT)
    mine.close(delete=False)
    assert name.dead().result(name.owner, "c", 1) == SENT


def test_notes_that_come_too_late_are_ignored(name: Name) -> None:
    mine = name.board()
    mine.add_spare("a", 1)
    mine.close(delete=True)
    assert not mine.add_spare("b", 1)
    assert not mine.begin("a", 1), "its note may be there still"
    mine.add_result("a", 1, SENT)
    mine.clear("a", 1)
    assert not mine.is_in_place()
    assert not name.file.exists()


# whose it is


def test_what_is_noted_of_another_attempt_is_not_believed(name: Name) -> None:
    note(name)
    assert beliefs(name) == ALL
    assert beliefs(name, "another") == NOTHING
    assert beliefs(name, attempt=2) == NOTHING


def test_what_another_run_has_noted_is_not_believed_even_under_this_ones_name(
    name: Name, new_name: Callable[..., Name]
) -> None:
    note(name)
    other = new_name(name.journal)
    assert beliefs(other) == NOTHING
    other.file.write_bytes(name.file.read_bytes())
    assert beliefs(other) == NOTHING


def test_living_run_is_not_interrupted(name: Name) -> None:
    """Neither is what it notes believed, nor its board deleted."""
    mine = name.board()
    mine.add_result("key", 1, SENT)
    mine.add_spare("key spare", 1)
    assert beliefs(name) == NOTHING
    name.dead().delete()
    assert mine.is_in_place()
    mine.close(delete=False)
    assert beliefs(name) == ALL


def test_board_of_another_boot_says_nothing(
    name: Name, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As if a folder on disk lay there, or its file were kept and put back."""
    note(name)
    other = tmp_path / "boot_id"
    other.write_text(f"{uuid.uuid4()}\n")
    monkeypatch.setattr(board, "_BOOT_ID", other)
    assert beliefs(name) == NOTHING
    other.unlink()
    assert beliefs(name) == NOTHING, "a system that does not tell"
    name.file.unlink()
    with pytest.raises(OSError, match="boot_id"):
        name.board()
    assert not name.file.exists()


def test_only_boards_of_the_same_journal_are_deleted(
    name: Name, new_name: Callable[..., Name]
) -> None:
    same, other = new_name(name.journal), new_name()
    for each in (name, same, other):
        note(each)
    name.dead().delete()
    assert [each.file.exists() for each in (name, same, other)] == [False, False, True]
    DeadBoards(None).delete()
    assert beliefs(other) == ALL


# what is torn


def damaged(name: Name, content: bytes) -> tuple[AttemptResult | None, bool]:
    name.file.write_bytes(content)
    return beliefs(name)


def test_no_byte_can_be_changed_so_that_something_wrong_is_believed(name: Name) -> None:
    note(name)
    whole = name.file.read_bytes()
    assert damaged(name, whole) == ALL
    used = [place for place, byte in enumerate(whole) if byte]
    lost = 0
    for place in used:
        torn = bytearray(whole)
        torn[place] ^= 1
        result, spare = damaged(name, bytes(torn))
        assert result in (SENT, None)
        assert (result, spare) != ALL, "what is not whole is not believed"
        lost += 1
    assert lost > 2 * (16 + 16 + 2), "of two slots, everything"


class Recorded:
    """The memory of a board, and what is in it after each byte that is written."""

    closed = False

    def __init__(self, memory: Any) -> None:
        self.memory, self.states = memory, [bytes(memory)]

    def __setitem__(self, place: slice, content: bytes) -> None:
        for number, byte in enumerate(content, place.start):
            self.memory[number] = byte
            self.states.append(bytes(self.memory))

    def close(self) -> None:
        self.memory.close()


def test_at_no_byte_that_is_written_can_a_kill_make_it_say_something_wrong(name: Name) -> None:
    mine = name.board(slots=1)
    mine._memory = memory = Recorded(mine._memory)  # type: ignore[assignment]
    spare, failed, sent = (None, True), (FAILED, False), (SENT, False)
    steps: list[tuple[Callable[[], object], list[tuple[AttemptResult | None, bool]]]] = [
        (lambda: mine.add_spare("key spare", 1), [NOTHING, spare]),
        (lambda: mine.begin("key spare", 1), [spare, NOTHING]),
        (lambda: mine.add_result("key spare", 1, SENT), [NOTHING]),
        (lambda: mine.clear("key spare", 1), [NOTHING]),
        (lambda: mine.add_result("key", 1, FAILED), [NOTHING, failed]),
        (lambda: mine.add_result("key", 1, SENT), [failed, NOTHING, sent]),
        (lambda: mine.clear("key", 1), [sent, NOTHING]),
        (lambda: mine.add_spare("key spare", 1), [NOTHING, spare]),
    ]
    ends = [len(memory.states)]
    for step, _ in steps:
        step()
        ends.append(len(memory.states))
    mine.close(delete=False)
    seen = [damaged(name, state) for state in memory.states]
    for (_, expected), (begin, end) in zip(steps, pairwise(ends), strict=True):
        assert [each for each, _ in groupby(seen[begin - 1 : end])] == expected


@pytest.mark.parametrize("length", [0, 1, SLOT - 1, SLOT, SLOT + 15, SLOT + 33, 3 * SLOT + 40])
def test_board_that_is_cut_off_says_nothing_wrong(name: Name, length: int) -> None:
    note(name)
    result, spare = damaged(name, name.file.read_bytes()[:length])
    assert (result, spare) == NOTHING if length < 3 * SLOT else result in (SENT, None)


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, os.urandom(5000)], ids=["", "0", "random"])
def test_file_that_is_no_board_says_nothing(name: Name, content: bytes) -> None:
    assert damaged(name, content) == NOTHING


# what lies in its place


def link(name: Name, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(name.file.read_bytes())
    name.file.unlink()
    name.file.symlink_to(tmp_path / "elsewhere")


def fifo(name: Name, tmp_path: Path) -> None:
    name.file.unlink()
    os.mkfifo(name.file)


def folder(name: Name, tmp_path: Path) -> None:
    name.file.unlink()
    name.file.mkdir()


def anothers(name: Name, tmp_path: Path) -> None:
    os.chown(name.file, 12345, 12345)


@pytest.mark.parametrize("puts", [link, fifo, folder, pytest.param(anothers, marks=as_root)])
def test_only_a_file_of_the_same_user_is_believed_and_deleted(
    name: Name, tmp_path: Path, puts: Callable[[Name, Path], None]
) -> None:
    note(name)
    puts(name, tmp_path)
    assert beliefs(name) == NOTHING
    name.dead().delete()
    assert os.path.lexists(name.file)


def test_other_users_can_neither_read_it_nor_make_it_first(name: Name) -> None:
    name.file.touch()
    with pytest.raises(FileExistsError):
        name.board()
    assert name.file.read_bytes() == b"", "it is left as it is"
    name.file.unlink()
    mine = name.board()
    assert name.file.stat().st_mode & 0o777 == 0o600
    mine.close(delete=True)


@as_root
def test_root_does_not_believe_what_a_user_wrote(name: Name) -> None:
    os.seteuid(12345)
    try:
        note(name)
        assert beliefs(name) == ALL
    finally:
        os.seteuid(0)
    assert beliefs(name) == NOTHING


# where there is no such memory


def without_memory(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patch.setattr(board, "_FOLDER", tmp_path / "missing")
    patch.setattr(board, "file_system", lambda folder: "tmpfs")  # of the folder that has none


def on_disk(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patch.setattr(board, "_FOLDER", tmp_path)
    patch.setattr(board, "file_system", lambda folder: "ext4")


def untold(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    patch.setattr(board, "file_system", lambda folder: None)


def full(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def posix_fallocate(*given: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(os, "posix_fallocate", posix_fallocate)


def unlockable(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def flock(*given: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    patch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("lacks", [without_memory, on_disk, untold, full, unlockable])
def test_where_there_is_no_such_memory_there_is_no_board(
    name: Name,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lacks: Callable[[pytest.MonkeyPatch, Path], None],
) -> None:
    opened = open_files()
    with monkeypatch.context() as patch:
        lacks(patch, tmp_path)
        with pytest.raises(OSError):  # noqa: PT011 - of any kind
            name.board()
    assert not name.file.exists()
    assert not list(tmp_path.iterdir())
    assert open_files() == opened


@as_root
def test_memory_that_is_full_is_noticed_before_the_run_depends_on_it() -> None:
    """A page that could not be had later would end the process with SIGBUS."""
    script = (
        "import pathlib, sys\n"
        "from dispatcher.journal import board\n"
        "board._FOLDER = pathlib.Path(sys.argv[1])\n"
        "try:\n"
        "    board.Board('j', 'o', 1000)\n"
        "except OSError as error:\n"
        "    print(error.errno, list(board._FOLDER.iterdir()))\n"
    )
    mounted = 'mount -t tmpfs -o size=64k tmpfs "$1" && exec "$2" -c "$3" "$1"'
    folder = MEMORY / f"small-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        shell = ["unshare", "--mount", "sh", "-c", mounted, "sh", str(folder)]
        found = subprocess.run(
            [*shell, sys.executable, script], capture_output=True, text=True, check=False
        )
    finally:
        folder.rmdir()
    if "Operation not permitted" in found.stderr or "permission denied" in found.stderr:
        pytest.skip("no mounts may be made here")
    assert found.stdout == f"{errno.ENOSPC} []\n", found.stderr


# of a journal


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    """No journal of a test is opened again, though some have not everything."""
    yield
    for journal in tmp_path.glob("*.db"):
        delete_boards(journal)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def open_files() -> list[str]:
    links = Path("/proc/self/fd").iterdir()
    return sorted(os.readlink(each) for each in links if os.path.lexists(each))


def statuses(url: str) -> dict[str, str]:
    """What the next run finds."""
    with open_journal(url) as journal:
        return {row.message: row.status for row in journal.history()}


def note_result(journal: Journal, claim: Claim, result: AttemptResult) -> None:
    """Note how an attempt ended, as if the run were killed before that is on disk."""
    journal.begin(claim)
    assert journal._board is not None
    journal._board.add_result(claim.key, claim.attempt, result)


def test_kill_leaves_what_was_ahead_new_what_was_answered_known_and_the_rest_unknown(
    url: str,
) -> None:
    until = datetime(2999, 1, 1, tzinfo=UTC)
    results = {
        "answered": SENT,
        "refused": FAILED,
        "throttled": FAILED._replace(not_before=until),
        "silent": AttemptResult("unknown", error=Failure(code="timeout", text="no answer")),
    }
    with killed(url) as run:
        assert run.make_board(20)
        claims = ahead(run, "ahead", "begun", *results)
        run.begin(claims["begun"])
        for id, result in results.items():
            note_result(run, claims[id], result)
    expected = {"begun": "unknown", **{id: result.status for id, result in results.items()}}

    with read_journal(url) as reader:
        assert reader is not None
        keys = [message(id).key for id in claims]
        told = reader.lookup(keys)
    with open_journal(url) as journal:
        rows = {row.message: row for row in journal.history()}
        assert {id: row.status for id, row in rows.items()} == expected
        assert rows["answered"].id == "1"
        assert rows["refused"].error == FAILED.error
        assert rows["silent"].error == results["silent"].error
        found = journal.lookup(keys)
        assert found[message("throttled").key].not_before == until
        assert told.pop(message("begun").key).status == "sending"
        del found[message("begun").key]
        without_time = {
            key: each.model_copy(update={"changed_at": None}) for key, each in told.items()
        }
        assert without_time == {
            key: each.model_copy(update={"changed_at": None}) for key, each in found.items()
        }, "who only reads is told the same"
        assert journal.claim(message("ahead"), "digest", None), "it is as new as ever"
    assert boards_of(file_of(url)) == []


def test_who_reads_during_a_run_sees_nothing_as_under_way_that_has_not_begun(url: str) -> None:
    def seen(*ids: str) -> tuple[dict[str, str], dict[str, str]]:
        """What `history` and what `plan` says."""
        with read_journal(url) as reader:
            assert reader is not None
            known = reader.lookup([message(id).key for id in ids])
            plan = {id: known[message(id).key].status for id in ids if message(id).key in known}
            return {row.message: row.status for row in reader.history()}, plan

    with open_journal(url) as journal:
        journal.make_board(4)
        claims = ahead(journal, "a", "b")
        assert seen("a", "b") == ({}, {})
        journal.begin(claims["a"])
        assert seen("a", "b") == ({"a": "sending"}, {"a": "sending"})
        note_result(journal, claims["b"], SENT)
        assert seen("a", "b")[1] == {"a": "sending", "b": "sent"}
        for claim in claims.values():
            journal.conclude(claim, SENT)


def test_retry_is_noted_as_well(url: str) -> None:
    with killed(url) as run:
        run.make_board(4)
        (first,) = ahead(run, "a").values()
        run.begin(first)
        run.conclude(first, FAILED).result()
        known = run.lookup([first.key])[first.key]
        second = run.claim(message("a"), "digest", known)
        assert second is not None
        note_result(run, second, SENT)
    assert statuses(url) == {"a": "sent"}


def test_claim_that_is_given_back_is_new_and_its_slot_is_free(url: str) -> None:
    with open_journal(url) as journal:
        journal.make_board(1)
        for id in "ab":
            assert list(ahead(journal, id)) == [id]
            assert list(ahead(journal, "c")) == [], "there is one slot"
            journal.release(message(id).key)
            journal.release(message(id).key)  # twice is once
            assert journal.lookup([message(id).key]) == {}
        assert journal.claim(message("a"), "digest", None)
    with read_journal(url) as reader:
        assert reader is not None
        (row,) = reader.history(with_events=True)
    told = [(event.status, event.error and event.error.code) for event in row.events]
    assert told == [("sending", None), ("new", "released"), ("sending", None)]


def test_what_has_begun_or_ended_is_not_given_back(url: str) -> None:
    with open_journal(url) as journal:
        journal.make_board(2)
        claims = ahead(journal, "a", "b")
        for claim in claims.values():
            journal.begin(claim)
        journal.conclude(claims["a"], SENT).result()
        journal.release(claims["a"].key)
        assert journal.lookup([claims["a"].key])[claims["a"].key].status == "sent"
        assert not ahead(journal, "a"), "nor is it claimed again"


def test_message_that_the_journal_has_is_not_claimed_ahead(url: str) -> None:
    """Under none of its names, whatever was planned; and its slot is free again."""
    with open_journal(url) as journal:
        for id in ("failed", "former"):
            claim = journal.claim(message(id), "digest", None)
            assert claim is not None
            journal.conclude(claim, FAILED).result()
        journal.make_board(1)
        assert not ahead(journal, "failed")
        renamed = NewMessage(message("renamed"), "digest", [message("former").key])
        assert not journal.claim_ahead([renamed]).result()
        assert journal.lookup([message("renamed").key]) == {}
        assert ahead(journal, "other")


def test_board_that_was_deleted_ends_claims_ahead_and_nothing_else(url: str) -> None:
    with killed(url) as run:
        run.make_board(4)
        claims = ahead(run, "before", "begun")
        delete_boards(file_of(url))
        assert not ahead(run, "after")
        run.begin(claims["begun"])
        assert run.conclude(claims["begun"], SENT).result()
        claim = run.claim(message("after"), "digest", None)
        assert claim is not None
        assert run.conclude(claim, SENT).result()
    assert statuses(url) == {"before": "unknown", "begun": "sent", "after": "sent"}


def test_run_that_ends_leaves_no_board(url: str) -> None:
    with open_journal(url) as journal:
        journal.make_board(4)
        assert journal.make_board(4), "it has one"
        claims = ahead(journal, "a", "b")
        assert len(boards_of(file_of(url))) == 1
        journal.begin(claims["a"])
        journal.conclude(claims["a"], SENT)
        journal.release(claims["b"].key)
    assert boards_of(file_of(url)) == []
    assert statuses(url) == {"a": "sent"}


def test_board_stays_for_as_long_as_the_journal_lacks_what_is_on_it(url: str) -> None:
    with open_journal(url) as journal:
        journal.make_board(4)
        ahead(journal, "a")
    assert len(boards_of(file_of(url))) == 1
    assert statuses(url) == {}
    assert boards_of(file_of(url)) == []


def test_copy_of_a_journal_believes_nothing_of_a_run_that_is_on(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with open_journal(url) as journal:
        journal.make_board(4)
        claims = ahead(journal, "a")
        for suffix in ("", "-wal"):
            shutil.copy(f"{file_of(url)}{suffix}", f"{copy}{suffix}")
        assert statuses(f"sqlite:///{copy}") == {"a": "unknown"}
        assert ahead(journal, "b"), "its board is left alone"
        journal.begin(claims["a"])
        assert journal.conclude(claims["a"], SENT).result()
        journal.release(message("b").key)
    assert statuses(url) == {"a": "sent"}


def test_copy_of_a_journal_leaves_the_boards_of_killed_runs_to_the_original(
    url: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with killed(url) as journal:
        journal.make_board(4)
        ahead(journal, "a")
        for suffix in ("", "-wal"):
            shutil.copy(f"{file_of(url)}{suffix}", f"{copy}{suffix}")
    assert statuses(f"sqlite:///{copy}") == {"a": "unknown"}
    assert statuses(url) == {}, "it has not begun"


def test_several_runs_on_a_journal_have_no_board(database: Database) -> None:
    """Another one may believe that a run is dead which only stands still."""
    before = set(MEMORY.glob("message-dispatcher-*"))
    with open_journal(database.url) as journal:
        assert not journal.make_board(4)
        assert not ahead(journal, "a")
        id = journal.id()
        assert not [each for each in set(MEMORY.iterdir()) - before if str(id) in each.name]


def test_many_runs_leave_no_file_open_and_none_behind(url: str) -> None:
    statuses(url)
    opened = open_files()
    for number in range(100 if LONG else 15):
        with open_journal(url) as journal:
            journal.make_board(4)
            ahead(journal, f"m{number}")  # which the next run has to give back
    assert statuses(url) == {}
    assert open_files() == opened
    assert boards_of(file_of(url)) == []


# without its safeguards


def begun(url: str) -> bool:
    """Whether a message that was at the gateway at a kill is not sent again."""
    with killed(url) as run:
        run.make_board(4)
        run.begin(ahead(run, "a")["a"])
    return statuses(url) == {"a": "unknown"}


def answered(url: str) -> bool:
    """Whether an answer that was noted before a kill is known."""
    with killed(url) as run:
        run.make_board(4)
        note_result(run, ahead(run, "a")["a"], SENT)
    return statuses(url) == {"a": "sent"}


def retried(url: str) -> bool:
    """Whether what was noted of an attempt does not count for the next one."""
    with killed(url) as run:
        run.make_board(4)
        (first,) = ahead(run, "a").values()
        run.begin(first)
        run.conclude(first, FAILED).result()
        note_result(run, first, FAILED)  # once more: that one is not on disk yet
        assert run.claim(message("a"), "digest", run.lookup([first.key])[first.key])
    return statuses(url) == {"a": "unknown"}


def booted(url: str) -> bool:
    """Whether nothing that was noted before a reboot is believed."""
    with killed(url) as run:
        run.make_board(4)
        ahead(run, "a")
    with pytest.MonkeyPatch.context() as patch:
        other = file_of(url).with_name("boot_id")
        other.write_text("another")
        patch.setattr(board, "_BOOT_ID", other)
        return statuses(url) == {"a": "unknown"}


def recovered(url: str) -> bool:
    """Whether an answer is known though the run that was to record it died, too."""

    def dies(*given: object) -> None:
        raise KeyboardInterrupt

    with killed(url) as run:
        run.make_board(4)
        note_result(run, ahead(run, "a")["a"], SENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Updates, "decide", dies)
        with pytest.raises(KeyboardInterrupt):
            statuses(url)
    return statuses(url) == {"a": "sent"}


def in_order(url: str) -> bool:
    """Whether what is asked for together is done in that order, in one commit."""
    with open_journal(url) as run:
        first = run.claim(message("a"), "digest", None)
        assert first is not None
        known = run.lookup([first.key])[first.key].model_copy(update={"status": "failed"})
        run.conclude(first, FAILED)
        again = run.claim(message("a"), "digest", known)
        run.make_board(4)
        ahead(run, "b")
        run.release(message("b").key)
        return None not in (again, run.claim(message("b"), "digest", None))


def believing_boards_of_another_boot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(board, "_header", lambda: b"board".ljust(SLOT, b"\0"))


def believing_other_attempts(patch: pytest.MonkeyPatch) -> None:
    tag = board._tag
    patch.setattr(board, "_tag", lambda owner, key, attempt: tag(owner, key, 1))


def with_marks_that_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Board, "begin", lambda self, key, attempt: True)


def without_noted_answers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DeadBoards, "result", lambda self, owner, key, attempt: None)


def deleting_boards_first(patch: pytest.MonkeyPatch) -> None:
    recover = Updates.recover

    def hasty(self: Updates, connection: Connection, boards: DeadBoards) -> None:
        for sending in connection.rows("SELECT owner, key, attempts FROM messages"):
            boards.result(*sending)  # it is read, so that only a crash shows the difference
        boards.delete()
        recover(self, connection, boards)

    patch.setattr(Updates, "recover", hasty)


def writing_claims_first(patch: pytest.MonkeyPatch) -> None:
    jobs = Writer._next_jobs
    patch.setattr(
        Writer, "_next_jobs", lambda self: sorted(jobs(self), key=lambda job: not job.undo)
    )


@pytest.mark.parametrize(
    ("holds", "without"),
    [
        (begun, with_marks_that_stay),
        (answered, without_noted_answers),
        (retried, believing_other_attempts),
        (booted, believing_boards_of_another_boot),
        (recovered, deleting_boards_first),
        (in_order, writing_claims_first),
    ],
)
def test_each_safeguard_is_needed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    holds: Callable[[str], bool],
    without: Callable[[pytest.MonkeyPatch], None],
) -> None:
    assert holds(f"sqlite:///{tmp_path}/safe.db")
    without(monkeypatch)
    assert not holds(f"sqlite:///{tmp_path}/weakened.db")
