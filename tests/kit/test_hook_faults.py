"""The contracts of hooks find each fault, by its name, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

# A plugin with a fault, and all the tests that fail for it.
FAULTS = {
    "Drive": "",
    "Network": "it_is_pure",
    "Elsewhere": "it_is_pure",
    "Writes": "it_is_pure",
    "Changing": "it_is_pure",
    "OneStream": "files_are_what_they_say",
    "Greedy": "others_are_left_to_others bad_ones_are_explained"
    " it_is_pure_for_others it_survives_any_source",
    "Footer": "",
    "Twice": "it_is_idempotent",
    "Scribbles": "it_changes_what_it_should it_is_idempotent it_is_pure"
    " it_survives_any_message it_survives_any_payload",
    "Trusts": "it_survives_any_payload it_is_idempotent",
    "Returns": "it_changes_what_it_should it_leaves_others_alone it_is_pure it_is_idempotent"
    " it_survives_any_payload it_survives_any_message",
    "Words": "",
    "AssumesText": "it_is_pure it_survives_a_source_that_is_nothing",
    "LateImport": "",
    "Mute": "bad_ones_are_found",
}


@pytest.fixture(scope="module")
def failed(run_samples: Callable[..., Any]) -> dict[str, set[str]]:
    """The tests that failed, by plugin."""
    ended = run_samples("hooks.py")
    assert ended.failed, ended.said
    found: dict[str, set[str]] = ended.failed
    return found


@pytest.mark.parametrize(("kind", "tests"), FAULTS.items(), ids=[*FAULTS])
def test_a_fault_is_found_by_name(failed: dict[str, set[str]], kind: str, tests: str) -> None:
    assert failed[kind] == set(tests.split())
