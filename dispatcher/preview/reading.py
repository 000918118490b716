"""Manifests → what the preview shows: the messages of each recipient, problems at their bubbles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

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

    def shown(self, to: str) -> list[Shown]:
        return [_shown(draft) for draft in self.chats.get(to, ())]


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
    reading.problems = [problem for problem in told if not _attach(problem, reading)]
    return reading


def _attach(problem: LocatedProblem, reading: Reading) -> bool:
    """Puts a problem to the messages it is about; says whether there is one."""
    drafts: Iterable[Draft] = (draft for chat in reading.chats.values() for draft in chat)
    about = [each for each in drafts if _is_about(problem, each)]
    for draft in about:
        draft.problems.append(problem)
    return bool(about)


def _is_about(problem: LocatedProblem, draft: Draft) -> bool:
    return problem.message_id == draft.planned.message.id and problem.path == draft.path


def _shown(draft: Draft) -> Shown:
    message, payload, upload = draft.planned.message, draft.planned.payload, draft.planned.upload

    def find(id: str) -> File | None:
        if upload is None or id != upload.reference:
            return None
        return File(f"/files/{upload.sha256}", upload.mime_type, upload.size, upload.filename)

    bubble = bubble_of(payload, find)
    return Shown(message.id, message.manifest, bubble, summary_of(payload), draft.problems)
