"""The schema of a manifest, version 1: what a TOML file may hold, before templates are filled in.

Manifests are validated by it, and the JSON Schema for editors is made from it. The tables with the
content of a message are not in it: they belong to the transports (`kinds.py`). Rules between keys
(exactly one content, `to` or `recipients`) are in `message_table.py`, as defaults count for them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from dispatcher import models, names
from dispatcher.manifest.runs import Repeat
from dispatcher.timezones import SCHEMA_PATTERN, zone_name

INVALID_NAME = "invalid_name"  # the type of error; its message is what `names.why_invalid` says


def _checked(name: str) -> str:
    reason = names.why_invalid(name)
    if reason is not None:
        raise PydanticCustomError(INVALID_NAME, "{reason}", {"reason": reason})
    return name


# A name is part of every message's key, whose parts are separated by "/".
_NAME_SCHEMA = {"minLength": 1, "maxLength": names.LONGEST, "pattern": names.SCHEMA_PATTERN}
Name = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={**_NAME_SCHEMA})]


TimeZone = Annotated[
    str, AfterValidator(zone_name), Field(json_schema_extra={"pattern": SCHEMA_PATTERN})
]


def _checked_former(written: str) -> str:
    """Check a message's former name: its id, or manifest/id."""
    for part in written.split("/", 1):
        _checked(part)
    return written


_FORMER_SCHEMA = {
    "minLength": 1,
    "maxLength": 2 * names.LONGEST + 1,
    "pattern": names.SCHEMA_PATTERN_OF_TWO,
}


def _list_or_text(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


def _table_or_text(value: object) -> str:
    return "<table>" if isinstance(value, dict) else "<text>"


def _country() -> Any:
    return Field(
        default=None,
        description="Where numbers without a country code are dialled like this: two letters, as "
        "in ISO 3166.",
        examples=["RU"],
    )


def _transport() -> Any:
    return Field(
        default=None,
        description="The gateway; by default, the configuration's.",
        examples=["greenapi"],
    )


def _vars() -> Any:
    return Field(
        default_factory=dict,
        description="Variables for the templates: {{ shop }}. A message's own win over the "
        "file's, and a row's over these.",
        examples=[{"shop": "Acme"}],
    )


class RecipientsTable(models.Model):
    """A file of recipients, and how it is to be read."""

    file: str = Field(
        description="A .csv or .jsonl file, or one of these with .gz; relative to the manifest.",
        examples=["customers.csv"],
    )
    to: str = Field(
        default="to",
        description="The column with the recipients.",
        examples=["phone"],
    )
    country: str | None = _country()
    encoding: str | None = Field(
        default=None,
        description='Of the text, like "cp1251"; UTF-8 and UTF-16 need no word.',
        examples=["cp1251"],
    )
    delimiter: str | None = Field(
        default=None,
        description="What stands between columns; , ; and tabs need no word.",
        examples=["|"],
    )
    duplicates: Literal["error", "first"] = Field(
        default="error",
        description="Who is there twice is an error, or gets the first row only.",
        examples=["first"],
    )


Recipients = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[str], Field(min_length=1), Tag("<list>")],
    Discriminator(_list_or_text),
]
FormerNames = Annotated[
    Annotated[Name, Tag("<text>")] | Annotated[list[Name], Tag("<list>")],
    Discriminator(_list_or_text),
]
_FormerName = Annotated[
    str, AfterValidator(_checked_former), Field(json_schema_extra={**_FORMER_SCHEMA})
]
FormerMessageNames = Annotated[
    Annotated[_FormerName, Tag("<text>")] | Annotated[list[_FormerName], Tag("<list>")],
    Discriminator(_list_or_text),
]
RecipientsFile = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[RecipientsTable, Tag("<table>")],
    Discriminator(_table_or_text),
]


class DefaultsTable(models.Model):
    """What every message of the file gets, unless it says otherwise."""

    to: Recipients | None = Field(
        default=None,
        description="A number with country code, a group id, or a list of these.",
        examples=["79001234567", "+7 900 123-45-67", "79001234567-1581234048"],
    )
    recipients: RecipientsFile | None = Field(
        default=None,
        description="A .csv or .jsonl file: `to`, and variables for the templates.",
        examples=["customers.csv", {"file": "customers.csv", "to": "phone", "country": "RU"}],
    )
    country: str | None = _country()
    revision: int = Field(
        default=1,
        ge=1,
        description="Raise it to send to everybody once more.",
        examples=[2],
    )
    recipient_type: str | None = Field(
        default=None,
        description="The transport's word for the kind of recipient, which it knows from `to`; "
        "what is written here is compared with that.",
        examples=["individual", "group"],
    )
    preview_url: bool | None = Field(
        default=None,
        description="Whether the first URL of a text is shown with a preview.",
        examples=[False],
    )
    transport: str | None = _transport()
    vars: dict[str, Any] = _vars()


class MessageTable(DefaultsTable):
    """One message: the gateway's request body plus a few keys of ours."""

    id: Name = Field(
        description="The message's name in this file, part of its key: who has got it, gets "
        "it once.",
        examples=["welcome"],
    )
    moved_from: FormerMessageNames | None = Field(
        default=None,
        description="Its former ids, or manifest/id; what was sent under these counts as sent.",
        examples=["greeting", ["prices/list"]],
    )
    type: str | None = Field(
        default=None,
        description="The kind of content, which is known from the table with it.",
        examples=["text"],
    )


class ManifestTable(models.Model):
    """A manifest, version 1."""

    manifest: Annotated[int, Field(ge=1, le=1, json_schema_extra={"const": 1})] = Field(
        description="The version of the manifest's format.",
        examples=[1],
    )
    name: Name | None = Field(
        default=None,
        description="Part of every message's key; by default, the file's name without .toml.",
        examples=["spring-sale"],
    )
    moved_from: FormerNames | None = Field(
        default=None,
        description="Its former names; what was sent under these counts as sent.",
        examples=["sale-2026", ["sale-2025", "sale-2026"]],
    )
    transport: str | None = _transport()
    repeat: Repeat | None = Field(
        default=None,
        description="Everybody gets each message once a day, week, month or run.",
        examples=["daily"],
    )
    timezone: TimeZone | None = Field(
        default=None,
        description="Where a day of `repeat` begins, by its name in the IANA database.",
        examples=["Europe/Moscow"],
    )
    stop_on_failure: bool = Field(
        default=False,
        description="After a message that was not sent, its recipient gets no later one of it.",
        examples=[True],
    )
    defaults: DefaultsTable = Field(
        default_factory=DefaultsTable,
        description="For every message of the file, unless it says otherwise.",
        examples=[{"preview_url": False}],
    )
    vars: dict[str, Any] = _vars()
    messages: list[MessageTable] = Field(
        min_length=1,
        description="The messages; each begins with [[messages]].",
        examples=[[{"id": "welcome", "to": "79001234567", "text": {"body": "Hello!"}}]],
    )
