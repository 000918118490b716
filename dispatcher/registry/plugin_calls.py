"""Calls a plugin's functions: timed, traced, and each failure with the plugin's name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self, TypeAlias, TypeVar

from dispatcher.errors import PluginError, SourceError, describe, pass_on_interruption
from dispatcher.models import Attachment, Message, Model, Payload, Problem
from dispatcher.visible import printable

if TYPE_CHECKING:
    from dispatcher.registry.loading import PluginInfo

Result = TypeVar("Result")

_STDERR = 2


@dataclass
class CallTimer:
    """Times a plugin's calls for one task; `seconds` is the sum of them.

    It runs while it is entered, and must be left in the process in which it was entered. `task` is
    a hook, a transport's method, or "loading". `since` is the `perf_counter` time at which the
    current call began. A call that takes longer than `warn_after` (None: the usual time) is
    reported, with `advice`: what can be done about it, or what will be.
    """

    plugin: PluginInfo
    task: str
    calls: int = 0
    seconds: float = 0.0
    since: float | None = None
    warn_after: float | None = None
    advice: str = ""
    _process: int | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        # A system call; a built-in never forks (benchmarks/planning.py).
        self._process = None if self.plugin.builtin else os.getpid()
        self.since = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and os.getpid() != self._process:
            self._end_copy()
        self.seconds += self.running
        self.calls += 1
        self.since = None

    @property
    def running(self) -> float:
        """The seconds the current call has lasted, or 0 if there is none."""
        since = self.since
        return perf_counter() - since if since is not None else 0.0

    def _end_copy(self) -> NoReturn:
        """End a process that the plugin has forked from this one.

        It must not go on as a second run, and would hold the journal; locks that other threads held
        at the time are never released in it.
        """
        sentence = f"{self.plugin} has forked in {self.task}; the copy of this process was ended"
        with suppress(OSError):
            os.write(_STDERR, f"{printable(sentence)}\n".encode())
        os._exit(1)


# Returns the timer for the names of a transport and of its method.
GetTimer: TypeAlias = Callable[[str, str], CallTimer]


class Implementation(NamedTuple):
    """A plugin's function for a hook, and the names of the arguments that it needs."""

    plugin: PluginInfo
    hook: str
    function: Callable[..., object]
    needed: Sequence[str]
    timer: CallTimer

    def call(self, check: Callable[[object], Result], arguments: Mapping[str, object]) -> Result:
        """Call the function with the arguments it needs; return its result as `check` gives it.

        Raises `PluginError` for whatever it raises, but lets `SourceError` pass from
        `dispatcher_resolve_source`. A third party gets its own copies of all models.
        """
        given = [self._copied(arguments[name]) for name in self.needed]
        try:
            with self.timer:
                result = check(self.function(*given))
                _require_unchanged(given, arguments)
                return result
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, SourceError) and self.hook == "dispatcher_resolve_source":
                raise
            cause = describe(error)
            raise PluginError(f"{self.plugin} failed in {self.hook}: {cause}") from error

    def _copied(self, argument: object) -> object:
        if self.plugin.builtin or not isinstance(argument, Model):
            return argument
        return argument.detached()


def _require_unchanged(given: Iterable[object], arguments: Mapping[str, object]) -> None:
    """Raise PluginError if a plugin changed its copy of a message, which has no effect."""
    message = arguments.get("message")
    for each in given:
        if isinstance(each, Message) and each is not message and each != message:
            raise PluginError("it changed the message; messages are not to be changed")


class Resolution(NamedTuple):
    """What a plugin returned for a source."""

    plugin: PluginInfo
    attachment: Attachment


class Change(NamedTuple):
    """A payload before and after a plugin changed it."""

    plugin: PluginInfo
    before: Payload
    after: Payload


class HookTrace:
    """Records which plugin resolved, objected to and changed what.

    `sources` has the text of the source as its key, the others the key of a message.
    """

    def __init__(self) -> None:
        self.sources: dict[str, Resolution] = {}
        self.objections: defaultdict[str, list[tuple[PluginInfo, Problem]]] = defaultdict(list)
        self.changes: defaultdict[str, list[Change]] = defaultdict(list)

    def resolved(self, source: str, plugin: PluginInfo, attachment: Attachment) -> None:
        """Record what a plugin returned for a source."""
        self.sources[source] = Resolution(plugin, attachment)

    def objected(self, key: str, plugin: PluginInfo, problem: Problem) -> None:
        """Record a plugin's problem with a message."""
        self.objections[key].append((plugin, problem))

    def transformed(self, key: str, plugin: PluginInfo, before: Payload, after: Payload) -> None:
        """Record a payload before and after a plugin, if it differs."""
        if before != after:
            self.changes[key].append(Change(plugin, before, after))
