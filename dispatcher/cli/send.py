"""`dispatcher send`: check everything, then send what was not sent yet."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import click

from dispatcher.api import Dispatcher, Resend
from dispatcher.cli.announcement import announce, ask, ask_to_begin
from dispatcher.cli.next_steps import Invocation, Unfinished, next_steps, unfinished
from dispatcher.cli.options import (
    journal_option,
    json_option,
    paths_argument,
    run_option,
    selection_options,
    wait_option,
)
from dispatcher.cli.output import Coloured, print_line
from dispatcher.cli.progress import ResultPrinter, printer_for
from dispatcher.cli.session import invocation, require_good, session_options, wait_seconds
from dispatcher.config import sqlite_url
from dispatcher.delivery import Delivery
from dispatcher.errors import ConfigError, ExitCode, JournalMissing, PlanOutdated
from dispatcher.planning.selection import SelectionOptions

_Arrived: TypeAlias = dict[str, Any]

_SANDBOX_TRANSPORT = "greenapi"
_SANDBOX_RATE = "100000/s"  # no need to throttle the local sandbox
# Failed messages are sent anyway; what was sent as it is now is never sent again by --resend.
_RESEND: dict[str, set[Resend]] = {
    "failed": set(),
    "changed": {"changed"},
    "unknown": {"unknown"},
    "moved": {"moved"},
    "all": {"changed", "unknown", "moved"},
}
_MARGIN = 0.5  # seconds in addition to what a transport needs
_LAST = 1.0  # seconds to record and report what is known by then


@click.command("send")
@paths_argument
@run_option
@journal_option
@wait_option
@click.option(
    "--resend",
    type=click.Choice(list(_RESEND)),
    multiple=True,
    help="Send a second time, after asking: what has changed since it was sent, what may have "
    "arrived (unknown), what is there under another name (moved). What failed is sent anyway. May "
    "be given several times.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="Do not ask: begin a journal where there is none, send what --resend says.",
)
@click.option(
    "--max",
    "most",
    type=click.IntRange(1),
    metavar="N",
    help="Send nothing at all if more than N messages would leave.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="End with exit code 7 if people have something else than the manifests say now.",
)
@click.option(
    "--plan",
    "reviewed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Send the plan that plan --out wrote to FILE, or, if it would be another one by now, "
    "nothing.",
)
@click.option("--sandbox", is_flag=True, help="Send to a local gateway, for this run alone.")
@json_option
@selection_options
@session_options
def command(
    dispatcher: Dispatcher,
    paths: tuple[Path, ...],
    run: str | None,
    wait: str | None,
    resend: tuple[str, ...],
    yes: bool,
    most: int | None,
    strict: bool,
    reviewed: Path | None,
    sandbox: bool,
    as_json: bool,
    selection: SelectionOptions,
) -> int:
    """Send every message that was not sent yet.

    Everything is checked first: one bad message anywhere, and nothing leaves. What was sent is
    noted in the journal, so that a second run sends only what is new. `plan` shows before what
    would leave.

    Exit code 0: all done, 1: failed, 2: something is wrong and nothing was sent, 3: no message is
    meant, 4: some failed or were not tried, 5: some may have arrived (see settle), 6: another run
    is on, 7: see --strict.
    """
    if reviewed is not None and (paths or run or selection or resend or sandbox):
        raise click.UsageError(
            "--plan FILE sends what was reviewed; PATH, --run, --resend, --sandbox and what "
            "chooses messages do not go with it"
        )
    seconds_to_wait = wait_seconds(wait)
    statuses: set[Resend] = set().union(*(_RESEND[name] for name in resend))
    with ExitStack() as stack:
        if sandbox:
            stack.enter_context(_sandbox(dispatcher, as_json))
        if reviewed is not None:
            plan = dispatcher.load_plan(reviewed)
        else:
            plan = dispatcher.plan(*paths, run=run, compare=True, **selection)
        require_good(plan)
        if sandbox:
            _require_only_sandbox(dispatcher)
        printer = printer_for(as_json, len(plan))
        begin = partial(
            dispatcher.sender.begin,
            plan,
            printer.result,
            statuses,
            seconds_to_wait,
            most,
            printer.notice,
            renew=bool(seconds_to_wait),
            kept=not sandbox,
        )
        with _renewal_named(invocation(dispatcher, plan)):
            try:
                sending = stack.enter_context(begin(new_journal=yes))
            except JournalMissing as missing:
                ask_to_begin(missing)
                sending = stack.enter_context(begin(new_journal=True))
        announce(dispatcher, sending.plan, statuses, as_json=as_json)
        if not yes:
            ask(dispatcher, sending.plan, statuses)
        with printer, _interruptible(sending.delivery):
            summary = sending.run()
        left = unfinished(summary, sending.plan.planner.by_day, sending.plan.overview)
        # Of a sandbox that was there for this run alone, nothing is left to go on with.
        steps = [] if sandbox else next_steps(summary, invocation(dispatcher, plan), left)
        printer.summary(summary, steps, _advice(dispatcher, printer))
        return summary.strict_exit_code if strict else summary.exit_code


@contextmanager
def _renewal_named(called: Invocation) -> Iterator[None]:
    """If the plan that was reviewed is another one by now, name the command that makes it anew."""
    try:
        yield
    except PlanOutdated as outdated:
        anew = called.again(Unfinished(), resend=())
        sentence = f"make it anew, and have it reviewed: {anew}"
        raise PlanOutdated(*outdated.sentences, sentence) from None


def _advice(dispatcher: Dispatcher, printer: ResultPrinter) -> str | None:
    """Return what to do if the gateway of this machine is not running."""
    if "connection_refused" not in printer.codes:
        return None
    here = all(each.local for each in dispatcher.transports.used)
    return "is the gateway running? to start it: dispatcher sandbox" if here else None


def _require_only_sandbox(dispatcher: Dispatcher) -> None:
    for each in dispatcher.transports.used:
        if each.name != _SANDBOX_TRANSPORT:
            raise ConfigError(
                f'the sandbox stands in for "{_SANDBOX_TRANSPORT}" only, not for "{each.name}"'
            )


@contextmanager
def _sandbox(dispatcher: Dispatcher, as_json: bool) -> Iterator[None]:
    """Start a gateway and a journal for this run only; print at its end what arrived."""
    from dispatcher.sandbox.process import SandboxDidNotStart, SandboxProcess

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-"))
            gateway = stack.enter_context(SandboxProcess())
        except (SandboxDidNotStart, OSError) as error:
            raise ConfigError(f"cannot start the sandbox: {error}") from None
        dispatcher.transports.override(
            _SANDBOX_TRANSPORT,
            base_url=gateway.url,
            media_url=gateway.url,
            token="sandbox",
            token_file=None,
            rate=_SANDBOX_RATE,
        )
        dispatcher.journal = sqlite_url(Path(folder, "journal.db"))
        yield
        if not as_json:
            _print_conversation(gateway.messages(), gateway.media())


@contextmanager
def _interruptible(delivery: Delivery) -> Iterator[None]:
    """Handle signals: the first (Ctrl-C, SIGTERM, a closed terminal) waits up to `patience` for
    what is in flight; a second one kills, unless it only says again that the terminal is gone.

    If it does not end even then, for example because its output is not read, the process ends as if
    it were killed, which the journal is designed to survive.
    """

    def stop(number: int, _: FrameType | None) -> None:
        if not delivery.summary.interrupted:
            delivery.stop()
            signal.setitimer(signal.ITIMER_REAL, delivery.patience + _MARGIN)
        elif number != signal.SIGHUP:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def give_up(number: int, _: FrameType | None) -> None:
        if not delivery.summary.interrupted:
            return  # a plugin has set an alarm of its own
        signal.signal(number, lambda *_: os._exit(ExitCode.INTERRUPTED))
        signal.setitimer(signal.ITIMER_REAL, _LAST)
        delivery.abandon()

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGALRM: give_up}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        handlers[signal.SIGHUP] = stop
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_conversation(messages: Iterable[_Arrived], media: Iterable[_Arrived]) -> None:
    """Print a block for each recipient, in the order of arrival; `media` are uploaded files."""
    files = {file["id"]: file for file in media}
    for to, chat in groupby(sorted(messages, key=lambda each: str(each["to"])), lambda m: m["to"]):
        print_line("")
        print_line(Coloured(f"{to}{' (group)' if '-' in to else ''}", bold=True))
        for message in chat:
            first, *rest = _bubble(message["payload"], files)
            print_line(f"  • {first}")
            for line in rest:
                print_line(f"    {line}")


def _bubble(payload: _Arrived, files: dict[str, _Arrived]) -> list[str]:
    type = payload.get("type", "text")
    content = payload[type]
    if "body" in content:
        return list(content["body"].splitlines())
    lines = [f"[{type}] {_where(content, files)}"]
    return lines + str(content.get("caption", "")).splitlines()


def _where(content: _Arrived, files: dict[str, _Arrived]) -> str:
    if "link" in content:
        provider = content.get("provider", {}).get("name")
        return f"{content['link']} (through {provider})" if provider else str(content["link"])
    file = files.get(content["id"])
    name = content.get("filename", "")
    if file is None:
        return str(name or content["id"])
    return f"{name} {file['content_type']}, {file['size']} bytes".strip()
