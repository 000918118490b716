"""What the threads of one run share: whether it is to end, why, and what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.errors import ExitCode
from dispatcher.inputs import Inputs


@dataclass
class Summary:
    """What became of a plan's messages. `stopped`: why the run ended early, if it did."""

    sent: int = 0
    skipped: int = 0
    failed: int = 0
    unknown: int = 0
    not_tried: int = 0
    stopped: str | None = None
    interrupted: bool = False

    def count(self, status: str) -> None:
        """Add one to the count of this name."""
        setattr(self, status, getattr(self, status) + 1)

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        names = ("sent", "skipped", "failed", "unknown", "not_tried")
        return {name: getattr(self, name) for name in names}

    @property
    def exit_code(self) -> ExitCode:
        """docs/design.md, "Exit codes": an interruption wins, then an unknown outcome."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.unknown:
            return ExitCode.UNKNOWN
        if self.failed or self.stopped or self.not_tried:
            return ExitCode.PARTLY if self.sent else ExitCode.FAILED
        return ExitCode.DONE if sum(self.counts.values()) else ExitCode.NOTHING


class Run:
    """One run. `inputs`: the files of which its messages are made. `notice` is told, by any thread,
    why nothing happens for a while. `stop`: set when no further attempt is to begin."""

    def __init__(self, inputs: Inputs, notice: Callable[[str], None]) -> None:
        self.inputs, self.notice = inputs, notice
        self.stop = threading.Event()
        self.summary = Summary()

    def halt(self, why: str) -> None:
        """Begin no further attempt; the first reason is the one that is told."""
        self.summary.stopped = self.summary.stopped or why
        self.stop.set()
