"""`dispatcher settle`: a person's word on messages of which nobody knows whether they arrived."""

from __future__ import annotations

import click

from dispatcher.cli.output import coloured, print_line
from dispatcher.cli.session import Session, journal_option, session_options
from dispatcher.journal import open_journal


@click.command("settle")
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
@click.option("--sent", is_flag=True, help="They arrived: skip them from now on.")
@click.option("--not-sent", is_flag=True, help="They did not arrive: the next run sends them.")
@journal_option
@session_options
def command(
    session: Session, keys: tuple[str, ...], journal: str | None, sent: bool, not_sent: bool
) -> int:
    """Settle unknown messages by a person's word."""
    if sent == not_sent:
        raise click.UsageError("say either --sent or --not-sent")
    unsettled = 0
    with open_journal(session.journal_url(journal), run="settle") as opened:
        for key in keys:
            if opened.settle(key, sent=sent):
                print_line(f"{coloured('sent') if sent else 'not sent'}  {key}")
            else:
                unsettled += 1
                print_line(f"{coloured('error')}: {key} is not unknown to the journal", err=True)
    return 3 if unsettled else 0
