"""Transports: what one must have, what it may have, and how the pipeline calls it.

A transport has the members of `Transport`; `BaseTransport` has a default for every optional one.
The pipeline calls neither directly but through a `BoundTransport`, so that whatever a transport
does, raises or returns is reported with its name and ends in time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import cache, cached_property, partial
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from dispatcher import plugin_results
from dispatcher.addresses import phone_address
from dispatcher.errors import (
    AddressError,
    DispatcherError,
    NotSent,
    OutcomeUnknown,
    PluginError,
    describe,
    pass_on_interruption,
)
from dispatcher.models import (
    STANDARD_CONTENTS,
    Address,
    Attachment,
    Contents,
    Failure,
    MediaId,
    Message,
    Payload,
    ProbeResult,
    Problem,
    Receipt,
    Upload,
    decode,
)
from dispatcher.models.base import detached
from dispatcher.names import LONGEST_ADDRESS
from dispatcher.visible import storable

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pydantic_settings import BaseSettings

    from dispatcher.registry.plugin_calls import CallTimer, GetTimer

# The usual names of recipients in payloads; a transport with others sets `recipient_fields`.
RECIPIENT_FIELDS = ("to", "recipient_type", "recipient", "chatId", "chat_id", "phone")
# Seconds that a call may take if the transport does not say.
PATIENCE = 30.0
# A gateway that takes a body, for example a file, more slowly than this is given up.
MIN_BYTES_PER_SECOND = 64 * 1024

# Holds what a call returned or raised, as soon as it has returned.
Call: TypeAlias = "Future[Any]"


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

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway; may be called again for the same file."""
        ...

    def send(self, payload: Payload) -> Receipt:
        """Post one message; called at most once at a time for a message."""
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
    """Whether `send` promises never to take longer than `patience`.

    It is then called directly; all other calls are made on a thread of their own, which takes a
    little longer.
    """

    contents: ClassVar[Contents] = STANDARD_CONTENTS
    """The kinds of content that it can send: the names of their tables, and a model of each."""

    recipient_fields: ClassVar[Collection[str]] = RECIPIENT_FIELDS
    """The names of the payload's fields that say who gets it, at any depth.

    No plugin may change them once the payload is built, or add one at the top.
    """

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings

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
        cannot tell. Raising anything means None, too.
        """
        return None

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
        run does not wait for it. An upload may take a second more for each 64 KB.
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


class CallTimeout(Exception):
    """A call that did not return in time; the text names its plugin."""

    def __init__(self, text: str, call: Call) -> None:
        super().__init__(text)
        self.call = call


class SendTimeout(OutcomeUnknown):
    """A message whose call to `send` did not return in time; `call` may return later."""

    def __init__(self, text: str, call: Call) -> None:
        super().__init__(text, code="hanging")
        self.call = call


class Calls:
    """Calls transports on the thread that needs the result, which is fine for pure methods.

    `timer` returns the timer of a transport's method, which reports a slow call.
    """

    def __init__(self, timer: GetTimer) -> None:
        self.timer = timer

    def make(
        self,
        transport: str,
        method: str,
        seconds: float,
        function: Callable[[], Any],
        *,
        ends_in_time: bool = False,
    ) -> Any:
        """Call a function and return its result; raises what it raises.

        `seconds` is how long the call may take; with `ends_in_time` it surely will not take longer.
        `GuardedCalls` uses both.
        """
        with self.timer(transport, method):
            return function()


class BoundTransport:
    """A transport as the pipeline calls it: timed, guarded, its optional members with defaults.

    `address`, `build` and `check` raise `PluginError`, with the names of transport and plugin, for
    whatever the transport raises or wrongly returns. `send` and `upload` raise nothing but
    `DeliveryError`. Attributes are read once; reading one raises `PluginError` if the transport
    raises.
    """

    def __init__(self, transport: Transport, calls: Calls) -> None:
        self.name = transport.name
        self._transport, self._calls = transport, calls
        self._known: dict[str, Any] = {}
        self._lock = threading.Lock()

    # For planning: called on the thread that needs the result, as each call takes microseconds.

    @cached_property
    def has_own_addresses(self) -> bool:
        """Whether it reads recipients itself, not as phone numbers and groups."""
        return override(self._transport, "address") is not None

    @cached_property
    def recipient_fields(self) -> Collection[str]:
        """The names of the fields that say who gets its payloads."""
        return frozenset(optional(type(self._transport), "recipient_fields"))

    def address(self, written: str, country: str | None) -> Address:
        """Return the address of a recipient as a person wrote it. Raises AddressError."""
        if not self.has_own_addresses:
            return phone_address(written, country)
        address: Address = self._call("address", plugin_results.checked_address, written, country)
        return address

    def build(self, message: Message, attachment: Attachment | None) -> bytes:
        """Return the sealed JSON body for a message."""
        if not self._builtin:  # copies take their time (benchmarks/planning.py)
            message, attachment = detached(message), detached(attachment)
        built: bytes = self._call("build", plugin_results.checked_payload, message, attachment)
        return built

    def check(self, sealed: bytes, attachment: Attachment | None) -> list[Problem]:
        """Return what the gateway would refuse, each problem with the plugin's name."""
        payload, attachment = decode(sealed), detached(attachment)
        checked = self._call("check", plugin_results.required_problems, payload, attachment)
        plugin = self._timers["check"].plugin
        return [
            problem.model_copy(update={"message": plugin.signed(problem.message)})
            for problem in checked
        ]

    @cached_property
    def _timers(self) -> dict[str, CallTimer]:
        methods = ["build", "check", *(["address"] if self.has_own_addresses else [])]
        return {method: self._calls.timer(self.name, method) for method in methods}

    @cached_property
    def _builtin(self) -> bool:
        return self._timers["build"].plugin.builtin

    def _call(self, method: str, check: plugin_results.Check, *arguments: object) -> Any:
        timer = self._timers[method]
        try:
            with timer:
                return check(getattr(self._transport, method)(*arguments))
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, AddressError) and method == "address":
                raise
            cause = describe(error)
            raise PluginError(f"{timer.plugin} failed in {timer.task}: {cause}") from error

    # For delivery: called through `calls`, as each call may take long, or never return.

    def send(self, payload: Payload) -> Receipt:
        """Post one message.

        Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`, namely `SendTimeout` if
        the call does not return in time.
        """
        return plugin_results.receipt(self.name, lambda: self._send(payload))

    def receipt(self, call: Call) -> Receipt:
        """Return what a call returned after `SendTimeout`. Raises as `send` does."""
        return plugin_results.receipt(self.name, call.result)

    def upload(self, file: Upload) -> MediaId:
        """Store a file. Raises `NotSent`, also on a timeout, `Refused` or `AccountRefused`."""
        return plugin_results.media_id(self.name, lambda: self._upload(file))

    @property
    def can_reconcile(self) -> bool:
        """Whether it may know what became of a message. Raises PluginError."""
        return self._override("reconcile") is not None

    def reconcile(self, payload: Payload, since: datetime) -> Receipt | Failure | None:
        """Return what the gateway knows of a message, or None if it cannot tell.

        An exception, even `NotSent`, may be about the question itself, so it means None, as does a
        call that does not return.
        """
        ask = self._override("reconcile")
        try:
            found = self._calls.make(
                self.name, "reconcile", self.patience, lambda: ask(payload, since)
            )
        except BaseException as error:
            pass_on_interruption(error)
            return None
        return found if isinstance(found, (Receipt, Failure)) else None

    def probe(self) -> ProbeResult | None:
        """Return what the gateway says of itself, None if it cannot be asked.

        Raises DispatcherError, namely PluginError if the call does not return.
        """
        ask = self._override("probe")
        found = None if ask is None else self._guarded_call("probe", ask)
        if found is not None and not isinstance(found, ProbeResult):
            raise PluginError(f'transport "{self.name}": probe returned {found!r}')
        return found

    def require_credentials(self) -> None:
        """Raise what the transport raises, or PluginError if the call does not return."""
        require = self._override("require_credentials")
        if require is not None:
            self._guarded_call("require_credentials", require)

    @property
    def account(self) -> str:
        """See `BaseTransport`, as for all that follow."""
        return str(self._attribute("account"))

    @property
    def account_key(self) -> str:
        """The key of the account's media ids and rate: no other account's, of any transport."""
        name = f"{self.name}:{storable(self.account)}"
        if len(name) <= LONGEST_ADDRESS:
            return name
        return hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()

    @property
    def gateway(self) -> str | None:
        """Where messages are sent, or None."""
        said = self._attribute("gateway")
        return None if said is None else str(said)

    @property
    def rate(self) -> str | None:
        """Raises PluginError if it is no text."""
        return self._rate("rate")

    @property
    def recipient_rate(self) -> str | None:
        """Raises PluginError if it is no text."""
        return self._rate("recipient_rate")

    @property
    def patience(self) -> float:
        """What the transport says if that is a positive number, else `PATIENCE`."""
        seconds = self._attribute("patience")
        is_one = isinstance(seconds, (int, float)) and isfinite(seconds) and seconds > 0
        return float(seconds) if is_one else PATIENCE

    @property
    def ends_in_time(self) -> bool:
        """Whether the transport promises it; nothing but True is a promise."""
        return self._attribute("ends_in_time") is True

    @property
    def local(self) -> bool:
        """Whether the gateway is on this machine."""
        return bool(self._attribute("local"))

    def read_ahead(self) -> None:
        """Read what every message needs while nothing has been sent."""
        _ = self.patience, self.ends_in_time

    def _send(self, payload: Payload) -> Any:
        seconds, transport, prompt = self.patience, self._transport, self.ends_in_time
        try:
            return self._calls.make(
                self.name, "send", seconds, lambda: transport.send(payload), ends_in_time=prompt
            )
        except CallTimeout as error:
            raise SendTimeout(f"{error}; it may have been accepted", error.call) from None

    def _upload(self, file: Upload) -> Any:
        seconds, transport = self.patience + file.size / MIN_BYTES_PER_SECOND, self._transport
        try:
            return self._calls.make(self.name, "upload", seconds, lambda: transport.upload(file))
        except CallTimeout as error:
            raise NotSent(str(error), code="hanging") from None

    def _rate(self, name: str) -> str | None:
        rate = self._attribute(name)
        if rate is not None and not isinstance(rate, str):
            raise PluginError(f'transport "{self.name}": {name} is {rate!r}, not a text like "5/s"')
        return rate

    def _attribute(self, name: str) -> Any:
        return self._once(name, partial(optional, self._transport, name))

    def _override(self, method: str) -> Any:
        return self._once(method, partial(override, self._transport, method))

    def _once(self, name: str, read: Callable[[], Any]) -> Any:
        if name not in self._known:
            with self._lock:  # one thread reads it, the others wait
                if name not in self._known:
                    self._known[name] = self._guarded_call(name, read)
        return self._known[name]

    def _guarded_call(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what a function returns within `PATIENCE`. Raises DispatcherError only."""
        try:
            return self._calls.make(self.name, name, PATIENCE, function)
        except CallTimeout as error:
            raise PluginError(str(error)) from None
        except DispatcherError:
            raise
        except BaseException as error:
            pass_on_interruption(error)
            timer = self._calls.timer(self.name, name)
            failed = f"{timer.plugin} failed in {timer.task}"
            raise PluginError(f"{failed}: {describe(error)}") from error


GetTransport: TypeAlias = Callable[[str], Transport]


class BoundTransports:
    """The transports of one run by name, each bound when it is first needed."""

    def __init__(self, get: GetTransport, calls: Calls) -> None:
        self._get, self._calls = get, calls
        self._bound: dict[str, BoundTransport] = {}

    def __call__(self, name: str) -> BoundTransport:
        """Return the transport of this name. Raises PluginError or ConfigError."""
        found = self._bound.get(name)
        if found is None:
            found = BoundTransport(self._get(name), self._calls)
            found.read_ahead()
            found = self._bound.setdefault(name, found)
        return found

    @property
    def patience(self) -> float:
        """The most seconds that sending one message takes with the slowest transport in use."""
        return max((each.patience for each in self._bound.values()), default=PATIENCE)
