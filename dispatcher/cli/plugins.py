"""`dispatcher plugins`: what is installed, from which distribution, with which hooks."""

from __future__ import annotations

from contextlib import suppress

import click

from dispatcher.cli.output import coloured, print_json, print_line
from dispatcher.cli.session import Session, json_option, session_options
from dispatcher.errors import DispatcherError
from dispatcher.registry import PluginInfo, Registry


@click.command("plugins")
@click.option("--timings", is_flag=True, help="Check the configured manifests, and show the times.")
@json_option
@session_options
def command(session: Session, timings: bool, as_json: bool) -> int:
    """List plugins in the order in which they are asked; exit 2 if one of them is broken."""
    if timings:
        with suppress(DispatcherError):  # there may be no manifests, or broken plugins
            session.planner([]).check()
    for plugin in session.registry.plugins:
        times = _times(session.registry, plugin) if timings else {}
        (_print_json if as_json else _print_text)(plugin, times)
    session.registry.require_healthy()
    return 0


def _times(registry: Registry, plugin: PluginInfo) -> dict[str, float]:
    """Milliseconds to load it and of all its calls; how many these were."""
    clocks = [clock for clock in registry.clocks if clock.plugin.name == plugin.name]
    return {
        "load_ms": round(plugin.load_seconds * 1000, 3),
        "call_ms": round(sum(clock.seconds for clock in clocks) * 1000, 3),
        "calls": sum(clock.calls for clock in clocks),
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
    print_line(f"{plugin.name:<20} {source:<30} {status} {line}")
