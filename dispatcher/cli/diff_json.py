"""A difference as JSON lines."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dispatcher.cli.diff_words import SIGNS
from dispatcher.cli.output import print_json
from dispatcher.diff import Change, Diff, File, Group
from dispatcher.diff.side import Said
from dispatcher.models import LocatedProblem


def print_diff(diff: Diff) -> None:
    """Print one object for each message that differs, and a summary."""
    for change in diff.changes:
        print_json("diff", **_change(change))
    kinds: Counter[str] = Counter(each.kind for each in diff.changes)
    print_json(
        "summary",
        commit=diff.revision.commit,
        chosen=diff.revision.chosen,
        messages=diff.messages,
        **{kind: kinds[kind] for kind in SIGNS},
        second_copies=sum(each.second_copies for each in diff.changes),
        fails=diff.fails,
        notes=list(diff.notes),
        problems_before=[_problem(each) for each in diff.problems_before],
    )


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "message": str(change.name),
        "was": [str(each) for each in change.was],
        "before": _said(change.before, change.people_before),
        "now": _said(change.now, change.people_now),
        "altered": change.altered,
        "added": _group(change.added),
        "removed": _group(change.removed),
        "sample": change.sample.to,
        "differences": [each._asdict() for each in change.differences],
        "files": [_file(each) for each in change.files],
        "findings": [
            {
                **_problem(each.problem),
                "second_copies": each.second_copies,
                "fails": each.fails,
                "stops": each.stops,
            }
            for each in change.findings
        ],
    }


def _said(said: Said | None, people: int) -> dict[str, Any] | None:
    return said and {**said._asdict(), "people": people}


def _group(group: Group) -> dict[str, Any]:
    return {"people": group.people, "first": list(group.first)}


def _file(file: File | None) -> dict[str, Any] | None:
    return file and file._asdict()


def _problem(problem: LocatedProblem) -> dict[str, Any]:
    location = problem.location
    return {
        "path": location.path,
        "line": location.line,
        "column": location.column,
        "text": problem.sentence,
    }
