"""Transports as the pipeline calls them.

Never directly but through a `BoundTransport`, so that whatever a transport does, raises or returns
is reported with its name and ends in time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection
from datetime import datetime
from functools import cached_property, partial
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from dispatcher import plugin_results
from dispatcher.addresses import phone_address
from dispatcher.errors import (
    AccountRefused,
    AddressError,
    DispatcherError,
    NotSent,
    OutcomeUnknown,
    PluginError,
    Refused,
    describe,
    pass_on_interruption,
)
from dispatcher.models import (
    Address,
    Attachment,
    DeliveryStatus,
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
from dispatcher.transports import (
    INLINE,
    MIN_BYTES_PER_SECOND,
    PATIENCE,
    Transport,
    Uploads,
    optional,
    override,
    takes_two,
)
from dispatcher.visible import storable

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dispatcher.registry.loading import PluginInfo
    from dispatcher.registry.plugin_calls import CallTimer, GetTimer

_UNANSWERED = 3  # questions in a row, after which a gateway is asked no more
# Holds what a call returned or raised, as soon as it has returned.
Call: TypeAlias = "Future[Any]"


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
        self._longest = 0.0
        self._unanswered = 0

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

    @property
    def plugin(self) -> PluginInfo:
        """The plugin that offers it."""
        return self._timers["build"].plugin

    @cached_property
    def _timers(self) -> dict[str, CallTimer]:
        optional = [name for name in ("address", "statuses") if override(self._transport, name)]
        return {name: self._calls.timer(self.name, name) for name in ("build", "check", *optional)}

    @cached_property
    def _builtin(self) -> bool:
        return self.plugin.builtin

    def _call(self, method: str, check: plugin_results.Check, *arguments: object) -> Any:
        timer = self._timers[method]
        try:
            with timer:
                return check(getattr(self._transport, method)(*arguments))
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, AddressError) and method == "address":
                raise
            raise _failed(timer, error) from error

    # For delivery: called through `calls`, as each call may take long, or never return.

    def send(self, payload: Payload, file: Upload | None = None) -> Receipt:
        """Post one message, with its file if that is sent inline.

        Raises `NotSent`, `Refused`, `AccountRefused` or `OutcomeUnknown`, namely `SendTimeout` if
        the call does not return in time.
        """
        return plugin_results.receipt(self.name, lambda: self._send(payload, file))

    def receipt(self, call: Call) -> Receipt:
        """Return what a call returned after `SendTimeout`. Raises as `send` does."""
        return plugin_results.receipt(self.name, call.result)

    @cached_property
    def sends_inline(self) -> bool:
        """Whether a file is sent with its message, and not uploaded."""
        uploads: Uploads = optional(type(self._transport), "uploads")
        return uploads == INLINE

    @property
    def upload_takes_message(self) -> bool:
        """Whether `upload` gets the message, too. Raises PluginError."""
        look = partial(getattr, self._transport, "upload")
        takes: bool = self._once("upload", lambda: takes_two(look(), "message"))
        return takes and not self.sends_inline

    def upload(self, file: Upload, message: Message) -> MediaId:
        """Store the file of a message.

        Raises `NotSent`, also on a timeout, `Refused` or `AccountRefused`.
        """
        return plugin_results.media_id(self.name, lambda: self._upload(file, message))

    def require_intact(self, file: Upload) -> None:
        """Read a file that will be sent inline, as a stream.

        Raises `Refused` if it is not the one that was planned, `NotSent` on a timeout.
        """
        try:
            intact = self._calls.make(self.name, "open", self._seconds(file), file.is_intact)
        except CallTimeout as error:
            raise NotSent(str(error), code="hanging") from None
        except BaseException as error:
            pass_on_interruption(error)
            raise Refused(f"the file cannot be read: {describe(error)}", code="file") from error
        if not intact:
            raise Refused("the file is not the one that was planned", code="file")

    @property
    def can_reconcile(self) -> bool:
        """Whether it may know what became of a message. Raises PluginError.

        A gateway that did not answer several times in a row is not waited for any longer.
        """
        return self._unanswered < _UNANSWERED and self._override("reconcile") is not None

    def reconcile(self, payload: Payload, since: datetime) -> Receipt | Failure | None:
        """Return what the gateway knows of a message, or None if it cannot tell.

        An exception, even `NotSent`, may be about the question itself, so it means None, as do a
        call that does not return and an answer that is not well formed.
        """
        ask = self._override("reconcile")
        try:
            found = self._calls.make(
                self.name, "reconcile", self.patience, lambda: ask(payload, since)
            )
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, (NotSent, OutcomeUnknown, AccountRefused)):
                self._unanswered += 1
            return None
        self._unanswered = 0
        return plugin_results.reconciled(found)

    @property
    def has_statuses(self) -> bool:
        """Whether it may know what became of accepted messages. Raises PluginError."""
        return self._override("statuses") is not None

    def statuses(self, body: Payload | None) -> list[DeliveryStatus]:
        """Return what a webhook's body, or for None the gateway, says of accepted messages.

        Raises DispatcherError, namely PluginError for whatever the transport wrongly raises or
        returns, or if the gateway, when asked, does not answer within `patience`.
        """
        check, ask = plugin_results.delivery_statuses, self._override("statuses")
        found: list[DeliveryStatus] = (
            self._guarded_call("statuses", lambda: check(ask(None)), self.patience)
            if body is None
            else self._call("statuses", check, detached(body))
        )
        return found

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

    @property
    def longest(self) -> float:
        """The most seconds that a message may take which has been sent, or is being sent."""
        return max(self.patience, self._longest)

    def read_ahead(self) -> None:
        """Read what every message needs while nothing has been sent."""
        _ = self.patience, self.ends_in_time, self.upload_takes_message

    def _send(self, payload: Payload, file: Upload | None) -> Any:
        send: Callable[..., Receipt] = self._transport.send
        seconds, prompt = self._seconds(file), self.ends_in_time
        self._longest = max(self._longest, seconds)
        call = partial(send, payload, *([file.detached()] if file else []))
        try:
            return self._calls.make(self.name, "send", seconds, call, ends_in_time=prompt)
        except CallTimeout as error:
            raise SendTimeout(f"{error}; it may have been accepted", error.call) from None

    def _upload(self, file: Upload, message: Message) -> Any:
        more = [message.detached()] if self.upload_takes_message else []
        call = partial(self._transport.upload, file.detached(), *more)
        try:
            return self._calls.make(self.name, "upload", self._seconds(file), call)
        except CallTimeout as error:
            raise NotSent(str(error), code="hanging") from None

    def _seconds(self, file: Upload | None) -> float:
        """Return the most seconds of a call that may read a file."""
        return self.patience + (file.size / MIN_BYTES_PER_SECOND if file else 0.0)

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

    def _guarded_call(
        self, name: str, function: Callable[[], Any], seconds: float | None = None
    ) -> Any:
        """Return what a function returns within these seconds, by default `PATIENCE`.

        Raises DispatcherError only.
        """
        try:
            return self._calls.make(self.name, name, seconds or PATIENCE, function)
        except CallTimeout as error:
            raise PluginError(str(error)) from None
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, DispatcherError) and not isinstance(error, PluginError):
                raise
            raise _failed(self._calls.timer(self.name, name), error) from error


def _failed(timer: CallTimer, error: BaseException) -> PluginError:
    return PluginError(f"{timer.plugin} failed in {timer.task}: {describe(error)}")


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
        """The most seconds that a message under way takes, with the slowest transport in use."""
        return max((each.longest for each in self._bound.values()), default=PATIENCE)
