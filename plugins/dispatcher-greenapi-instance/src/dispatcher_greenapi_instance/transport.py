"""The transport `greenapi-instance`: builds, checks and posts messages, and uploads their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from dispatcher import Address, Attachment, MediaId, Message, Payload, Problem, Receipt, Upload
from dispatcher.http.transport import HttpTransport
from dispatcher_greenapi_instance import addresses, routes, rules
from dispatcher_greenapi_instance import payload as payloads
from dispatcher_greenapi_instance.settings import InstanceSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

FILE_LIFETIME = timedelta(days=15)  # Green API, "UploadFile"

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,16}")


class GreenApiInstance(HttpTransport):
    """WhatsApp messages through an instance of Green API; its token is in the path of each URL."""

    name: ClassVar[str] = "greenapi-instance"
    Settings: ClassVar[type[BaseSettings]] = InstanceSettings
    ends_in_time: ClassVar[bool] = True

    def address(self, written: str, country: str | None) -> Address:
        """A person, or a group as an instance knows it. Raises AddressError."""
        return addresses.read(written, country)

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """The body of sendMessage or sendFileByUrl."""
        return payloads.build(message, attachment)

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Every way in which the payload breaks the gateway's contract; never raises."""
        return rules.check(payload, attachment)

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway for 15 days; its id is the URL to send it by.

        Raises `NotSent` for everything that may work later: repeating an upload does no harm.
        """
        expires_at = datetime.now(UTC) + FILE_LIFETIME
        url = self.post_file(routes.upload_file(self.settings), file, _headers(file))
        return MediaId(id=url, expires_at=expires_at)

    def send(self, payload: Payload) -> Receipt:
        """Post one message, once: to sendFileByUrl if it has a file, else to sendMessage."""
        route = routes.send_file if "urlFile" in payload else routes.send_message
        return Receipt(id=self.post_json(route(self.settings), payload))

    def identity(self) -> Mapping[str, str]:
        """None: the token is in the path."""
        return {}


def _headers(file: Upload) -> dict[str, str]:
    """Of "UploadFile". `GA-Filename` tells what a MIME type may not; names may not fit a header."""
    extension = PurePath(file.filename).suffix
    return {"GA-Filename": f"file{extension}"} if _EXTENSION.fullmatch(extension) else {}
