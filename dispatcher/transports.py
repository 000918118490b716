"""Transports: what one must have, what it may have, and how the pipeline calls it.

`Transport` is what anybody may bring, `BaseTransport` the base that has a default for everything
optional. The pipeline sees neither: it calls a `BoundTransport`, so that whatever a transport does,
raises or answers has an owner and ends in time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import cached_property, partial
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
    Address,
    Attachment,
    Failure,
    MediaId,
    Message,
    Payload,
    Problem,
    Receipt,
    Upload,
    decode,
)
from dispatcher.models.base import detached

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pydantic_settings import BaseSettings

    from dispatcher.registry.plugin_calls import CallTimer, GetTimer

# The usual names of recipients in payloads; a transport with others has `recipient_fields`.
RECIPIENT_FIELDS = ("to", "recipient_type", "recipient", "chatId", "chat_id", "phone")
# Seconds that a call takes at the most, where a transport does not say.
PATIENCE = 30.0
# A gateway that takes a body, for example a file, more slowly than this is given up.
MIN_BYTES_PER_SECOND = 64 * 1024

# What a call gave or raised, as soon as it has returned.
Call: TypeAlias = "Future[Any]"


class Transport(Protocol):
    """A gateway. `build` and `check` are pure; `upload` and `send` are the only ones that connect.

    `name`: how manifests and the configuration call it. `Settings`: its table `[transports.<name>]`
    in dispatcher.toml, overridden by the environment. It must load without credentials.

    `upload` and `send` answer in the words of `dispatcher.errors`: they return, or raise `NotSent`,
    `Refused`, `AccountRefused` or `OutcomeUnknown`. They are called from several threads at once.

    What it may have besides, and what holds for one without it: `BaseTransport`.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseSettings]]

    def __init__(self, settings: BaseSettings) -> None: ...

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """The JSON body for a message; an `Upload` stands in it as its `reference`."""
        ...

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """The gateway's own limits (lengths, sizes, captions), on the payload to be posted."""
        ...

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway; may be called again for the same file."""
        ...

    def send(self, payload: Payload) -> Receipt:
        """Post one message; called at most once at a time for a message."""
        ...


class BaseTransport(Transport):
    """A transport with a default for everything optional; derive from it, and override.

    A property may be overridden by a plain attribute of the class, `rate = "5/s"`.
    """

    ends_in_time: ClassVar[bool] = False
    """True: a promise that `send` never takes longer than `patience`. It is called straight away
    then; all other calls are made by a thread of their own, which takes a little longer."""

    recipient_fields: ClassVar[Collection[str]] = RECIPIENT_FIELDS
    """The names of the payload's fields that say who gets it, at any depth, which no plugin may
    change once it is built, or add at the top."""

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings

    def address(self, written: str, country: str | None) -> Address:
        """Read what a manifest or a list has for a recipient: by default, a phone number or group.

        `country` is a region like "RU" or None. Out: what the gateway wants, the same for all ways
        to write one recipient, and the transport's own word for its kind. Raises `AddressError`. It
        is pure; `build` sees only what it returned.
        """
        return phone_address(written, country)

    def require_credentials(self) -> None:
        """Raise `ConfigError` where a token is missing; called before anything is sent."""

    def reconcile(self, payload: Payload, since: datetime) -> Receipt | Failure | None:
        """Ask the gateway whether it accepted a message of which nobody knows that.

        One with this payload, at or after `since` (UTC). Out: the `Receipt`, a `Failure` if it
        surely was not (it is sent again then), and None if the gateway cannot tell; whatever this
        raises means that, too.
        """
        return None

    @property
    def account(self) -> str:
        """Tells one account's uploaded files and pace from another's, and does not show the token.

        The default: all its settings are one account.
        """
        return ""

    @property
    def rate(self) -> str | None:
        """At most so many messages of the account, like "50/s" or "10/min"; None: no limit."""
        return None

    @property
    def recipient_rate(self) -> str | None:
        """At most so many messages to one recipient; None: no limit of its own."""
        return None

    @property
    def patience(self) -> float:
        """Seconds that `send` takes at the most.

        Who has not returned a second later is left behind: the message is unknown, and an
        interrupted run waits no longer. An upload may take a second more for each 64 KB.
        """
        return PATIENCE

    @property
    def local(self) -> bool:
        """Whether the gateway is on this machine, where a person can start it."""
        return False


def optional(transport: object, name: str) -> Any:
    """A member that a transport, or its class, may have; without it, `BaseTransport`'s."""
    base: Any = BaseTransport
    return getattr(transport, name, getattr(base(), name))


def own(transport: object, method: str) -> Any:
    """An optional method that a transport has itself; None: there is at most `BaseTransport`'s."""
    found = getattr(transport, method, None)
    inherited = getattr(found, "__func__", found) is getattr(BaseTransport, method)
    return None if inherited else found


class Overdue(Exception):
    """A call that did not return in time; the text says whose it is."""

    def __init__(self, text: str, call: Call) -> None:
        super().__init__(text)
        self.call = call


class Hanging(OutcomeUnknown):
    """A message whose call to `send` did not return in time; `call` may do so yet."""

    def __init__(self, text: str, call: Call) -> None:
        super().__init__(text, code="hanging")
        self.call = call


class Calls:
    """Makes the calls to transports: here on the thread that needs the answer, for what is pure.

    `timer`: for a transport's method; it names a slow one.
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
        """What a function answers. Raises what it raises.

        `seconds`: that the call may take, and `ends_in_time`: it surely
        will. Both are for `GuardedCalls`.
        """
        with self.timer(transport, method):
            return function()


class BoundTransport:
    """A transport as the pipeline calls it: timed, guarded, its optional members with defaults.

    `address`, `build` and `check` raise `PluginError`, with the names of transport and plugin, for
    whatever the transport raises or wrongly answers. `send` and `upload` end in the words of
    `dispatcher.errors`. What it says of itself is asked once; a `PluginError`, if it does not say.
    """

    def __init__(self, transport: Transport, calls: Calls) -> None:
        self.name = transport.name
        self._transport, self._calls = transport, calls
        self._known: dict[str, Any] = {}
        self._lock = threading.Lock()

    # What planning calls: on the thread that needs it, as each takes microseconds.

    @cached_property
    def has_own_addresses(self) -> bool:
        """Whether it reads recipients itself, not as phone numbers and groups."""
        return own(self._transport, "address") is not None

    @cached_property
    def recipient_fields(self) -> Collection[str]:
        """The names of what says to whom its payloads go."""
        return frozenset(optional(type(self._transport), "recipient_fields"))

    def address(self, written: str, country: str | None) -> Address:
        """Where a message goes that has this written as its recipient. Raises AddressError."""
        if not self.has_own_addresses:
            return phone_address(written, country)
        address: Address = self._call("address", plugin_results.checked_address, written, country)
        return address

    def build(self, message: Message, attachment: Attachment | None) -> bytes:
        """The JSON body for a message, sealed."""
        if not self._builtin:  # copies take their time (benchmarks/planning.py)
            message, attachment = detached(message), detached(attachment)
        built: bytes = self._call("build", plugin_results.checked_payload, message, attachment)
        return built

    def check(self, sealed: bytes, attachment: Attachment | None) -> list[Problem]:
        """What the gateway would not take."""
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

    # What delivery calls: by `calls`, as each may take long, or never return.

    def send(self, payload: Payload) -> Receipt:
        """Post one message. Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`, and
        of these `Hanging`, if it does not return."""
        return plugin_results.receipt(self.name, lambda: self._send(payload))

    def receipt(self, call: Call) -> Receipt:
        """What a `Hanging` message's call has answered since. As `send`."""
        return plugin_results.receipt(self.name, call.result)

    def upload(self, file: Upload) -> MediaId:
        """Store a file. Raises `NotSent`, also if it does not return, or `Refused`."""
        return plugin_results.media_id(self.name, lambda: self._upload(file))

    @property
    def can_reconcile(self) -> bool:
        """Whether it may know what became of a message. Raises PluginError, if it does not say."""
        return self._own("reconcile") is not None

    def reconcile(self, payload: Payload, since: datetime) -> Receipt | Failure | None:
        """What the gateway knows of a message. An exception, even `NotSent`, may be about the
        question itself; and who does not return cannot tell."""
        ask = self._own("reconcile")
        try:
            found = self._calls.make(
                self.name, "reconcile", self.patience, lambda: ask(payload, since)
            )
        except BaseException as error:
            pass_on_interruption(error)
            return None
        return found if isinstance(found, (Receipt, Failure)) else None

    def require_credentials(self) -> None:
        """Raises what the transport does; PluginError, if it does not return."""
        require = self._own("require_credentials")
        if require is not None:
            self._promptly("require_credentials", require)

    @property
    def account(self) -> str:
        """See `BaseTransport`, as for all that follow."""
        return str(self._said("account"))

    @property
    def rate(self) -> str | None:
        """A text; PluginError, if it is none."""
        return self._rate("rate")

    @property
    def recipient_rate(self) -> str | None:
        """A text; PluginError, if it is none."""
        return self._rate("recipient_rate")

    @property
    def patience(self) -> float:
        """What the transport says, if that can be one."""
        said = self._said("patience")
        is_one = isinstance(said, (int, float)) and isfinite(said) and said > 0
        return float(said) if is_one else PATIENCE

    @property
    def ends_in_time(self) -> bool:
        """Nothing but True is a promise."""
        return self._said("ends_in_time") is True

    @property
    def local(self) -> bool:
        """Whether the gateway is on this machine."""
        return bool(self._said("local"))

    def ask_ahead(self) -> None:
        """Ask for what every message needs, while nothing has left."""
        _ = self.patience, self.ends_in_time

    def _send(self, payload: Payload) -> Any:
        seconds, transport, prompt = self.patience, self._transport, self.ends_in_time
        try:
            return self._calls.make(
                self.name, "send", seconds, lambda: transport.send(payload), ends_in_time=prompt
            )
        except Overdue as error:
            raise Hanging(f"{error}; it may have been accepted", error.call) from None

    def _upload(self, file: Upload) -> Any:
        seconds, transport = self.patience + file.size / MIN_BYTES_PER_SECOND, self._transport
        try:
            return self._calls.make(self.name, "upload", seconds, lambda: transport.upload(file))
        except Overdue as error:
            raise NotSent(str(error), code="hanging") from None

    def _rate(self, name: str) -> str | None:
        rate = self._said(name)
        if rate is not None and not isinstance(rate, str):
            raise PluginError(f'transport "{self.name}": {name} is {rate!r}, not a text like "5/s"')
        return rate

    def _said(self, name: str) -> Any:
        return self._once(name, partial(optional, self._transport, name))

    def _own(self, method: str) -> Any:
        return self._once(method, partial(own, self._transport, method))

    def _once(self, name: str, ask: Callable[[], Any]) -> Any:
        if name not in self._known:
            with self._lock:  # one thread asks, the others wait with it
                if name not in self._known:
                    self._known[name] = self._promptly(name, ask)
        return self._known[name]

    def _promptly(self, name: str, function: Callable[[], Any]) -> Any:
        try:
            return self._calls.make(self.name, name, PATIENCE, function)
        except Overdue as error:
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
        """The transport of this name. Raises PluginError or ConfigError."""
        found = self._bound.get(name)
        if found is None:
            found = BoundTransport(self._get(name), self._calls)
            found.ask_ahead()
            found = self._bound.setdefault(name, found)
        return found

    @property
    def patience(self) -> float:
        """Seconds that sending one message takes at the most, with the slowest one in use."""
        return max((each.patience for each in self._bound.values()), default=PATIENCE)
