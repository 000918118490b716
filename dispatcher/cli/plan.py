"""`dispatcher plan`: what send would do and why, offline."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.explanation import objections_named, print_explanation
from dispatcher.cli.options import (
    good_plan,
    journal_option,
    json_option,
    paths_argument,
    run_option,
    session_options,
)
from dispatcher.cli.output import coloured, described, print_json, print_line
from dispatcher.errors import ExitCode
from dispatcher.models import Upload
from dispatcher.planning import PlannedMessage
from dispatcher.printing import print_encoded
from dispatcher.registry import HookTrace

_SIGNS = {"new": "+", "sent": "=", "changed": "~", "retry": "!", "unknown": "?"}


@click.command("plan")
@paths_argument
@run_option
@journal_option
@click.option("--payloads", is_flag=True, help="Print the exact JSON that would be posted.")
@click.option("--explain", is_flag=True, help="Show which plugin decided and changed what.")
@json_option
@session_options
def command(
    dispatcher: Dispatcher,
    paths: tuple[Path, ...],
    run: str,
    payloads: bool,
    explain: bool,
    as_json: bool,
) -> int:
    """Show what send would do, message by message, without a network."""
    counts: Counter[str] = Counter()
    trace = dispatcher.registry.trace = HookTrace() if explain else None
    with objections_named(trace):
        plan = good_plan(dispatcher, paths, run)
    for planned in plan:
        counts[planned.status] += 1
        if as_json:
            _print_json(planned)
        else:
            _print_text(planned, payloads)
        if trace and not as_json:
            print_explanation(planned, trace)
    if not as_json:
        known = ", ".join(f"{counts[status]} {status}" for status in _SIGNS if counts[status])
        print_line(f"Plan: {known or 'nothing'}.", err=True)
    return ExitCode.DONE if counts else ExitCode.NOTHING


def _print_json(planned: PlannedMessage) -> None:
    print_json(
        "plan",
        key=planned.message.key,
        status=planned.status,
        payload=planned.payload,
        upload=_upload(planned.upload),
    )


def _upload(upload: Upload | None) -> dict[str, object] | None:
    return upload.model_dump(exclude={"open"}) if upload else None


def _print_text(planned: PlannedMessage, payloads: bool) -> None:
    status = coloured(planned.status, f"{_SIGNS[planned.status]} {planned.status:8}")
    print_line(status, f" {planned.message.key}  {described(planned.message)}")
    if payloads:
        print_encoded(planned.sealed.decode(), before="  ")
