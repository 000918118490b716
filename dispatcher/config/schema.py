"""What dispatcher.toml may hold."""

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
    """A duration like "15m", "1h30m" or "0.5s" in seconds. Raises ValueError.

    A number alone has no unit: some mean seconds by it, and others minutes.
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
    from dispatcher.addresses import country_fault

    if sentence := country_fault(name):
        raise ValueError(sentence)
    return name


Country = Annotated[str, AfterValidator(_country)]


TimeZone = Annotated[str, AfterValidator(zone_name)]


class DeliverySettings(Model):
    """`[delivery]`: how a plan is carried out.

    `deadline`: seconds after a message's first attempt began, after which no other one begins.
    `max`: of messages in a run; of more, none leaves.
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
    """What dispatcher.toml may hold; the tables of transports and plugins are checked by them.

    `country`: where phone numbers are dialled that are written without a country code ("RU").
    `timezone`: where the days of a manifest's `repeat` begin, and of the times that people read; by
    default, the system's.
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
    """The keys that a table may have; every profile is like the file itself."""
    tables: dict[KeyPath, type[Model]] = {
        (): Settings if path else ConfigurationFile,
        ("delivery",): DeliverySettings,
        ("files",): FileSettings,
    }
    inner = path[2:] if path[:1] == ("profiles",) else path
    return tables[inner].model_fields if inner in tables else ()
