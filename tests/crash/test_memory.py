"""A mailing takes no more memory for being longer."""

import re
from pathlib import Path

from .mailing import NewMailing

SHORT, LONGER = 3000, 10_000  # recipients, of two messages each
# MiB. What is held at a time is bounded (5000 messages that were planned for the check, 1000 open
# ones, 1000 outcomes to be told, batches of 500), and 6000 messages fill all of it. What grows are
# the recipients of one entry, of whom nobody is to get it twice: about 13 bytes each.
BOUND = 6.0


def peak(status: Path) -> float:
    """MiB that a run had in memory at its peak."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def test_memory_does_not_grow_with_the_mailing(new_mailing: NewMailing, tmp_path: Path) -> None:
    peaks = []
    for recipients in (SHORT, LONGER):
        status = tmp_path / f"status-{recipients}"
        mailing = new_mailing(recipients, script=("answered", str(status)))
        mailing.read_rest(mailing.start())
        peaks.append(peak(status))
        known = mailing.journal()
        assert set(known.values()) == {"sent"}
        assert len(known) == mailing.total

    print(f"{peaks[0]:.1f} MiB for {2 * SHORT} messages, {peaks[1]:.1f} for {2 * LONGER}")
    assert peaks[1] - peaks[0] < BOUND
