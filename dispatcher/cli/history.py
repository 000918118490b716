"""`dispatcher history`: what the journal knows."""

from __future__ import annotations

import click

from dispatcher.cli.output import coloured, print_json, print_line
from dispatcher.cli.session import Session, journal_option, json_option, session_options
from dispatcher.journal import HistoryRow, read_journal


@click.command("history")
@click.option("--run", metavar="NAME", help="Only this run.")
@click.option("--manifest", metavar="NAME", help="Only this manifest.")
@click.option("--to", "recipient", metavar="RECIPIENT", help="Only this recipient.")
@click.option("--status", type=click.Choice(["sent", "failed", "unknown", "sending"]))
@journal_option
@json_option
@session_options
def command(session: Session, journal: str | None, as_json: bool, **filters: str | None) -> int:
    """Show the messages that were tried, the oldest change first."""
    found = False
    with read_journal(session.journal_url(journal)) as opened:
        for row in opened.history(**filters) if opened else ():
            found = True
            (_print_json if as_json else _print_text)(row)
    if not found:
        print_line("the journal knows no such message", err=True)
    return 0 if found else 3


def _print_json(row: HistoryRow) -> None:
    fields = row._asdict()
    fields["error"] = row.error.model_dump() if row.error else None
    fields["to"] = fields.pop("recipient")
    print_json("message", **fields)


def _print_text(row: HistoryRow) -> None:
    detail = row.id or (f"{row.error.code}: {row.error.text}" if row.error else "")
    print_line(
        f"{row.changed_at[:19]}  {coloured(row.status, f'{row.status:7}')} {row.key}  {detail}"
    )
