"""What a run sees of the others on its journal."""

from collections.abc import Mapping

import pytest

from dispatcher.delivery.concurrent_runs import ConcurrentRuns
from dispatcher.delivery.task import Task
from dispatcher.errors import AccountRefused, JournalError
from dispatcher.models import Delivered, Record, Status
from tests.support.messages import planned

OLD = "default/m/old/1/79001234567"


class Rows:
    """A journal's rows, all of which failed once more under another run."""

    def changed(self, known: Mapping[str, Record | None]) -> dict[str, Record]:
        return {key: Record(digest="digest", status=Status.FAILED, attempts=2) for key in known}


class Lost(Rows):
    """A journal's rows once the server is gone."""

    def delivered(self, digest: str, recipient: str) -> list[Delivered]:
        raise JournalError("the server is gone")


def test_a_message_whose_copies_cannot_be_looked_for_is_surely_not_sent() -> None:
    task = Task(planned("a"), None, 0)
    runs = ConcurrentRuns(Lost(), {task.message.key: task})
    with pytest.raises(AccountRefused, match="nothing was sent: the server is gone"):
        runs.require_no_copy(task)


def test_what_another_run_did_to_a_renamed_message_is_known_under_its_old_name() -> None:
    known = Record(digest="digest", status=Status.FAILED, key=OLD)
    renamed, other = Task(planned("a"), known, 0), Task(planned("b"), None, 1)
    runs = ConcurrentRuns(Rows(), {each.message.key: each for each in (renamed, other)})
    found = [runs.taken(renamed), runs.taken(other)]
    assert [each and (each.key, each.attempts) for each in found] == [(OLD, 2), ("", 2)]
