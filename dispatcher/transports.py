"""Transports: what one must have, and what it may have.

A transport has the members of `Transport`; `BaseTransport` has a default for every optional one.
For how the pipeline calls it see `bound_transports`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, TypeAlias

from dispatcher.addresses import phone_address
from dispatcher.models import (
    STANDARD_CONTENTS,
    Address,
    Attachment,
    Contents,
    DeliveryStatus,
    Failure,
    MediaId,
    Message,
    Payload,
    ProbeResult,
    Problem,
    Receipt,
    Upload,
)

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

# The usual names of recipients in payloads; a transport with others sets `recipient_fields`.
RECIPIENT_FIELDS = ("to", "recipient_type", "recipient", "chatId", "chat_id", "phone")
# Seconds that a call may take if the transport does not say.
PATIENCE = 30.0
# A gateway that takes a body, for example a file, more slowly than this is given up.
MIN_BYTES_PER_SECOND = 64 * 1024

# How a file gets to the gateway.
Uploads: TypeAlias = Literal["separate", "inline"]
SEPARATE: Final = "separate"
INLINE: Final = "inline"


class Transport(Protocol):
    """A gateway. `build` and `check` are pure; only `upload` and `send` connect.

    Manifests and the configuration call it by its `name`. Its `Settings` are read from the table
    `[transports.<name>]` in dispatcher.toml, overridden by the environment. They must load without
    credentials.

    `upload` and `send` return, or raise `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`.
    Several threads call them at once.

    `BaseTransport` has the optional members and their defaults.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseSettings]]

    def __init__(self, settings: BaseSettings) -> None: ...

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """Return the JSON body for a message; an `Upload` stands in it as its `reference`."""
        ...

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Return what the gateway would refuse in a payload: lengths, sizes, captions."""
        ...

    # The types allow `upload(self, file)` and `upload(self, file, message)`.
    def upload(self, file: Upload, *message: Any, **_: Any) -> MediaId:
        """Store a file at the gateway; may be called again for the same file.

        It may take the message as well: `upload(self, file, message)`. The id is then used for all
        messages of this kind (`message.type`) that have the file, otherwise for all that have it.
        """
        ...

    def send(self, payload: Payload) -> Receipt:
        """Post one message; called at most once at a time for a message.

        With `uploads = "inline"` it is `send(self, payload, file=None)`: see `BaseTransport`.
        """
        ...


class _NoSettings:
    """The `Settings` of a transport that has none; their base takes time to load."""

    def __get__(self, transport: object, owner: object) -> type[BaseSettings]:
        return _empty_settings()


@cache
def _empty_settings() -> type[BaseSettings]:
    from pydantic_settings import BaseSettings

    return type("NoSettings", (BaseSettings,), {})


class BaseTransport(Transport):
    """A transport with a default for everything optional; derive from it and override.

    A plain attribute of the class, `rate = "5/s"`, may override a property.
    """

    if not TYPE_CHECKING:
        Settings = _NoSettings()

    ends_in_time: ClassVar[bool] = False
    """Whether `send` promises never to take longer than `patience`, and a file's time.

    It is then called directly; all other calls are made on a thread of their own, which takes a
    little longer.
    """

    contents: ClassVar[Contents] = STANDARD_CONTENTS
    """The kinds of content that it can send: the names of their tables, and a model of each."""

    uploads: ClassVar[Uploads] = SEPARATE
    """How a file gets to the gateway: in a request of its own ("separate"), or with the message.

    With "inline", `upload` is never called. A message whose payload has the `reference` of its file
    is sent by `send(payload, file)`, all others by `send(payload)`. The payload keeps the
    reference, which `send` replaces or leaves out. The file has just been compared with what was
    planned; `send` reads it as a stream, never as a whole.
    """

    recipient_fields: ClassVar[Collection[str]] = RECIPIENT_FIELDS
    """The names of the payload's fields that say who gets it, at any depth.

    No plugin may change them once the payload is built, or add one at the top.
    """

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings

    def upload(self, file: Upload, *message: Any, **_: Any) -> MediaId:
        """See `Transport`; to be overridden, unless `uploads` is "inline"."""
        raise NotImplementedError

    def address(self, written: str, country: str | None) -> Address:
        """Read a recipient as a manifest or a list writes it: by default, a phone number or group.

        `country` is a region like "RU", or None. Returns the canonical address, identical for every
        spelling of a recipient, and the transport's own word for its kind. Raises `AddressError`.
        Must be pure; `build` sees only what it returned.
        """
        return phone_address(written, country)

    def require_credentials(self) -> None:
        """Raise `ConfigError` if a token is missing; called before anything is sent."""

    def probe(self) -> ProbeResult | None:
        """Ask the gateway, without sending anything, whether it is there and takes the account.

        Returns what it said, or None if it cannot be asked. Raises a `DeliveryError` with what is
        wrong. `dispatcher doctor --online` shows it.
        """
        return None

    def reconcile(self, payload: Payload, since: datetime) -> Receipt | Failure | None:
        """Ask the gateway whether it accepted a message whose outcome is unknown.

        The message was posted by this transport with this payload, except for the id of an uploaded
        file and a link that is signed anew, at or after `since` (UTC). Returns its `Receipt`; a
        `Failure` if it was surely not accepted, and then it is sent again; None if the gateway
        cannot tell. Raising anything means None, too. A receipt is not believed that another
        message has as well, or that may be another's to this recipient that has none.
        """
        return None

    def statuses(self, body: Payload | None) -> Iterable[DeliveryStatus]:
        """Return what the gateway says of messages that it has accepted before.

        `body` is what the gateway posted to a webhook: of one that is about something else, or
        about another account, nothing is returned. None asks the gateway for what it has; raises
        `ConfigError` if it cannot be asked, a `DeliveryError` if that fails. Nothing is ever sent
        because of a status.
        """
        return ()

    @property
    def account(self) -> str:
        """An id of the account, which keeps its uploaded files and its rate apart from others'.

        It must not reveal the token. By default, all settings of a transport are one account.
        """
        return ""

    @property
    def gateway(self) -> str | None:
        """Where messages are sent, for people: a URL without secrets; None: the name says it."""
        return None

    @property
    def rate(self) -> str | None:
        """The most messages the account may send, like "50/s" or "10/min"; None means no limit."""
        return None

    @property
    def recipient_rate(self) -> str | None:
        """The most messages one recipient may get, like "5/min"; None means no limit of its own."""
        return None

    @property
    def patience(self) -> float:
        """The most seconds that `send` takes.

        A call still running a second later is abandoned: the message is unknown, and an interrupted
        run does not wait for it. A file may take a second more for each 64 KB.
        """
        return PATIENCE

    @property
    def local(self) -> bool:
        """Whether the gateway is on this machine, where a person can start it."""
        return False


def optional(transport: object, name: str) -> Any:
    """Return a member that a transport or its class may have; without it, `BaseTransport`'s."""
    base: Any = BaseTransport
    return getattr(transport, name, getattr(base(), name))


def override(transport: object, method: str) -> Any:
    """Return an optional method if the transport overrides `BaseTransport`'s, else None."""
    found = getattr(transport, method, None)
    inherited = getattr(found, "__func__", found) is getattr(BaseTransport, method)
    return None if inherited else found


def takes_two(method: Callable[..., object], name: str) -> bool:
    """Whether a method takes a second argument: a required one, or one of this name."""
    try:
        parameters = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # Python does not know
        return False
    second = [each for each in parameters if each.kind in _POSITIONAL][1:2]
    return any(each.default is each.empty or each.name == name for each in second)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
