"""The transport `greenapi-instance`: builds, checks and posts messages, uploads their files, and
looks for those whose outcome is unknown.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from time import monotonic, sleep
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import (
    Address,
    Attachment,
    ConfigError,
    Contents,
    DeliveryStatus,
    MediaId,
    Message,
    NotSent,
    Payload,
    Problem,
    Receipt,
    Upload,
    phone_address,
)
from dispatcher.http.responses import HIDDEN, Route
from dispatcher.http.settings import HttpSettings, Rate, Url
from dispatcher.http.transport import HttpTransport
from dispatcher_greenapi_instance import history, rules, statuses
from dispatcher_greenapi_instance import payload as payloads
from dispatcher_greenapi_instance.contents import CONTENTS
from dispatcher_greenapi_instance.errors import ERROR_MAP

FILE_LIFETIME = timedelta(days=15)  # Green API, "UploadFile"
HISTORY_INTERVAL = 1.0  # seconds; "Rate limiter", getChatHistory
_LONGEST_JOURNAL = 64 * 1024 * 1024  # bytes; a message has some 500

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,16}")
# It becomes a part of a path, where other characters mean something else, or are written in a way
# in which it would not be recognised if the gateway repeats it.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
# "120363043968066561", 18 digits and more than any phone number has; until 2021 a group had its
# creator's number and a time stamp, "79001234567-1581234048".
_GROUP = re.compile(r"([0-9]{16,20}|[0-9]{7,15}-[0-9]{6,15})(?:@g\.us)?")
_HIDDEN = re.compile(r"[0-9]{6,20}@lid")  # a person whose number WhatsApp does not show
_PERSON = re.compile(r"([0-9]+)@c\.us")


class InstanceSettings(HttpSettings):
    """`[transports.greenapi-instance]` in dispatcher.toml, `GREENAPI_INSTANCE_…` around it.

    The console shows both hosts and the number of the instance. `rate` is what the gateway takes
    for one instance (Green API, "Rate limiter").
    """

    gateway: ClassVar[str] = "the instance of Green API"

    model_config = SettingsConfigDict(env_prefix="GREENAPI_INSTANCE_")

    id_instance: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None = Field(
        default=None,
        description="The number of the instance, as the console shows it.",
        examples=["1101000001"],
    )
    base_url: Url = Field(
        default="https://api.green-api.com",
        description="The host of the instance, as the console shows it.",
        examples=["https://1101.api.green-api.com"],
    )
    media_url: Url = Field(
        default="https://media.green-api.com",
        description="The host to which its files are uploaded, as the console shows it.",
        examples=["https://1101.media.green-api.com"],
    )
    rate: Rate | None = Field(
        default="50/s",
        description="The most messages that the instance sends: a number /s, /min, /h or /d.",
        examples=["10/s"],
    )

    def credentials(self) -> SecretStr:
        """Return the instance's token. Raises ConfigError, also if the instance is missing."""
        token = super().credentials()
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ConfigError("the token of an instance has letters, digits, - and _ only")
        if self.id_instance is None:
            raise ConfigError(
                "no instance of Green API: set id_instance in [transports.greenapi-instance], or "
                "GREENAPI_INSTANCE_ID_INSTANCE"
            )
        return token


class GreenApiInstance(HttpTransport[InstanceSettings]):
    """Sends WhatsApp messages through an instance of Green API; each URL's path has its token."""

    name: ClassVar[str] = "greenapi-instance"
    Settings: ClassVar[type[BaseSettings]] = InstanceSettings
    ends_in_time: ClassVar[bool] = True
    contents: ClassVar[Contents] = CONTENTS

    def __init__(self, settings: InstanceSettings | None = None) -> None:
        super().__init__(settings)
        self._one_at_a_time, self._next_history = threading.Lock(), 0.0

    def address(self, written: str, country: str | None) -> Address:
        """Read a phone number as people write it, or a chat id, with or without its @ and after.

        Source: Green API, "Chat id". Raises AddressError.
        """
        text = written.strip()
        if _HIDDEN.fullmatch(text):
            return Address(text, "lid")
        if group := _GROUP.fullmatch(text):
            return Address(group[1], "group")
        person = _PERSON.fullmatch(text)
        return phone_address(person[1] if person else written, country)

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """Return the body of the method that sends such a content."""
        return payloads.build(message, attachment)

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Return every way in which the payload breaks the gateway's contract; never raises."""
        return rules.check(payload, attachment)

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway for 15 days; its id is the URL to send it by.

        Raises `NotSent` for everything that may work later: repeating an upload does no harm.
        """
        expires_at = datetime.now(UTC) + FILE_LIFETIME
        # A repeated upload expires unused, so repeating does no harm.
        route = self._route("media_url", "uploadFile", "urlFile", repeatable=True)
        return MediaId(id=self.post_file(route, file, _headers(file)), expires_at=expires_at)

    def send(self, payload: Payload) -> Receipt:
        """Post one message, once, to the method that sends such a content."""
        method = rules.method_of(payload)
        name = method.name if method is not None else "sendMessage"
        return Receipt(id=self.post_json(self._route("base_url", name, "idMessage"), payload))

    def reconcile(self, payload: Payload, since: datetime) -> Receipt | None:
        """Look for a message in the history of its chat: see `history`."""
        asked = datetime.now(UTC)
        if not history.can_be_found(payload) or asked - since < history.LAG:
            return None
        with self._one_at_a_time:
            sleep(max(0.0, self._next_history - monotonic()))
            self._next_history = monotonic() + HISTORY_INTERVAL
        route = self._route("base_url", "getChatHistory", "", repeatable=True)
        question = {"chatId": payload["chatId"], "count": history.COUNT}
        asked = datetime.now(UTC)
        response = self.ask(route, question, (200,))
        return history.outcome(payload, since, asked, datetime.now(UTC), response)

    def statuses(self, body: Payload | None) -> Iterable[DeliveryStatus]:
        """Return what a webhook's body says of a message, or, when asked, the instance of those of
        the last 24 hours. Raises a `DeliveryError`."""
        if body is not None:
            return statuses.of_webhook(body, self.settings.id_instance)
        _ = self.token
        route = self._route("base_url", "lastOutgoingMessages", "", repeatable=True)
        response = self.get(route, (200,), most=_LONGEST_JOURNAL)
        messages = response.at(())
        if not isinstance(messages, list):
            raise NotSent(
                f"{route.host} has not listed its messages: {response.broken or 'no JSON'}"
            )
        return statuses.of_journal(messages)

    def auth_headers(self) -> Mapping[str, str]:
        """Return no headers: the token is in the path."""
        return {}

    def _route(
        self, setting: str, method: str, identifier: str, *, repeatable: bool = False
    ) -> Route:
        """Return the route `POST {host}/waInstance{id}/{method}/{token}`.

        The documents have the methods' names.
        """
        host, number = getattr(self.settings, setting), self.settings.id_instance
        url = f"{host}/waInstance{number}/{method}/{HIDDEN}"
        return self.route(url, setting, (identifier,), ERROR_MAP, repeatable=repeatable)


def _headers(file: Upload) -> dict[str, str]:
    """Return the headers of "UploadFile".

    `GA-Filename` says what a MIME type may not; not every name fits into a header.
    """
    extension = PurePath(file.filename).suffix
    return {"GA-Filename": f"file{extension}"} if _EXTENSION.fullmatch(extension) else {}
