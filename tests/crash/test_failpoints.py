"""A run that dies at any point of a message's way sends nothing twice and loses nothing."""

import signal
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from tests.support.boards import boards_of
from tests.support.waiting import LONG

from .mailing import Key, Mailing, NewMailing

# The points, in their order; and how many messages are unknown afterwards if a run with one worker
# dies there: one if a request may be on its way. Where it is not said, another thread dies.
POINTS: dict[str, int | None] = {
    "before the plan": 0,
    "after the plan": 0,
    "after the intent": 1,
    "after the bytes left": 1,
    "after the answer": 1,
    "after the result": 0,
    "in a checkpoint": None,
}
# Those of claims that are made ahead.
AHEAD: dict[str, int | None] = {
    "after the spare mark": 0,
    "before the commit of a claim ahead": None,
    "after the commit of a claim ahead": None,
    "after the mark is cleared": 1,
    "after the first byte": 1,
    "after the answer is noted": 0,
    "before the commit of the result": None,
    "after the commit of the result": None,
    "before the commit of a release": 0,
    "after the commit of a release": 0,
}
RECOVERY = ("before the commit of a recovery", "after the commit of a recovery")
ONCE = [(1, 1)]  # workers, crashes
GRID = list(product((1, 8), (1, 2)))


def crash(mailing: Mailing) -> None:
    process = mailing.start()
    errors = mailing.read_rest(process)
    assert process.returncode == -signal.SIGKILL, errors


def leaves_no_board(mailing: Mailing) -> None:
    assert not boards_of(mailing.project.journal_file)


@pytest.mark.parametrize(
    ("point", "workers", "crashes"),
    [
        *((point, *each) for point, each in product(POINTS, GRID)),
        *((point, *each) for point, each in product(AHEAD, GRID if LONG else ONCE)),
    ],
)
def test_nothing_is_sent_twice_or_lost_when_a_run_dies(
    new_mailing: NewMailing,
    preloaded: Callable[[str], dict[str, str]],
    tmp_path: Path,
    point: str,
    workers: int,
    crashes: int,
) -> None:
    noted = tmp_path / "noted"
    environment = preloaded("diskfault") if point == "in a checkpoint" else {}
    mailing = new_mailing(
        15,
        workers=workers,
        script=("dying", point, "5"),
        environment={**environment, "DYING_NOTED": str(noted)},
    )

    for _ in range(crashes):
        crash(mailing)

    unknown = mailing.ends_well()
    assert unknown <= workers * crashes
    expected = {**POINTS, **AHEAD}[point]
    if workers == 1 and expected is not None:
        assert unknown == expected * crashes, "nobody knows whether it arrived"
    journal = mailing.journal()
    answered = [line.split("/") for line in noted.read_text().splitlines()]
    assert {journal[Key(message, to)] for _, _, message, _, to in answered} <= {"sent"}
    leaves_no_board(mailing)


@pytest.mark.parametrize(
    "point", ["before the commit of a recovery", "after the commit of a recovery"]
)
@pytest.mark.parametrize("workers", [1, 8] if LONG else [1])
def test_nothing_is_forgotten_when_who_recovers_a_journal_dies(
    new_mailing: NewMailing, point: str, workers: int
) -> None:
    mailing = new_mailing(15, workers=workers, script=("dying", "after the answer is noted", "5"))
    crash(mailing)
    mailing.script = ("dying", point, "1")

    crash(mailing)

    assert mailing.ends_well() <= workers - 1, "what was answered is known"
    leaves_no_board(mailing)


def test_a_run_that_does_not_clear_its_marks_would_send_twice(new_mailing: NewMailing) -> None:
    mailing = new_mailing(
        15, workers=1, script=("weakened", "mark", "dying", "after the answer", "5")
    )
    crash(mailing)
    assert len(mailing.verdict().twice) == 1, "the crash does not find what it is there to find"
