"""What a reviewer must know: who would get a message once more, and what is probably a mistake.

The journal is not asked, so that everybody counts as somebody who has the message already.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from functools import cached_property

from dispatcher.diff.changes import Finding
from dispatcher.diff.pair import Pair
from dispatcher.diff.people import Copy
from dispatcher.diff.side import Defined
from dispatcher.manifest.former_names import DefinedNames, MessageName
from dispatcher.models import Problem, Severity, leaves

_ALIKE = 0.75  # of a text is the same: it is probably the same message, reworded
_MOST_COMPARED = 100  # messages that are gone, with one that is new
_LONGEST_COMPARED = 2000  # characters of a text


class Findings:
    """Finds them for one pair after the other.

    `before` are all messages of the commit, `heirs` what they are today, and `gone` those that are
    nothing any more.
    """

    def __init__(
        self,
        defined: DefinedNames,
        before: Mapping[MessageName, Defined],
        heirs: Mapping[MessageName, Pair],
        gone: list[Defined],
    ) -> None:
        self._defined, self._gone, self._heirs = defined, gone, heirs
        self._before = before

    def of(self, pair: Pair) -> Iterator[Finding]:
        """Yield what is to be said of a message."""
        if pair.before:
            yield from self._of_revision(pair)
            yield from self._of_repeat(pair)
        twins = self._twins(pair)
        for name, people in twins.items():
            yield self._twin(pair, name, people)
        if not pair.before and not twins:
            yield from self._reworded(pair)

    def _of_revision(self, pair: Pair) -> Iterator[Finding]:
        was = [each.said.revision for each in pair.before]
        now, repeat = pair.now.said.revision, pair.now.said.repeat
        if now > min(was) and pair.kept:
            again = f"{people_get(pair.kept)} it a second time: revision {min(was)} → {now}"
            run = " (in the present run)" if repeat else ""
            yield _finding(pair, f"{again}{run}", "revision", second_copies=pair.kept)
        elif now < max(was):
            sentence = (
                f"revision {now} is lower than it was: say revision = {max(was)}, or "
                f"{max(was) + 1} to send it once more"
            )
            yield _finding(pair, sentence, "revision", fails=True)
        elif pair.altered and not repeat and not any(each.broken for each in pair.before):
            keep = "person who has it keeps" if pair.altered == 1 else "people who have it keep"
            sentence = (
                f"content changed without a new revision: {pair.altered} {keep} the old one; "
                f"revision = {now + 1} sends the new one to everybody"
            )
            yield _finding(pair, sentence, "id", fails=True)

    def _of_repeat(self, pair: Pair) -> Iterator[Finding]:
        was, now = pair.before[0].said.repeat, pair.now.said.repeat
        if was != now and pair.kept:
            again = f"{people_get(pair.kept)} it a second time"
            often = (
                f", and then in each run: it is {now} now" if now else f": it is no longer {was}"
            )
            yield _finding(pair, f"{again}{often}", "repeat", second_copies=pair.kept)

    def _twin(self, pair: Pair, name: MessageName, people: int) -> Finding:
        again = f"{people_get(people)} the words of {name} a second time"
        if name in self._heirs:
            sentence = f"{again}: that one was for them, too"
            return _finding(pair, sentence, "id", second_copies=people)
        if self._defined.is_own(pair.now.name):
            sentence = f"{again}: that one is gone, and moved_from = [] says that this is another"
            return _finding(pair, sentence, "moved_from", second_copies=people)
        sentence = (
            f"{again}: that one is gone; if this is the same message, say "
            f"{_way(pair.now.name, name)}, and if it is another, moved_from = []"
        )
        return _finding(pair, sentence, "id", second_copies=people, fails=True)

    def _reworded(self, pair: Pair) -> Iterator[Finding]:
        """Yield a finding if a message that is gone has nearly the same words."""
        if self._defined.is_own(pair.now.name):
            return
        words = _words(pair.now)
        for each in self._gone[:_MOST_COMPARED]:
            if each.said.type != pair.now.said.type or not _is_alike(_words(each), words):
                continue
            if both := sum(copy.person in each.people for copy in pair.now.people):
                sentence = (
                    f"these are nearly the words of {each.name}, which is gone: if this is the "
                    f"same message, say {_way(pair.now.name, each.name)}; otherwise "
                    f"{people_get(both)} both"
                )
                yield _finding(pair, sentence, "id")
                return

    @cached_property
    def _copies(self) -> array[int]:
        """The contents of all copies of the commit, sorted."""
        contents = (copy.content for each in self._before.values() for copy in each.people)
        return array("q", sorted(contents))

    def _twins(self, pair: Pair) -> Counter[MessageName]:
        """Return the messages whose copies new recipients of this one have, and how many."""
        found: Counter[MessageName] = Counter()
        for copy in pair.now.people if pair.added_count else ():
            place = bisect_left(self._copies, copy.content)
            known = place < len(self._copies) and self._copies[place] == copy.content
            if known and copy.person not in pair.people_before:
                found[self._owner(copy, found)] += 1
        return found

    def _owner(self, copy: Copy, likely: Iterable[MessageName]) -> MessageName:
        """Return which message of the commit a copy is one of; mostly one that was found before."""
        for name in (*likely, *self._before):
            if self._before[name].people.content_of(copy.person) == copy.content:
                return name
        raise AssertionError("every copy of the commit is of one of its messages")


def people_get(count: int) -> str:
    """Return `1 person gets`, `2 people get`."""
    return "1 person gets" if count == 1 else f"{count} people get"


def _finding(
    pair: Pair, sentence: str, where: str, *, second_copies: int = 0, fails: bool = False
) -> Finding:
    definition = pair.now.definition._replace(item=None, row_path=None)
    severity: Severity = "error" if fails else "warning"
    problem = Problem(message=sentence, where=where, severity=severity)
    return Finding(definition.locate(problem), second_copies, fails)


def _way(name: MessageName, was: MessageName) -> str:
    return f'moved_from = "{was.id if name.manifest == was.manifest else was}"'


def _words(defined: Defined) -> str:
    texts = (value for _, value in leaves(defined.first.built) if isinstance(value, str))
    to = defined.first.to
    return " ".join(value for value in texts if value != to)[:_LONGEST_COMPARED]


def _is_alike(one: str, other: str) -> bool:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE
