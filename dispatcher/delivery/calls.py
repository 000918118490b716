"""Calls to transports, which anybody may have written: one that hangs does not hang the run.

A thread cannot be ended from outside. So a call is made by a thread that can be left behind, while
the one that needs the result waits for as long as the transport says that a call takes, and a
moment more. Only `send` of a transport that promises to end in time (`ends_in_time`) is called
directly: handing a call over costs a good part of the time of a post.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from math import isfinite
from queue import SimpleQueue
from typing import Any, TypeAlias, cast

from dispatcher.errors import (
    DispatcherError,
    NotSent,
    OutcomeUnknown,
    PluginError,
    pass_on_interruption,
)
from dispatcher.hookspecs import Transport
from dispatcher.journal.attempts import storable
from dispatcher.models import MediaId, Payload, Receipt, Upload
from dispatcher.planning import GetTransport
from dispatcher.rates import SLOWEST
from dispatcher.registry import Clock, GetClock
from dispatcher.registry.checks import describe

# What a call gave or raised, as soon as it has returned.
Call: TypeAlias = "Future[Any]"

# Seconds that a call takes at the most, where a transport does not say.
PATIENCE = 30.0
# Seconds that a call may take beyond what a transport says.
MARGIN = 1.0
# So many calls that do not return, and the run ends: each of them keeps a thread and a message.
MOST_HANGING = 3


class Caller:
    """A thread that makes calls, one after the other."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Call, Clock, Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="caller", daemon=True).start()

    def make(self, clock: Clock, function: Callable[[], Any]) -> Call:
        """Call a function, which is timed."""
        call: Call = Future()
        self._calls.put((call, clock, function))
        return call

    def dismiss(self) -> None:
        """Let the thread end, once it can."""
        self._calls.put(None)

    def _work(self) -> None:
        while (given := self._calls.get()) is not None:
            call, clock, function = given
            try:
                with clock:
                    value = function()
            except BaseException as error:
                call.set_exception(error)
            else:
                call.set_result(value)


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
    """The calls of one run. `clock`: of a transport's method; it names a slow one.

    `halt`: is told why the run is to end.
    """

    def __init__(self, clock: GetClock, halt: Callable[[str], None]) -> None:
        self._clock, self._halt = clock, halt
        self._lock = threading.Lock()
        self._idle: list[Caller] = []
        self._clocks: dict[tuple[str, str], list[Clock]] = {}
        self._guarded: dict[str, GuardedTransport] = {}
        self._hanging, self._closed = 0, False

    def through(self, transports: GetTransport) -> GetTransport:
        """The same transports, each called through this."""

        def transport(name: str) -> Transport:
            found = self._guarded.get(name)
            if found is None:
                found = GuardedTransport(transports(name), self)
                _ = found.patience  # asked for while nothing has left
                found = self._guarded.setdefault(name, found)
            return cast("Transport", found)  # it has all that is used when something is sent

        return transport

    @property
    def patience(self) -> float:
        """Seconds that sending one message takes at the most, with the slowest one in use."""
        return max((each.patience for each in self._guarded.values()), default=PATIENCE)

    def make(
        self, transport: Transport, method: str, seconds: float, function: Callable[[], Any]
    ) -> Any:
        """What a function answers, within so many seconds. Raises what it raises, or `Overdue`."""
        clock = self._clock_of(transport.name, method)
        try:
            if method == "send" and getattr(transport, "ends_in_time", False) is True:
                clock.patience = seconds + MARGIN  # until then it is only as slow as it may be
                clock.advice = "to end the run: Ctrl-C"
                with clock:
                    return function()
            clock.advice = f"it is waited for until {seconds + MARGIN:.3g} s have passed"
            return self._handed_over(seconds + MARGIN, clock, function)
        finally:
            if clock.since is None:
                self._clocks[transport.name, method].append(clock)

    def failed(self, name: str, method: str) -> str:
        """Who failed in a transport's method, for people."""
        clock = self._clock_of(name, method)
        self._clocks[name, method].append(clock)
        return f"{clock.plugin} failed in {clock.task}"

    def close(self) -> None:
        """Let the threads end that wait for calls, and those that make some once they are done."""
        self._closed = True
        while self._idle:
            self._idle.pop().dismiss()

    def _handed_over(self, seconds: float, clock: Clock, function: Callable[[], Any]) -> Any:
        caller = _taken(self._idle) or Caller()
        call = caller.make(clock, partial(copy_context().run, function))
        with suppress(TimeoutError):
            call.exception(seconds)  # given, not raised, so that only the wait times out
        returned = call.done()
        if returned and not self._closed:
            self._idle.append(caller)
        else:
            caller.dismiss()
        if returned:
            return call.result()
        text = f"{clock.plugin}: {clock.task} did not return within {seconds:.3g} s"
        with self._lock:
            self._hanging += 1
            often = self._hanging == MOST_HANGING
        if often:
            self._halt(f"{MOST_HANGING} calls did not return; {text}")
        raise Overdue(text, call)

    def _clock_of(self, name: str, method: str) -> Clock:
        """A clock that no other thread uses."""
        free = self._clocks.setdefault((name, method), [])
        return _taken(free) or self._clock(name, method)


def _taken(free: list[Any]) -> Any:
    """One of them, which then is nobody else's; None: there is none."""
    try:
        return free.pop()
    except IndexError:
        return None


class GuardedTransport:
    """What delivery uses of a transport. What does not change is asked for once."""

    def __init__(self, transport: Transport, calls: Calls) -> None:
        self.name = transport.name
        self._transport, self._calls = transport, calls
        self._known: dict[str, Any] = {}
        self._lock = threading.Lock()

    def send(self, payload: Payload) -> Receipt:
        """As the transport's; `Hanging`, if it does not return."""
        transport = self._transport
        try:
            receipt: Receipt = self._calls.make(
                transport, "send", self.patience, lambda: transport.send(payload)
            )
        except Overdue as error:
            raise Hanging(f"{error}; it may have been accepted", error.call) from None
        return receipt

    def upload(self, file: Upload) -> MediaId:
        """As the transport's; `NotSent`, if it does not return."""
        transport, seconds = self._transport, self.patience + file.size / SLOWEST
        try:
            media: MediaId = self._calls.make(
                transport, "upload", seconds, lambda: transport.upload(file)
            )
        except Overdue as error:
            raise NotSent(str(error), code="hanging") from None
        return media

    @property
    def reconcile(self) -> Callable[..., Any] | None:
        """As the transport's, if it has one; who does not return cannot tell."""
        ask = self._asked("reconcile", None)
        return None if ask is None else partial(self._reconcile, ask)

    def _reconcile(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self._calls.make(
                self._transport, "reconcile", self.patience, lambda: ask(*arguments)
            )
        except Overdue:
            return None

    def require_credentials(self) -> None:
        """As the transport's, if it has one. Raises PluginError, if it does not return."""
        require = self._asked("require_credentials", None)
        if require is not None:
            self._promptly("require_credentials", require)

    @property
    def account(self) -> str:
        """As the transport's. Raises PluginError, if it gives none; and so do the others."""
        return storable(str(self._asked("account", "")))

    @property
    def rate(self) -> str | None:
        """As the transport's."""
        return self._rate("rate")

    @property
    def recipient_rate(self) -> str | None:
        """As the transport's."""
        return self._rate("recipient_rate")

    @property
    def patience(self) -> float:
        """As the transport's, if it says what can be one."""
        said = self._asked("patience", PATIENCE)
        is_one = isinstance(said, (int, float)) and isfinite(said) and said > 0
        return float(said) if is_one else PATIENCE

    def _rate(self, name: str) -> str | None:
        rate = self._asked(name, None)
        if rate is not None and not isinstance(rate, str):
            raise PluginError(f'transport "{self.name}": {name} is {rate!r}, not a text like "5/s"')
        return rate

    def _asked(self, name: str, default: Any) -> Any:
        if name not in self._known:
            with self._lock:  # one thread asks, the others wait with it
                if name not in self._known:
                    ask = partial(getattr, self._transport, name, default)
                    self._known[name] = self._promptly(name, ask)
        return self._known[name]

    def _promptly(self, name: str, function: Callable[[], Any]) -> Any:
        try:
            return self._calls.make(self._transport, name, PATIENCE, function)
        except Overdue as error:
            raise PluginError(str(error)) from None
        except DispatcherError:
            raise
        except BaseException as error:
            pass_on_interruption(error)
            failed = self._calls.failed(self.name, name)
            raise PluginError(f"{failed}: {describe(error)}") from error
