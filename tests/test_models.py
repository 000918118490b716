"""One set of words for statuses, of which each model has its own; what nobody can change."""

from __future__ import annotations

import copy
import json
import operator
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher import Message, Outcome
from dispatcher.models import Model, Record
from dispatcher.testing import message
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


TABLES = {"shop": "Acme", "prices": {"list": [1, {"deep": 2}]}}


@cases(
    "change",
    lambda found: found.update(shop="Evil"),
    lambda found: found.__setitem__("shop", "Evil"),
    lambda found: found.setdefault("more", 1),
    lambda found: found["prices"].pop("list"),
    lambda found: found["prices"].__delitem__("list"),
    lambda found: found["prices"]["list"].append(3),
    lambda found: found["prices"]["list"].sort(),
    lambda found: found["prices"]["list"][1].clear(),
    lambda found: operator.ior(found, {"shop": "Evil"}),
    lambda found: operator.iadd(found["prices"]["list"], [3]),
)
@cases(
    "copied",
    lambda each: each,
    Message.detached,
    copy.deepcopy,
    lambda each: pickle.loads(pickle.dumps(each)),
)
def test_the_variables_of_a_message_cannot_be_changed(change: Any, copied: Any) -> None:
    given = copied(message(vars=TABLES))
    with pytest.raises(TypeError, match=r"not to be changed; make a copy"):
        change(given.vars)
    assert given.vars == TABLES


def test_the_variables_of_a_message_are_read_like_any_others() -> None:
    found = message(vars=TABLES).vars
    assert isinstance(found, dict)
    assert isinstance(found["prices"]["list"], list)
    assert json.loads(json.dumps(found)) == {**found} == TABLES
    mine = message(vars=TABLES).model_dump()["vars"]
    mine["prices"]["list"].append(3)
    assert found["prices"]["list"] == TABLES["prices"]["list"]


@cases(
    "copied", copy.copy, copy.deepcopy, Message.detached, lambda m: pickle.loads(pickle.dumps(m))
)
def test_a_copy_of_a_message_has_a_file_of_its_own(copied: Any) -> None:
    original = message(image={"link": "https://cdn.example.com/a.png"})
    assert original.media is original.content
    made = copied(original)
    assert made == original
    assert made.media is made.content
    other = message(document={"id": "17"}).content
    changed = original.model_copy(update={"content": other, "type": "document"})
    assert (changed.media, changed.media_path) == (other, "document")
