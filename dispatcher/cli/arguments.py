"""Arguments as text: keys, names and numbers have to be text; a path may be any bytes."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from dispatcher.visible import visible

_SURROGATES = re.compile(r"[\ud800-\udfff]")


class Text(click.types.StringParamType):
    """Text, in UTF-8 also where the locale knows ASCII only; anything else is a usage error."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """What was meant by the bytes of an argument."""
        text = super().convert(value, param, ctx)
        try:
            return text if is_text(text) else os.fsencode(text).decode()
        except UnicodeError:
            self.fail(f'"{visible(text)}" is not UTF-8', param, ctx)


def is_text(argument: str) -> bool:
    """Whether it holds none of the lone surrogates that stand for what the locale cannot decode."""
    return not _SURROGATES.search(argument)


def only_text(command: click.Command) -> click.Command:
    """A command whose arguments all have to be text."""
    for parameter in command.params:
        if type(parameter.type) is click.types.StringParamType:
            parameter.type = Text()
    if isinstance(command, click.Group):
        for each in command.commands.values():
            only_text(each)
    return command
