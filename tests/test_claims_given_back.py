"""What becomes of claims ahead that do not begin, and of answers, when a run ends in a bad way."""

import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatcher import JournalError
from dispatcher.delivery.claims import Claims
from dispatcher.delivery.task import Task
from dispatcher.journal import AttemptResult, Journal, open_journal
from dispatcher.journal.board import Board, DeadBoards
from dispatcher.journal.files import file_system
from dispatcher.journal.updates import Updates
from dispatcher.models import Status
from tests.support.boards import ahead
from tests.support.messages import message, planned

MEMORY = Path("/dev/shm")
SENT, UNKNOWN = AttemptResult(Status.SENT, "1"), AttemptResult(Status.UNKNOWN)

pytestmark = pytest.mark.skipif(
    file_system(MEMORY) != "tmpfs", reason="needs memory that outlives a process, /dev/shm"
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def break_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on no result can be written, until `monkeypatch.undo`."""

    def fails(*given: object) -> bool:
        raise sqlite3.OperationalError("the disk is full")

    return lambda: monkeypatch.setattr(Updates, "conclude", fails)


def statuses(journal: Journal) -> dict[str, str]:
    return {row.message: row.status for row in journal.history()}


def test_nothing_begins_once_the_next_run_may_take_it_for_new(url: str) -> None:
    """A thread of an abandoned run may come so late."""
    with open_journal(url) as journal:
        journal.make_board(4)
        claims = ahead(journal, "a")
    with pytest.raises(JournalError, match="is closed"):
        journal.begin(claims["a"])
    with open_journal(url) as journal:
        assert statuses(journal) == {}


def test_board_that_is_closed_lets_nothing_begin() -> None:
    """What it says is believed from then on."""
    journal, owner = uuid.uuid4().hex, uuid.uuid4().hex
    board = Board(journal, owner, slots=1)
    assert board.add_spare("key", 1)
    board.close(delete=False)
    dead = DeadBoards(journal)
    try:
        assert board.begin("key", 1) is False
        assert dead.is_spare(owner, "key", 1)
    finally:
        dead.delete()


def test_claim_that_must_not_begin_is_given_back(
    url: str, break_disk: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_journal(url) as journal:
        id = journal.id()
        journal.make_board(8)
        claims = ahead(journal, "answered", "ahead")
        journal.begin(claims["answered"])
        break_disk()
        journal.conclude(claims["answered"], SENT)
        with pytest.raises(JournalError, match="disk is full"):
            ahead(journal, "late")
        monkeypatch.undo()
        with pytest.raises(JournalError, match="disk is full"):
            journal.begin(claims["ahead"])
    assert not list(MEMORY.glob(f"message-dispatcher-{id}-*")), "the next run need not do it"
    with open_journal(url) as journal:
        assert statuses(journal) == {"answered": "sent"}


def test_run_that_gives_up_forgets_no_answer(
    url: str, break_disk: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_journal(url) as journal:
        journal.make_board(4)
        claims = ahead(journal, "a")
        journal.begin(claims["a"])
        break_disk()
        journal.conclude(claims["a"], SENT)
        journal.conclude(claims["a"], UNKNOWN)
    monkeypatch.undo()
    with open_journal(url) as journal:
        assert statuses(journal) == {"a": "sent"}


def test_attempt_that_was_not_claimed_ahead_finds_a_slot(
    url: str, break_disk: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_journal(url) as journal:
        journal.make_board(2, reserved=1)
        assert list(ahead(journal, "a", "b")) == ["a"]
        claim = journal.claim(message("c"), "digest", None)
        assert claim is not None
        break_disk()
        journal.conclude(claim, SENT)
    monkeypatch.undo()
    with open_journal(url) as journal:
        assert statuses(journal) == {"c": "sent"}


def test_threads_of_an_abandoned_run_claim_nothing_ahead(url: str) -> None:
    with open_journal(url) as journal:
        claims = Claims(journal, workers=1)
        first, second, third = (Task(planned(id), None) for id in "abc")
        claims.offer(first)
        claims.offer(second)
        claims.close()
        claims.offer(third)
        assert claims.claim(first)
        assert statuses(journal) == {"a": "sending"}


def test_claim_that_was_given_back_is_not_claimed_ahead_again(url: str) -> None:
    """Its note would be deleted together with its first row."""
    with open_journal(url) as journal:
        claims = Claims(journal, workers=1)
        tasks = {id: Task(planned(id), None) for id in "abcd"}
        for task in tasks.values():
            claims.offer(task)
        assert claims.claim(tasks["a"])
        claims.release_all()
        assert claims.claim(tasks["c"])
        assert statuses(journal) == {"a": "sending", "c": "sending", "d": "sending"}
        assert claims.claim(tasks["b"])
