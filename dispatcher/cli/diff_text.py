"""A difference in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from dispatcher.cli.diff_words import (
    SIGNS,
    Value,
    blocks,
    changed_text,
    for_whom,
    headline,
    nothing,
    summary,
    values,
)
from dispatcher.cli.output import Coloured, Part, print_line
from dispatcher.diff import Change, Diff, Group
from dispatcher.diff.words import Piece

_COLOURS = {"new": "green", "gone": "red", "moved": "cyan", "changed": "yellow"}
_OF_PIECES = {"-": ("red", "[-", "-]"), "+": ("green", "{+", "+}")}


def print_diff(diff: Diff) -> None:
    """Print a difference for people: first what nobody can take back, then other mistakes."""
    if not diff.changes:
        print_line(nothing(diff))
        return
    print_line(f"Compared with {diff.revision}:")
    print_line()
    for block in blocks(diff):
        print_line(Coloured(f"{block.title}:", "red", bold=True))
        for change, finding in block.findings:
            print_line(Coloured(f"! {change.name}: {finding.problem.message}", "red"))
        print_line()
    for change in diff.changes:
        _print(change)
        print_line()
    print_line(f"{summary(diff)}.")


def _print(change: Change) -> None:
    name = Coloured(f"{SIGNS[change.kind]} {change.name}", _COLOURS[change.kind], bold=True)
    print_line(name, f"  {headline(change)}")
    if change.before is None:
        print_line(f"    to: {_listed(change.added)}")
    for value in values(change):
        for line in _value(value, whole=change.kind in ("new", "gone")):
            print_line("    ", *line)
    if person := for_whom(change):
        print_line(f"    (shown as {person} gets it)")
    for sign, colour, group in (("+", "green", change.added), ("-", "red", change.removed)):
        if group.first and change.before is not None:
            print_line("    people: ", Coloured(f"{sign} {_listed(group)}", colour))


def _listed(group: Group) -> str:
    rest = group.people - len(group.first)
    return ", ".join(group.first) + (f" and {rest} more" if rest else "")


def _value(value: Value, *, whole: bool) -> Iterator[tuple[Part, ...]]:
    if len(value.lines) == 1:
        yield (f"{value.title}: ", *(_part(each, whole=whole) for each in value.lines[0].pieces))
        return
    yield (f"{value.title}:",)
    for line in value.lines:
        sign = " " if line.sign == "=" else line.sign
        yield (f"  {sign} ", *(_part(each, whole=line.sign != "~") for each in line.pieces))


def _part(piece: Piece, *, whole: bool) -> Part:
    if piece.sign == "=":
        return piece.text
    colour, begin, end = _OF_PIECES[piece.sign]
    text = changed_text(piece.text)
    return Coloured(text if whole else f"{begin}{text}{end}", colour)
