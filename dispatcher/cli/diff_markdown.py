"""A difference as a comment in a pull request, in Markdown as GitHub and GitLab read it.

Text of others is no markup there: what would be is written as an entity, and a mention stands in
`<code>` or `<pre>`, where it is none. Numbers of recipients are masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from dispatcher.cli.diff_words import (
    Value,
    blocks,
    changed_text,
    for_whom,
    headline,
    notes,
    nothing,
    summary,
    values,
)
from dispatcher.cli.masking import masked, without_number, without_numbers
from dispatcher.cli.output import persons, print_line
from dispatcher.diff import Change, Diff, Group
from dispatcher.diff.words import Line
from dispatcher.visible import visible

_TAGS = {"-": "del", "+": "ins"}
# What may begin markup, a mention or a link, but for what does so only at the beginning of a line.
_MARKUP = re.compile(r"[!#$&*<>@\[\\\]^_`{|}~]|:(?=/)|(?<=www)\.")
_FEW = 3  # changes whose details are open


def print_diff(diff: Diff) -> None:
    """Print a difference for a comment."""
    if not diff.changes:
        print_line(_text(nothing(diff)))
    else:
        for line in _lines(diff):
            print_line(line)
    for note in (*notes(diff), *map(str, diff.problems_before)):
        print_line()
        print_line(f"> {_text(without_numbers(note))}")


def _lines(diff: Diff) -> Iterator[str]:
    yield f"**{_text(summary(diff))}**, compared with {_text(str(diff.revision))}."
    yield ""
    yield from _blocks(diff)
    yield "| message | what changes | people |"
    yield "|---|---|---|"
    for change in diff.changes:
        cells = (_code(str(change.name)), _text(headline(change)), _people(change))
        yield f"| {' | '.join(cells)} |"
    for change in diff.changes:
        content = list(_content(change))
        if content:
            state = " open" if len(diff.changes) <= _FEW else ""
            yield ""
            yield f"<details{state}><summary>{_code(str(change.name))}</summary>"
            yield ""
            yield from content
            yield "</details>"


def _blocks(diff: Diff) -> Iterator[str]:
    for block in blocks(diff):
        yield "> [!CAUTION]"
        yield f"> **{_text(block.title)}:**"
        for change, finding in block.findings:
            yield f"> - {_code(str(change.name))}: {_text(finding.problem.message)}"
        yield ""


def _people(change: Change) -> str:
    if change.now is None or change.before is None:
        return persons(change.people_now or change.people_before)
    more, fewer = change.added.people, change.removed.people
    difference = f"{f' +{more}' if more else ''}{f' −{fewer}' if fewer else ''}"
    return f"{persons(change.people_now)}{f' ({difference.strip()})' if difference else ''}"


def _content(change: Change) -> Iterator[str]:
    told = partial(without_number, change.sample.to)
    shown = [line for value in values(change, told) for line in _value(value)]
    if shown:
        yield f"<pre>{shown[0]}"
        yield from shown[1:]
        yield "</pre>"
        yield ""
    person = for_whom(change)
    said = [f"shown as {_code(masked(person))} gets it"] if person else []
    if change.before is None:
        said.append(f"to {_listed(change.added)}")
    else:
        said += [f"added: {_listed(change.added)}"] if change.added.first else []
        said += [f"removed: {_listed(change.removed)}"] if change.removed.first else []
    yield from "\n\n".join(said).splitlines()


def _listed(group: Group) -> str:
    rest = group.people - len(group.first)
    named = ", ".join(_code(masked(each)) for each in group.first)
    return named + (f" and {rest} more" if rest else "")


def _value(value: Value) -> Iterator[str]:
    if len(value.lines) == 1:
        yield f"{_entities(value.title)}: {_line(value.lines[0])}"
        return
    yield f"{_entities(value.title)}:"
    for line in value.lines:
        yield f"  {' ' if line.sign == '=' else line.sign} {_line(line)}"


def _line(line: Line) -> str:
    shown = []
    for piece in line.pieces:
        tag = _TAGS.get(piece.sign)
        text = _entities(changed_text(piece.text) if tag else piece.text)
        shown.append(f"<{tag}>{text}</{tag}>" if tag else text)
    return "".join(shown)


def _text(text: str) -> str:
    """Return a sentence; a sign that may begin a mention or a link is in `<code>`."""
    return re.sub("&#(64|35);", r"<code>&#\1;</code>", _entities(text))


def _code(text: str) -> str:
    return f"<code>{_entities(text)}</code>"


def _entities(text: str) -> str:
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", visible(text))
