"""The contract of engines finds each fault, and says by its name which it is."""

from collections.abc import Callable
from typing import Any

import pytest

SAMPLES = "engines.py"
FAULTS = {
    "Hasty": "a_message_is_delivered_again_after_its_wait",
    "Deaf": "once_it_is_to_stop_it_starts_nothing_more it_stops_while_a_message_waits",
    "Greedy": "messages_are_read_as_they_are_needed",
    "Forgetful": "a_message_is_delivered_again_after_its_wait "
    "messages_to_one_recipient_are_delivered_in_order_each_to_its_end",
    "Silent": "what_is_raised_is_passed_on",
    "Wild": "no_more_threads_deliver_than_there_are_workers what_is_raised_is_passed_on "
    "messages_to_one_recipient_are_delivered_in_order_each_to_its_end",
}
EXPECTED = [(kind, test) for kind, tests in FAULTS.items() for test in tests.split()]


@pytest.mark.parametrize(("kind", "test"), EXPECTED)
def test_a_fault_is_found_by_name(failed: dict[str, set[str]], kind: str, test: str) -> None:
    assert test in failed[kind]


def test_engines_without_fault_pass(run_samples: Callable[..., Any]) -> None:
    ended = run_samples(SAMPLES, "Threads", "Plain")
    assert not ended.failed, ended.said
    assert " passed" in ended.said
