"""The plugins of one run: loaded, called, and named in every error.

pluggy keeps the implementations and their order. They are called from here, one at a time, so that
every failure and every result belongs to one plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pluggy
from pydantic import ValidationError

from dispatcher import hookspecs, plugin_results
from dispatcher.command_names import COMMANDS
from dispatcher.errors import (
    ConfigError,
    PluginError,
    PluginMissing,
    SourceError,
    describe,
    pass_on_interruption,
)
from dispatcher.hookspecs import Engine
from dispatcher.models import Attachment, Contents, Message, Outcome, Problem, decode
from dispatcher.registry import conformance
from dispatcher.registry.conformance import missing
from dispatcher.registry.loading import (
    Manager,
    PluginInfo,
    Settings,
    admit,
    disabled_names,
    find_candidates,
)
from dispatcher.registry.plugin_calls import CallTimer, Change, GetTimer, HookTrace, Implementation
from dispatcher.registry.transforming import (
    RecipientChanged,
    changed_field,
    recipient_of,
    transformed,
)
from dispatcher.transports import RECIPIENT_FIELDS, Transport, optional

if TYPE_CHECKING:
    import click

__all__ = [
    "CallTimer",
    "Change",
    "GetTimer",
    "HookTrace",
    "PluginInfo",
    "RecipientChanged",
    "Registry",
    "build_registry",
]

Offer = TypeVar("Offer")
Result = TypeVar("Result")


class Registry:
    """The plugins of one run, with a typed method for each hook; `build_registry` makes one.

    Each method raises `PluginError`, with plugin, distribution, version, hook and cause, when a
    plugin raises anything or returns what the hook does not allow. `plugins` are all of them, in
    the order in which they are called; `tryfirst` and `trylast` change it for a single hook.
    `timers` are those of every implementation that may have been called. `trace`, if set, records
    what plugins return.
    """

    def __init__(
        self,
        manager: pluggy.PluginManager,
        plugins: Iterable[PluginInfo],
        causes: Iterable[BaseException],
        timers: list[CallTimer],
    ) -> None:
        self.plugins = tuple(plugins)
        self._manager = manager
        self._causes = tuple(causes)
        self._active = {plugin.name: plugin for plugin in self.plugins if plugin.status == "active"}
        self._implementations = cache(self._in_call_order)
        self.timers = timers
        self._owners: dict[tuple[str, str], PluginInfo] = {}
        self._content_timers: dict[str, CallTimer] = {}
        self.trace: HookTrace | None = None

    def require_healthy(self) -> None:
        """Raise `PluginError` if plugins are broken, with each of them and how to go on without.

        Wrong settings raise a `ConfigError`: the plugin is not at fault. Commands of plugins must
        have names of their own.
        """
        found = (cause for cause in self._causes if isinstance(cause, ConfigError))
        wrong = [sentence for cause in found for sentence in cause.sentences]
        if wrong:
            raise ConfigError(*wrong)
        broken = [plugin for plugin in self.plugins if plugin.status == "broken"]
        if broken:
            lines = [f"{plugin} cannot be loaded: {plugin.error}" for plugin in broken]
            lines.append(f"to go on without: {self._way_on(broken)}")
            raise PluginError(*lines) from BaseExceptionGroup("broken", self._causes)
        self.commands()

    def _way_on(self, broken: list[PluginInfo]) -> str:
        # `--without` would also disable the built-in of that name.
        builtins = {plugin.name for plugin in self.plugins if plugin.builtin}
        if any(plugin.name in builtins and not plugin.builtin for plugin in broken):
            return "--no-plugins"
        return " ".join(dict.fromkeys(f"--without {plugin.name}" for plugin in broken))

    def resolve_source(self, source: str, base: Path) -> Attachment | None:
        """Return what the first plugin that knows a source makes of it, or None if none does.

        Raises `SourceError`, with the plugin's name, if a plugin does.
        """
        arguments = {"source": source, "base": base}
        for each in self._implementations("dispatcher_resolve_source"):
            try:
                attachment = each.call(plugin_results.checked_attachment, arguments)
            except SourceError as error:
                raise SourceError(each.plugin.signed(str(error))) from error
            if attachment is not None:
                if self.trace:
                    self.trace.resolved(source, each.plugin, attachment)
                return attachment
        return None

    def validate_message(self, message: Message, attachment: Attachment | None) -> list[Problem]:
        """Return every plugin's problems with a message."""
        arguments = {"message": message, "attachment": attachment}
        problems = []
        for each in self._implementations("dispatcher_validate_message"):
            for problem in each.call(plugin_results.checked_problems, arguments):
                signed = each.plugin.signed(problem.message)
                problems.append(problem.model_copy(update={"message": signed}))
                if self.trace:
                    self.trace.objected(message.key, each.plugin, problem)
        return problems

    def transform_payload(
        self, built: bytes, message: Message, fields: Collection[str] = RECIPIENT_FIELDS
    ) -> bytes:
        """Return a sealed payload as every plugin, one after the other, has changed it.

        `built` is the sealed payload of the transport, `fields` are the names of those that say who
        gets it. Raises `RecipientChanged`.
        """
        implementations = self._implementations("dispatcher_transform_payload")
        recipient = recipient_of(decode(built), fields) if implementations else {}
        sealed = built
        for each in implementations:
            before, sealed = sealed, transformed(each, sealed, message)
            payload = decode(sealed)
            field = changed_field(recipient, recipient_of(payload, fields))
            if field is not None:
                raise RecipientChanged(each.plugin, field)
            if self.trace:
                self.trace.transformed(message.key, each.plugin, decode(before), payload)
        return sealed

    def unsteady(self, built: bytes, message: Message) -> list[PluginInfo]:
        """Return the plugin that changes one payload in two ways; else all that may have done so.

        Built-ins are not among them.
        """
        sealed, suspects = built, []
        for each in self._implementations("dispatcher_transform_payload"):
            before, sealed = sealed, transformed(each, sealed, message)
            if transformed(each, before, message) != sealed:
                return [each.plugin]
            suspects.append(each.plugin)
        return suspects

    def message_finished(self, message: Message, outcome: Outcome) -> list[PluginError]:
        """Notify every plugin how a message ended. Returns their failures; none is raised."""
        failures = []
        for each in self._implementations("dispatcher_message_finished"):
            try:
                each.call(plugin_results.require_nothing, {"message": message, "outcome": outcome})
            except PluginError as error:
                failures.append(PluginError(f"{error} (message {message.key})"))
        return failures

    def transports(self) -> dict[str, type[Transport]]:
        """Return all transports by name. Raises `PluginError` if two have one name."""
        return self._offers("transport", conformance.checked_transports)

    def contents(self) -> dict[str, Contents]:
        """Return the kinds of content of each transport, by its name."""
        return {
            name: optional(transport, "contents") for name, transport in self.transports().items()
        }

    def call_content(self, transport: str, function: Callable[[], Result]) -> Result:
        """Call what a transport's model of a content has, and return its result.

        Raises `PluginError` for whatever it raises, but lets pydantic's `ValidationError` pass.
        """
        if transport not in self._content_timers:
            self._content_timers[transport] = self.timer(transport, "contents")
        timer = self._content_timers[transport]
        try:
            with timer:
                return function()
        except ValidationError:
            raise
        except BaseException as error:
            pass_on_interruption(error)
            failed = f"{timer.plugin} failed in {timer.task}"
            raise PluginError(f"{failed}: {describe(error)}") from error

    def transport(self, name: str) -> type[Transport]:
        """Return the transport of this name. Raises `PluginError` if there is none."""
        return _choose("transport", name, self.transports())

    def owner(self, kind: Literal["transport", "engine"], name: str) -> PluginInfo:
        """Return the plugin that offers a transport or an engine."""
        return self._owners.get((kind, name), PluginInfo(name))

    def timer(self, transport: str, method: str) -> CallTimer:
        """Return a timer for a transport's method; its time counts for the plugin."""
        owner = self.owner("transport", transport)
        made = CallTimer(owner, f'{method} of transport "{transport}"')
        self.timers.append(made)
        return made

    def engines(self) -> dict[str, Engine]:
        """Return all engines by name. Raises `PluginError` if two have one name."""
        return self._offers("engine", conformance.checked_engines)

    def engine(self, name: str) -> Engine:
        """Return the engine of this name. Raises `PluginError` if there is none."""
        return _choose("engine", name, self.engines())

    def commands(self) -> list[click.Command]:
        """Return all subcommands that plugins add.

        Raises `PluginError` if two have one name, or one has the name of a built-in one.
        """
        offers = self._offers("command", conformance.checked_commands)
        for name in offers.keys() & COMMANDS.keys():
            owner = self._owners["command", name]
            offer = f'{owner} offers a command named "{name}", which is built in'
            raise PluginError(f"{offer}; disable it: DISPATCHER_DISABLED_PLUGINS={owner.name}")
        return list(offers.values())

    def _offers(self, kind: str, check: Callable[[object], list[Any]]) -> dict[str, Any]:
        offers: dict[str, Any] = {}
        owners: dict[str, PluginInfo] = {}
        for each in self._implementations(f"dispatcher_{kind}s"):
            for offer in each.call(check, {}):
                other = owners.setdefault(offer.name, each.plugin)
                if offer.name in offers:
                    both = f'{other} and {each.plugin} both offer a {kind} named "{offer.name}"'
                    raise PluginError(f"{both}; go on without one of them: --without NAME")
                offers[offer.name] = offer
                self._owners[kind, offer.name] = each.plugin
        return offers

    def _in_call_order(self, hook: str) -> list[Implementation]:
        # pluggy's own order differs only for several with trylast, which it calls in reverse.
        names = list(self._active)
        found = sorted(
            getattr(self._manager.hook, hook).get_hookimpls(),
            key=lambda each: (each.trylast, not each.tryfirst, names.index(each.plugin_name)),
        )
        return [self._implementation(hook, each) for each in found]

    def _implementation(self, hook: str, found: pluggy.HookImpl) -> Implementation:
        plugin = self._active[found.plugin_name]
        timer = CallTimer(plugin, hook)
        self.timers.append(timer)
        return Implementation(plugin, hook, found.function, found.argnames, timer)


def build_registry(
    builtins: Iterable[tuple[str, object]] = (),
    plugins: Iterable[tuple[str, object]] = (),
    *,
    without: Iterable[str] = (),
    third_party: bool = True,
    settings: Settings = lambda name, kind: kind(),
    timers: list[CallTimer] | None = None,
) -> Registry:
    """Load the plugins of one run.

    `builtins` and `plugins` are names, each with a module, an object or the dotted name of a
    module, which is imported only if it is not disabled. With `third_party`, those in the entry
    points of installed distributions are loaded, too. `without` has names to disable, in addition
    to those in the environment variable DISPATCHER_DISABLED_PLUGINS. `settings` reads the settings
    of a plugin that is a class with `Settings`; by default, from the environment. The timers of the
    registry, and of each plugin while it is loaded, are appended to `timers`.

    A plugin that cannot be loaded is listed as broken and does not affect the others; see
    `Registry.require_healthy`. Raises `PluginError` if `without` has a name that no plugin has.
    """
    found = find_candidates(builtins, plugins, third_party)
    disabled = disabled_names(without, found)
    manager = Manager("dispatcher")
    manager.add_hookspecs(hookspecs)
    # Built-ins first: if two names have one object, the built-in keeps its name.
    timers = [] if timers is None else timers
    loaded = [admit(each, manager, found, disabled, settings, timers) for each in reversed(found)]
    causes = [cause for _, cause in loaded if cause]
    return Registry(manager, [info for info, _ in reversed(loaded)], causes, timers)


def _choose(kind: str, name: str, offers: dict[str, Offer]) -> Offer:
    if name not in offers:
        raise PluginMissing(missing(kind, name, offers))
    return offers[name]
