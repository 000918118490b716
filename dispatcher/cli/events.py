"""The objects that commands print with `--json`: one a line, with the name of its `event`.

They are what users can rely on: docs/reference/events.md is made from them, and the tests compare
what commands print with them. Keys may be added; none is taken away or given another meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # of which pydantic makes a schema before Python 3.12

from dispatcher.models import PlanStatus, Severity, Status


class Failure(TypedDict):
    """Why it failed."""

    code: Annotated[str | None, Field(description="The gateway's code, or a name of the cause.")]
    text: Annotated[str, Field(description="A sentence for people.")]


_Key = Annotated[str, Field(description="run/manifest/id/revision/recipient.")]
_Recipient = Annotated[str, Field(description="The recipient, as the gateway takes it.")]
_Manifest = Annotated[str, Field(description="The name of its manifest.")]
_Id = Annotated[str, Field(description="Its id there.")]
_Transport = Annotated[str, Field(description="The gateway.")]
_Error = Annotated[Failure | None, Field(description="Why it is not sent.")]

ForWhom = TypedDict(
    "ForWhom",
    {
        "for": NotRequired[
            Annotated[
                str, Field(description="In a trial: the recipient for whom this copy stands.")
            ]
        ]
    },
)


class File(TypedDict):
    """A file that is uploaded, or was compared."""

    filename: Annotated[str, Field(description="Its name.")]
    size: Annotated[int, Field(description="In bytes.")]
    sha256: Annotated[str, Field(description="The hash of its content.")]
    mime_type: Annotated[str, Field(description="What it is sent as.")]


class GatewayInUse(TypedDict):
    """A gateway, and its account there."""

    transport: str
    url: str | None
    account: Annotated[str | None, Field(description="A name that does not show its token.")]
    local: Annotated[bool, Field(description="Whether it is on this machine.")]


class Start(TypedDict):
    """The first object: what would be sent, or is about to be, and by which gateways."""

    gateways: list[GatewayInUse]
    profile: str | None
    journal: Annotated[str, Field(description="Its URL, without a password.")]
    messages: Annotated[int, Field(description="How many would be sent.")]
    people: Annotated[int, Field(description="To how many recipients.")]
    retry: Annotated[int, Field(description="How many of them failed before.")]
    changed: Annotated[int, Field(description="How many have changed since they were sent.")]
    moved: Annotated[int, Field(description="How many are there under another name.")]
    unknown: Annotated[int, Field(description="How many may have arrived.")]


class Planned(ForWhom):
    """A message of the plan."""

    key: _Key
    status: Annotated[PlanStatus, Field(description="What `send` would do with it.")]
    was: NotRequired[
        Annotated[str, Field(description="The key under which its recipient has it already.")]
    ]
    payload: Annotated[
        dict[str, Any],
        Field(
            description="What would be posted. In place of a file's id, which is not known yet, "
            "stands `upload:sha256:` and its hash."
        ),
    ]
    upload: Annotated[File | None, Field(description="The file that is uploaded first.")]


class PlanSummary(TypedDict):
    """The last object: how many messages there are of each status."""

    new: int
    moved: int
    sent: int
    changed: int
    retry: int
    unknown: int


class Result(ForWhom):
    """What became of a message, as soon as it is known."""

    key: _Key
    manifest: _Manifest
    message: _Id
    to: _Recipient
    transport: _Transport
    status: Annotated[Status, Field(description="How it ended in this run.")]
    id: Annotated[str | None, Field(description="What the gateway calls it.")]
    attempts: Annotated[int, Field(description="How often it was tried, in all runs.")]
    error: _Error


class Step(TypedDict):
    """A command that goes on with what is left."""

    status: Annotated[str, Field(description="Of the messages that are left.")]
    count: Annotated[int, Field(description="How many there are.")]
    messages: NotRequired[
        Annotated[dict[str, int], Field(description="manifest/id, and how many people.")]
    ]
    command: Annotated[str, Field(description="To be copied as it stands.")]
    otherwise: NotRequired[
        Annotated[str, Field(description="The command if the one unknown message did not arrive.")]
    ]


class SendSummary(TypedDict):
    """The last object: how many messages ended in which way."""

    sent: int
    skipped: int
    failed: int
    unknown: int
    not_tried: int
    next: Annotated[list[Step], Field(description="What is left for a person.")]


class Delivery(TypedDict):
    """What the gateway said of the message after it had accepted it: see `statuses`."""

    status: Annotated[str, Field(description="`delivered`, `read` or `undelivered`.")]
    at: Annotated[str | None, Field(description="Since when, in UTC, if the gateway says that.")]
    reason: Annotated[str | None, Field(description="Why not, in the gateway's words.")]


class NotedStatus(TypedDict):
    """What the gateway says of a message, if that is new."""

    key: _Key
    id: Annotated[str, Field(description="What the gateway calls it.")]
    status: Annotated[str, Field(description="`delivered`, `read` or `undelivered`.")]
    at: Annotated[str | None, Field(description="Since when, in UTC, if the gateway says that.")]
    reason: Annotated[str | None, Field(description="Why not, in the gateway's words.")]
    settle: NotRequired[
        Annotated[str, Field(description="The command that settles the message if it is unknown.")]
    ]


class StatusesSummary(TypedDict):
    """The last object: how many statuses there were."""

    noted: int
    known: Annotated[int, Field(description="How many said nothing new.")]
    missing: Annotated[int, Field(description="Of messages that the journal does not have.")]
    ambiguous: Annotated[int, Field(description="With an id that several messages have.")]


class Event(TypedDict):
    """An attempt, or what is known of it."""

    at: Annotated[str, Field(description="When, in UTC.")]
    status: str
    attempt: int | None
    id: str | None
    error: Failure | None
    delivery: Annotated[Delivery | None, Field(description="What the gateway said of it later.")]


class Recorded(TypedDict):
    """A message that was tried."""

    key: _Key
    run: Annotated[str, Field(description="`default`, or a day, a week, a month or a name.")]
    manifest: _Manifest
    message: _Id
    to: _Recipient
    transport: _Transport
    status: Annotated[str, Field(description="`sending`, `sent`, `failed` or `unknown`.")]
    attempts: Annotated[int, Field(description="How often it was tried.")]
    id: Annotated[str | None, Field(description="What the gateway calls it.")]
    error: _Error
    changed_at: Annotated[str, Field(description="When that was noted, in UTC.")]
    not_before: Annotated[
        str | None, Field(description="When the gateway wants the next attempt, at the earliest.")
    ]
    delivery: Annotated[Delivery | None, Field(description="What the gateway said of it later.")]
    events: NotRequired[
        Annotated[list[Event], Field(description="With `--attempts`: every attempt.")]
    ]


class Numbers(TypedDict):
    """How many of them there are of each status, and of what gateways said later."""

    tried: Annotated[int, Field(description="How many there are in the journal.")]
    sent: Annotated[int, Field(description="The next four make up `tried`.")]
    failed: int
    unknown: int
    sending: int
    delivered: Annotated[int, Field(description="What the gateway said last: see `statuses`.")]
    read: int
    undelivered: int
    attempts: Annotated[int, Field(description="How often all were tried.")]
    first_change: Annotated[str, Field(description="When the first was as it is now, in UTC.")]
    last_change: Annotated[str, Field(description="When the last one was.")]


class ReportedMessage(Numbers):
    """What became of a message."""

    manifest: _Manifest
    message: _Id
    transport: _Transport


class Reason(TypedDict):
    """Why some are not sent, or not delivered."""

    status: Annotated[str, Field(description="`failed`, `unknown` or `undelivered`.")]
    error: Failure
    count: Annotated[int, Field(description="How many messages have this reason.")]


class ReportSummary(Numbers):
    """The last object: all messages together."""

    run: str
    other_runs: Annotated[list[str], Field(description="The last one first.")]
    next: Annotated[list[Step], Field(description="What is left for a person.")]


class Problem(TypedDict):
    """A mistake in a manifest, a list, a text or the configuration."""

    path: Annotated[str, Field(description="The file.")]
    line: Annotated[int, Field(description="From 1.")]
    column: Annotated[int, Field(description="From 1, in characters.")]
    severity: Annotated[Severity, Field(description="Only an `error` keeps `send` from sending.")]
    message: Annotated[str | None, Field(description="The id of the message that has it.")]
    where: Annotated[str | None, Field(description="The key that has it, like `text.body`.")]
    text: Annotated[str, Field(description="A sentence for people.")]


class Finding(TypedDict):
    """What was found of one subject."""

    level: Annotated[str, Field(description="`ok`, `warn` or `FAIL`.")]
    subject: Annotated[str, Field(description="What was looked at.")]
    sentence: Annotated[str, Field(description="What was found.")]
    remedy: Annotated[str | None, Field(description="What to do.")]


class Plugin(TypedDict):
    """A plugin, in the order in which they are asked."""

    name: Annotated[str, Field(description="Its name in the entry points.")]
    distribution: Annotated[str | None, Field(description="What `pip` calls its package.")]
    version: str | None
    builtin: bool
    status: Annotated[str, Field(description="`active`, `disabled` or `broken`.")]
    hooks: Annotated[list[str], Field(description="The hooks that it has.")]
    error: Annotated[str | None, Field(description="Why it is broken.")]
    load_ms: NotRequired[Annotated[float, Field(description="With `--timings`.")]]
    call_ms: NotRequired[Annotated[float, Field(description="With `--timings`.")]]
    calls: NotRequired[Annotated[int, Field(description="With `--timings`.")]]


class Said(TypedDict):
    """What is said of a message at one side, besides its content."""

    type: str
    transport: str
    revision: int
    repeat: str | None
    people: Annotated[int, Field(description="How many recipients it has.")]


class Group(TypedDict):
    """Some of its recipients."""

    people: int
    first: Annotated[list[str], Field(description="The first three.")]


class Difference(TypedDict):
    """A value of the payload at both sides."""

    path: str
    before: str | None
    after: str | None
    plugin: Annotated[str | None, Field(description="Which made the difference.")]


class ComparedFile(TypedDict):
    """A file at one side."""

    name: str
    size: int
    sha256: str


class Place(TypedDict):
    """A sentence, and where it belongs."""

    path: str
    line: int
    column: int
    text: str


class DiffFinding(Place):
    """What a reviewer must know of a message."""

    second_copies: Annotated[int, Field(description="How many people may get it once more.")]
    fails: Annotated[bool, Field(description="Whether it is probably a mistake: see `--check`.")]
    stops: Annotated[bool, Field(description="Whether `send` stops at it.")]


class Changed(TypedDict):
    """A message that differs."""

    kind: Annotated[str, Field(description="`new`, `gone`, `moved` or `changed`.")]
    message: Annotated[str, Field(description="manifest/id.")]
    was: Annotated[list[str], Field(description="What it was called before.")]
    before: Annotated[Said | None, Field(description="In the commit; null if it is new.")]
    now: Annotated[Said | None, Field(description="In the working tree; null if it is gone.")]
    altered: Annotated[int, Field(description="How many people get another content.")]
    added: Annotated[Group, Field(description="Who is a recipient now.")]
    removed: Annotated[Group, Field(description="Who is none any more.")]
    sample: Annotated[str, Field(description="The recipient whose copy is shown.")]
    differences: Annotated[list[Difference], Field(description="In the copy of the sample.")]
    files: Annotated[list[ComparedFile | None], Field(description="Before and now.")]
    findings: Annotated[list[DiffFinding], Field(description="What a reviewer must know.")]


class DiffSummary(TypedDict):
    """The last object: with what was compared, and what was found."""

    commit: str
    chosen: Annotated[str, Field(description="Why that commit.")]
    messages: Annotated[int, Field(description="How many there are now.")]
    new: int
    gone: int
    moved: int
    changed: int
    second_copies: Annotated[int, Field(description="Which nobody can take back.")]
    fails: Annotated[bool, Field(description="Whether `--check` ends with 1.")]
    notes: Annotated[list[str], Field(description="What could not be compared, and why.")]
    problems_before: Annotated[list[Place], Field(description="Of the commit's manifests.")]


#: What each command prints: the names of events, each with its fields.
EVENTS: dict[str, dict[str, Any]] = {
    "validate": {"problem": Problem},
    "plan": {"start": Start, "plan": Planned, "summary": PlanSummary},
    "diff": {"diff": Changed, "summary": DiffSummary},
    "send": {"start": Start, "result": Result, "summary": SendSummary},
    "report": {"message": ReportedMessage, "reason": Reason, "summary": ReportSummary},
    "history": {"message": Recorded},
    "statuses": {"status": NotedStatus, "summary": StatusesSummary},
    "plugins": {"plugin": Plugin},
    "doctor": {"finding": Finding},
}
