"""The schema of a manifest, version 1: what a TOML file may hold, before templates are filled in.

Manifests are validated by it, and the JSON Schema for editors is made from it. Rules between keys
(exactly one content, `to` or `recipients`) are in `message_table.py`, as defaults count for them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from dispatcher import models, names
from dispatcher.manifest.runs import Repeat
from dispatcher.timezones import zone_name

INVALID_NAME = "invalid_name"  # the type of error; its message is what `names.why_invalid` says


def _checked(name: str) -> str:
    reason = names.why_invalid(name)
    if reason is not None:
        raise PydanticCustomError(INVALID_NAME, "{reason}", {"reason": reason})
    return name


# A name is part of every message's key, whose parts are separated by "/".
_NAME_SCHEMA = {"minLength": 1, "maxLength": names.LONGEST, "pattern": names.SCHEMA_PATTERN}
Name = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={**_NAME_SCHEMA})]


TimeZone = Annotated[str, AfterValidator(zone_name)]


def _checked_former(written: str) -> str:
    """Check a message's former name: its id, or manifest/id."""
    for part in written.split("/", 1):
        _checked(part)
    return written


_COUNTRY = 'Where numbers without a country code are dialled like this: "RU".'


def _list_or_text(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


def _table_or_text(value: object) -> str:
    return "<table>" if isinstance(value, dict) else "<text>"


class RecipientsTable(models.Model):
    """A file of recipients, and how it is to be read."""

    file: str = Field(description="A .csv or .jsonl file, or one of these with .gz.")
    to: str = Field(default="to", description="The column with the recipients.")
    country: str | None = Field(default=None, description=_COUNTRY)
    encoding: str | None = Field(
        default=None, description='Of the text, like "cp1251"; UTF-8 and UTF-16 need no word.'
    )
    delimiter: str | None = Field(
        default=None, description="What stands between columns; , ; and tabs need no word."
    )
    duplicates: Literal["error", "first"] = Field(
        default="error", description="Who is there twice is an error, or gets the first row only."
    )


Recipients = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[str], Field(min_length=1), Tag("<list>")],
    Discriminator(_list_or_text),
]
FormerNames = Annotated[
    Annotated[Name, Tag("<text>")] | Annotated[list[Name], Tag("<list>")],
    Discriminator(_list_or_text),
]
_FormerName = Annotated[str, AfterValidator(_checked_former)]
FormerMessageNames = Annotated[
    Annotated[_FormerName, Tag("<text>")] | Annotated[list[_FormerName], Tag("<list>")],
    Discriminator(_list_or_text),
]
RecipientsFile = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[RecipientsTable, Tag("<table>")],
    Discriminator(_table_or_text),
]


class TextTable(models.Model):
    body: str | None = Field(default=None, description="What is written; may be a template.")
    file: str | None = Field(default=None, description="A file that holds the body.")


class DefaultsTable(models.Model):
    """What every message of the file gets, unless it says otherwise."""

    to: Recipients | None = Field(
        default=None, description="A number with country code, a group id, or a list of these."
    )
    recipients: RecipientsFile | None = Field(
        default=None, description="A .csv or .jsonl file: `to`, and variables for the templates."
    )
    country: str | None = Field(default=None, description=_COUNTRY)
    revision: int = Field(default=1, ge=1, description="Raise it to send to everybody once more.")
    recipient_type: str | None = None
    preview_url: bool | None = Field(default=None, description="Preview the first URL of a text.")
    transport: str | None = None
    vars: dict[str, Any] = Field(default_factory=dict, description="Variables for the templates.")
    text: TextTable | None = None
    image: models.Image | None = None
    video: models.Video | None = None
    audio: models.Audio | None = None
    document: models.Document | None = None


class MessageTable(DefaultsTable):
    """One message: the gateway's request body plus a few keys of ours."""

    id: Name
    moved_from: FormerMessageNames | None = Field(
        default=None,
        description="Its former ids, or manifest/id; what was sent under these counts as sent.",
    )
    type: models.ContentType | None = None


class ManifestTable(models.Model):
    """A manifest, version 1."""

    manifest: Annotated[int, Field(ge=1, le=1, json_schema_extra={"const": 1})]
    name: Name | None = Field(default=None, description="Part of every message's identity.")
    moved_from: FormerNames | None = Field(
        default=None, description="Its former names; what was sent under these counts as sent."
    )
    transport: str | None = None
    repeat: Repeat | None = Field(
        default=None, description="Everybody gets each message once a day, week, month or run."
    )
    timezone: TimeZone | None = Field(
        default=None, description='Where a day of `repeat` begins: "Europe/Moscow".'
    )
    stop_on_failure: bool = Field(
        default=False,
        description="After a message that was not sent, its recipient gets no later one of it.",
    )
    defaults: DefaultsTable = Field(default_factory=DefaultsTable)
    vars: dict[str, Any] = Field(default_factory=dict, description="Variables for the templates.")
    messages: list[MessageTable] = Field(min_length=1)
