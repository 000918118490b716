"""`dispatcher plugins`: lists what is installed, from which distribution; `new` makes one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from dispatcher.api import Dispatcher
from dispatcher.builtin import builtins
from dispatcher.cli.options import debug_option, json_option
from dispatcher.cli.output import coloured, print_json, print_line
from dispatcher.cli.session import session_options
from dispatcher.errors import ConfigError, DispatcherError, ExitCode
from dispatcher.registry import PluginInfo, Registry
from dispatcher.scaffold import KINDS, Kind, create


@click.group("plugins", invoke_without_command=True)
@click.option("--timings", is_flag=True, help="Check the configured manifests, and show the times.")
@json_option
@session_options
def command(dispatcher: Dispatcher, timings: bool, as_json: bool) -> int:
    """List plugins in the order in which they are asked; exit 2 if one of them is broken."""
    if timings:
        with suppress(DispatcherError):  # there may be no manifests, or broken plugins
            dispatcher.plan()
    for plugin in dispatcher.registry.plugins:
        times = _times(dispatcher.registry, plugin) if timings else {}
        (_print_json if as_json else _print_text)(plugin, times)
    dispatcher.registry.require_healthy()
    return ExitCode.DONE


@command.command("new")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="transformer",
    show_default=True,
    help="Where media come from, a check, a change to what is posted, a gateway, or an engine.",
)
@click.option(
    "--content",
    metavar="NAME",
    help="A kind of content of its own, like poll, for a transport: the name of its table.",
)
@debug_option
def new(name: str, kind: Kind, content: str | None) -> int:
    """Write a distribution with a plugin that passes its own tests, in ./dispatcher-NAME."""
    if name in dict(builtins()):
        raise ConfigError(f'"{name}" is the name of a built-in plugin; choose another one')
    if content is not None and kind != "transport":
        raise click.UsageError("--content is for --kind transport: only transports have contents")
    for path in create(name, kind, Path(), content):
        print_line(f"wrote {path}")
    print_line(f"next: pip install -e 'dispatcher-{name}[dev]' && dispatcher plugins", err=True)
    return ExitCode.DONE


def _times(registry: Registry, plugin: PluginInfo) -> dict[str, float]:
    """Return the milliseconds of loading a plugin and of all its calls, and their number."""
    timers = [timer for timer in registry.timers if timer.plugin.name == plugin.name]
    return {
        "load_ms": round(plugin.load_seconds * 1000, 3),
        "call_ms": round(sum(timer.seconds for timer in timers) * 1000, 3),
        "calls": sum(timer.calls for timer in timers),
    }


def _print_json(plugin: PluginInfo, times: dict[str, float]) -> None:
    print_json(
        "plugin",
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        builtin=plugin.builtin,
        status=plugin.status,
        hooks=list(plugin.hooks),
        error=plugin.error,
        **times,
    )


def _print_text(plugin: PluginInfo, times: dict[str, float]) -> None:
    source = "built in" if plugin.builtin else f"{plugin.distribution} {plugin.version}"
    colour = "failed" if plugin.status == "broken" else plugin.status
    status = coloured(colour, f"{plugin.status:10}")
    hooks = ", ".join(hook.removeprefix("dispatcher_") for hook in plugin.hooks)
    timed = "load {load_ms:7.1f} ms  calls {call_ms:7.1f} ms / {calls:<6}  " if times else ""
    line = f"{timed.format(**times)}{plugin.error or hooks}"
    print_line(f"{plugin.name:<20} {source:<30} ", status, f" {line}")
