"""Runs of a mailing that are killed, one after the other, at moments that nobody chose."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .mailing import Mailing

# So many of the kills come at any moment since the start, before the first message most often.
_EARLY = 0.2
_START_UP = 0.2  # seconds, of a process that has the dispatcher loaded
_AFTERWARDS = 0.01  # seconds; the moment must not hang on a line of the output


def storm(
    mailing: Mailing,
    kills: int,
    chance: Random,
    after_kill: Callable[[], object] = lambda: None,
    options: tuple[str, ...] = (),
) -> None:
    """Kill so many runs, each after a part of the mailing that leaves enough for the others."""
    most = max(mailing.total // kills, 1)
    done = 0
    while done < kills:
        process = mailing.start(*options)
        if chance.random() < _EARLY:
            time.sleep(chance.uniform(0, _START_UP))
        else:
            mailing.read_some(process, chance.randint(1, most))
            time.sleep(chance.uniform(0, _AFTERWARDS))
        killed = mailing.kill(process)
        after_kill()
        assert killed, f"the mailing was over after {done} of {kills} kills"
        done += 1
