"""Explains mistakes in arguments: what is wrong, in one line, and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

import click

from dispatcher.cli.output import print_line
from dispatcher.names import did_you_mean
from dispatcher.printing import print_text
from dispatcher.visible import quoted, visible

_SURROGATES = re.compile(r"[\ud800-\udfff]")
# What people try as a command or an option → what exists.
_COMMANDS = {
    **dict.fromkeys(("check", "lint", "test"), "validate"),
    **dict.fromkeys(("dry-run", "dryrun", "diff", "show", "preflight"), "plan"),
    **dict.fromkeys(("run", "start", "resend", "retry", "deliver"), "send"),
    **dict.fromkeys(("log", "logs", "list"), "history"),
    **dict.fromkeys(("status", "stats", "summary", "result", "results"), "report"),
    **dict.fromkeys(("server", "serve", "mock", "gateway"), "sandbox"),
    "help": "--help",
    "version": "--version",
}
_PLAN = '"dispatcher plan" shows what send would do'
_OPTIONS = {
    **dict.fromkeys(("--dry-run", "--dryrun", "--dry", "--simulate", "--check", "-n"), _PLAN),
    **dict.fromkeys(("--test", "--test-to"), "--trial NUMBER sends samples to one person"),
    **dict.fromkeys(("--message", "--id", "--filter"), "--only ID chooses messages"),
    **dict.fromkeys(("--force", "--retry"), "--resend sends once more what it names"),
    **dict.fromkeys(("--verbose", "-v", "--traceback"), "--debug shows more"),
    **dict.fromkeys(("-y", "--no-input", "--assume-yes"), "--yes agrees"),
    **dict.fromkeys(("--token", "--api-key"), "set GREENAPI_TOKEN in the environment"),
}


def show(error: click.ClickException) -> None:
    """Print on stderr what is wrong, and for a mistake in the command, where its help is."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print_text(error.format_message(), err=True)
        return
    hint = None
    if isinstance(error, click.NoSuchOption):
        hint = _as_argument(error) or _OPTIONS.get(error.option_name)
    if isinstance(error, click.NoSuchOption):
        near = did_you_mean(error.option_name, error.possibilities or ())
        print_line(f"Error: no option {error.option_name}{f'; {hint}' if hint else near}", err=True)
    else:
        print_line(f"Error: {_sentence(error)}", err=True)
    if isinstance(error, click.UsageError) and error.ctx is not None and not hint:
        print_line(f"Try: {error.ctx.command_path} --help", err=True)


def _as_argument(error: click.NoSuchOption) -> str | None:
    """Return how to say what is given as an option, and as an argument in other commands."""
    if error.ctx is None:
        return None
    names = {
        f"--{each.name}" for each in error.ctx.command.params if isinstance(each, click.Argument)
    }
    name = error.option_name
    return f"say it without: {error.ctx.command_path} {name[2:].upper()}" if name in names else None


def _sentence(error: click.ClickException) -> str:
    if not isinstance(error, click.BadParameter) or isinstance(error, click.MissingParameter):
        return error.format_message()
    hint = error.param_hint or (error.param and error.param.opts[0]) or "the command"
    text = error.message.replace("'", '"').rstrip(".")
    text = text.replace("is not a valid integer range", "is no whole number")
    return f"{hint if isinstance(hint, str) else hint[0]}: {text}"


def unknown_command(name: str, known: Iterable[str]) -> str:
    """Return what to say of a command that does not exist."""
    if name.endswith(".toml") or os.path.exists(name):
        return f"{quoted(name)} is no command; try: dispatcher plan {name}"
    meant = _COMMANDS.get(name)
    if meant is not None:
        return f'no command {quoted(name)}; did you mean "{meant}"?'
    return f"no command {quoted(name)}{did_you_mean(name, known)}"


class Utf8Text(click.types.StringParamType):
    """Text in UTF-8, even if the locale is ASCII only; anything else is a usage error."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Decode the bytes of an argument."""
        text = super().convert(value, param, ctx)
        try:
            return text if is_text(text) else os.fsencode(text).decode()
        except UnicodeError:
            self.fail(f'"{visible(text)}" is not UTF-8', param, ctx)


def is_text(argument: str) -> bool:
    """Whether an argument has no lone surrogate, which stands for an undecodable byte."""
    return not _SURROGATES.search(argument)


def only_text(command: click.Command) -> click.Command:
    """Make a command refuse arguments that are no text."""
    for parameter in command.params:
        if type(parameter.type) is click.types.StringParamType:
            parameter.type = Utf8Text()
    if isinstance(command, click.Group):
        for each in command.commands.values():
            only_text(each)
    return command
