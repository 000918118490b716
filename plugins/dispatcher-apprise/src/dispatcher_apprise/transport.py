"""The transport `apprise`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from dispatcher import (
    STANDARD_CONTENTS,
    Address,
    AddressError,
    Attachment,
    ConfigError,
    Contents,
    Link,
    MediaId,
    Message,
    Payload,
    Problem,
    Receipt,
    Refused,
    Upload,
    closest_name,
)
from dispatcher_apprise.files import Files
from dispatcher_apprise.outcomes import verdict
from dispatcher_apprise.service import Attached, Service
from dispatcher_apprise.settings import NAME, AppriseSettings, read_targets

_NO_TARGET = '"to" is the name of a target of Apprise, like ops'
_PATIENCE = 30.0  # seconds


class AppriseTransport:
    """Sends messages to named targets, each an Apprise URL.

    For what results mean see `outcomes`.
    """

    name: ClassVar[str] = "apprise"
    Settings: ClassVar[type[BaseSettings]] = AppriseSettings
    # Apprise knows texts and files, whatever the service; `check` says which targets take no files.
    contents: ClassVar[Contents] = STANDARD_CONTENTS

    def __init__(self, settings: Any) -> None:
        self.settings: AppriseSettings = settings
        self.rate, self.recipient_rate = settings.rate, settings.recipient_rate
        self._files = Files()
        self._targets: dict[str, SecretStr] = {}
        self._fault: ConfigError | None = None
        try:
            self._targets = read_targets(settings)
        except ConfigError as error:  # planning needs no targets
            self._fault = error

    def require_credentials(self) -> None:
        """Raise ConfigError if there are no targets, or one of them cannot be used."""
        if self._fault is not None:
            raise self._fault
        _ = self._services

    def address(self, written: str, country: str | None) -> Address:
        """Return the name of a target as an address. Raises AddressError."""
        if not NAME.fullmatch(written.strip()):
            raise AddressError(_NO_TARGET)
        return Address(written.strip(), "target")

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """Return `{"to": target, "body": text}`; files add `"attach": [{"file", "name", "type"}]`.

        A link stands in the text, on a line of its own: the recipient's application shows it.
        """
        content = message.content
        lines = [getattr(content, "body", None) or getattr(content, "caption", None)]
        if isinstance(attachment, Link):
            lines.append(attachment.url)
        payload: Payload = {"to": message.to, "body": "\n".join(line for line in lines if line)}
        if isinstance(attachment, Upload):
            name = getattr(content, "filename", None) or attachment.filename
            file = {"file": attachment.reference, "name": name, "type": attachment.mime_type}
            payload["attach"] = [file]
        return payload

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Return what every target would refuse and, if its URL is known, what this one would."""
        yield from _check_payload(payload, attachment)
        try:
            services = self._services
        except ConfigError:
            return
        if services and isinstance(payload.get("to"), str):
            yield from _check_target(services, payload)

    def upload(self, file: Upload) -> MediaId:
        """Keep a copy for the messages of this run; a later run must not use the id."""
        return MediaId(id=self._files.keep(file), expires_at=datetime.now(UTC))

    def send(self, payload: Payload) -> Receipt:
        """Have Apprise send one message, once. It returns no ids: the receipt names the target.

        Raises `NotSent`, `Refused` or `OutcomeUnknown`.
        """
        service = self._services.get(payload["to"])
        if service is None:
            raise Refused(f'there is no target "{payload["to"]}"', code="target")
        accepted, watch = service.send(payload["body"], self._attached(payload))
        if not accepted:
            raise verdict(watch, service.traceable)
        return Receipt(id=payload["to"])

    @property
    def patience(self) -> float:
        """The most seconds that `send` takes, for services that make one request per message."""
        return max([_PATIENCE, *(each.patience for each in self._services.values())])

    @cached_property
    def _services(self) -> dict[str, Service]:
        urls = self._targets.items()
        return {name: Service(name, url.get_secret_value()) for name, url in urls}

    def _attached(self, payload: Payload) -> list[Attached]:
        found = []
        for file in payload.get("attach", []):
            path = self._files.path(file["file"])
            if path is None:
                raise Refused("the file is not one of this run", code="file")
            found.append(Attached(path, file["name"], file["type"]))
        return found


def _check_payload(payload: Payload, attachment: Attachment | None) -> Iterator[Problem]:
    """Yield what every target would refuse; never raises."""
    to, body, files = payload.get("to"), payload.get("body"), payload.get("attach", [])
    if not isinstance(to, str) or not NAME.fullmatch(to):
        yield Problem(message=_NO_TARGET, where="to")
    if not isinstance(body, str) or not (body.strip() or files):
        yield Problem(message="there is neither a text nor a file to send")
    if not _well_formed(files):
        yield Problem(message="the files of the payload cannot be used")
    if isinstance(attachment, MediaId):
        yield Problem(message="Apprise stores no files, so it has no ids; use source or link")
    if isinstance(attachment, Link) and attachment.provider is not None:
        yield Problem(message="Apprise knows no provider; the link must be open to its readers")


def _well_formed(files: object) -> bool:
    """Whether it is a list of files as `build` makes it."""
    return isinstance(files, list) and all(
        isinstance(file, dict)
        and all(isinstance(file.get(key), str) for key in ("file", "name", "type"))
        for file in files
    )


def _check_target(services: dict[str, Service], payload: Payload) -> Iterator[Problem]:
    to, body = payload["to"], payload.get("body")
    if to not in services:
        close = closest_name(to, services)
        hint = f'; did you mean "{close}"?' if close is not None else ""
        yield Problem(message=f'there is no target "{to[:100]}"{hint}', where="to")
        return
    service = services[to]
    if payload.get("attach") and not service.takes_files:
        yield Problem(message=f'the service of target "{to}" takes no files')
    if isinstance(body, str) and len(body) > service.longest:
        yield Problem(
            message=f"the text has {len(body)} characters; the service of target "
            f'"{to}" takes {service.longest}'
        )
