"""The transport `greenapi`: builds, checks and posts messages, and uploads their files.

Source of all its facts: docs/greenapi-v1.md, "Request", "Media" and "Error codes".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from mimetypes import MimeTypes
from pathlib import PurePath
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import (
    AccountRefused,
    Attachment,
    Media,
    MediaId,
    Message,
    NotSent,
    OutcomeUnknown,
    Payload,
    ProbeResult,
    Problem,
    Receipt,
    Refused,
    Upload,
)
from dispatcher.builtin.greenapi import rules
from dispatcher.http.responses import BY_STATUS, HINTS, STATUS_FIRST, ErrorMap, Route
from dispatcher.http.settings import HttpSettings, Rate, Url
from dispatcher.http.transport import HttpTransport

MEDIA_LIFETIME = timedelta(hours=24)

ERROR_MAP = ErrorMap(
    code=("errors", 0, "code"),
    words=(("errors", 0, "details"), ("errors", 0, "title")),  # English, Russian
    by_code={
        **dict.fromkeys((1, 1011, 1020, 1021, 1022, 1023, 1030, 1031, 1032, 7200), Refused),
        **dict.fromkeys((1040, 1041, 1062, 1071), AccountRefused),
        1060: NotSent,
        **dict.fromkeys((1010, 1024, 1042), OutcomeUnknown),
    },
    # A code that is in no table may mean anything.
    by_status={**BY_STATUS, 400: OutcomeUnknown, 403: AccountRefused},
    status_first=STATUS_FIRST,
    throttled=(82,),  # the quota is used up
    hints={**HINTS, 403: HINTS[401]},
)

_NO_FILE = "00000000-0000-0000-0000-000000000000"
_EXTENSION = re.compile(r"\.[a-z0-9]{1,16}")


class GreenApiSettings(HttpSettings):
    """`[transports.greenapi]` in dispatcher.toml, `GREENAPI_*` in the environment.

    URLs are without `/v1/…` and lose trailing slashes; plain http is allowed for loopback only.
    """

    gateway: ClassVar[str] = "Green API"

    model_config = SettingsConfigDict(env_prefix="GREENAPI_")

    base_url: Url = Field(
        default="https://api.green-api.com",
        description="The gateway's address, without /v1/…; http is for this machine only.",
        examples=["http://127.0.0.1:8025"],
    )
    media_url: Url = Field(
        default="https://media.green-api.com",
        description="Where files are uploaded, without /v1/…; http is for this machine only.",
        examples=["http://127.0.0.1:8025"],
    )
    rate: Rate | None = Field(
        default="50/s",
        description="The most messages that the account sends: a number /s, /min, /h or /d.",
        examples=["10/s"],
    )


class GreenApi(HttpTransport[GreenApiSettings]):
    """WhatsApp messages through Green API v1 (docs/greenapi-v1.md)."""

    name: ClassVar[str] = "greenapi"
    Settings: ClassVar[type[BaseSettings]] = GreenApiSettings
    ends_in_time: ClassVar[bool] = True

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """Return the body of `POST /v1/messages`, with its fields in the document's order.

        `attachment` is what the media's `source` resolved to; if None, its `link` or `id` is used
        as it is. An `Upload` stands in the body as its `reference` until its media id is known.
        `recipient_type` is always there: the provider's documents disagree about its default.
        """
        payload: Payload = {
            "recipient_type": message.recipient_type,
            "to": message.to,
            "type": message.type,
            message.type: _content(message, attachment),
        }
        if message.preview_url is not None:
            payload["preview_url"] = message.preview_url
        return payload

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Return every way in which the payload breaks the gateway's contract; never raises."""
        return rules.check(payload, attachment)

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway for 24 hours.

        Raises `NotSent` for everything that may work later: repeating an upload does no harm.
        """
        expires_at = datetime.now(UTC) + MEDIA_LIFETIME
        headers = {"X-Gr-File-Extension": _extension(file)}
        return MediaId(id=self.post_file(self._media, file, headers), expires_at=expires_at)

    def send(self, payload: Payload) -> Receipt:
        """Post one message, once.

        Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`.
        """
        return Receipt(id=self.post_json(self._messages, payload))

    def probe(self) -> ProbeResult:
        """Ask for a file that nobody has: whoever may ask learns that it is not there.

        Source: docs/greenapi-v1.md, "Media".
        """
        url = f"{self.settings.media_url}/v1/media/{_NO_FILE}"
        route = self.route(url, "media_url", (), ERROR_MAP, repeatable=True)
        return ProbeResult(sentence="takes the token", at=self.get(route, (404,)).date)

    @cached_property
    def _messages(self) -> Route:
        url = f"{self.settings.base_url}/v1/messages"
        return self.route(url, "base_url", ("messages", 0, "id"), ERROR_MAP)

    @cached_property
    def _media(self) -> Route:
        url = f"{self.settings.media_url}/v1/media"
        # A file that is stored twice expires unused.
        return self.route(url, "media_url", ("media", 0, "id"), ERROR_MAP, repeatable=True)


def _content(message: Message, attachment: Attachment | None) -> dict[str, Any]:
    media = message.media
    if media is None:
        return dict(vars(message.content))
    written = media.model_dump(exclude_none=True, exclude=set(Media.model_fields))
    return {**media.file_fields(attachment), **written}


def _extension(file: Upload) -> str:
    """Return the value of `X-Gr-File-Extension`, like "jpeg".

    It is taken from the name, else from the MIME type; else it is "bin".
    """
    suffix = PurePath(file.filename).suffix.lower()
    guessed = MimeTypes(filenames=()).guess_extension(file.mime_type) or ""  # not the system's
    found = next((one for one in (suffix, guessed) if _EXTENSION.fullmatch(one)), ".bin")
    return found.removeprefix(".")
