"""How long a plugin takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn, Self, TypeAlias

from dispatcher.visible import printable

if TYPE_CHECKING:
    from dispatcher.registry.loading import PluginInfo

_STDERR = 2


@dataclass
class Clock:
    """A plugin's calls for one task; `seconds`: all together. Runs while it is entered, and must be
    left in the process in which it was.

    `task`: a hook, a transport's method, or "loading". `since`: when the call that is under way
    began, in the time of `perf_counter`. People are told of a call that takes longer than
    `patience` (None: than usual), and what can be done, or will be: `advice`.
    """

    plugin: PluginInfo
    task: str
    calls: int = 0
    seconds: float = 0.0
    since: float | None = None
    patience: float | None = None
    advice: str = ""
    _process: int = field(default=0, repr=False)

    def __enter__(self) -> Self:
        self._process = os.getpid()
        self.since = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._process:
            self._end_copy()
        self.seconds += self.running
        self.calls += 1
        self.since = None

    @property
    def running(self) -> float:
        """Seconds for which the call that is under way has lasted; 0: there is none."""
        since = self.since
        return perf_counter() - since if since is not None else 0.0

    def _end_copy(self) -> NoReturn:
        """The plugin has forked. The copy of this process must not go on as a second run, and would
        hold the journal; what other threads were at is locked in it for ever."""
        sentence = f"{self.plugin} has forked in {self.task}; the copy of this process was ended"
        with suppress(OSError):
            os.write(_STDERR, f"{printable(sentence)}\n".encode())
        os._exit(1)


# The names of a transport and of its method → the clock for it.
GetClock: TypeAlias = Callable[[str, str], Clock]
