"""`dispatcher send`: check everything, then send what was not sent yet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from dispatcher.cli.conversation import print_conversation
from dispatcher.cli.interruption import interruptible
from dispatcher.cli.output import confirm, counted, print_warnings
from dispatcher.cli.progress import Reporter, reporter
from dispatcher.cli.session import (
    Session,
    check_or_exit,
    journal_option,
    json_option,
    paths_argument,
    run_option,
    session_options,
    yes_option,
)
from dispatcher.config import seconds
from dispatcher.delivery import Delivery, Summary
from dispatcher.delivery.calls import GuardedCalls
from dispatcher.delivery.pacefile import PaceFile, default_path
from dispatcher.delivery.pacing import Pace
from dispatcher.delivery.turns import Turns
from dispatcher.errors import ConfigError
from dispatcher.journal import Journal, Sharing, open_journal
from dispatcher.models import Message, Outcome
from dispatcher.planning import Planner, PlanStatus
from dispatcher.transports import BoundTransport

_SANDBOX_TRANSPORT = "greenapi"
_SANDBOX_RATE = "100000/s"  # nobody is to wait for a gateway that is one's own
# What "failed" names is sent anyhow; what was sent as it is now is never sent again like this.
_RESEND: dict[str, set[PlanStatus]] = {
    "failed": set(),
    "changed": {"changed"},
    "unknown": {"unknown"},
    "all": {"changed", "unknown"},
}
_RISKS: dict[PlanStatus, str] = {
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
    session: Session,
    paths: tuple[Path, ...],
    run: str,
    journal: str | None,
    wait: str | None,
    resend: tuple[str, ...],
    yes: bool,
    sandbox: bool,
    as_json: bool,
) -> int:
    """Send every message that was not sent yet; one bad message anywhere and nothing leaves."""
    patience = _patience(wait)
    with ExitStack() as stack:
        url = stack.enter_context(_sandbox(session, as_json)) if sandbox else None
        planner = session.planner(paths, run)
        check_or_exit(planner)
        _require_credentials(session, only_sandbox=sandbox)
        opened = stack.enter_context(
            open_journal(url or session.journal_url(journal), patience, run, kept=not sandbox)
        )
        print_warnings(opened.warnings)
        if patience:  # files may have changed meanwhile
            planner = session.planner(paths, run)
            check_or_exit(planner, again=True)
        session.warn_of_namesakes(planner, opened)
        session.note_places(planner, opened)
        statuses: set[PlanStatus] = set().union(*(_RESEND[name] for name in resend))
        if statuses and not yes:
            _ask(planner, opened, statuses)
        return _deliver(session, planner, opened, reporter(as_json, planner.checked), statuses)


def _deliver(
    session: Session,
    planner: Planner,
    journal: Journal,
    report: Reporter,
    resend: set[PlanStatus],
) -> int:
    def finished(message: Message, outcome: Outcome) -> None:
        report.result(message, outcome)
        for failure in session.registry.message_finished(message, outcome):
            report.warning(str(failure))

    settings = session.config.settings.delivery
    engine = session.registry.engine(settings.engine)
    with journal.sharing() as sharing, _turns(sharing) as turns, report:
        delivery = Delivery(
            journal,
            session.transport,
            settings,
            Pace(turns),
            finished,
            resend,
            report.notice,
            planner.inputs,
            session.registry.clock,
            sharing,
        )
        with interruptible(delivery):
            summary = delivery.run(planner.plan(journal.lookup), engine, planner.checked)
    report.summary(summary, _advice(session, report))
    return exit_code(summary)


@contextmanager
def _turns(sharing: Sharing | None) -> Iterator[Turns]:
    """Those of all runs on a shared journal, or else of all runs on this machine."""
    if sharing is not None:
        yield Turns(sharing)
        return
    with PaceFile(default_path()) as file:
        yield Turns(file)


def exit_code(summary: Summary) -> int:
    """docs/design.md, "Exit codes": an interruption wins, then an unknown outcome."""
    if summary.interrupted:
        return 130
    if summary.unknown:
        return 5
    if summary.failed or summary.stopped or summary.not_tried:
        return 4 if summary.sent else 1
    return 0 if sum(summary.counts.values()) else 3


def _advice(session: Session, report: Reporter) -> str | None:
    """What to do where the gateway of this machine is not there."""
    if "connection_refused" not in report.codes:
        return None
    with _bound(session) as transports:
        here = all(each.local for each in transports)
    return "is the gateway running? to start it: dispatcher sandbox" if here else None


def _ask(planner: Planner, journal: Journal, resend: set[PlanStatus]) -> None:
    """Have a person agree to every kind of second copy. Raises click.Abort, UsageError."""
    found = [each.status for each in planner.plan(journal.lookup) if each.status in resend]
    for status in sorted(set(found)):
        confirm(f"{counted(found.count(status), 'message')} {_RISKS[status]}. Send again?")


def _patience(wait: str | None) -> float:
    try:
        return seconds(wait) if wait else 0.0
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None


def _require_credentials(session: Session, *, only_sandbox: bool) -> None:
    with _bound(session) as transports:
        for each in transports:
            if only_sandbox and each.name != _SANDBOX_TRANSPORT:
                raise ConfigError(
                    f'the sandbox stands in for "{_SANDBOX_TRANSPORT}" only, not for "{each.name}"'
                )
            each.require_credentials()


@contextmanager
def _bound(session: Session) -> Iterator[list[BoundTransport]]:
    """The transports that are in use, for what is asked of them before a run, or after it."""
    calls = GuardedCalls(session.registry.clock, halt=lambda why: None)
    try:
        yield [BoundTransport(each, calls) for each in session.transports.values()]
    finally:
        calls.close()


@contextmanager
def _sandbox(session: Session, as_json: bool) -> Iterator[str]:
    """A gateway and a journal for this run alone: yields the journal's URL, shows what arrived."""
    from dispatcher.sandbox.process import SandboxDidNotStart, SandboxProcess

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-"))
        try:
            gateway = stack.enter_context(SandboxProcess())
        except (SandboxDidNotStart, OSError) as error:
            raise ConfigError(f"cannot start the sandbox: {error}") from None
        session.override(
            _SANDBOX_TRANSPORT,
            base_url=gateway.url,
            media_url=gateway.url,
            token="sandbox",
            token_file=None,
            rate=_SANDBOX_RATE,
        )
        yield f"sqlite:///{folder}/journal.db"
        if not as_json:
            print_conversation(gateway.messages(), gateway.media())
