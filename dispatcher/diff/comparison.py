"""Compares two sides, message by message and person by person.

The commit's side is read first. While the present one is read, each person is looked up there, so
that nothing but hashes has to be kept. What is shown of the commit is then read once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dispatcher.diff import payloads
from dispatcher.diff.changes import Change, Finding, Group
from dispatcher.diff.findings import Findings
from dispatcher.diff.pair import Pair
from dispatcher.diff.people import Copy
from dispatcher.diff.side import Defined, Side
from dispatcher.manifest.former_names import MessageName


def changes(before: Side, now: Side) -> list[Change]:
    """Read both sides, and return the messages that differ: first what nobody can take back.

    Returns nothing if there are errors at the present side.
    """
    for _ in before.read():
        pass
    pairs = _read(before, now)
    if now.problems.errors:
        return []
    differing = [pair for pair in pairs if pair.differs]
    _look_again(before, differing)
    heirs = {each.name: pair for pair in pairs for each in pair.before}
    gone = [each for each in before.messages.values() if each.name not in heirs]
    assert now.planner is not None
    findings = Findings(now.planner.defined, before.messages, heirs, gone)
    found = [_changed(pair, tuple(findings.of(pair))) for pair in differing]
    return sorted([*found, *map(_gone, gone)], key=_urgency)


def _read(before: Side, now: Side) -> list[Pair]:
    pairs: dict[MessageName, Pair] = {}
    for defined, seen in now.read():
        pair = pairs.get(seen.name)
        if pair is None:
            ancestors = list(_ancestors(before, now, seen.name))
            dropped = list(_dropped(before, now, seen.name, ancestors))
            pair = pairs[seen.name] = Pair(defined, ancestors, dropped)
        is_altered = pair.add(Copy.of(seen.planned), seen.to)
        if is_altered and pair.sample is None:
            pair.sample = seen.sample()
    return list(pairs.values())


def _ancestors(before: Side, now: Side, name: MessageName) -> Iterator[Defined]:
    """Yield the messages that this one was: by its own name, or by its former names."""
    assert now.planner is not None
    for each in (name, *now.planner.defined.former(name)):
        if each in before.messages:
            yield before.messages[each]


def _dropped(
    before: Side, now: Side, name: MessageName, ancestors: Sequence[Defined]
) -> Iterator[MessageName]:
    """Yield the former names of these messages that none claims any more."""
    if before.planner is None:
        return
    assert now.planner is not None
    for ancestor in ancestors:
        for each in before.planner.defined.former(ancestor.name):
            if each != name and not now.planner.defined.is_claimed(each):
                yield each


def _look_again(before: Side, pairs: Sequence[Pair]) -> None:
    """Find what is shown of the commit's side, and was not kept."""
    for pair in pairs:
        for each in pair.before:
            if pair.sample is not None and each.first.to == pair.sample.to:
                pair.sample_before = each.first
    wanted = {each.name: pair for pair in pairs if not pair.is_served for each in pair.before}
    if not wanted:
        return
    for seen in before.again():
        pair_of = wanted.get(seen.name)
        if pair_of is None:
            continue
        pair_of.look_at(seen.to, seen.sample)
        if pair_of.is_served:
            wanted = {name: pair for name, pair in wanted.items() if pair is not pair_of}
            if not wanted:
                return


def _changed(pair: Pair, findings: tuple[Finding, ...]) -> Change:
    was = tuple(each.name for each in pair.before if each.name != pair.now.name)
    sample, sample_before = pair.sample, pair.sample_before
    if not pair.before:
        sample = pair.now.first
    return Change(
        kind="new" if not pair.before else "moved" if was else "changed",
        name=pair.now.name,
        was=was,
        before=pair.before[0].said if pair.before else None,
        now=pair.now.said,
        people_before=len(pair.people_before),
        people_now=len(pair.now.people),
        altered=pair.altered,
        added=Group(pair.added_count, tuple(pair.added)),
        removed=Group(pair.removed_count, tuple(pair.removed)),
        sample=sample or pair.now.first,
        from_list=pair.now.definition.row_path is not None,
        differences=tuple(payloads.differences(sample_before, sample)) if sample else (),
        files=(payloads.file_of(sample_before), payloads.file_of(sample)),
        findings=findings,
    )


def _gone(defined: Defined) -> Change:
    return Change(
        kind="gone",
        name=defined.name,
        was=(),
        before=defined.said,
        now=None,
        people_before=len(defined.people),
        people_now=0,
        altered=0,
        added=Group(),
        removed=Group(len(defined.people)),
        sample=defined.first,
        from_list=defined.definition.row_path is not None,
        differences=tuple(payloads.differences(defined.first, None)),
        files=(payloads.file_of(defined.first), None),
        findings=(),
    )


def _urgency(change: Change) -> int:
    if change.second_copies:
        return 0
    if any(each.stops for each in change.findings):
        return 1
    return 2 if any(each.fails for each in change.findings) else 3
