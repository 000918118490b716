"""What became of a plan."""

from __future__ import annotations

from dataclasses import dataclass


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
