"""How long a plugin takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from dispatcher.registry.loading import PluginInfo


@dataclass
class Clock:
    """A plugin's calls for one task; `seconds`: all together. Runs while it is entered.

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

    def __enter__(self) -> Self:
        self.since = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += self.running
        self.calls += 1
        self.since = None

    @property
    def running(self) -> float:
        """Seconds for which the call that is under way has lasted; 0: there is none."""
        since = self.since
        return perf_counter() - since if since is not None else 0.0


# The names of a transport and of its method → the clock for it.
GetClock: TypeAlias = Callable[[str, str], Clock]
