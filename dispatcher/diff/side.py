"""One of the two states that are compared: what every message is, and who gets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dispatcher.diff.people import Copy, People
from dispatcher.keys import parsed
from dispatcher.manifest.definitions import Definition
from dispatcher.manifest.former_names import MessageName
from dispatcher.models import Attachment, Payload, Problem, ProblemList, Upload
from dispatcher.planning import Draft, PlannedMessage, Planner
from dispatcher.registry import Change, HookTrace, PluginInfo, Registry
from dispatcher.visible import printable


class Sample(NamedTuple):
    """What one person gets: the payload, as the plugins' `changes` have made it, and the file."""

    to: str
    payload: Payload
    upload: Upload | None
    changes: tuple[Change, ...]

    @property
    def built(self) -> Payload:
        """The payload before any plugin changed it."""
        return self.changes[0].before if self.changes else self.payload


class Said(NamedTuple):
    """What is said of a message, besides its content."""

    type: str
    transport: str
    revision: int
    repeat: str | None


class Seen(NamedTuple):
    """A planned message, and what plugins have changed in it."""

    planned: PlannedMessage
    changes: tuple[Change, ...]

    @property
    def name(self) -> MessageName:
        """Which message it is; many people may get it."""
        return MessageName(self.planned.message.manifest, self.planned.message.id)

    @property
    def to(self) -> str:
        """Who gets it."""
        return self.planned.message.to

    def sample(self) -> Sample:
        """Return it as a sample of what people get."""
        return Sample(self.to, self.planned.payload, self.planned.upload, self.changes)


class Defined:
    """A message of one side; `broken` if it has an error, so that it cannot be sent."""

    def __init__(self, seen: Seen, definition: Definition) -> None:
        self.name, self.definition, self.first = seen.name, definition, seen.sample()
        message, repeat = seen.planned.message, definition.file.data.get("repeat")
        key = parsed(message.key)
        self.said = Said(
            message.type,
            message.transport,
            int(key.revision) if key else 1,
            repeat if isinstance(repeat, str) else None,
        )
        self.people = People()
        self.broken = False


class Side:
    """The messages of one state, by name; these and the `problems` are complete once all are read.

    Without a planner, there are none.
    """

    def __init__(self, planner: Planner | None, registry: Registry) -> None:
        self.planner, self._registry = planner, registry
        self.messages: dict[MessageName, Defined] = {}
        self.problems = planner.problems_of_files() if planner else ProblemList()

    def read(self) -> Iterator[tuple[Defined, Seen]]:
        """Yield every message while it is added. Raises InputChanged if a file changes."""
        if self.planner is None:
            return
        for draft, seen in self._drafts(self.problems):
            for problem in draft.problems:
                self.problems(problem)
            defined = self.messages.get(seen.name)
            if defined is None:
                defined = self.messages[seen.name] = Defined(seen, draft.definition)
            defined.broken |= any(each.is_error for each in draft.problems)
            defined.people.add(*Copy.of(seen.planned))
            yield defined, seen
        self.planner.inputs.require_unchanged()
        wrong = {
            (problem.location.path, problem.location.message_id)
            for problem in self.problems
            if problem.is_error
        }
        for each in self.messages.values():
            each.people.sort()
            path = printable(str(each.definition.file.path))
            each.broken |= not wrong.isdisjoint({(path, None), (path, each.name.id)})

    def again(self) -> Iterator[Seen]:
        """Yield every message once more."""
        for _, seen in self._drafts(ProblemList()):
            yield seen

    def _drafts(self, problems: ProblemList) -> Iterator[tuple[Draft, Seen]]:
        if self.planner is None:
            return
        with _traced(self._registry) as trace:
            for draft in self.planner.drafts(problems):
                changes = tuple(trace.changes.get(draft.planned.message.key, ()))
                trace.changes.clear()
                yield draft, Seen(draft.planned, changes)


class _ChangesOnly(HookTrace):
    """Records what plugins changed; the rest is not asked for, and would grow."""

    def resolved(self, source: str, plugin: PluginInfo, attachment: Attachment) -> None:
        """Record nothing."""

    def objected(self, key: str, plugin: PluginInfo, problem: Problem) -> None:
        """Record nothing."""


@contextmanager
def _traced(registry: Registry) -> Iterator[HookTrace]:
    before = registry.trace
    registry.trace = trace = _ChangesOnly()
    try:
        yield trace
    finally:
        registry.trace = before
