"""However often `send` is killed with -9, every message arrives once, or is called unknown."""

from random import Random

import pytest

from tests.support.waiting import LONG

from .mailing import NewMailing
from .storm import storm

KILLS, RECIPIENTS = (30, 1500) if LONG else (15, 750)
FEW_KILLS, FEW_RECIPIENTS = 4, 200  # enough to see what a missing safeguard does


@pytest.mark.parametrize("number", range(34 if LONG else 1))
def test_storm_of_kills_sends_nothing_twice_and_loses_nothing(
    new_mailing: NewMailing, chance: Random, number: int
) -> None:
    mailing = new_mailing(RECIPIENTS)

    storm(mailing, KILLS, chance)

    unknown = mailing.ends_well()
    print(f"{KILLS} kills, {mailing.total} messages, {unknown} unknown")
    assert unknown <= mailing.workers * KILLS


def test_a_run_without_intents_would_send_twice(new_mailing: NewMailing, chance: Random) -> None:
    mailing = new_mailing(FEW_RECIPIENTS, script=("weakened", "intent"))
    storm(mailing, FEW_KILLS, chance)
    duplicates = mailing.verdict().twice
    print(f"without intents: {len(duplicates)} arrived twice after {FEW_KILLS} kills")
    assert duplicates, "the storm does not find what it is there to find"


def test_resending_the_unknown_would_send_twice(new_mailing: NewMailing, chance: Random) -> None:
    mailing = new_mailing(FEW_RECIPIENTS)
    resend = ("--resend", "unknown", "--yes")
    storm(mailing, FEW_KILLS, chance, options=resend)
    duplicates = mailing.verdict(*resend).twice
    print(f"with --resend unknown: {len(duplicates)} arrived twice after {FEW_KILLS} kills")
    assert duplicates, "the storm does not find what it is there to find"
