"""Reads manifests into what the preview shows: messages by recipient, problems at their bubbles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from dispatcher.bubbles import Bubble
from dispatcher.bubbles.bubble import File, ShownBubble, shown, summary_of
from dispatcher.errors import DispatcherError
from dispatcher.manifest.definitions import Definition
from dispatcher.models import Content, LocatedProblem, ProblemList, Upload, decode, leaves
from dispatcher.models.base import replaced
from dispatcher.models.content import said_by
from dispatcher.planning import Draft, PlannedMessage, Planner
from dispatcher.planning.selection import stands_for
from dispatcher.visible import printable

# A message's id, a file, and the row that a problem of the file is about; no file: in the row.
_Location: TypeAlias = tuple[str | None, str | None, str | None]

# Keys for which the recipients of one message may differ.
OF_RECIPIENTS: Final = ("to", "recipient_type")


@dataclass(frozen=True)
class ShownMessage:
    """A message as a page shows it; `stands_for`: of a trial's copy, whose message it is."""

    id: str
    manifest: str
    bubble: ShownBubble
    summary: str
    problems: list[LocatedProblem]
    stands_for: str | None = None


@dataclass
class Reading:
    """The messages by recipient in the manifests' order; `problems` belong to no bubble.

    `counts` says how many messages and how many problems there are, counted as by `validate`.
    """

    chats: dict[str, list[Draft]] = field(default_factory=dict)
    problems: list[LocatedProblem] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    error: str | None = None
    counts: tuple[int, int] = (0, 0)


def read(make_planner: Callable[[], Planner]) -> Reading:
    """Read the manifests; what keeps all of them from being read is `error`."""
    reading, drafts = Reading(), list[Draft]()
    told: list[LocatedProblem] = []
    whose: dict[LocatedProblem, set[int]] = {}  # problems before a message, and its number
    try:
        planner = make_planner()
        told += planner.problems_of_files()
        before = len(told)
        for draft in planner.drafts(told.append):
            for problem in told[before:]:
                whose.setdefault(problem, set()).add(len(drafts))
            before = len(told)
            drafts.append(draft)
            reading.chats.setdefault(draft.planned.message.to, []).append(draft)
            if upload := draft.planned.upload:
                reading.uploads[upload.sha256] = upload
    except DispatcherError as error:
        reading.error = str(error)
    problems = _listed(chain(told, *(draft.problems for draft in drafts)))
    reading.counts = len(drafts), len(problems) + (reading.error is not None)
    reading.problems = _listed(_without_bubble(told, drafts, whose))
    return reading


def _listed(problems: Iterable[LocatedProblem]) -> list[LocatedProblem]:
    """Return problems as `validate` lists them: the same problem of many rows is one."""
    listed = ProblemList()
    for problem in problems:
        listed(problem)
    return list(listed)


def _without_bubble(
    told: Iterable[LocatedProblem], drafts: list[Draft], whose: Mapping[LocatedProblem, set[int]]
) -> Iterator[LocatedProblem]:
    """Attach each problem once to each message that it is about; yield those about none shown.

    A problem was reported for every recipient of a message, or once for all of them.
    """
    by_location: dict[_Location, list[int]] = {}
    for number, draft in enumerate(drafts):
        for location in _locations(draft.definition):
            by_location.setdefault(location, []).append(number)
    for problem in dict.fromkeys(told):
        at = problem.location
        about = by_location.get((at.message_id, at.path, at.row))
        about = about or by_location.get((at.message_id, None, f"{at.path}:{at.line}"))
        for number in _concerned(problem, about or [], whose.get(problem, set())):
            drafts[number].problems.append(problem)
        if not about:
            yield problem


def _concerned(problem: LocatedProblem, about: list[int], before: set[int]) -> Iterable[int]:
    """Return those messages of one table that a problem is about: one item of `to` may have it."""
    if problem.where in OF_RECIPIENTS and before.intersection(about):
        return sorted(before.intersection(about))
    return about


def _locations(definition: Definition) -> Iterator[_Location]:
    """Yield where a problem of a message may be: in its manifest or text, for all or its row."""
    row = printable(f"{definition.row_path}:{definition.row}") if definition.row_path else None
    for path in {definition.file.path, definition.text_path or definition.file.path}:
        for whose in {None, row}:
            yield definition.id, printable(str(path)), whose
    if row:
        yield definition.id, None, row  # what is wrong with the row itself


def wrong(drafts: Iterable[Draft]) -> int:
    """Return how many problems some messages have; one that several of them have counts once."""
    return len({problem for draft in drafts for problem in draft.problems})


def shown_message(draft: Draft) -> ShownMessage:
    """Return a message as its bubble, with its problems."""
    message, upload = draft.planned.message, draft.planned.upload
    content = _content_that_leaves(draft.planned)

    def find(id: str) -> File | None:
        if upload is None:
            return None
        return File(f"/files/{upload.sha256}", upload.mime_type, upload.size, upload.filename)

    said = said_by(content, "bubble", Bubble)
    bubble = said if isinstance(said, Bubble) else Bubble(message.type, text=said)
    page = shown(bubble, message.type, find)
    whose = stands_for(message)
    return ShownMessage(
        message.id, message.manifest, page, summary_of(bubble), draft.problems, whose
    )


def _content_that_leaves(planned: PlannedMessage) -> Content:
    """Return the content as the payload has it: plugins may have changed that.

    Where a gateway's payload has another shape, the texts that were changed in it are changed in
    the message's content.
    """
    content, payload = planned.message.content, planned.payload
    with suppress(Exception):  # also those of a plugin, for which no payload need be a content
        return type(content).model_validate(payload.get(planned.message.type))
    before = dict(leaves(decode(planned.built or planned.sealed)))
    after = dict(leaves(payload))
    changed = {
        value: after[path]
        for path, value in before.items()
        if isinstance(value, str) and isinstance(after.get(path), str)
    }
    shown: Content = replaced(content, changed)
    return shown
