"""`dispatcher plan`: what send would do and why, offline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.announcement import announce
from dispatcher.cli.options import (
    journal_option,
    json_option,
    paths_argument,
    run_option,
    selection_options,
)
from dispatcher.cli.output import (
    Part,
    coloured,
    described,
    for_whom,
    print_json,
    print_line,
    stand_in,
)
from dispatcher.cli.session import invocation, require_good, session_options
from dispatcher.errors import ExitCode
from dispatcher.models import Attachment, Link, MediaId, Problem, Upload, leaves
from dispatcher.planning import PlannedMessage
from dispatcher.planning.selection import SelectionOptions
from dispatcher.printing import print_encoded
from dispatcher.registry import Change, HookTrace, PluginInfo

_SIGNS = {"new": "+", "moved": ">", "sent": "=", "changed": "~", "retry": "!", "unknown": "?"}
_MISSING = object()  # stands for a key that exists on only one side of a change


@click.command("plan")
@paths_argument
@run_option
@journal_option
@click.option("--payloads", is_flag=True, help="Print the exact JSON that would be posted.")
@click.option("--explain", is_flag=True, help="Show which plugin decided and changed what.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the plan to a file too: send --plan FILE then sends this, or nothing.",
)
@json_option
@selection_options
@session_options
def command(
    dispatcher: Dispatcher,
    paths: tuple[Path, ...],
    run: str | None,
    payloads: bool,
    explain: bool,
    out: Path | None,
    as_json: bool,
    selection: SelectionOptions,
) -> int:
    """Show what send would do, message by message, without a network.

    \b
    + new       is sent
    ! retry     failed before, is sent
    = sent      was sent as it is, is left out
    ~ changed   was sent with other content, is left out
    ? unknown   may have arrived, is left out: see settle
    > moved     its recipient has it under another name: nothing is sent

    Exit code 2: something is wrong, 3: there are no messages.
    """
    counts: Counter[str] = Counter()
    trace = dispatcher.registry.trace = HookTrace() if explain else None
    with _objections_named(trace):
        plan = dispatcher.plan(*paths, run=run, compare=True, **selection)
        require_good(plan)
    announce(dispatcher, plan, as_json=as_json)
    contents = None
    if out is not None:
        from dispatcher.api.plan_file import PlanContents  # its models take time to make

        contents = PlanContents()
    for planned in plan:
        if contents is not None:
            contents.add(planned)
        counts[planned.status] += 1
        if as_json:
            _print_json(planned)
        else:
            _print_text(planned, payloads)
        if trace and not as_json:
            _print_explanation(planned, trace)
    if out is not None:
        dispatcher.save_plan(plan, out, contents)
    if as_json:
        print_json("summary", **{status: counts[status] for status in _SIGNS})
    else:
        known = ", ".join(f"{counts[status]} {status}" for status in _SIGNS if counts[status])
        print_line(f"Plan: {known or 'nothing'}.", err=True)
        if out is not None:
            found = invocation(dispatcher)
            file = out.absolute() if "-C" in found.project else out
            send = found.other("send", "--plan", str(file))
            print_line(f"written to {out}; to send this, or nothing: {send}", err=True)
    return ExitCode.DONE if counts else ExitCode.NOTHING


def _print_json(planned: PlannedMessage) -> None:
    print_json(
        "plan",
        key=planned.message.key,
        status=planned.status,
        **({"was": planned.was} if planned.was else {}),
        payload=planned.payload,
        upload=_upload(planned.upload),
        **for_whom(planned.message),
    )


def _upload(upload: Upload | None) -> dict[str, object] | None:
    return upload.model_dump(exclude={"open"}) if upload else None


def _print_text(planned: PlannedMessage, payloads: bool) -> None:
    status = coloured(planned.status, f"{_SIGNS[planned.status]} {planned.status:8}")
    was = f"  (was {planned.was})" if planned.was else ""
    print_line(
        status,
        f" {planned.message.key}  {described(planned.message)}{was}",
        stand_in(planned.message),
    )
    if payloads:
        print_encoded(planned.sealed.decode(), before="  ")


@contextmanager
def _objections_named(trace: HookTrace | None) -> Iterator[None]:
    """Print who objected if the check of a plan fails; otherwise all is printed later."""
    try:
        yield
    except click.exceptions.Exit:
        for key, objections in trace.objections.items() if trace else ():
            for plugin, problem in objections:
                print_line(f"{key}: ", *_objection(plugin, problem), err=True)
        raise
    if trace:
        trace.objections.clear()
        trace.changes.clear()


def _print_explanation(planned: PlannedMessage, trace: HookTrace) -> None:
    """Print the lines below a message of the plan."""
    for line in _lines(planned, trace):
        print_line("  ", *line)


def _lines(planned: PlannedMessage, trace: HookTrace) -> Iterator[tuple[Part, ...]]:
    message = planned.message
    source = message.media and message.media.source
    if source in trace.sources:
        resolution = trace.sources[source]
        yield (f"{source}: {resolution.plugin} says {_attachment(resolution.attachment)}",)
    for plugin, problem in trace.objections.pop(message.key, []):
        yield _objection(plugin, problem)
    for change in trace.changes.pop(message.key, []):
        yield (f"{change.plugin} changed",)
        yield from (("  ", line) for line in _differences(change))


def _objection(plugin: PluginInfo, problem: Problem) -> tuple[Part, ...]:
    where = f"{problem.where}: " if problem.where else ""
    return coloured(problem.severity), f" of {plugin}: {where}{problem.message}"


def _attachment(attachment: Attachment) -> str:
    match attachment:
        case Link(provider=None):
            return f"link {attachment.url}"
        case Link():
            return f"link {attachment.url} through {attachment.provider}"
        case MediaId():
            return f"media id {attachment.id}"
        case _:
            facts = f"{attachment.mime_type}, {attachment.size:,} bytes"
            return f"upload {attachment.filename} ({facts})"


def _differences(change: Change) -> Iterator[Part]:
    before, after = dict(leaves(change.before)), dict(leaves(change.after))
    for path in dict.fromkeys([*before, *after]):
        old, new = before.get(path, _MISSING), after.get(path, _MISSING)
        if old != new:
            yield from (
                coloured(word, f"{sign} {path}: {json.dumps(value, ensure_ascii=False)}")
                for word, sign, value in (("error", "-", old), ("new", "+", new))
                if value is not _MISSING
            )
