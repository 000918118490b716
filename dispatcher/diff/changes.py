"""What a comparison has found: the messages that differ, and what that does to their recipients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from dispatcher.diff.side import Said, Sample
from dispatcher.git_revisions import Revision
from dispatcher.manifest.former_names import MessageName
from dispatcher.models import LocatedProblem

Kind: TypeAlias = Literal["new", "gone", "moved", "changed"]
SHOWN = 3  # people who are named; the others are counted


class Group(NamedTuple):
    """Some of a message's recipients: how many, and the first of them."""

    people: int = 0
    first: tuple[str, ...] = ()


class File(NamedTuple):
    """A file that is sent: its name, its size in bytes and its hash."""

    name: str
    size: int
    sha256: str


class Difference(NamedTuple):
    """A value of the payload at both sides; None: there is none.

    `plugin` made the difference, if the manifest alone makes none.
    """

    path: str
    before: str | None
    after: str | None
    plugin: str | None = None


class Finding(NamedTuple):
    """What a reviewer must know of a message, with the place where it is written.

    `second_copies` is how many people may get the message once more, which nobody can take back.
    With `fails`, the change is probably a mistake; with `stops`, one at which `send` stops, too,
    before anything leaves.
    """

    problem: LocatedProblem
    second_copies: int = 0
    fails: bool = False
    stops: bool = False


@dataclass(frozen=True)
class Change:
    """A message that differs.

    `was` are the names that it had before. `before` and `now` are what is said of it, and how many
    people got and get it. Of those who stay, `altered` get another content; the `differences` and
    the `files` are those of one of them, the `sample`, or of a message that is new or gone.
    `from_list`: each may get words of their own.
    """

    kind: Kind
    name: MessageName
    was: tuple[MessageName, ...]
    before: Said | None
    now: Said | None
    people_before: int
    people_now: int
    altered: int
    added: Group
    removed: Group
    sample: Sample
    from_list: bool
    differences: tuple[Difference, ...]
    files: tuple[File | None, File | None]
    findings: tuple[Finding, ...]

    @property
    def second_copies(self) -> int:
        """How many people may get it once more."""
        return max((each.second_copies for each in self.findings), default=0)


@dataclass(frozen=True)
class Diff:
    """What the manifests say now, compared with a commit.

    `changes` begin with those that nobody can take back. `problems` are those of today's files: if
    there is an error among them, nothing was compared. `problems_before` are the errors of the
    commit's, and `notes` say what else of it could not be compared. `messages` counts
    those of today.
    """

    revision: Revision
    changes: tuple[Change, ...]
    messages: int
    problems: tuple[LocatedProblem, ...]
    problems_before: tuple[LocatedProblem, ...]
    notes: tuple[str, ...]

    @property
    def errors(self) -> list[LocatedProblem]:
        """Return the errors of today's files."""
        return [each for each in self.problems if each.is_error]

    @property
    def findings(self) -> list[Finding]:
        """Return those of all changes."""
        return [each for change in self.changes for each in change.findings]

    @property
    def fails(self) -> bool:
        """Whether any of the changes is probably a mistake."""
        return any(each.fails for each in self.findings)
