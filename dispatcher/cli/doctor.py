"""`dispatcher doctor`: examines what sending depends on besides the manifests."""

from __future__ import annotations

from collections.abc import Callable

import click

from dispatcher.api import Dispatcher
from dispatcher.api.doctor import Finding, examine
from dispatcher.cli.options import journal_option, json_option
from dispatcher.cli.output import coloured, print_json, print_line
from dispatcher.cli.session import unopened_session_options
from dispatcher.errors import ExitCode

_COLOURS = {"ok": "sent", "warn": "warning", "FAIL": "error"}


@click.command("doctor")
@click.option("--online", is_flag=True, help="Ask the gateways, too; nothing is sent.")
@journal_option
@json_option
@unopened_session_options
def command(open_dispatcher: Callable[[], Dispatcher], online: bool, as_json: bool) -> int:
    """Examine configuration, plugins, credentials, journal, clock and disk; one line each.

    Exit code 2: something is broken. Warnings break nothing, and credentials are never shown.
    """
    broken = False
    for found in examine(open_dispatcher, online=online):
        broken = broken or found.level == "FAIL"
        if as_json:
            print_json("finding", **found._asdict())
        else:
            _print_text(found)
    return ExitCode.USAGE if broken else ExitCode.DONE


def _print_text(found: Finding) -> None:
    level = coloured(_COLOURS[found.level], f"{found.level:5}")
    remedy = f"; {found.remedy}" if found.remedy else ""
    print_line(level, f" {found.subject:14} {found.sentence}{remedy}")
