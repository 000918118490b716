"""What a reviewer must know: who would get a message once more, and what is probably a mistake.

The journal is not asked, so that everybody counts as somebody who has the message already.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice

from dispatcher.diff.changes import Finding
from dispatcher.diff.pair import Pair
from dispatcher.diff.people import Table
from dispatcher.diff.side import Defined
from dispatcher.manifest.former_names import DefinedNames, MessageName
from dispatcher.models import Problem, Severity, leaves

_ALIKE = 0.75  # of the words are the same: it is probably the same message, reworded
_MOST_COMPARED = 100  # messages that are gone, with one that is new
_ASKED = 100  # people of a message, to find others that were for them


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
        # Those that are gone first: of two with the same words, one of these was renamed.
        self._names = sorted(before, key=lambda name: name in heirs)

    def of(self, pair: Pair) -> Iterator[Finding]:
        """Yield what is to be said of a message."""
        if pair.before:
            yield from self._of_revision(pair)
            yield from self._of_repeat(pair)
            yield from self._of_former_names(pair)
        twins = self._twins(pair)
        for (name, is_for_them), people in twins.items():
            yield self._twin(pair, name, people, is_for_them=is_for_them)
        if not pair.before and not twins:
            yield from self._reworded(pair)

    def _of_revision(self, pair: Pair) -> Iterator[Finding]:
        was = [each.said.revision for each in pair.before]
        now, repeat = pair.now.said.revision, pair.now.said.repeat
        if now > min(was) and pair.kept:
            again = f"{people_get(pair.kept)} it again: revision {min(was)} → {now}"
            run = " (in the present run)" if repeat else ""
            yield _finding(pair, f"{again}{run}", "revision", second_copies=pair.kept)
        elif now < max(was):
            sentence = (
                f"revision {now} is lower than it was: say revision = {max(was)}, or "
                f"{max(was) + 1} to send it once more"
            )
            yield _finding(pair, sentence, "revision", fails=True)
        elif pair.altered and not repeat and not any(each.broken for each in pair.before):
            who = (
                "1 person, if they have it, keeps"
                if pair.altered == 1
                else (f"{pair.altered} people, if they have it, keep")
            )
            them = "send --resend changed sends the new one to them, "
            some = pair.altered < len(pair.now.people)
            sentence = (
                f"content changed without a new revision: {who} the old one; "
                f"{them * some}revision = {now + 1} sends it to everybody once more"
            )
            yield _finding(pair, sentence, "id", fails=True)

    def _of_repeat(self, pair: Pair) -> Iterator[Finding]:
        was, now = pair.before[0].said.repeat, pair.now.said.repeat
        if was != now and pair.kept:
            again = f"{people_get(pair.kept)} it again"
            often = f", and then in each run: it is {now} now" if now else f": no longer {was}"
            yield _finding(pair, f"{again}{often}", "repeat", second_copies=pair.kept)

    def _of_former_names(self, pair: Pair) -> Iterator[Finding]:
        """Yield a finding if names are not in `moved_from` any more: who has the message under one
        of these gets it again."""
        if not pair.dropped or not pair.kept:
            return
        own, repeat = self._defined.is_own(pair.now.name), pair.now.said.repeat
        sentence = (
            f"{people_get(pair.kept)} it again{' (in the present run)' if repeat else ''}, if they "
            f"have it as {' or '.join(map(str, pair.dropped))}: moved_from does not name that any "
            f"more; {'[] says that this is another one' if own else 'put it back, in a list'}"
        )
        fails = not (own or repeat)
        yield _finding(pair, sentence, "id", second_copies=pair.kept, fails=fails)

    def _twin(self, pair: Pair, name: MessageName, people: int, *, is_for_them: bool) -> Finding:
        """Return what is to be said of people who have the words as another message.

        `send` takes it for a second copy, and stops, unless that message is still for them.
        """
        again = f"{people_get(people)} the words of {name} again"
        if is_for_them:
            sentence = f"{again}: that one stays, and is for them, too"
            return _finding(pair, sentence, "id", second_copies=people)
        gone = name not in self._heirs
        what = "is gone" if gone else "is not for them any more"
        if self._defined.is_own(pair.now.name):
            sentence = f"{again}: that one {what}, and moved_from = [] says that this is another"
            return _finding(pair, sentence, "moved_from", second_copies=people)
        have = "1 person has" if people == 1 else f"{people} people have"
        back = self._defined.way(pair.now.name, name) if gone else "put that back"
        same = f"if this is the same message, {'say ' * gone}{back}"
        sentence = (
            f"{have} these words as {name}, which {what}: send stops here; {same}; if it is "
            "another one, say moved_from = []"
        )
        return _finding(pair, sentence, "id", fails=True, stops=True)

    def _reworded(self, pair: Pair) -> Iterator[Finding]:
        """Yield a finding if a message that is gone, for the same people, is probably this one: it
        has its id in another manifest, or nearly the same words."""
        if self._defined.is_own(pair.now.name):
            return
        candidates = list(self._gone_for(pair))
        of_this_id = [gone for gone, _ in candidates if gone.name.id == pair.now.name.id]
        renamed = next((gone for gone in of_this_id if self._has_no_heir(gone.name.manifest)), None)
        gone = renamed or next(iter(of_this_id), None) or self._alike(pair, candidates)
        if gone is None:
            return
        both = sum(copy.person in gone.people for copy in pair.now.people)
        way = self._defined.way(pair.now.name, gone.name)
        like = "this has the id" if gone in of_this_id else "these are nearly the words"
        which = "whose manifest is gone" if renamed else "which is gone"
        sentence = (
            f"{people_get(both)} both: {like} of {gone.name}, {which}; if this is the same "
            f"message, say {way}; if it is another one, moved_from = []"
        )
        yield _finding(pair, sentence, "id", second_copies=both, fails=renamed is not None)

    def _alike(
        self, pair: Pair, candidates: Iterable[tuple[Defined, frozenset[str]]]
    ) -> Defined | None:
        """Return the first candidate with nearly the words of a message."""
        words = _words(pair.now)
        for gone, its_words in candidates:
            if gone.said.type == pair.now.said.type and _are_alike(its_words, words):
                return gone
        return None

    def _has_no_heir(self, manifest: str) -> bool:
        """Whether nothing is left of a manifest."""
        return all(each not in self._heirs for each in self._before if each.manifest == manifest)

    def _gone_for(self, pair: Pair) -> Iterator[tuple[Defined, frozenset[str]]]:
        """Yield some of the messages that are gone and were for the same people."""
        people = islice(pair.now.people, _ASKED)
        found = (gone for copy in people for gone in self._gone_by_person.get(copy.person, ()))
        for name in dict.fromkeys(islice(found, _MOST_COMPARED)):
            yield self._before[name], self._words_of_gone[name]

    @cached_property
    def _gone_by_person(self) -> Mapping[int, list[MessageName]]:
        """The messages that are gone, by some of their people: those with the lowest hashes, which
        two lists of nearly the same people share."""
        found: dict[int, list[MessageName]] = {}
        for each in self._gone:
            for copy in islice(each.people, _ASKED):
                found.setdefault(copy.person, []).append(each.name)
        return found

    @cached_property
    def _words_of_gone(self) -> Mapping[MessageName, frozenset[str]]:
        return {each.name: _words(each) for each in self._gone}

    def _twins(self, pair: Pair) -> Counter[tuple[MessageName, bool]]:
        """Return the messages whose copies new recipients of this one have, whether each of these
        is still for them, and how many."""
        found: Counter[tuple[MessageName, bool]] = Counter()
        for copy in pair.now.people if pair.added_count else ():
            owner = self._owners.get(copy.content)
            if owner is not None and copy.person not in pair.people_before:
                name = self._names[owner]
                heir = self._heirs.get(name)
                stays = heir is not None and heir.now.people.get(copy.person) == copy.content
                found[name, stays] += 1
        return found

    @cached_property
    def _owners(self) -> Table:
        """Which message of the commit, by its number, has a content: it is of one person only."""
        owners = Table()
        for number, name in enumerate(self._names):
            for copy in self._before[name].people:
                owners.add(copy.content, number)
        owners.sort()
        return owners


def people_get(count: int) -> str:
    """Return `1 person gets`, `2 people get`."""
    return "1 person gets" if count == 1 else f"{count} people get"


def _finding(
    pair: Pair,
    sentence: str,
    where: str,
    *,
    second_copies: int = 0,
    fails: bool = False,
    stops: bool = False,
) -> Finding:
    definition = pair.now.definition._replace(item=None, row_path=None)
    severity: Severity = "error" if fails else "warning"
    problem = Problem(message=sentence, where=where, severity=severity)
    return Finding(definition.locate(problem), second_copies, fails, stops)


def _words(defined: Defined) -> frozenset[str]:
    texts = (value for _, value in leaves(defined.first.built) if isinstance(value, str))
    return frozenset(
        word for value in texts if value != defined.first.to for word in re.findall(r"\w+", value)
    )


def _are_alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return 2 * len(one & other) >= _ALIKE * (len(one) + len(other))
