"""A disk that takes no intent: then no request leaves, and the command says why."""

import errno
from collections.abc import Callable

import pytest

from .mailing import NewMailing

FAULTS = {
    "the disk is full": ("pwrite", errno.ENOSPC, "database or disk is full"),
    "writing fails": ("pwrite", errno.EIO, "disk I/O error"),
    "the disk's sync fails": ("fdatasync", errno.EIO, "disk I/O error"),
}


@pytest.mark.parametrize(("call", "error", "why"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("sent", [0, 5])
def test_no_request_leaves_without_its_intent_on_disk(
    new_mailing: NewMailing,
    preloaded: Callable[[str], dict[str, str]],
    call: str,
    error: int,
    why: str,
    sent: int,
) -> None:
    broken = ("broken_disk", call, str(sent + 1), str(error))
    mailing = new_mailing(10, workers=1, script=broken, environment=preloaded("diskfault"))

    result = mailing.project.finish(mailing.start())

    # What was sent last is unknown if its result was to be on disk together with the intent.
    assert result.code in ((4, 5) if sent else (1,))
    assert f"the journal {mailing.project.journal_file} failed: {why}" in result.stderr
    assert mailing.gateway.stats()["requests"] == sent
    assert result.summary["not_tried"] == mailing.total - sent
    assert mailing.ends_well() <= 1
