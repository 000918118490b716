"""A run that dies at any point of a message's way sends nothing twice and loses nothing."""

import signal
from collections.abc import Callable

import pytest

from .mailing import NewMailing

POINTS = (
    "before the plan",
    "after the plan",
    "after the intent",
    "after the bytes left",
    "after the answer",
    "after the result",
    "in a checkpoint",
)
# At these points of a run with one worker, a request may be on its way.
IN_FLIGHT = ("after the intent", "after the bytes left", "after the answer")


@pytest.mark.parametrize("crashes", [1, 2], ids=["one crash", "two crashes"])
@pytest.mark.parametrize("workers", [1, 8], ids=["1 worker", "8 workers"])
@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_sent_twice_or_lost_when_a_run_dies(
    new_mailing: NewMailing,
    preloaded: Callable[[str], dict[str, str]],
    point: str,
    workers: int,
    crashes: int,
) -> None:
    environment = preloaded("diskfault") if point == "in a checkpoint" else {}
    mailing = new_mailing(
        15, workers=workers, script=("dying", point, "5"), environment=environment
    )

    for _ in range(crashes):
        process = mailing.start()
        errors = mailing.read_rest(process)
        assert process.returncode == -signal.SIGKILL, errors

    unknown = mailing.ends_well()
    assert unknown <= workers * crashes
    if workers == 1 and point in IN_FLIGHT:
        assert unknown == crashes, "nobody knows whether it arrived"
