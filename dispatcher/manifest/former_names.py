"""Knows the names of all messages, and the names that each had before (`moved_from`).

All manifests count here, also those that are not planned: whether a name is gone, or stands
somewhere else now, does not depend on which files a command was given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from dispatcher.keys import Key
from dispatcher.models import LocatedProblem, Problem, Severity, located
from dispatcher.names import canonical_name
from dispatcher.toml import KeyPath
from dispatcher.toml.file import TomlFile
from dispatcher.visible import quoted

# Names as they are written, and where.
Names: TypeAlias = dict[str, KeyPath]


# Whether the repository of a folder ever had a manifest and a message (None means any) of these
# names; None if that is unknown.
EverHad: TypeAlias = Callable[[Path, str | None, str | None], bool | None]


_MOST_ASKED = 20  # names; git reads its whole history for each


class MessageName(NamedTuple):
    """A message's name in the whole repository: its manifest's name, and its id."""

    manifest: str
    id: str

    def __str__(self) -> str:
        return f"{self.manifest}/{self.id}"


class NameClaim(NamedTuple):
    """Where a message says that it had a name before, and how that is written.

    `planned` tells whether the file is planned.
    """

    by: MessageName
    file: TomlFile
    where: KeyPath
    written: str
    planned: bool

    @property
    def is_explicit(self) -> bool:
        """Whether the message itself says so, not its manifest."""
        return self.where[0] == "messages"

    @property
    def parts(self) -> tuple[str | None, str | None]:
        """Return the former manifest and the former id, as far as they are written."""
        if not self.is_explicit:
            return self.written, None
        manifest, _, id = self.written.rpartition("/")
        return manifest or None, id

    @property
    def location(self) -> str:
        """Return the file and the line."""
        line, _ = self.file.position([self.where])
        return f"{self.file.path}:{line}"

    def problem(self, sentence: str, severity: Severity = "error") -> LocatedProblem:
        """Return a problem with the claim."""
        problem = Problem(message=sentence, severity=severity)
        position = self.file.position([self.where])
        id = self.by.id if self.is_explicit else None
        return located(self.file.path, problem, *position, message_id=id)


class DefinedNames:
    """The names of all messages. `unread` are manifests whose names are not among them."""

    def __init__(self) -> None:
        self.unread: list[Path] = []
        self._names: dict[MessageName, tuple[TomlFile, int]] = {}
        self._claims: dict[MessageName, list[NameClaim]] = {}  # by former name
        self._former: dict[MessageName, list[MessageName]] = {}
        self._own: set[MessageName] = set()
        self._elsewhere: set[MessageName] = set()

    def add(
        self,
        name: str,
        data: Mapping[str, Any],
        file: TomlFile,
        *,
        planned: bool,
        own: bool = False,
    ) -> None:
        """Add the messages of a manifest, as far as `data` is usable. Add unplanned ones first.

        With `own`, none of them is another message under a new name, unless it says so.
        """
        manifests = _listed(data.get("moved_from"), ("moved_from",))
        entries = data.get("messages")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
                continue
            message = MessageName(name, canonical_name(entry["id"]))
            self._names[message] = file, index
            ids = _listed(entry.get("moved_from"), ("messages", index, "moved_from"))
            if not planned:
                self._elsewhere.add(message)
            if own or ids == {} or (ids is None and manifests == {}):
                self._own.add(message)
            if ids or manifests:
                names = _former_names(message, ids or {}, manifests or {})
                self._former[message] = list(names)
                for each, (written, where) in names.items():
                    claim = NameClaim(message, file, where, written, planned)
                    self._claims.setdefault(each, []).append(claim)

    def former(self, message: MessageName) -> list[MessageName]:
        """Return the names that a message had before."""
        return [
            name
            for name in self._former.get(message, ())
            if any(claim.by == message for claim in self._valid_claims(name))
        ]

    def _valid_claims(self, name: MessageName) -> list[NameClaim]:
        """Return the claims to a name; a message's own count before its manifest's."""
        claims = self._claims[name]
        return [claim for claim in claims if claim.is_explicit] or claims

    def is_gone(self, name: MessageName) -> bool:
        """Whether no message has this name, or claims that it had it."""
        return name not in self._names and not self.is_claimed(name)

    def is_claimed(self, name: MessageName) -> bool:
        """Whether a message claims that it had this name."""
        return name in self._claims

    def is_elsewhere(self, name: MessageName) -> bool:
        """Whether a message that is not planned has this name, or claims that it had it."""
        claims = self._valid_claims(name) if name in self._claims else ()
        return name in self._elsewhere or any(not claim.planned for claim in claims)

    def is_own(self, message: MessageName) -> bool:
        """Whether a message says that it had no other name (`moved_from = []`)."""
        return message in self._own

    def problems(self) -> Iterator[LocatedProblem]:
        """Yield a problem for each former name that still exists, or that two messages claim."""
        for name in self._claims:
            claims = self._valid_claims(name)
            for claim in claims:
                if claim.planned and name in self._names:
                    sentence = (
                        f"moved_from: {name} is still there, as a message of its own; give "
                        f"that another name, or, if {claim.by} never was {name}, leave moved_from "
                        "out"
                    )
                    yield claim.problem(sentence)
                elif claim.planned and claim is not claims[0]:
                    by, location = claims[0].by, claims[0].location
                    yield claim.problem(f"moved_from: {name} became {by} already ({location})")

    def claims(self) -> Iterator[tuple[MessageName, NameClaim]]:
        """Yield the former names in planned files, and where each is written."""
        return (
            (name, claim)
            for name in self._claims
            for claim in self._valid_claims(name)
            if claim.planned
        )

    def doubtful(
        self,
        claims: Sequence[tuple[MessageName, NameClaim]],
        known: Collection[tuple[str, str]],
        ever_had: EverHad,
    ) -> Iterator[LocatedProblem]:
        """Yield a problem for each name in a `moved_from` that is not `known`.

        It is an error if no commit has it either (`ever_had`), and a warning if that is unknown.
        """
        entries: dict[tuple[Path, KeyPath], NameClaim] = {}
        for _, claim in claims:
            entries.setdefault((claim.file.path, claim.where), claim)
        for name, claim in claims:
            if name in known:
                entries.pop((claim.file.path, claim.where), None)
        for number, claim in enumerate(entries.values()):
            had = ever_had(claim.file.folder, *claim.parts) if number < _MOST_ASKED else None
            sentence = f"moved_from: nothing was sent as {quoted(claim.written)}"
            if had is False:
                yield claim.problem(f"{sentence}, and nothing in git was ever called that")
            elif had is None:
                yield claim.problem(f"{sentence}; is that the name it had?", severity="warning")

    def moved_problems(
        self, moved: Mapping[MessageName, int], was: Mapping[MessageName, Key]
    ) -> Iterator[LocatedProblem]:
        """Yield a problem for each message that so many people have under former keys."""
        heirs: dict[MessageName, MessageName] = {}  # those of names that are gone
        for name, people in moved.items():
            key = was[name]
            former = MessageName(canonical_name(key.manifest), canonical_name(key.id))
            file, index = self._names[name]
            have = "1 person has it" if people == 1 else f"{people} people have it"
            if former == name or former in self.former(name):
                ways = f"in revision {key.revision}; say revision = {key.revision} in it"
            else:
                ways = self._ways(name, former, heirs.setdefault(former, name))
            again = "to send it once more all the same: send --resend moved"
            sentence = f"{have} as {former}, {ways}; {again}"
            yield file.problem(("messages", index, "id"), sentence, message_id=name.id)

    def way(self, name: MessageName, was: MessageName) -> str:
        """Return what to write where, so that a former name counts as a message's own."""
        still_there = any(each.manifest == was.manifest for each in self._names)
        if name.manifest != was.manifest and name.id == was.id and not still_there:
            return f'moved_from = "{was.manifest}" above [[messages]]'
        return f'moved_from = "{was.id if name.manifest == was.manifest else was}" in it'

    def _ways(self, name: MessageName, was: MessageName, heir: MessageName) -> str:
        """Return what became of a name, and what to do; `heir` is the first that may claim it."""
        gone, other = "which is in no manifest any more", "if it is another one, moved_from = []"
        if self.unread:
            gone += f" that can be read ({self.unread[0].name} cannot)"
        if was in self._names:
            now = "which is not for them any more, or has other words"
            return f"{now}; if it is the same message, put that back; {other}"
        if was in self._claims or heir != name:
            heir = self._valid_claims(was)[0].by if was in self._claims else heir
            return f"{gone}; if it is the same message as {heir}, make one of the two; {other}"
        return f"{gone}; if it is the same message, say {self.way(name, was)}; {other}"


def _former_names(
    message: MessageName, ids: Names, manifests: Names
) -> dict[MessageName, tuple[str, KeyPath]]:
    """Return the names that a message had, by its own claims and by its manifest's former names,
    and how and where each is written."""
    names = {MessageName(home, message.id): (home, where) for home, where in manifests.items()}
    for former, where in ids.items():
        manifest, slash, id = former.rpartition("/")
        homes = [manifest] if slash else [message.manifest, *manifests]
        names |= {MessageName(home, id): (former, where) for home in homes}
    names.pop(message, None)
    return names


def _listed(written: object, where: KeyPath) -> Names | None:
    """Return the names in a text or a list of texts, or None if it is neither."""
    if isinstance(written, str):
        return {canonical_name(written): where}
    if isinstance(written, list):
        return {
            canonical_name(each): (*where, number)
            for number, each in enumerate(written)
            if isinstance(each, str)
        }
    return None
