"""The schema of dispatcher.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from dispatcher.models import Model
from dispatcher.timezones import zone_name
from dispatcher.toml import KeyPath
from dispatcher.visible import quoted

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: object) -> float:
    """Convert a duration like "15m", "1h30m" or "0.5s" to seconds. Raises ValueError.

    A number without a unit is refused: some people mean seconds, others minutes.
    """
    bare = str(text)
    if not isinstance(text, bool) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", bare):
        raise ValueError(f'{bare} has no unit; write "{bare}s" or "{bare}m"')
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", str(text))
    if not parts or "".join(number + unit for number, unit in parts) != str(text):
        got = f", got {quoted(text)}" if isinstance(text, str) else ""
        raise ValueError(f'expected a duration like "90s", "15m" or "1h30m"{got}')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False)]


def _country(name: str) -> str:
    from dispatcher.addresses import why_no_country

    if sentence := why_no_country(name):
        raise ValueError(sentence)
    return name


Country = Annotated[str, AfterValidator(_country)]


TimeZone = Annotated[str, AfterValidator(zone_name)]


class DeliverySettings(Model):
    """`[delivery]`: how a plan is carried out.

    No attempt begins later than `deadline` seconds after a message's first one. If a run has more
    than `max` messages, none is sent.
    """

    engine: str = "threads"
    workers: int = Field(default=8, ge=1, le=256)
    attempts: int = Field(default=5, ge=1, le=100)
    deadline: Seconds = 900.0
    max: int | None = Field(default=None, ge=1)


class FileSettings(Model):
    """`[files]`: `roots` are folders, besides a manifest's own, from which it may use files."""

    roots: list[str] | None = None


class Settings(Model):
    """What dispatcher.toml may hold; transports and plugins check their own tables.

    `country` ("RU") is where phone numbers without a country code are dialled. `timezone` is where
    the days of a manifest's `repeat` begin, and that of the times that people read; by default, the
    system's.
    """

    manifests: str = "manifests"
    journal: str | None = None
    transport: str = "greenapi"
    country: Country | None = None
    timezone: TimeZone | None = None
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    files: FileSettings = Field(default_factory=FileSettings)
    transports: dict[str, dict[str, Any]] = Field(default_factory=dict)
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)


class ConfigurationFile(Settings):
    profiles: dict[str, Settings] = Field(default_factory=dict)


def known_keys(path: KeyPath) -> Iterable[str]:
    """Return the keys that a table may have; a profile has those of the file itself."""
    tables: dict[KeyPath, type[Model]] = {
        (): Settings if path else ConfigurationFile,
        ("delivery",): DeliverySettings,
        ("files",): FileSettings,
    }
    inner = path[2:] if path[:1] == ("profiles",) else path
    return tables[inner].model_fields if inner in tables else ()
