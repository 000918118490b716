"""Finds the plugins, decides which are wanted, and loads each on its own.

Built-ins, plugins given directly and those of installed distributions are all `Candidate`s and all
go through `admit`.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import pluggy

from dispatcher.errors import PluginError, PluginMissing, describe, pass_on_interruption
from dispatcher.registry.conformance import hook_options, hooks_of, missing
from dispatcher.registry.plugin_calls import CallTimer

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

# Returns the settings of a plugin, given its name and its class `Settings`.
Settings: TypeAlias = "Callable[[str, type[BaseSettings]], BaseSettings]"


@dataclass(frozen=True)
class PluginInfo:
    """A plugin and what became of it: the hooks that it implements, or why it is not active.

    `warnings` say which deprecated hooks or arguments it uses (`warn_on_impl` and
    `warn_on_impl_args` of the specification); it works all the same. `settings` reads its table
    `[plugins.<name>]`, if it may have one; this is unknown unless it is active. `distribution` and
    `version` are None for built-ins and for plugins that were given directly. `str()` names it for
    people: `plugin "utm" (dispatcher-utm 0.1.0)`.
    """

    name: str
    distribution: str | None = None
    version: str | None = None
    hooks: tuple[str, ...] = ()
    status: Literal["active", "disabled", "broken"] = "active"
    error: str | None = None
    builtin: bool = False
    load_seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    settings: type[BaseSettings] | None = None

    @property
    def origin(self) -> str:
        """Where it comes from: "built in", or what is known of distribution and version."""
        known = " ".join(filter(None, (self.distribution, self.version)))
        return "built in" if self.builtin else known

    def signed(self, text: str) -> str:
        """Return a sentence about a message; one of a third party ends with the plugin's name."""
        return text if self.builtin else f"{text} ({self.name})"

    def __str__(self) -> str:
        return f'plugin "{self.name}"' + (f" ({self.origin})" if self.origin else "")


class Candidate(NamedTuple):
    """A plugin that is not loaded yet."""

    info: PluginInfo
    load: Callable[[], Any]


class Manager(pluggy.PluginManager):
    """Finds the same implementations with every version of pluggy, and runs no property."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        return hook_options(plugin, name)


def find_candidates(
    builtins: Iterable[tuple[str, object]],
    plugins: Iterable[tuple[str, object]],
    third_party: bool,
) -> list[Candidate]:
    """Return all candidates in the order in which they are called: by name, built-ins last."""
    others = [*_given(plugins, builtin=False), *(_installed() if third_party else ())]
    return [*sorted(others, key=lambda each: each.info.name), *_given(builtins, builtin=True)]


def disabled_names(without: Iterable[str], found: Iterable[Candidate]) -> Collection[str]:
    """Return the names in `without` and in DISPATCHER_DISABLED_PLUGINS.

    Raises `PluginError` if no plugin has a name in `without`. The variable may have such names: it
    is often set for a whole machine.
    """
    names, known = set(without), {candidate.info.name for candidate in found}
    if names - known:  # with --no-plugins, naming a third party is no mistake
        known |= {candidate.info.name for candidate in _installed()}
    for name in sorted(names - known):
        raise PluginMissing(missing("plugin", name, known))
    return names | set(os.environ.get("DISPATCHER_DISABLED_PLUGINS", "").replace(",", " ").split())


def admit(
    candidate: Candidate,
    manager: pluggy.PluginManager,
    found: Iterable[Candidate],
    disabled: Collection[str],
    settings: Settings,
    timers: list[CallTimer],
) -> tuple[PluginInfo, BaseException | None]:
    """Load, check and register one plugin; return what became of it, and if broken, why."""
    info = candidate.info
    if info.name in disabled:
        return replace(info, status="disabled"), None
    try:
        _refuse_shared_name(info, [each.info for each in found])
        with _timed(info, timers) as timer:
            loaded = candidate.load()
            kind = _settings_of(loaded)
            plugin = loaded if kind is None else loaded(settings(info.name, kind))
        hooks = hooks_of(plugin)
        _refuse_twin(plugin, manager)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            manager.register(plugin, info.name)
    except BaseException as error:
        pass_on_interruption(error)
        return replace(info, status="broken", error=describe(error)), error
    facts: dict[str, Any] = {
        "hooks": hooks,
        "load_seconds": timer.seconds,
        "warnings": tuple(str(warning.message) for warning in caught),
        "settings": kind,
    }
    return replace(info, **facts), None


@contextmanager
def _timed(info: PluginInfo, timers: list[CallTimer]) -> Iterator[CallTimer]:
    """Time the loading of a plugin; its timer is in `timers` meanwhile."""
    timer = CallTimer(info, "loading")
    timers.append(timer)
    try:
        with timer:
            yield timer
    finally:
        timers.remove(timer)


def _settings_of(loaded: Any) -> type[BaseSettings] | None:
    """Return the `Settings` of a plugin that is a class, which is made with them."""
    kind: type[BaseSettings] | None = getattr(loaded, "Settings", None)
    return kind if inspect.isclass(loaded) and inspect.isclass(kind) else None


def _given(plugins: Iterable[tuple[str, object]], builtin: bool) -> Iterator[Candidate]:
    for name, plugin in plugins:
        yield Candidate(PluginInfo(name, builtin=builtin), partial(_imported, plugin))


def _imported(plugin: object) -> object:
    return import_module(plugin) if isinstance(plugin, str) else plugin


def _installed() -> Iterator[Candidate]:
    for entry_point in metadata.entry_points(group="dispatcher"):
        info = PluginInfo(entry_point.name, *_distribution(entry_point))
        yield Candidate(info, entry_point.load)


def _distribution(entry_point: metadata.EntryPoint) -> tuple[str | None, str | None]:
    """Return the name and version of an entry point's distribution, where they are known."""
    try:
        found = entry_point.dist
        return (found.name, found.version) if found else (None, None)
    except Exception:  # damaged metadata: the plugin may still work
        return None, None


def _refuse_shared_name(info: PluginInfo, everybody: Iterable[PluginInfo]) -> None:
    namesakes = [other for other in everybody if other.name == info.name]
    if info.builtin or len(namesakes) == 1:
        return
    if any(other.builtin for other in namesakes):
        raise PluginError("a built-in plugin has this name; uninstall this one, or rename it")
    origins = " and ".join(other.origin or "one given directly" for other in namesakes)
    raise PluginError(f"several plugins have this name: {origins}; uninstall all but one")


def _refuse_twin(plugin: object, manager: pluggy.PluginManager) -> None:
    for name, other in manager.list_name_plugin():
        if other == plugin:
            raise PluginError(
                f'the same object (or an equal one) is plugin "{name}" already; '
                "keep one of the two names"
            )
