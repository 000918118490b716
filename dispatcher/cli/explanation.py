"""`plan --explain`: which plugin resolved a source, objected, and changed what in a payload."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from dispatcher.cli.output import Part, coloured, print_line
from dispatcher.models import Attachment, Link, MediaId, Problem
from dispatcher.planning import PlannedMessage
from dispatcher.registry import Change, HookTrace, PluginInfo

_MISSING = object()


@contextmanager
def objections_named(trace: HookTrace | None) -> Iterator[None]:
    """Around the check of a plan: if it fails, who objected; else everything is told later."""
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


def print_explanation(planned: PlannedMessage, trace: HookTrace) -> None:
    """The lines below a message of the plan."""
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
    before, after = dict(_leaves(change.before)), dict(_leaves(change.after))
    for path in dict.fromkeys([*before, *after]):
        old, new = before.get(path, _MISSING), after.get(path, _MISSING)
        if old != new:
            yield from (
                coloured(word, f"{sign} {path}: {json.dumps(value, ensure_ascii=False)}")
                for word, sign, value in (("error", "-", old), ("new", "+", new))
                if value is not _MISSING
            )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that holds no others, with its place: `text.body`."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, value
