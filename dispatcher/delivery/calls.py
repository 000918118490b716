"""Calls transports, which anybody may have written, so that a hanging call cannot hang the run.

A thread cannot be ended from outside. So a call is made on a thread that can be abandoned, while
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
from queue import SimpleQueue
from typing import Any

from dispatcher.bound_transports import Call, Calls, CallTimeout
from dispatcher.registry import CallTimer, GetTimer

# Seconds that a call may take beyond what a transport says.
MARGIN = 1.0
# The run ends after this many calls that hang: each of them keeps a thread and a message.
MOST_HANGING = 3


class Caller:
    """A thread that makes calls, one after the other."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Call, CallTimer, Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="caller", daemon=True).start()

    def make(self, timer: CallTimer, function: Callable[[], Any]) -> Call:
        """Call a function with a timer; return its future at once."""
        call: Call = Future()
        self._calls.put((call, timer, function))
        return call

    def dismiss(self) -> None:
        """Let the thread end, once it can."""
        self._calls.put(None)

    def _work(self) -> None:
        while (given := self._calls.get()) is not None:
            call, timer, function = given
            try:
                with timer:
                    value = function()
            except BaseException as error:
                call.set_exception(error)
            else:
                call.set_result(value)


class GuardedCalls(Calls):
    """Makes the calls of one run, each within its time. `halt` ends the run, for a given reason."""

    def __init__(self, timer: GetTimer, halt: Callable[[str], None]) -> None:
        super().__init__(timer)
        self._halt = halt
        self._lock = threading.Lock()
        self._idle: list[Caller] = []
        self._timers: dict[tuple[str, str], list[CallTimer]] = {}
        self._hanging, self._closed = 0, False

    def make(
        self,
        transport: str,
        method: str,
        seconds: float,
        function: Callable[[], Any],
        *,
        ends_in_time: bool = False,
    ) -> Any:
        """Call a function and return its result; raise what it raises, or `CallTimeout`.

        It may take `seconds` and a margin. With `ends_in_time` it surely will not take longer, and
        is called on this thread.
        """
        timer = self._timer_of(transport, method)
        try:
            if ends_in_time:
                timer.warn_after = seconds + MARGIN  # do not warn of it earlier
                timer.advice = "to end the run: Ctrl-C"
                with timer:
                    return function()
            timer.advice = f"it is waited for until {seconds + MARGIN:.3g} s have passed"
            return self._handed_over(seconds + MARGIN, timer, function)
        finally:
            if timer.since is None:
                self._timers[transport, method].append(timer)

    def close(self) -> None:
        """End the idle threads now, and each of the others once its call has returned."""
        self._closed = True
        while self._idle:
            self._idle.pop().dismiss()

    def _handed_over(self, seconds: float, timer: CallTimer, function: Callable[[], Any]) -> Any:
        caller = _taken(self._idle) or Caller()
        call = caller.make(timer, partial(copy_context().run, function))
        with suppress(TimeoutError):
            call.exception(seconds)  # returned, not raised, so that only the wait times out
        returned = call.done()
        if returned and not self._closed:
            self._idle.append(caller)
        else:
            caller.dismiss()
        if returned:
            return call.result()
        text = f"{timer.plugin}: {timer.task} did not return within {seconds:.3g} s"
        with self._lock:
            self._hanging += 1
            often = self._hanging == MOST_HANGING
        if often:
            self._halt(f"{MOST_HANGING} calls did not return; {text}")
        raise CallTimeout(text, call)

    def _timer_of(self, name: str, method: str) -> CallTimer:
        """Return a timer that no other thread is using."""
        free = self._timers.setdefault((name, method), [])
        return _taken(free) or self.timer(name, method)


def _taken(free: list[Any]) -> Any:
    """Take one item, so that no other thread gets it; return None if there is none."""
    try:
        return free.pop()
    except IndexError:
        return None
