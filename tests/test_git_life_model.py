"""Manifests that people edit in any way, against a model of who should have what.

Between two sends, messages and manifests are renamed, moved, split, numbered anew, changed, deleted
and written again, with a right `moved_from`, a wrong one or none; older commits are checked out;
sends fail, or nobody knows how they ended. Where `send` stops, people do what it says until it
sends.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import Dispatcher, ManifestError, OutcomeUnknown, Payload, Receipt, Refused
from dispatcher.api import Resend, Result
from dispatcher.config import Config, DeliverySettings, Settings
from dispatcher.hookspecs import hookimpl
from dispatcher.journal import writer
from dispatcher.models import LocatedProblem
from dispatcher.testing import RecordingTransport, registry

PEOPLE = ("79001234501", "79001234502", "79001234503")
WORDS = ("Hello", "Bye", "Sale")
MANIFESTS, IDS = ("m", "n", "o"), ("a", "b", "c", "d")
ROUNDS = 12  # edits after which whoever follows what is said may send at the latest

Name: TypeAlias = tuple[str, str]  # a manifest's, and a message's id
# Of whoever renames: it says so, replaces what was said before, says nothing, or is mistaken.
How: TypeAlias = Literal["said", "replaced", "nothing", "mistaken"]
# Of whoever is stopped: it is the same message; it is another one; send it all the same.
Way: TypeAlias = Literal["same", "other", "resend"]
Ending: TypeAlias = Literal["sent", "refused", "lost"]
# A method of `Life`, and what it is given.
Edit: TypeAlias = tuple[str, dict[str, Any]]
Commit: TypeAlias = tuple[list[Edit], list[Ending], list[Way]]


@dataclass
class Table:
    """A `[[messages]]` table; `former`: its `moved_from`, None: it has none."""

    words: str
    to: set[str]
    revision: int = 1
    former: list[str] | None = None


@dataclass
class Copy:
    """What a person has, or may have: under which name, in which revision, with which words."""

    name: Name
    revision: int
    to: str
    words: str


@dataclass
class Repository:
    """Manifests, as people think of them; `heads`: the `moved_from` at the top of each."""

    messages: dict[Name, Table] = field(default_factory=dict)
    heads: dict[str, list[str]] = field(default_factory=dict)

    def names(self, name: Name) -> list[Name]:
        """A message's name, and what the manifests say that it was called before."""
        said, implied = self._said(name), self._implied(name)
        taken = {each for other in self.messages if other != name for each in self._said(other)}
        return list(dict.fromkeys([name, *said, *(each for each in implied if each not in taken)]))

    def _said(self, name: Name) -> list[Name]:
        found: list[Name] = []
        for each in self.messages[name].former or ():
            manifest, slash, id = each.rpartition("/")
            homes = [manifest] if slash else [name[0], *self.heads.get(name[0], ())]
            found += [(home, id) for home in homes]
        return found

    def _implied(self, name: Name) -> list[Name]:
        return [(head, name[1]) for head in self.heads.get(name[0], ())]

    def is_own(self, name: Name) -> bool:
        return self.messages[name].former == []

    def write(self, folder: Path) -> None:
        for path in folder.glob("*.toml"):
            path.unlink()
        for manifest in {manifest for manifest, _ in self.messages}:
            head = self.heads.get(manifest)
            lines = ["manifest = 1", *([f"moved_from = {head}"] if head else [])]
            for name, table in self.messages.items():
                if name[0] == manifest:
                    lines += _lines(name[1], table)
            (folder / f"{manifest}.toml").write_text("\n".join(lines) + "\n")


def _lines(id: str, table: Table) -> Iterator[str]:
    yield "[[messages]]"
    yield f'id = "{id}"'
    if table.former is not None:
        yield f"moved_from = {json.dumps(table.former)}"
    yield f"revision = {table.revision}"
    yield f"to = {sorted(table.to)}"
    yield f'text.body = "{table.words}"'


class Gateway:
    """The transport, as a plugin; `script`: how the next attempts end, then all are sent."""

    def __init__(self) -> None:
        self.requests = 0
        self.script: list[Ending] = []

    @hookimpl
    def dispatcher_transports(self) -> Iterable[type[RecordingTransport]]:
        gateway = self

        class Scripted(RecordingTransport):
            name: ClassVar[str] = "scripted"

            def send(self, payload: Payload) -> Receipt:
                gateway.requests += 1
                match gateway.script.pop(0) if gateway.script else "sent":
                    case "refused":
                        raise Refused("no such number")
                    case "lost":
                        raise OutcomeUnknown("no answer")
                return Receipt(id=str(gateway.requests))

        return [Scripted]


class Life:
    """People edit, send, look what arrived, and do what they are told."""

    def __init__(self, folder: Path) -> None:
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        self.gateway = Gateway()
        told = Settings(transport="scripted", delivery=DeliverySettings(workers=1))
        config = Config(told, folder)
        self.dispatcher = Dispatcher(config, registry(self.gateway), folder=folder)
        self.repository = Repository()
        self.commits: list[Repository] = []
        self.copies: list[Copy] = []
        self.fresh = 0

    @property
    def messages(self) -> dict[Name, Table]:
        return self.repository.messages

    def edit(self, edit: str, given: dict[str, Any]) -> None:
        if self.messages or edit in ("write_message", "check_out", "settle"):
            getattr(self, edit)(**given)

    def some(self, which: int) -> Name:
        return list(self.messages)[which % len(self.messages)]

    # what people edit

    def write_message(self, name: Name, words: str, to: set[str], revision: int) -> None:
        self.messages.setdefault(name, Table(words, to, revision))

    def delete_message(self, which: int) -> None:
        del self.messages[self.some(which)]

    def rename_message(self, which: int, new: Name, how: How, words: str | None) -> None:
        """Maybe to another manifest, and maybe its words change with it."""
        old = self.some(which)
        if new in self.messages:
            return
        table = self.messages.pop(old)
        former = old[1] if old[0] == new[0] else "/".join(old)
        table.former = _said(former, table.former, how)
        table.words = words or table.words
        self.messages[new] = table

    def rename_manifest(self, which: int, new: str, how: How) -> None:
        old = self.some(which)[0]
        if any(manifest == new for manifest, _ in self.messages):
            return
        head = _said(old, self.repository.heads.pop(old, None), how)
        self.repository.heads[new] = head or []
        self.repository.messages = {
            (new if manifest == old else manifest, id): table
            for (manifest, id), table in self.messages.items()
        }

    def number_anew(self, which: int, other: int) -> None:
        one, two = self.some(which), self.some(other)
        self.messages[one], self.messages[two] = self.messages[two], self.messages[one]

    def change_words(self, which: int, words: str) -> None:
        self.messages[self.some(which)].words = words

    def set_revision(self, which: int, revision: int) -> None:
        self.messages[self.some(which)].revision = revision

    def set_recipients(self, which: int, to: set[str]) -> None:
        self.messages[self.some(which)].to = to

    def split_message(self, which: int, new: Name, to: set[str]) -> None:
        """Some of its recipients get the same words from another one now."""
        table = self.messages[self.some(which)]
        to = to & table.to
        if new not in self.messages and to and to != table.to:
            table.to = table.to - to
            self.messages[new] = Table(table.words, to, table.revision)

    def check_out(self, which: int) -> None:
        """An older commit, as in a checkout that was not updated, or the newest one again."""
        self.repository = deepcopy(self.commits[which % len(self.commits)])

    # what they do then

    def send(self, endings: list[Ending], ways: list[Way]) -> None:
        resend: set[Resend] = set()
        if not self.messages:
            return
        for round_ in range(ROUNDS):
            before = self.known()
            self.gateway.requests, self.gateway.script = 0, endings.copy()
            self.repository.write(self.manifests)
            try:
                plan = self.dispatcher.plan(compare=True)
                results = list(self.dispatcher.send(plan, resend=resend, new_journal=True))
            except ManifestError as stopped:
                assert (self.known(), self.gateway.requests) == (before, 0), "half of it was sent"
                way = ways[round_ % len(ways)] if ways else "same"
                if round_ > ROUNDS // 2:  # they have had enough of it
                    way = "other"
                for problem in stopped.problems:
                    if problem.is_error:
                        self.follow(problem, way, resend)
                if not self.messages:
                    return
            else:
                self.compare(results, before, resend)
                self.commits.append(deepcopy(self.repository))
                return
        raise AssertionError("what is said does not lead on")

    def known(self) -> dict[str, tuple[str, int]]:
        """What the journal says of each key."""
        return {row.key: (row.status, row.attempts) for row in self.dispatcher.history()}

    def settle(self, sent: bool) -> None:
        for row in list(self.dispatcher.history(status="unknown")):
            assert self.dispatcher.settle(row.key, sent=sent)
            if not sent:
                self.copies = [copy for copy in self.copies if _key(copy) != row.key]

    # how that ended

    def compare(
        self, results: list[Result], before: dict[str, tuple[str, int]], resend: set[Resend]
    ) -> None:
        tried = {key for key, row in self.known().items() if row != before.get(key)}
        assert self.gateway.requests == len(tried)
        failed: set[tuple[Name, str]] = set()
        for message, outcome in results:
            name = message.manifest, message.id
            if outcome.attempts == 0:
                continue
            table = self.messages[name]
            mine = [(each, table.revision, message.to) for each in self.repository.names(name)]
            (key,) = tried.intersection(_key(Copy(*each, table.words)) for each in mine)
            if outcome.status == "failed":
                failed.add((name, message.to))
                continue
            assert not self.same(name, message.to), f"{name}: {message.to} has it"
            if "moved" not in resend and not self.repository.is_own(name):
                self.require_no_second(name, message.to)
            _, manifest, id, revision, to = key.split("/")
            self.copies.append(Copy((manifest, id), int(revision), to, table.words))
        for name, table in self.messages.items():
            for to in table.to:
                assert (name, to) in failed or self.same(name, to), f"{name}: {to} is forgotten"

    def same(self, name: Name, to: str) -> list[Copy]:
        """What a person has of a message in its revision."""
        revision, called = self.messages[name].revision, self.repository.names(name)
        return [
            copy
            for copy in self.copies
            if copy.to == to and copy.name in called and copy.revision == revision
        ]

    def require_no_second(self, name: Name, to: str) -> None:
        """The same words are another message's, or those of a lower revision."""
        table, called = self.messages[name], self.repository.names(name)
        for copy in self.copies:
            if (copy.to, copy.words) == (to, table.words):
                is_lower = copy.name in called and copy.revision < table.revision
                is_other = copy.name not in called and self.stands(copy)
                assert is_lower or is_other, f"{name}: {to} has {copy}"

    def stands(self, copy: Copy) -> bool:
        """Whether there is a message in the manifests of which this is a copy."""
        return any(
            copy.to in table.to
            and copy.words == table.words
            and copy.name in self.repository.names(name)
            for name, table in self.messages.items()
        )

    # what is said

    def follow(self, problem: LocatedProblem, way: Way, resend: set[Resend]) -> None:
        name = Path(problem.location.path).stem, problem.location.message_id or ""
        said = problem.message
        if "moved_from: " in said:
            self.correct(name, said, way)
        elif name not in self.messages:  # it was corrected on the way
            return
        elif way == "resend":
            resend.add("moved")
        elif revision := re.search(r"say revision = (\d+) in it", said):
            self.messages[name].revision = int(revision[1])
        elif way == "other":
            self.messages[name].former = []
        elif at_top := re.search(r'moved_from = "([^"]+)" above', said):
            self.repository.heads.setdefault(name[0], []).append(at_top[1])
            if self.messages[name].former == []:
                self.messages[name].former = None
        elif in_it := re.search(r'moved_from = "([^"]+)" in it', said):
            table = self.messages[name]
            table.former = [*(table.former or ()), in_it[1]]
        elif twin := re.search(r"the same message as (\S+)/(\S+), make one", said):
            self.unite(name, (twin[1], twin[2]))
        else:
            former = re.search(r"as (\S+)/(\S+), which is not for them any more", said)
            assert former is not None, said
            self.unite(name, (former[1], former[2]))

    def unite(self, name: Name, other: Name) -> None:
        """Put a message's recipients back to the one that they had before, if the words are its."""
        if other in self.messages and self.messages[other].words == self.messages[name].words:
            self.messages[other].to |= self.messages.pop(name).to
        elif name in self.messages:
            self.messages[name].former = []

    def correct(self, name: Name, said: str, way: Way) -> None:
        """Something that is said to be former is not."""
        found = re.search(r"moved_from: (\S+)/(\S+) (is still there|became)", said)
        assert found is not None, said
        former = found[1], found[2]
        if way == "other" and former in self.messages and "give it another name" in said:
            self.fresh += 1
            self.messages[former[0], f"new-{self.fresh}"] = self.messages.pop(former)
        elif name in self.messages:
            left = [
                each
                for each in self.messages[name].former or ()
                if each not in (former[1], "/".join(former))
            ]
            self.messages[name].former = left or None
        else:
            head = self.repository.heads.get(name[0], [])
            self.repository.heads[name[0]] = [each for each in head if each != former[0]]


def _said(old: str, before: list[str] | None, how: How) -> list[str] | None:
    """What stands in `moved_from` after something that was called `old` was renamed."""
    match how:
        case "said":
            return [old, *(before or ())]
        case "replaced":
            return [old]
        case "mistaken":
            return ["never-was"]
    return before


def _key(copy: Copy) -> str:
    return f"default/{'/'.join(copy.name)}/{copy.revision}/{copy.to}"


def _edit(name: str, /, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Edit]:
    return st.tuples(st.just(name), st.fixed_dictionaries(given))


_which = st.integers(0, 9)
_name = st.sampled_from([(manifest, id) for manifest in MANIFESTS for id in IDS])
_words = st.sampled_from(WORDS)
_revision = st.integers(1, 3)
_to = st.sets(st.sampled_from(PEOPLE), min_size=1)
_how = st.sampled_from(["said", "replaced", "nothing", "mistaken"])
_edits = st.one_of(
    _edit("write_message", name=_name, words=_words, to=_to, revision=_revision),
    _edit("delete_message", which=_which),
    _edit("rename_message", which=_which, new=_name, how=_how, words=st.none() | _words),
    _edit("rename_manifest", which=_which, new=st.sampled_from(MANIFESTS), how=_how),
    _edit("number_anew", which=_which, other=_which),
    _edit("change_words", which=_which, words=_words),
    _edit("set_revision", which=_which, revision=_revision),
    _edit("set_recipients", which=_which, to=_to),
    _edit("split_message", which=_which, new=_name, to=_to),
    _edit("check_out", which=_which),
    _edit("settle", sent=st.booleans()),
)
_endings = st.lists(st.sampled_from(["sent", "sent", "refused", "lost"]), max_size=4)
_ways = st.lists(st.sampled_from(["same", "other", "resend"]), max_size=3)
_commit = st.tuples(st.lists(_edits, min_size=1, max_size=3), _endings, _ways)


@pytest.fixture(scope="module", autouse=True)
def _nobody_waits() -> Iterator[None]:
    """Here nobody comes who would share a commit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_LINGER", 0.0)
        yield


# The usual number of examples takes minutes: each has several runs with a journal on the disk.
@settings(max_examples=max(1, settings.default.max_examples // 8) if settings.default else 20)
@given(
    first=st.lists(st.tuples(_name, _words, _to, _revision), min_size=1, max_size=3),
    commits=st.lists(_commit, min_size=4, max_size=10),
)
def test_nobody_gets_the_same_words_twice_whatever_people_edit(
    first: list[tuple[Name, str, set[str], int]], commits: list[Commit]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder))
        for message in first:
            life.write_message(*message)
        life.send([], [])
        for edits, endings, ways in commits:
            for edit in edits:
                life.edit(*edit)
            life.send(endings, ways)
