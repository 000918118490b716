"""When the power is cut, what was not synced is lost; no message goes out twice for that.

A killed process cannot show a missing sync: the system still has what it wrote.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeAlias

import pytest

from dispatcher.delivery.claims import DEEPEST
from tests.support.waiting import LONG

from .mailing import Mailing, NewMailing
from .powercut import cut_power
from .storm import storm

CUTS, RECIPIENTS = 10, 800


class Cuttable(NamedTuple):
    """A mailing, and how to cut the power of a run that was killed."""

    mailing: Mailing
    cut: Callable[[float], None]


NewCuttable: TypeAlias = Callable[..., Cuttable]


@pytest.fixture
def new_cuttable(
    new_mailing: NewMailing,
    preloaded: Callable[[str], dict[str, str]],
    chance: Random,
    tmp_path: Path,
) -> NewCuttable:
    def new_cuttable(**options: tuple[str, ...]) -> Cuttable:
        mailing = new_mailing(RECIPIENTS, **options)
        watch = {"POWERCUT_WATCH": str(mailing.project.folder), "POWERCUT_NOTES": str(tmp_path)}
        mailing.environment = {**preloaded("powercut"), **watch}
        return Cuttable(mailing, partial(cut_power, tmp_path, chance, mailing.project.journal_file))

    return new_cuttable


def cut_often(cuttable: Cuttable, chance: Random) -> Mailing:
    """Cut the power again and again; in half of the cuts, nothing survives."""

    def cut() -> None:
        cuttable.cut(chance.choice([0.0, chance.random()]))

    storm(cuttable.mailing, CUTS, chance, cut)
    return cuttable.mailing


@pytest.mark.parametrize("number", range(20 if LONG else 1))
def test_power_cuts_send_nothing_twice_and_lose_nothing(
    new_cuttable: NewCuttable, chance: Random, number: int
) -> None:
    mailing = cut_often(new_cuttable(), chance)
    unknown = mailing.ends_well()
    print(f"{CUTS} power cuts, {mailing.total} messages, {unknown} unknown")
    assert unknown <= mailing.workers * (1 + DEEPEST) * CUTS


def test_the_journal_of_the_first_run_is_there_after_a_power_cut(new_cuttable: NewCuttable) -> None:
    mailing, cut = new_cuttable()
    process = mailing.start()
    mailing.read_some(process, 5)
    mailing.kill(process)

    cut(0.0)

    assert mailing.project.journal_file.exists(), "its folder's name was synced, too"
    mailing.ends_well()


def test_a_journal_that_does_not_wait_for_the_disk_would_send_twice(
    new_cuttable: NewCuttable, chance: Random
) -> None:
    verdict = cut_often(new_cuttable(script=("weakened", "sync")), chance).verdict()
    print(f"synchronous=NORMAL: {len(verdict.twice)} arrived twice after {CUTS} power cuts")
    assert verdict.twice, "the cuts do not find what they are there to find"
