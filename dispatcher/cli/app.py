"""The commands, each loaded when it is called, so that `dispatcher --help` is fast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from dispatcher.cli.options import early_session_options
from dispatcher.cli.usage import only_text
from dispatcher.command_names import COMMANDS


class App(click.Group):
    """Built-in commands by name; plugins are asked for the rest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(_added(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return _added(ctx).get(cmd_name)
        module = import_module(f"dispatcher.cli.{cmd_name}")
        return only_text(module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments: session options may stand before the command."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            if name.startswith("-"):
                return super().resolve_command(ctx, args)
            from dispatcher.cli.usage import unknown_command

            raise click.UsageError(unknown_command(name, self.list_commands(ctx)), ctx)
        return name, command, [*_before(ctx, command), *args[1:]]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return commands, which need not be loaded for that, and options."""
        known = dict(COMMANDS)
        with suppress(Exception):  # a broken plugin has none
            known |= {name: each.get_short_help_str() for name, each in _added(ctx).items()}
        items = [CompletionItem(name, help=known[name]) for name in known]
        chosen = [each for each in items if each.value.startswith(incomplete)]
        return chosen + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = list(COMMANDS.items())
        added = _added(ctx)
        rows += [(name, each.get_short_help_str()) for name, each in added.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _added(ctx: click.Context) -> dict[str, click.Command]:
    """Return the commands of the plugins in use."""
    from dispatcher.cli.session import plugin_commands

    given = ctx.params
    return plugin_commands(
        config=given.get("config"),
        profile=given.get("profile"),
        without=given.get("without", ()),
        third_party=not given.get("no_plugins"),
    )


def _before(ctx: click.Context, command: click.Command) -> Iterator[str]:
    """Yield the options that stand before the command, to be read as if they stood after it.

    A plugin's command need not have them: for that, they only choose the plugins and their
    settings.
    """
    own = {parameter.name for parameter in command.params}
    for option in ctx.command.params:
        name = option.name or ""
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and option.expose_value and (name in own or command.name in COMMANDS):
            value = ctx.params[name]
            for each in value if isinstance(value, tuple) else (value,):
                yield from (option.opts[0],) if each is True else (option.opts[0], str(each))


@click.group(cls=App, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="message-dispatcher", prog_name="dispatcher")
@early_session_options
def app(**_: Any) -> None:
    """Send the messages that TOML manifests define, once.

    PATH is a manifest or a folder of manifests; without one, the configuration's `manifests`.
    """
