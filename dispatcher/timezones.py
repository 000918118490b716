"""Finds time zones by name, and formats times for people."""

from __future__ import annotations

import os
from datetime import datetime, tzinfo

from dispatcher.names import did_you_mean
from dispatcher.visible import quoted

# For JSON Schema: no zone's name breaks it. Which ones there are depends on the machine.
SCHEMA_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"


def zone(name: str) -> tzinfo:
    """Return the time zone of a name like "Europe/Moscow". Raises ValueError, with a sentence."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # the name may also be that of a folder with zones
        known = available_timezones()
    if not known:
        raise ValueError("this system has no time zones: pip install tzdata")
    by_city = next((each for each in sorted(known) if _city(each) == _city(name)), None)
    hint = f"; did you mean {quoted(by_city)}?" if by_city else did_you_mean(name, known)
    raise ValueError(f"no time zone is named {quoted(name)}{hint}")


def zone_name(name: str) -> str:
    """Return the name itself if there is such a zone. Raises ValueError, with a sentence."""
    zone(name)
    return name


def why_no_system_zone() -> str | None:
    """Return what is wrong with the zone that the environment names: the system would take UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if "/" not in name or name.startswith("/"):  # a rule like "MSK-3", or a file
        return None
    try:
        zone(name)
    except ValueError as error:
        return f"environment, TZ: {error}"
    return None


def _city(name: str) -> str:
    return name.rpartition("/")[2].replace(" ", "_").lower()


def local(at: datetime, name: str | None = None) -> datetime:
    """Convert a time to a zone; without a name, to the system's."""
    return at.astimezone(zone(name) if name else None)


def aware(at: datetime, name: str | None = None) -> datetime:
    """Return a time with a zone; one that has none is in this one, or else in the system's."""
    if at.tzinfo is not None:
        return at
    return at.replace(tzinfo=zone(name)) if name else at.astimezone()


def shown(at: datetime) -> str:
    """Format a time to the second, with the name of its zone: "2026-11-29 14:03:10 MSK"."""
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname() or ''}".rstrip()
