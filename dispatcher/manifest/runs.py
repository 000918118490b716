"""Decides which run a manifest's messages belong to: the first part of their keys.

Each recipient gets a message once in a run. A manifest with `repeat` has a run of its own for each
day, week or month; any other has one run for ever.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from dispatcher.timezones import local

Repeat: TypeAlias = Literal["daily", "weekly", "monthly", "run"]

DEFAULT = "default"  # the run of manifests without `repeat`
UNNAMED = "run"  # stands for the name where nothing is compared or sent

_DAY = "%Y-%m-%d"
# How the name of a run is read, together with its first day.
_FIRST_DAYS = {"daily": _DAY, "weekly": "%G-W%V-%u", "monthly": _DAY}
_LIKE = {
    "daily": "a run for each day, like 2026-11-29",
    "weekly": "a run for each week, like 2026-W48, which 2026-11-29 means, too",
    "monthly": "a run for each month, like 2026-11, which 2026-11-29 means, too",
}


class DatedManifests(NamedTuple):
    """Manifests whose runs are those of one day, or that have no such runs.

    `run` is the name that means these runs on any other day, too, or None. `paths` are the
    manifests' files, by name.
    """

    run: str | None
    paths: dict[str, Path]


def period(repeat: Repeat, at: datetime, timezone: str | None) -> str | None:
    """Return the run of a moment: `2026-11-29`, `2026-W48` (ISO 8601) or `2026-11`.

    Returns None if the run needs a name. `timezone` is where the day begins; None means the
    system's.
    """
    if repeat == "run":
        return None
    return _run_of(repeat, local(at, timezone))


def named(repeat: Repeat, name: str) -> str:
    """Return the run that a name means: a day also means its week or month, so that one name makes
    up for all manifests of a folder.

    A name that begins with a letter is its own run. Raises ValueError, with a sentence, for one
    that looks like a period and is none: a slip in a date would send everything once more.
    """
    if repeat == "run" or not name[:1].isdigit():
        return name
    for written, form in ((name, _DAY), (f"{name}-1", _FIRST_DAYS[repeat])):
        with suppress(ValueError):
            day = datetime.strptime(written, form)
            if name in (run := _run_of(repeat, day), _run_of("daily", day)):
                return run
    raise ValueError(f'repeat = "{repeat}" has {_LIKE[repeat]}')


def _run_of(repeat: Literal["daily", "weekly", "monthly"], day: datetime) -> str:
    if repeat == "daily":
        return f"{day:{_DAY}}"
    if repeat == "monthly":
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()  # a week belongs to the year that has most of its days
    return f"{year}-W{week:02}"


def trial(at: datetime) -> str:
    """Return the run of a trial, `trial-2026-11-30T124526.070Z`: two have hardly the same name."""
    written = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"trial-{written.replace(':', '')}Z"
