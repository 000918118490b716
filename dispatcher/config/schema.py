"""The schema of dispatcher.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from dispatcher.models import Model
from dispatcher.timezones import SCHEMA_PATTERN, zone_name
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


_DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    Field(gt=0, allow_inf_nan=False),
    WithJsonSchema(
        {"type": "string", "pattern": _DURATION, "allOf": [{"pattern": "[1-9]"}]}  # not 0s
    ),
]


def _country(name: str) -> str:
    from dispatcher.addresses import why_no_country

    if sentence := why_no_country(name):
        raise ValueError(sentence)
    return name


Country = Annotated[str, AfterValidator(_country)]


TimeZone = Annotated[
    str, AfterValidator(zone_name), Field(json_schema_extra={"pattern": SCHEMA_PATTERN})
]


class DeliverySettings(Model):
    """`[delivery]`: how a plan is carried out.

    No attempt begins later than `deadline` seconds after a message's first one. If a run has more
    than `max` messages, none is sent.
    """

    engine: str = Field(
        default="threads",
        description="What sends the messages of a plan at the same time.",
        examples=["threads"],
    )
    workers: int = Field(
        default=8,
        ge=1,
        le=256,
        description="How many messages are sent at the same time.",
        examples=[8],
    )
    attempts: int = Field(
        default=5,
        ge=1,
        le=100,
        description="How often a message is tried in one run if it was surely not accepted.",
        examples=[5],
    )
    deadline: Seconds = Field(
        default=900.0,
        description="How long after a message's first attempt another one may begin.",
        examples=["15m", "1h30m"],
        json_schema_extra={"default": "15m"},
    )
    max: int | None = Field(
        default=None,
        ge=1,
        description="If a run has more messages than this, none is sent.",
        examples=[1000],
    )


class FileSettings(Model):
    """`[files]`: `roots` are folders, besides a manifest's own, from which it may use files."""

    roots: list[str] | None = Field(
        default=None,
        description="Folders, besides a manifest's own, from which it may use files; by default, "
        "that of `manifests`.",
        examples=[["manifests", "media"]],
    )


class Settings(Model):
    """What dispatcher.toml may hold; transports and plugins check their own tables.

    `country` ("RU") is where phone numbers without a country code are dialled. `timezone` is where
    the days of a manifest's `repeat` begin, and that of the times that people read; by default, the
    system's.
    """

    manifests: str = Field(
        default="manifests",
        description="The folder or file that counts when no PATH is given; relative to this file, "
        "as all paths here.",
        examples=["manifests"],
    )
    journal: str | None = Field(
        default=None,
        description="Where is noted what was sent: a file, or a PostgreSQL database. By default, "
        ".dispatcher/journal.db beside this file.",
        examples=["sqlite:///.dispatcher/journal.db", "postgresql://db.example.com/journal"],
    )
    transport: str = Field(
        default="greenapi",
        description="The gateway of manifests that name none.",
        examples=["greenapi"],
    )
    country: Country | None = Field(
        default=None,
        description="Where numbers without a country code are dialled like this: two letters, as "
        "in ISO 3166.",
        examples=["RU"],
    )
    timezone: TimeZone | None = Field(
        default=None,
        description="Where the days of a manifest's `repeat` begin, by its name in the IANA "
        "database; by default, the system's.",
        examples=["Europe/Moscow"],
    )
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings,
        description="How a plan is carried out.",
        examples=[{"workers": 8, "deadline": "15m"}],
    )
    files: FileSettings = Field(
        default_factory=FileSettings,
        description="From where manifests may use files.",
        examples=[{"roots": ["manifests", "media"]}],
    )
    transports: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="The settings of each gateway: [transports.<name>].",
    )
    plugins: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="The settings of each other plugin: [plugins.<name>].",
    )


class ConfigurationFile(Settings):
    """What dispatcher.toml may hold: settings, and profiles of them."""

    profiles: dict[str, Settings] = Field(
        default_factory=dict,
        description="What is different with --profile NAME: [profiles.NAME] has the keys of the "
        "file itself. Each has a journal of its own.",
        examples=[{"staging": {"delivery": {"workers": 1}}}],
    )


def known_keys(path: KeyPath) -> Iterable[str]:
    """Return the keys that a table may have; a profile has those of the file itself."""
    tables: dict[KeyPath, type[Model]] = {
        (): Settings if path else ConfigurationFile,
        ("delivery",): DeliverySettings,
        ("files",): FileSettings,
    }
    inner = path[2:] if path[:1] == ("profiles",) else path
    return tables[inner].model_fields if inner in tables else ()
