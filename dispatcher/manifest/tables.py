"""The structure of a manifest, version 1: what a TOML file may hold, templates not filled in.

It checks files and is the source of the JSON Schema for editors. Rules between keys (exactly one
content, `to` or `recipients`) are in `entries.py`, because defaults take part in them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from dispatcher import models, names

NAME_FAULT = "name_fault"  # the kind of finding; its message is `names.fault`'s


def _checked(name: str) -> str:
    fault = names.fault(name)
    if fault is not None:
        raise PydanticCustomError(NAME_FAULT, "{fault}", {"fault": fault})
    return name


# A name is a part of every message's key, whose parts are set apart by "/".
_NAME_SCHEMA = {"minLength": 1, "maxLength": names.LONGEST, "pattern": names.SCHEMA_PATTERN}
Name = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={**_NAME_SCHEMA})]


def _branch(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


Recipients = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[str], Field(min_length=1), Tag("<list>")],
    Discriminator(_branch),
]


class Table(models.Model):
    """A table of a manifest."""


class TextTable(Table):
    body: str | None = Field(default=None, description="What is written; may be a template.")
    file: str | None = Field(default=None, description="A file that holds the body.")


class DefaultsTable(Table):
    """What every message of the file gets, unless it says otherwise."""

    to: Recipients | None = Field(
        default=None, description="A number with country code, a group id, or a list of these."
    )
    recipients: str | None = Field(
        default=None, description="A .csv or .jsonl file: `to`, and variables for the templates."
    )
    revision: int = Field(default=1, ge=1, description="Raise it to send to everybody once more.")
    recipient_type: models.RecipientType | None = None
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
    type: models.ContentType | None = None


class ManifestTable(Table):
    """A manifest, version 1."""

    manifest: Annotated[int, Field(ge=1, le=1, json_schema_extra={"const": 1})]
    name: Name | None = Field(default=None, description="Part of every message's identity.")
    transport: str | None = None
    stop_on_failure: bool = Field(
        default=False,
        description="After a message that was not sent, its recipient gets no later one of it.",
    )
    defaults: DefaultsTable = Field(default_factory=DefaultsTable)
    vars: dict[str, Any] = Field(default_factory=dict, description="Variables for the templates.")
    messages: list[MessageTable] = Field(min_length=1)
