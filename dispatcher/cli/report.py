"""`dispatcher report`: what became of a run, message by message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import click

from dispatcher.api import Dispatcher, Report
from dispatcher.api.report import LATER, STATUSES, Reason, Tally
from dispatcher.cli import completion
from dispatcher.cli.masking import without_addresses, without_number
from dispatcher.cli.next_steps import Invocation, Step, lines
from dispatcher.cli.options import journal_option, json_option, since_option
from dispatcher.cli.output import (
    OutputError,
    Part,
    coloured,
    counted,
    local_time,
    print_json,
    print_line,
)
from dispatcher.cli.session import invocation, moment, session_options
from dispatcher.errors import ExitCode
from dispatcher.journal import journal_name
from dispatcher.localfiles import reason, replace_file
from dispatcher.models import Status
from dispatcher.names import did_you_mean
from dispatcher.printing import without_secrets
from dispatcher.visible import quoted, visible

_MOST_IDS = 20  # of a manifest: if it has more messages, they are counted together
_MOST_REASONS = 10  # which people read; programs get all
_NAMED = 5  # other runs


@click.command("report")
@click.argument("run", required=False)
@click.option(
    "--manifest",
    metavar="NAME",
    shell_complete=completion.manifest_names,
    help="Only this manifest.",
)
@click.option(
    "--message",
    metavar="ID",
    shell_complete=completion.message_ids,
    help="Only messages with this id.",
)
@since_option
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page to FILE, like report.html, instead, which needs no network and has no "
    "phone numbers.",
)
@journal_option
@json_option
@session_options
def command(
    dispatcher: Dispatcher,
    run: str | None,
    manifest: str | None,
    message: str | None,
    since: str | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Show how many of each message were sent, failed, are unknown, were delivered and read.

    RUN is the name of a run: `default` for manifests without `repeat`, else a day, a week, a month
    or what `send --run` named. Without it, the report is of the run in which one of the messages
    has changed last. If a `send` was of several runs, as some manifests are daily, say, and others
    are not, each has a report of its own.

    It may be asked for while a run is sending. What that has not come to is not in the report, as
    no journal knows it: see plan. What was read is not counted as delivered once more.

    Exit code 3: there is no such run, or no such message in it.
    """
    if html is not None:
        _require_page(html, as_json)
    timezone = dispatcher.config.settings.timezone
    begin = moment(since, timezone)
    report = dispatcher.report(run, manifest=manifest, message=message, since=begin)
    if not report:
        print_line(_nothing(dispatcher, report, run), err=True)
        return ExitCode.NOTHING
    called = invocation(dispatcher)
    chosen = _words({"--manifest": manifest, "--message": message})
    changed = _words({"--since": begin.isoformat(timespec="milliseconds") if begin else None})
    steps = list(_steps(report, called, [*chosen, *changed]))
    if as_json:
        _print_json(report, steps)
        return ExitCode.DONE
    if html is not None:
        _write_page(html, report, timezone)
        print_line(f"the report of run {report.run} is in {html}", err=True)
    else:
        _print_text(report, timezone)
    if run is None and report.other_runs:
        another = called.other("report", report.other_runs[0], *chosen)
        runs = f"{len(report.other_runs) + 1} runs; {_others(report)}"
        print_line(f"the last of {runs}; to see one: {another}", err=True)
    for line in lines(steps):
        print_line(*line, err=True)
    return ExitCode.DONE


def _nothing(dispatcher: Dispatcher, report: Report, run: str | None) -> str:
    with dispatcher.reading(quiet=True) as journal:
        if journal is None:
            return f"there is no journal {journal_name(dispatcher.journal)} yet"
    if run is None:
        return "the journal knows no such message"
    others = f"; {_others(report)}" if report.other_runs else ""
    hint = did_you_mean(report.run, report.other_runs) or others
    return f"the journal knows no such message of run {quoted(report.run)}{hint}"


def _others(report: Report) -> str:
    names = report.other_runs[:_NAMED]
    more = ", …" if len(report.other_runs) > len(names) else ""
    return f"others, the last first: {', '.join(names)}{more}"


def _words(options: Mapping[str, str | None]) -> list[str]:
    return [word for name, value in options.items() if value for word in (name, value)]


def _steps(report: Report, called: Invocation, chosen: Sequence[str]) -> Iterator[Step]:
    """Yield the commands that show what a person has to look at, of what was `chosen`."""
    counts = report.total.counts
    for option, status, why in (
        ("--status", Status.FAILED, "to see which, and why"),
        ("--status", Status.UNKNOWN, "to see which, and then settle each"),
        ("--delivery", "undelivered", "to see which, and why"),
    ):
        if counts[status]:
            command = called.other("history", "--run", report.run, *chosen, option, str(status))
            yield Step(str(status), counts[status], why, command)


def _rows(report: Report) -> Iterator[tuple[str, Tally]]:
    """Yield a name and what is counted under it: messages, or manifests with very many, and all."""
    manifests = groupby(report.by_message(), attrgetter("manifest"))
    for whole, (name, messages) in zip(report.by_manifest(), manifests, strict=True):
        own = list(messages)
        if len(own) > _MOST_IDS:
            yield f"{name} ({len(own)} messages)", whole
        else:
            yield from ((f"{name}/{each.id}", each) for each in own)


def _columns(report: Report) -> list[str]:
    """Return what is counted of the report: what was sent, and whatever else there is."""
    counts = report.total.counts
    return [str(name) for name in (*STATUSES, *LATER) if counts[name] or name == Status.SENT]


def _span(tally: Tally, timezone: str | None) -> str:
    first, last = (local_time(at, timezone) for at in (tally.first_change, tally.last_change))
    return f"{first} to {last}"


def _print_text(report: Report, timezone: str | None) -> None:
    """Print a table of the messages, with the same columns for all, and the reasons."""
    from rich.cells import cell_len, set_cell_size

    total, columns, rows = report.total, _columns(report), list(_rows(report))
    head = f"run {report.run}: {counted(total.tried, 'message')}, {_span(total, timezone)}"
    print_line(head)
    if len(rows) > 1:
        rows.append(("all", total))
    names = [visible(name) for name, _ in rows]
    width = max(map(cell_len, names))
    widths = [max(len(each), len(str(total.counts[each]))) for each in columns]
    heads = (
        coloured(each, f"  {each:>{wide}}") for each, wide in zip(columns, widths, strict=True)
    )
    print_line(" " * width, *heads)
    for name, (_, tally) in zip(names, rows, strict=True):
        numbers = (
            f"  {tally.counts[each]:{wide}}" for each, wide in zip(columns, widths, strict=True)
        )
        print_line(set_cell_size(name, width), *numbers)
    for line in _reason_lines(report):
        print_line(*line)


def _reason_lines(report: Report) -> Iterator[tuple[Part, ...]]:
    shown = report.reasons[:_MOST_REASONS]
    word = max((len(each.status) for each in shown), default=0)
    number = max((len(str(each.count)) for each in shown), default=0)
    for each in shown:
        words = f"  {each.count:{number}}  {each.error.sentence}"
        yield coloured(each.status, f"{each.status:{word}}"), words
    if left := len(report.reasons) - len(shown):
        yield (f"and {counted(left, 'other reason')}",)


def _print_json(report: Report, steps: Sequence[Step]) -> None:
    for each in report.messages:
        name = {"manifest": each.manifest, "message": each.id, "transport": each.transport}
        print_json("message", **name, **_numbers(each))
    for why in report.reasons:
        print_json("reason", status=why.status, error=why.error.model_dump(), count=why.count)
    print_json(
        "summary",
        run=report.run,
        **_numbers(report.total),
        other_runs=list(report.other_runs),
        next=[step.fields() for step in steps],
    )


def _numbers(tally: Tally) -> dict[str, Any]:
    return {
        "tried": tally.tried,
        **{str(name): tally.counts[name] for name in (*STATUSES, *LATER)},
        "attempts": tally.attempts,
        "first_change": tally.first_change,
        "last_change": tally.last_change,
    }


def _require_page(file: Path, as_json: bool) -> None:
    if as_json:
        raise click.UsageError("either --json or --html")
    if file.suffix.lower() not in (".html", ".htm"):  # so that nothing else is overwritten
        raise click.BadParameter(f"{file} must end in .html", param_hint="--html")


def _write_page(file: Path, report: Report, timezone: str | None) -> None:
    """Write a page that people can pass on. Raises OutputError."""
    from dispatcher.bubbles.pages import templates

    page = templates(Path(__file__).parent / "templates").get_template("report.html")
    html = page.render(
        run=visible(report.run),
        span=visible(_span(report.total, timezone)),
        made=local_time(datetime.now(UTC).isoformat(), timezone),
        total=report.total,
        columns=_columns(report),
        statuses=[str(each) for each in STATUSES],
        later=LATER,
        rows=[(visible(name), tally) for name, tally in _rows(report)],
        reasons=[
            (each.status, each.count, _for_others(each)) for each in report.reasons[:_MOST_REASONS]
        ],
        other_reasons=max(len(report.reasons) - _MOST_REASONS, 0),
    )
    try:
        replace_file(file, html, mode=0o666)  # before the umask: it is to be passed on
    except OSError as error:
        raise OutputError(f"cannot write {file}: {reason(error)}") from None


def _for_others(why: Reason) -> str:
    text = without_number(why.recipient, without_secrets(why.error.sentence))
    return visible(without_addresses(text))
