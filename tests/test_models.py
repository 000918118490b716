"""One set of words for statuses, of which each model has its own."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dispatcher import Outcome
from dispatcher.models import Model, Record
from tests.support.cases import cases


@cases("status", "sent", "skipped", "failed", "unknown")
def test_status_of_an_outcome_is_text_to_a_plugin(status: str) -> None:
    outcome = Outcome(status=status)
    assert outcome.status == f"{outcome.status}" == str(outcome.status) == status
    assert {status: 1}[outcome.status] == 1
    assert json.loads(json.dumps(outcome.model_dump()))["status"] == status
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


@cases(
    "model, values, statuses",
    (Outcome, {}, ["sending", "new", "retry", "changed", "SENT", "", None]),
    (Record, {"digest": "x"}, ["skipped", "new", "retry", "changed", "SENT", "", None]),
)
def test_status_that_a_model_cannot_have_is_refused(
    model: type[Model], values: dict[str, str], statuses: list[str | None]
) -> None:
    assert model(**values, status="sent")
    for status in statuses:
        with pytest.raises(ValidationError, match="status"):
            model(**values, status=status)
