"""`dispatcher plugins`: what is installed, from which distribution, with which hooks."""

from __future__ import annotations

import click

from dispatcher.cli.output import coloured, print_json, print_line
from dispatcher.cli.session import Session, json_option, session_options
from dispatcher.registry import PluginInfo


@click.command("plugins")
@json_option
@session_options
def command(session: Session, as_json: bool) -> int:
    """List plugins in the order in which they are asked; exit 2 if one of them is broken."""
    for plugin in session.registry.plugins:
        (_print_json if as_json else _print_text)(plugin)
    session.registry.require_healthy()
    return 0


def _print_json(plugin: PluginInfo) -> None:
    print_json(
        "plugin",
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        builtin=plugin.builtin,
        status=plugin.status,
        hooks=list(plugin.hooks),
        error=plugin.error,
    )


def _print_text(plugin: PluginInfo) -> None:
    source = "built in" if plugin.builtin else f"{plugin.distribution} {plugin.version}"
    colour = "failed" if plugin.status == "broken" else plugin.status
    status = coloured(colour, f"{plugin.status:10}")
    hooks = ", ".join(hook.removeprefix("dispatcher_") for hook in plugin.hooks)
    print_line(f"{plugin.name:<20} {source:<30} {status} {plugin.error or hooks}")
