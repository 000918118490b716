"""Manifests → what the preview shows: the messages of each recipient, problems at their bubbles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from dispatcher.bubbles.bubble import Bubble, File, bubble_of, summary_of
from dispatcher.errors import DispatcherError
from dispatcher.models import LocatedProblem, Upload
from dispatcher.planning import Draft, Planner


@dataclass(frozen=True)
class Shown:
    """A message as a page shows it."""

    id: str
    manifest: str
    bubble: Bubble
    summary: str
    problems: list[LocatedProblem]


@dataclass
class Reading:
    """The messages by recipient in the manifests' order; `problems` belong to no bubble."""

    chats: dict[str, list[Draft]] = field(default_factory=dict)
    problems: list[LocatedProblem] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    error: str | None = None

    @property
    def counts(self) -> tuple[int, int]:
        """How many messages there are, and how many problems."""
        drafts = [draft for chat in self.chats.values() for draft in chat]
        problems = sum(len(draft.problems) for draft in drafts)
        return len(drafts), problems + len(self.problems) + (self.error is not None)


def read(make_planner: Callable[[], Planner]) -> Reading:
    """What the manifests say now; what keeps all of them from being read is `error`."""
    reading = Reading()
    told: list[LocatedProblem] = []
    try:
        for draft in make_planner().drafts(told.append):
            reading.chats.setdefault(draft.planned.message.to, []).append(draft)
            if upload := draft.planned.upload:
                reading.uploads[upload.sha256] = upload
    except DispatcherError as error:
        reading.error = str(error)
    reading.problems = list(_without_bubble(told, reading))
    return reading


def _without_bubble(told: Iterable[LocatedProblem], reading: Reading) -> Iterator[LocatedProblem]:
    """Puts each problem to the messages it is about; gives those that are about none shown."""
    by_entry: dict[tuple[str, str | None], list[Draft]] = {}
    for draft in chain.from_iterable(reading.chats.values()):
        by_entry.setdefault((draft.path, draft.planned.message.id), []).append(draft)
    for problem in told:
        about = by_entry.get((problem.path, problem.message_id), [])
        for draft in about:
            draft.problems.append(problem)
        if not about:
            yield problem


def shown(draft: Draft) -> Shown:
    """A message as its bubble, with its problems."""
    message, payload, upload = draft.planned.message, draft.planned.payload, draft.planned.upload

    def find(id: str) -> File | None:
        if upload is None or id != upload.reference:
            return None
        return File(f"/files/{upload.sha256}", upload.mime_type, upload.size, upload.filename)

    bubble = bubble_of(payload, find)
    return Shown(message.id, message.manifest, bubble, summary_of(payload), draft.problems)
