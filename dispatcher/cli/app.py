"""The commands, each loaded when it is called: `dispatcher --help` must not wait for the others."""

from __future__ import annotations

from importlib import import_module

import click

from dispatcher.cli.arguments import only_text
from dispatcher.cli.session import plugin_commands
from dispatcher.toml.explain import did_you_mean

_COMMANDS = {
    "validate": "Check manifests; offline.",
    "plan": "Show what send would do, and why; offline.",
    "send": "Send what was not sent yet.",
    "history": "Show what the journal knows.",
    "settle": "Decide whether an unknown message was sent.",
    "journal": "Copy the journal, and see whether a copy is whole.",
    "sandbox": "Run a local gateway to try things on.",
    "preview": "Show the plan as chat bubbles in the browser.",
    "schema": "Print the JSON Schema of manifests, for editors.",
    "plugins": "List plugins, their distributions and hooks.",
}


class App(click.Group):
    """Built-in commands by name; plugins are asked for the rest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *sorted(plugin_commands(_COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return plugin_commands(_COMMANDS).get(cmd_name)
        module = import_module(f"dispatcher.cli.{cmd_name}")
        return only_text(module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(error.message.rstrip(".") + hint, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = list(_COMMANDS.items())
        added = plugin_commands(_COMMANDS)
        rows += [(name, each.get_short_help_str()) for name, each in added.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=App, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="message-dispatcher", prog_name="dispatcher")
def app() -> None:
    """Send the messages that TOML manifests define, once.

    PATH is a manifest or a folder of manifests; without one, the configuration's `manifests`.
    """
