"""Manifests → what the preview shows: the messages of each recipient, problems at their bubbles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

from dispatcher.bubbles.bubble import Bubble, File, bubble_of, summary_of
from dispatcher.errors import DispatcherError
from dispatcher.manifest.origins import Origin, ProblemList
from dispatcher.models import LocatedProblem, Upload
from dispatcher.planning import Draft, Planner
from dispatcher.toml.explain import printable

# A message's id, a file, and the row that a problem of the file is about; no file: in the row.
Place: TypeAlias = tuple[str | None, str | None, str | None]


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
    """The messages by recipient in the manifests' order; `problems` belong to no bubble.

    `counts`: how many messages there are, and how many problems, as `validate` counts them.
    """

    chats: dict[str, list[Draft]] = field(default_factory=dict)
    problems: list[LocatedProblem] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    error: str | None = None
    counts: tuple[int, int] = (0, 0)


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
    drafts = list(chain.from_iterable(reading.chats.values()))
    reading.counts = len(drafts), _count(told, drafts) + (reading.error is not None)
    reading.problems = list(_without_bubble(told, drafts))
    return reading


def _count(told: Iterable[LocatedProblem], drafts: Iterable[Draft]) -> int:
    """How many problems there are; what is wrong with many rows in the same way is one."""
    problems = ProblemList()
    for problem in chain(told, *(draft.problems for draft in drafts)):
        problems(problem)
    return sum(1 for _ in problems)


def _without_bubble(
    told: Iterable[LocatedProblem], drafts: Iterable[Draft]
) -> Iterator[LocatedProblem]:
    """Puts each problem to the messages it is about; gives those that are about none shown."""
    by_place: dict[Place, list[Draft]] = {}
    for draft in drafts:
        for place in _places(draft.origin):
            by_place.setdefault(place, []).append(draft)
    for problem in told:
        about = by_place.get((problem.message_id, problem.path, problem.row))
        about = about or by_place.get((problem.message_id, None, f"{problem.path}:{problem.line}"))
        for draft in about or ():
            draft.problems.append(problem)
        if not about:
            yield problem


def _places(origin: Origin) -> Iterator[Place]:
    """Where what is wrong with a message may be: in its manifest or text, for all or its row."""
    row = printable(f"{origin.row_path}:{origin.row}") if origin.row_path else None
    for path in {origin.file.path, origin.text_path or origin.file.path}:
        for whose in {None, row}:
            yield origin.id, printable(str(path)), whose
    if row:
        yield origin.id, None, row  # what is wrong with the row itself


def shown(draft: Draft) -> Shown:
    """A message as its bubble, with its problems."""
    message, payload, upload = draft.planned.message, draft.planned.payload, draft.planned.upload

    def find(id: str) -> File | None:
        if upload is None or id != upload.reference:
            return None
        return File(f"/files/{upload.sha256}", upload.mime_type, upload.size, upload.filename)

    bubble = bubble_of(payload, find)
    return Shown(message.id, message.manifest, bubble, summary_of(payload), draft.problems)
