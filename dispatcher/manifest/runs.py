"""Which run a manifest's messages belong to: the first part of their keys.

Everybody gets each message once in a run. A manifest with `repeat` has a run of its own for each
day, week or month; any other has one run for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias

from dispatcher.timezones import local

Repeat: TypeAlias = Literal["daily", "weekly", "monthly", "run"]

DEFAULT = "default"  # of manifests without `repeat`
UNNAMED = "run"  # stands for the name where nothing is compared or sent


def period(repeat: Repeat, at: datetime, timezone: str | None) -> str | None:
    """The run of a moment: `2026-11-29`, `2026-W48` (ISO 8601), `2026-11`; None: it needs a name.

    `timezone`: where the day begins; None: the system's.
    """
    if repeat == "run":
        return None
    day = local(at, timezone)
    if repeat == "daily":
        return f"{day:%Y-%m-%d}"
    if repeat == "monthly":
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()  # a week belongs to the year that has most of its days
    return f"{year}-W{week:02}"


def trial(at: datetime) -> str:
    """Return the run of a trial, `trial-2026-11-30T124526.070Z`: two have hardly the same name."""
    written = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"trial-{written.replace(':', '')}Z"
