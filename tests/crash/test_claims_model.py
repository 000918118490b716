"""The protocol of claims ahead keeps its promises whatever crashes, and needs each of its rules.

A failure shows the moves that lead to it. CRASH=long visits more.
"""

import gc
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest

from tests.support.waiting import LONG

from .claims_model import (
    ANSWERED,
    CLAIM_LEFT,
    CUT,
    KILLED,
    LEFT_OUT,
    NEVER_ACCEPTED,
    ORDER,
    TWICE,
    Budget,
    Found,
    Rules,
    Setting,
    search,
)


@pytest.fixture(autouse=True)
def _no_garbage_collector() -> Iterator[None]:
    """No states are in a circle, and to look for one takes long where there are so many."""
    gc.disable()
    yield
    gc.enable()


def setting(
    recipients: str = "AB",
    workers: int = 1,
    ahead: int = 1,
    broken: tuple[str, ...] = (),
    **left: int,
) -> Setting:
    """What is searched; `left`: how often what may happen."""
    rules = Rules(**dict.fromkeys(broken, False))
    return Setting(recipients, workers, ahead, Budget(**left), rules)


HOLDS = {
    "answers that are bad or never come, and what people say then": setting(bad_answers=1, words=1),
    "two messages to one recipient": setting("AA", bad_answers=1, words=1),
    "two workers": setting(workers=2, bad_answers=1, words=1, crashes=1),
    "two ahead": setting("ABC", ahead=2, bad_answers=1, crashes=1, runs=2),
    "two workers, and messages that wait for others": setting(
        "ABA", 2, 1, pauses=1, crashes=1, runs=2
    ),
    "a stop and a pause": setting(stops=1, pauses=1, crashes=1),
    "a commit that fails": setting(failed_commits=1, stops=1),
    "a run that is abandoned": setting(abandoned=1, words=1, crashes=1),
    "no memory, and so nothing ahead": setting(
        ahead=0, broken=("there_is_a_board",), bad_answers=1, words=1
    ),
    "two runs, as the journal's lock fails": setting(
        broken=("one_run_at_a_time",), crashes=1, runs=2
    ),
}
DEEP = {
    "bad answers, words and a stop": setting(bad_answers=2, words=1, stops=1),
    "three crashes": setting(workers=2, crashes=3, runs=4, bad_answers=1),
    "all at once": setting(
        bad_answers=1, stops=1, pauses=1, failed_commits=1, abandoned=1, crashes=1, runs=2
    ),
    "two workers, two ahead": setting("ABCD", 2, 2, crashes=1, runs=2),
    "many messages": setting("ABCDE", 2, 1, crashes=1, runs=2),
}


@pytest.mark.parametrize("name", [*HOLDS, *(DEEP if LONG else ())])
def test_no_crash_breaks_a_promise(name: str) -> None:
    found = search({**HOLDS, **DEEP}[name])
    print(f"{name}: {found.states} states")
    assert not found.fault, "\n".join([found.fault, *found.way])


# The rules that are broken, the promise that they no longer keep, and what must happen for that.
BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("there_is_a_board", KILLED, {}),
    ("spare_is_noted_before_the_claim", KILLED, {}),
    ("spare_is_cleared", TWICE, {}),
    ("spare_is_cleared_before_the_first_byte", TWICE, {}),
    ("what_has_not_begun_is_noted", TWICE, {}),
    ("acceptance_is_noted", ANSWERED, {}),
    ("refusal_is_noted", ANSWERED, {"bad_answers": 1}),
    ("retries_are_noted", ANSWERED, {"bad_answers": 1}),
    ("unknown_is_not_noted", ANSWERED, {"abandoned": 1}),
    ("outcomes_come_before_claims", LEFT_OUT, {"bad_answers": 1}),
    ("outcomes_come_with_claims", CUT, {"recipients": "ABC"}),
    ("spare_outlives_its_row", KILLED, {"pauses": 1}),
    ("released_spare_is_cleared", TWICE, {"pauses": 1}),
    ("claimed_ahead_once", KILLED, {"pauses": 1}),
    ("taken_claims_are_not_released", TWICE, {"pauses": 1}),
    ("stop_releases_claims_under_way", CLAIM_LEFT, {"stops": 1}),
    ("nothing_begins_after_the_end", TWICE, {"abandoned": 1}),
    ("board_stays_after_a_failed_commit", ANSWERED, {"failed_commits": 1}),
    ("boards_are_deleted_after_recovery", ANSWERED, {}),
    ("boards_are_lost_with_power", TWICE, {}),
    ("owners_are_new", TWICE, {}),
    ("living_boards_are_not_believed one_run_at_a_time", TWICE, {"runs": 2, "crashes": 1}),
    ("torn_notes_say_nothing", NEVER_ACCEPTED, {"bad_answers": 1}),
    ("recipients_have_an_order", ORDER, {"recipients": "AA"}),
]


@cache
def searched(setting: Setting) -> Found:
    """What is found, whatever the promise."""
    return search(setting)


@pytest.mark.parametrize(("rules", "promise", "options"), BROKEN, ids=[each[0] for each in BROKEN])
def test_each_rule_is_needed(rules: str, promise: str, options: dict[str, Any]) -> None:
    broken = setting(broken=tuple(rules.split()), **options)
    found = search(broken, [promise])
    assert found.fault == promise
    kept = searched(replace(broken, rules=Rules()))
    assert not kept.fault, "\n".join([kept.fault, *kept.way])


def test_every_rule_is_broken_once() -> None:
    broken = " ".join(rules for rules, *_ in BROKEN).split()
    assert sorted(broken) == sorted(field.name for field in fields(Rules))
