"""What a machine remembers of a journal: a number that only grows, and no more than a safeguard."""

import os
import stat
import time
from pathlib import Path

import pytest

from dispatcher.journal.server import ServerIdentity, difference
from dispatcher.journal.watermark import HighWaterMark
from tests.support.cases import cases


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which marks are kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "message-dispatcher"


def the_file(state: Path) -> Path:
    (found,) = state.glob("journal-*")
    return found


def test_mark_only_grows_whoever_writes_it(state: Path) -> None:
    first, second = HighWaterMark("a"), HighWaterMark("a")
    assert not state.exists(), "who only reads makes nothing"
    for mark, changes in ((first, 12), (second, 7), (second, 30), (first, 20)):
        mark.note(changes)
    assert HighWaterMark("a").changes == 30
    assert HighWaterMark("b").changes == HighWaterMark("a", "/elsewhere").changes == 0
    assert stat.S_IMODE(the_file(state).stat().st_mode) == 0o600


@cases("content", b"", b"12", b"not a number", b"\0" * 5000)
def test_damaged_mark_is_begun_anew(state: Path, content: bytes) -> None:
    HighWaterMark("a").note(50)
    the_file(state).write_bytes(content)
    mark = HighWaterMark("a")
    assert mark.changes == (12 if content == b"12" else 0)
    mark.note(60)
    assert HighWaterMark("a").changes == 60


def test_mark_that_is_somebody_elses_is_neither_believed_nor_written(state: Path) -> None:
    HighWaterMark("a").note(50)
    the_file(state).chmod(0o666)
    mark = HighWaterMark("a")
    assert mark.changes == 0
    mark.note(60)
    (warning,) = mark.warnings
    assert "would not be noticed here" in warning
    assert "may be written by other users" in warning
    assert the_file(state).read_bytes().endswith(b"50")


def test_marks_of_a_year_ago_are_forgotten(state: Path) -> None:
    HighWaterMark("a").note(1)
    longer = time.time() - 400 * 86_400
    os.utime(the_file(state), (longer, longer))
    HighWaterMark("b").note(2)
    assert (HighWaterMark("a").changes, HighWaterMark("b").changes) == (0, 2)


BEFORE = ServerIdentity("7", 1, 5, 100)


@cases(
    "now, why",
    (BEFORE, None),
    (BEFORE._replace(timeline=2), "a fail-over"),
    (BEFORE._replace(table=101), "a dump"),
    (BEFORE._replace(database=6, timeline=2), "a dump"),
    (BEFORE._replace(system="8"), "another server"),
    (BEFORE._replace(system=None, timeline=None), None),
    ids=str,
)
def test_another_server_is_told_by_what_it_says(now: ServerIdentity, why: str | None) -> None:
    assert ServerIdentity.parse(str(now)) == now
    for found in (difference(BEFORE, now), difference(now, BEFORE)):
        assert found is None if why is None else why in str(found)
