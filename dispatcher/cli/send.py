"""`dispatcher send`: check everything, then send what was not sent yet."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from dispatcher.api import Dispatcher, Resend, Sending
from dispatcher.cli.conversation import print_conversation
from dispatcher.cli.interruption import interruptible
from dispatcher.cli.options import (
    good_plan,
    journal_option,
    json_option,
    paths_argument,
    run_option,
    session_options,
    yes_option,
)
from dispatcher.cli.output import confirm, counted
from dispatcher.cli.progress import Reporter, reporter
from dispatcher.config import seconds
from dispatcher.errors import ConfigError

_SANDBOX_TRANSPORT = "greenapi"
_SANDBOX_RATE = "100000/s"  # nobody is to wait for a gateway that is one's own
# What "failed" names is sent anyhow; what was sent as it is now is never sent again like this.
_RESEND: dict[str, set[Resend]] = {
    "failed": set(),
    "changed": {"changed"},
    "unknown": {"unknown"},
    "all": {"changed", "unknown"},
}
_RISKS: dict[Resend, str] = {
    "changed": "was sent before with other content",
    "unknown": "may have arrived, and then arrives twice",
}


@click.command("send")
@paths_argument
@run_option
@journal_option
@click.option("--wait", metavar="TIME", help="Wait so long, like 10m, for another run to end.")
@click.option(
    "--resend",
    type=click.Choice(list(_RESEND)),
    multiple=True,
    help="Also send what changed since it was sent, or what may have arrived already.",
)
@yes_option
@click.option("--sandbox", is_flag=True, help="Send to a local gateway; no account needed.")
@json_option
@session_options
def command(
    dispatcher: Dispatcher,
    paths: tuple[Path, ...],
    run: str,
    wait: str | None,
    resend: tuple[str, ...],
    yes: bool,
    sandbox: bool,
    as_json: bool,
) -> int:
    """Send every message that was not sent yet; one bad message anywhere and nothing leaves."""
    patience = _patience(wait)
    statuses: set[Resend] = set().union(*(_RESEND[name] for name in resend))
    with ExitStack() as stack:
        if sandbox:
            stack.enter_context(_sandbox(dispatcher, as_json))
        plan = good_plan(dispatcher, paths, run)
        if sandbox:
            _require_only_sandbox(dispatcher)
        report = reporter(as_json, len(plan))
        sending = stack.enter_context(
            dispatcher.sending(
                plan,
                report.result,
                statuses,
                patience,
                notice=report.notice,
                renew=bool(patience),
                kept=not sandbox,
            )
        )
        if statuses and not yes:
            _ask(sending, statuses)
        with report, interruptible(sending.delivery):
            summary = sending.run()
        report.summary(summary, _advice(dispatcher, report))
        return summary.exit_code


def _advice(dispatcher: Dispatcher, report: Reporter) -> str | None:
    """What to do where the gateway of this machine is not there."""
    if "connection_refused" not in report.codes:
        return None
    with dispatcher.transports_in_use() as transports:
        here = all(each.local for each in transports)
    return "is the gateway running? to start it: dispatcher sandbox" if here else None


def _ask(sending: Sending, resend: set[Resend]) -> None:
    """Have a person agree to every kind of second copy. Raises click.Abort, UsageError."""
    found = Counter(sending.statuses())
    for status in sorted(resend):
        if found[status]:
            confirm(f"{counted(found[status], 'message')} {_RISKS[status]}. Send again?")


def _patience(wait: str | None) -> float:
    try:
        return seconds(wait) if wait else 0.0
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None


def _require_only_sandbox(dispatcher: Dispatcher) -> None:
    with dispatcher.transports_in_use() as transports:
        for each in transports:
            if each.name != _SANDBOX_TRANSPORT:
                raise ConfigError(
                    f'the sandbox stands in for "{_SANDBOX_TRANSPORT}" only, not for "{each.name}"'
                )


@contextmanager
def _sandbox(dispatcher: Dispatcher, as_json: bool) -> Iterator[None]:
    """A gateway and a journal for this run alone; shows at its end what arrived."""
    from dispatcher.sandbox.process import SandboxDidNotStart, SandboxProcess

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-"))
        try:
            gateway = stack.enter_context(SandboxProcess())
        except (SandboxDidNotStart, OSError) as error:
            raise ConfigError(f"cannot start the sandbox: {error}") from None
        dispatcher.override(
            _SANDBOX_TRANSPORT,
            base_url=gateway.url,
            media_url=gateway.url,
            token="sandbox",
            token_file=None,
            rate=_SANDBOX_RATE,
        )
        dispatcher.journal = f"sqlite:///{folder}/journal.db"
        yield
        if not as_json:
            print_conversation(gateway.messages(), gateway.media())
