"""The words in which a difference is told, in a terminal as in a comment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from dispatcher.cli.output import persons
from dispatcher.diff import Change, Diff, File, Finding
from dispatcher.diff.words import Line, Piece, compared
from dispatcher.printing import without_secrets
from dispatcher.transports import RECIPIENT_FIELDS
from dispatcher.visible import quoted

SIGNS = {"new": "+", "gone": "-", "moved": ">", "changed": "~"}
_IN_THE_HEADLINE = frozenset({*RECIPIENT_FIELDS, "type"})
_MOST_LINES = 40  # of one value
_AGAIN = "Sent again to people who may have it; nobody can take this back"
_STOPS = "Here send would stop"
_MISTAKES = "Probably mistakes"


class Value(NamedTuple):
    """A value that differs: what it is, and its lines."""

    title: str
    lines: list[Line]


class Block(NamedTuple):
    """Findings that stand before all else, and why."""

    title: str
    findings: list[tuple[Change, Finding]]


def blocks(diff: Diff) -> Iterator[Block]:
    """Yield what stands first: second copies, what `send` stops at, then other mistakes."""
    found = [(change, each) for change in diff.changes for each in change.findings]
    for title in (_AGAIN, _STOPS, _MISTAKES):
        if chosen := [(change, each) for change, each in found if _title(each) == title]:
            yield Block(title, chosen)


def _title(finding: Finding) -> str:
    if finding.second_copies:
        return _AGAIN
    return _STOPS if finding.stops else _MISTAKES


def nothing(diff: Diff) -> str:
    """Return the one sentence if nothing has changed."""
    return f"Nothing changes for recipients, compared with {diff.revision}."


def summary(diff: Diff) -> str:
    """Return how many messages differ: `Messages: 1 new, 2 changed`."""
    kinds: Counter[str] = Counter(each.kind for each in diff.changes)
    return "Messages: " + ", ".join(f"{kinds[kind]} {kind}" for kind in SIGNS if kinds[kind])


def notes(diff: Diff) -> list[str]:
    """Return what is to be said of the commit's side."""
    short = diff.revision.short
    said = [f"{short}: {each}" for each in diff.notes]
    if diff.problems_before:
        said.append(f"{short} does not validate: what can be planned of it is compared")
    return list(map(without_secrets, said))


def headline(change: Change) -> str:
    """Return what became of a message: `other content for 3 people, revision 1 → 2`."""
    before, now = change.before, change.now
    if now is None:
        assert before is not None
        return f"gone: {before.type} for {persons(change.people_before)}"
    if before is None:
        every = f", {now.repeat}" if now.repeat else ""
        return f"new: {now.type} for {persons(change.people_now)}{every}"
    return ", ".join(_facts(change)) or "same content"


def _facts(change: Change) -> Iterator[str]:
    before, now = change.before, change.now
    assert before is not None
    assert now is not None
    if change.was:
        yield f"was {' and '.join(map(str, change.was))}"
    if change.altered:
        kept = change.people_before - change.removed.people
        of = "" if change.altered == kept else f" of {kept}"
        yield f"other content for {change.altered}{of} {'person' if kept == 1 else 'people'}"
    elif change.was or before.revision != now.revision:
        yield "same content"
    if before.revision != now.revision:
        yield f"revision {before.revision} → {now.revision}"
    elif change.altered and not now.repeat:
        yield "no new revision"
    for what, old, new in (
        ("", before.type, now.type),
        ("transport ", before.transport, now.transport),
        ("repeat ", before.repeat or "none", now.repeat or "none"),
    ):
        if old != new:
            yield f"{what}{old} → {new}"
    if change.added.people or change.removed.people:
        groups = ((change.added.people, "added"), (change.removed.people, "removed"))
        counts = " and ".join(f"{people} {what}" for people, what in groups if people)
        yield f"{counts}: {persons(change.people_now)} now"


def values(change: Change, told: Callable[[str], str] = str) -> Iterator[Value]:
    """Yield every value that differs, file included, for the sample; `told` returns a text as it is
    to be shown."""

    def lines(*both: str | None) -> list[Line]:
        return _lines(*(each if each is None else told(each) for each in both))

    for each in change.differences:
        if each.path in _IN_THE_HEADLINE or change.sample.to in (each.before, each.after):
            continue
        by = f" (by plugin {quoted(each.plugin)})" if each.plugin else ""
        yield Value(f"{each.path}{by}", lines(each.before, each.after))
    before, now = change.files
    if before != now:
        yield Value("file", lines(_file(before), _file(now)))


def _lines(before: str | None, now: str | None) -> list[Line]:
    if before is None or now is None:
        sign: Literal["+", "-"] = "+" if before is None else "-"
        found = [Line(sign, (Piece(sign, each),)) for each in (before or now or "").split("\n")]
    else:
        found = compared(before, now)
    if len(found) <= _MOST_LINES:
        return found
    left_out = f"{len(found) - _MOST_LINES} more lines"
    return [*found[:_MOST_LINES], Line("…", (Piece("=", left_out),))]


def _file(file: File | None) -> str | None:
    return f"{file.name}, {file.size:,} bytes, sha256 {file.sha256[:12]}" if file else None


def changed_text(text: str) -> str:
    """Return a removed or added text with escapes for spaces that look like the usual one."""
    return "".join(
        each.encode("unicode_escape").decode() if each.isspace() and each != " " else each
        for each in text
    )


def for_whom(change: Change) -> str | None:
    """Return whose copy is shown, if everybody may have words of their own."""
    shown = change.from_list and change.now is not None and change.differences
    return change.sample.to if shown and change.people_now > 1 else None
