"""What a run leaves for a person to do, and the command to continue with for each kind."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from dispatcher.cli.output import Part, coloured, persons
from dispatcher.manifest.former_names import MessageName
from dispatcher.manifest.runs import DatedManifests
from dispatcher.visible import visible

if TYPE_CHECKING:
    from dispatcher.delivery import Summary
    from dispatcher.planning.overview import Overview

_NAMED = 10  # how many messages a line names
_PLAIN_BYTES = re.compile(rb"[A-Za-z0-9 _@%+=:,./~-]")


class Unfinished(NamedTuple):
    """What one command can continue with, and what is left of it.

    The command must name `run`, unless that is None, and the `paths` of manifests, or all if None.
    """

    failed: int = 0
    not_tried: int = 0
    changed: Mapping[MessageName, int] = {}
    run: str | None = None
    paths: tuple[str, ...] | None = None


class Invocation(NamedTuple):
    """How `send` was called.

    `session` are the options that every command has, and that of the journal. `own` are the others,
    by the name of their parameter. `project` are options that lead a command without PATH to the
    same journal. `reviewed` is the file of the plan that was sent, if nothing else was to be.
    """

    session: tuple[str, ...] = ()
    own: Mapping[str, tuple[str, ...]] = {}
    paths: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    reviewed: str | None = None

    def again(
        self, part: Unfinished, resend: Collection[str], leave_out: Collection[str] = ()
    ) -> str:
        """Return the same command for a part of what is left, as a line for a shell.

        It has `resend` instead of its own, and names the run unless it did. What is left of a plan
        that was reviewed is another plan.
        """
        own = {name: words for name, words in self.own.items() if name not in leave_out}
        if part.run is not None:
            own.setdefault("run", ("--run", part.run))
        own["resend"] = tuple(word for each in resend for word in ("--resend", each))
        paths = self.paths if part.paths is None else part.paths
        paths = ("--", *paths) if any(map(_is_like_option, paths)) else paths
        words = (word for each in own.values() for word in each)
        if self.reviewed is not None and not resend:
            return _line("plan", *self.session, "--out", self.reviewed, *words, *paths)
        return _line("send", *self.session, *words, *paths)

    def other(self, command: str, *words: str) -> str:
        """Return another command that finds the same journal, as a line for a shell."""
        return _line(command, *words, *self.session, *self.project)


@dataclass(frozen=True)
class Step:
    """One kind of message that is left, how many there are, and the command to continue with.

    `why` says what the command does. `otherwise` is another command, and when to use it.
    `messages` are their names and how many people each concerns, where that is said.
    """

    status: str
    count: int
    why: str
    command: str
    otherwise: tuple[str, str] | None = None
    messages: Mapping[MessageName, int] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Return the fields of its JSON object."""
        fields: dict[str, Any] = {"status": self.status, "count": self.count}
        if self.messages:
            fields["messages"] = {str(name): people for name, people in self.messages.items()}
        fields["command"] = self.command
        if self.otherwise is not None:
            fields["otherwise"] = self.otherwise[1]
        return fields


def unfinished(
    summary: Summary, by_day: Sequence[DatedManifests], overview: Overview
) -> Iterator[Unfinished]:
    """Yield what a run leaves, in parts that one command can continue with.

    What belongs to a day must be finished as that day's, also after midnight. So no command has
    manifests of two days, or dated ones with others, and it names those with something left only.
    """
    if len(by_day) == 1:
        run = by_day[0].run
        yield Unfinished(summary.failed, summary.not_tried, summary.changed, run)
        return
    for run, paths in by_day:
        failures = {name: summary.failures[name] for name in paths}
        untried = {name: overview.manifests[name] - summary.finished[name] for name in paths}
        changed = {name: count for name, count in summary.changed.items() if name.manifest in paths}
        of_changed = {name.manifest for name in changed}
        left = [
            str(path)
            for name, path in paths.items()
            if failures[name] or untried[name] or name in of_changed
        ]
        yield Unfinished(sum(failures.values()), sum(untried.values()), changed, run, tuple(left))


def next_steps(
    summary: Summary, invocation: Invocation, unfinished: Iterable[Unfinished]
) -> list[Step]:
    """Return how to continue with what a run leaves."""
    resend = _resend_again(invocation)
    steps: list[Step] = []
    for part in unfinished:
        again = invocation.again(part, resend)
        steps += [
            Step(status, count, "to try again", again)
            for status, count in (("failed", part.failed), ("not_tried", part.not_tried))
            if count
        ]
        if part.changed:
            # --yes was for this run, not for second copies, which need another confirmation.
            command = invocation.again(part, [*resend, "changed"], leave_out=["yes"])
            why, people = "raise revision in the manifest, or", sum(part.changed.values())
            steps.append(Step("changed", people, why, command, messages=part.changed))
    if summary.unknown:
        steps.append(_unknown(summary, invocation))
    return steps


def _resend_again(invocation: Invocation) -> list[str]:
    """Return what the same command resends, except unknown messages, which need a look first."""
    given = set(invocation.own.get("resend", ())[1::2])
    return [each for each in ("changed", "moved") if given & {each, "all"}]


def _unknown(summary: Summary, invocation: Invocation) -> Step:
    """Return how to continue with what may have arrived: a person looks, then settles it."""
    found = summary.unsettled
    if summary.unknown == 1 and not found.decided:
        sent, not_sent = (
            invocation.other("settle", found.key, word) for word in ("--sent", "--not-sent")
        )
        return Step("unknown", 1, "if it arrived", sent, ("if it did not", not_sent))
    which = ["--attempts"] if found.decided else ["--status", "unknown"]
    for option, values in (("--run", found.runs), ("--manifest", found.manifests)):
        if len(values) == 1:
            which += [option, *values]
    why = "to see which" if found.decided else "to see which, and then settle each"
    return Step("unknown", summary.unknown, why, invocation.other("history", *which))


def lines(steps: Iterable[Step]) -> Iterator[tuple[Part, ...]]:
    """Yield what people read: a line for each command."""
    for line, group in groupby(steps, attrgetter("command")):
        alike = list(group)
        first = alike[0]
        if first.status == "changed":
            yield coloured("warning"), f": {_changed(first.messages)}; {first.why}: {line}"
            continue
        kinds = " and ".join(step.status.replace("_", " ") for step in alike)
        yield (f"{kinds}, {first.why}: {line}",)
        if first.otherwise is not None:
            when, other = first.otherwise
            yield (f"{kinds}, {when}: {other}",)


def _changed(messages: Mapping[MessageName, int]) -> str:
    """Return which messages people have with other content, and how many people each."""
    most = Counter(messages).most_common(_NAMED)
    named = [f"{name} ({persons(count)})" for name, count in most]
    if len(messages) > len(named):
        named.append(f"{len(messages) - len(named)} more")
    return f"changed since it was sent, and not sent again: {', '.join(named)}"


def _is_like_option(path: str) -> bool:
    return path.startswith("-")


def _line(*words: str) -> str:
    return " ".join(("dispatcher", *map(shell_word, words)))


def shell_word(text: str) -> str:
    """Quote a text as one word for a shell; what is invisible or no valid text is an escape."""
    if visible(text) == text:
        return shlex.quote(text)
    escaped = (
        chr(byte) if _PLAIN_BYTES.match(bytes([byte])) else f"\\x{byte:02x}"
        for byte in os.fsencode(text)
    )
    return f"$'{''.join(escaped)}'"
