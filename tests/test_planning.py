"""Plans: which problems they find, whom they blame, and what makes two plans of a message equal."""

import gc
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dispatcher import (
    Attachment,
    Link,
    MediaId,
    Message,
    Payload,
    PluginError,
    Problem,
    Receipt,
    Transport,
    Upload,
)
from dispatcher.builtin import builtins
from dispatcher.errors import InputChanged
from dispatcher.manifest import Options, load
from dispatcher.models import PlanStatus, Record
from dispatcher.planning import NOTHING, NoRecords, PlannedMessage, Planner, kept
from dispatcher.registry import build_registry
from dispatcher.testing import RecordingTransport
from tests.support.cases import cases
from tests.support.plugins import Hooks

NewPlanner = Callable[..., Planner]

TO = "79001234567"
TEXT = f'[[messages]]\nid = "a"\nto = "{TO}"\ntext.body = "Hello"\n'
FILE = f'[[messages]]\nid = "a"\nto = "{TO}"\ndocument.source = "a.pdf"\n'


PEOPLE = '[[messages]]\nid = "a"\nrecipients = "people.csv"\ntext.body = "{{ city }}"\n'


class Pigeon(RecordingTransport):
    """A transport whose payload is easy to see; tests make it misbehave."""

    name: ClassVar[str] = "pigeon"

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        shown = attachment.reference if isinstance(attachment, Upload) else repr(attachment)
        return {"to": message.to, "attached": shown}

    def upload(self, file: Upload) -> MediaId:
        raise AssertionError("planning uploads nothing")

    def send(self, payload: Payload) -> Receipt:
        raise AssertionError("planning sends nothing")


def picky(*problems: Problem) -> Pigeon:
    """One that has these objections to everything."""
    transport = Pigeon()
    transport.check = lambda payload, attachment: problems
    return transport


@pytest.fixture
def planner(tmp_path: Path) -> NewPlanner:
    """A planner of one manifest; `file` is the content of a.pdf."""

    def make(manifest: str, transport: Any = None, file: bytes = b"%PDF", **hooks: Any) -> Planner:
        (tmp_path / "m.toml").write_text(f"manifest = 1\n{manifest}")
        (tmp_path / "a.pdf").write_bytes(file)
        plugins = [("hooks", Hooks(**hooks))] if hooks else []
        registry = build_registry(builtins(), plugins, third_party=False)
        manifests = load([tmp_path / "m.toml"], Options(transport="pigeon"))

        def get(name: str) -> Transport:
            if name != "pigeon":
                raise PluginError(f'there is no transport "{name}"')
            return Pigeon() if transport is None else transport

        return Planner(manifests, registry, get)

    return make


class Known(NoRecords):
    """A journal with these records; `asked`: for which keys, question by question."""

    def __init__(self, records: dict[str, Record]) -> None:
        self.asked: list[Sequence[str]] = []
        self._records = records

    def lookup(
        self, keys: Sequence[str], former: Mapping[str, Sequence[str]] = NOTHING
    ) -> Mapping[str, Record]:
        self.asked.append(keys)
        return self._records


def only(planner: Planner, records: dict[str, Record] | None = None) -> PlannedMessage:
    assert [str(problem) for problem in planner.check()] == []
    (planned,) = planner.plan(Known(records or {}))
    return planned


@cases(
    "sent, tried, status",
    ("this", "other", "sent"),
    ("other", "this", "retry"),
    ("other", "another", "changed"),
)
def test_status_after_a_failed_attempt_to_send_something_else(
    planner: NewPlanner, sent: str, tried: str, status: PlanStatus
) -> None:
    made = planner(TEXT)
    planned = only(made)
    sent, tried = (planned.digest if each == "this" else each for each in (sent, tried))
    record = Record(digest=tried, status="failed", sent_digest=sent)
    assert only(made, {planned.message.key: record}).status == status


@cases(
    "record, status",
    (None, "new"),
    ("sent", "sent"),
    ("failed", "retry"),
    ("unknown", "unknown"),
    ("sending", "unknown"),
)
@cases("same", True, False, ids=["same content", "other content"])
def test_status_by_the_journals_record(
    planner: NewPlanner, record: Any, status: PlanStatus, same: bool
) -> None:
    made = planner(TEXT)
    planned = only(made)
    digest = planned.digest if same else "another"
    known = {planned.message.key: Record(digest=digest, status=record)} if record else {}
    if status == "sent" and not same:
        status = "changed"
    assert only(made, known).status == status


def test_status_says_the_same_to_everybody_who_asks_for_many(planner: NewPlanner) -> None:
    """The journal is asked in batches; every message gets its own answer."""
    recipients = [f"7900{number:07}" for number in range(1203)]
    made = planner(f'[[messages]]\nid = "a"\nto = {recipients}\ntext.body = "Hello"\n')
    made.check()
    sent = {
        f"default/m/a/1/{to}": Record(digest="other", status="sent")
        for to in recipients
        if to.endswith("7")
    }
    journal = Known(sent)

    plan = list(made.plan(journal))

    assert [planned.message.to for planned in plan] == recipients
    changed = [planned.message.to for planned in plan if planned.status == "changed"]
    assert changed == [to for to in recipients if to.endswith("7")]
    assert len(journal.asked) < 10
    assert [key for keys in journal.asked for key in keys] == [
        planned.message.key for planned in plan
    ]


def test_digest_depends_on_what_would_be_sent_alone(planner: NewPlanner, tmp_path: Path) -> None:
    digest = only(planner(FILE)).digest
    assert only(planner(f"# a comment\n{FILE}")).digest == digest
    assert only(planner(FILE, file=b"other")).digest != digest
    (tmp_path / "b.pdf").write_bytes(b"%PDF")
    assert only(planner(FILE.replace("a.pdf", "b.pdf"))).digest == digest
    assert only(planner(FILE.replace(TO, "79001234568"))).digest != digest


def test_payload_of_a_file_holds_its_reference_and_of_a_link_the_link(planner: NewPlanner) -> None:
    file = only(planner(FILE))
    assert file.payload["attached"] == file.upload.reference
    link = only(planner(FILE.replace("a.pdf", "https://example.com/a.pdf")))
    assert link.upload is None
    assert "https://example.com/a.pdf" in link.payload["attached"]


@cases(
    "content, attached",
    ('link = "https://e.com/a"', Link(url="https://e.com/a")),
    ('link = "https://e.com/a"\nprovider.name = "p"', Link(url="https://e.com/a", provider="p")),
    ('source = "https://e.com/a"\nprovider.name = "p"', Link(url="https://e.com/a", provider="p")),
    ('id = "1"', MediaId(id="1")),
)
def test_transport_and_plugins_see_what_is_attached(
    planner: NewPlanner, content: str, attached: Attachment
) -> None:
    seen: list[object] = []
    text = f'[[messages]]\nid = "a"\nto = "{TO}"\n[messages.document]\n{content}'
    planned = only(planner(text, validate_message=lambda attachment: seen.append(attachment)))
    assert planned.payload["attached"] == repr(attached)
    assert set(map(repr, seen)) == {repr(attached)}


def test_problems_of_all_stages_are_found_at_once_each_at_its_place(planner: NewPlanner) -> None:
    problems = [
        Problem(message="too friendly", where="text.body", severity="warning"),
        Problem(message="wrong day"),
    ]
    transport = picky(Problem(message="no more room", where="text"))
    made = planner(TEXT, transport, validate_message=lambda: problems)
    found = [(each.location.line, each.severity, each.message) for each in made.check()]
    assert sorted(found) == [
        (2, "error", "wrong day (hooks)"),
        (5, "error", "no more room (pigeon)"),
        (5, "warning", "too friendly (hooks)"),
    ]


@cases(
    "body, shown",
    ('text.body = """\nDear Ann,\nspam\n"""', "m.toml:7:1"),
    ('text.body = "Dear Ann,\\nspam"', "m.toml:5:13"),
    ('text.file = "letter.txt"', "letter.txt:2:1"),
)
def test_a_plugin_can_name_the_line_of_a_text(
    planner: NewPlanner, tmp_path: Path, body: str, shown: str
) -> None:
    def validate_message(message: Message) -> Iterable[Problem]:
        for line, words in enumerate(message.text.body.split("\n") if message.text else [], 1):
            if words == "spam":
                yield Problem(message="spam is here", where="text.body", line=line)

    (tmp_path / "letter.txt").write_text("Dear Ann,\nspam\n")
    text = f'[[messages]]\nid = "a"\nto = "{TO}"\n{body}\n'
    [problem] = planner(text, validate_message=validate_message).check()
    assert str(problem) == f'{tmp_path}/{shown}: error: message "a": spam is here (hooks)'


def test_one_fault_is_told_once(planner: NewPlanner) -> None:
    """What a plugin objected to need not be objected to by the transport as well."""

    objection = Problem(message="the plugin's objection", where="text.body")
    transport = picky(Problem(message="the transport's objection", where="text.body"))
    [problem] = planner(TEXT, transport, validate_message=lambda: [objection]).check()
    assert problem.message == "the plugin's objection (hooks)"


def test_unknown_transport_is_a_problem_of_the_manifest(planner: NewPlanner) -> None:
    (problem,) = planner(TEXT + 'transport = "owl"').check()
    assert str(problem).endswith('m.toml:6:13: error: message "a": there is no transport "owl"')


def test_source_that_nobody_knows_is_a_problem_and_the_rest_is_checked(planner: NewPlanner) -> None:
    text = FILE.replace("a.pdf", "nothing.pdf") + 'document.caption = " "\n'
    places = [(problem.location.line, problem.where) for problem in planner(text).check()]
    assert sorted(places) == [(5, "document.source"), (6, "document.caption")]


def test_a_link_that_is_another_each_time_changes_nothing(planner: NewPlanner) -> None:
    links = iter(range(9))

    def resolve_source(source: str) -> Link:
        url = f"https://cdn.example.com/{source}?signature={next(links)}"
        return Link(url=url, identity=None if source == "plain" else f"cdn:{source}")

    def planned(source: str) -> PlannedMessage:
        text = FILE.replace("a.pdf", source) + 'document.provider.name = "cdn"\n'
        return only(planner(text, resolve_source=resolve_source))

    first, second = planned("a.pdf"), planned("a.pdf")
    assert first.payload != second.payload
    assert first.digest == second.digest
    assert first.digest != planned("b.pdf").digest
    assert planned("plain").digest != planned("plain").digest


def broken(method: str, answer: Callable[[], object]) -> Pigeon:
    """One that answers so where it is asked for this."""
    transport = Pigeon()
    setattr(transport, method, lambda *_: answer())
    return transport


@cases(
    "method, answer, why",
    ("build", lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ("check", lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ("check", lambda: None, "answered None, expected"),
    ("build", lambda: {"to": TO, "when": object()}, "the payload is not JSON: Object of type"),
    ids=["build", "check", "no answer", "no JSON"],
)
def test_transport_that_fails_in_a_pure_stage_is_blamed_by_name(
    planner: NewPlanner, method: str, answer: Callable[[], object], why: str
) -> None:
    with pytest.raises(PluginError) as caught:
        planner(TEXT, broken(method, answer)).check()
    blamed = f'plugin "pigeon" failed in {method} of transport "pigeon": '
    assert f'm.toml:2:1: error: message "a": {blamed}{why}' in str(caught.value)


def test_plan_refuses_what_changed_after_the_check(planner: NewPlanner, tmp_path: Path) -> None:
    """What was checked is what is planned, or nothing is."""
    (tmp_path / "people.csv").write_text(f"to,city\n{TO},Kazan\n")
    made = planner(PEOPLE)
    assert not made.check().errors
    (tmp_path / "people.csv").write_text(f"to,town\n{TO},Kazan\n")
    with pytest.raises(InputChanged, match=r"people\.csv has changed"):
        list(made.plan())


def test_what_changed_far_behind_stops_everything(planner: NewPlanner, tmp_path: Path) -> None:
    rows = [f"7900{number:07},Kazan" for number in range(3000)]
    people = tmp_path / "people.csv"
    people.write_text("\n".join(["to,city", *rows]))
    made = planner(PEOPLE)
    assert not made.check().errors
    rows[2000] = "79000002000"
    people.write_text("\n".join(["to,city", *rows]))
    planned: list[str] = []
    with pytest.raises(InputChanged, match=r"people\.csv has changed"):
        planned.extend(each.message.to for each in made.plan())
    assert planned == []


def test_same_source_is_read_once(planner: NewPlanner) -> None:
    asked: list[str] = []

    def resolve_source(source: str) -> Link:
        asked.append(source)
        return Link(url="https://example.com/a.pdf")

    text = FILE.replace(f'"{TO}"', f'["{TO}", "79001234568"]').replace("a.pdf", "drive:1")
    made = planner(text, resolve_source=resolve_source)
    made.check()
    assert len(list(made.plan())) == 2
    assert asked == ["drive:1"]


# What the check has kept


class Counting(Pigeon):
    """It notes for whom it builds a payload."""

    def __init__(self) -> None:
        super().__init__()
        self.built: list[str] = []

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        self.built.append(message.to)
        return super().build(message, attachment)


NUMBERS = [f"7900{number:07}" for number in range(1200)]
MANY = f'[[messages]]\nid = "a"\nto = {NUMBERS}\ntext.body = "Hello"\n'.replace("'", '"')


def test_what_was_checked_is_not_planned_again(planner: NewPlanner) -> None:
    transport = Counting()
    made = planner(MANY, transport)
    assert not made.check(NoRecords()).errors
    assert transport.built == NUMBERS
    transport.built.clear()
    assert [each.message.to for each in made.plan()] == NUMBERS
    assert transport.built == NUMBERS[:1]  # does the transport go on to say the same?


@cases("bound, most", ("_MOST", len(NUMBERS) - 1), ("_MOST_BYTES", 20 * len(NUMBERS)))
def test_too_many_are_planned_again(
    planner: NewPlanner, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(kept, bound, most)
    transport = Counting()
    made = planner(MANY, transport)
    assert not made.check(NoRecords()).errors
    assert [each.message.to for each in made.plan(last=True)] == NUMBERS
    assert transport.built == NUMBERS * 2


def test_variables_count_as_memory(planner: NewPlanner, tmp_path: Path) -> None:
    """Their columns may be in no payload."""
    story = "once upon a time" * 1000
    people = [f"{number},Kazan,{story}" for number in NUMBERS]
    (tmp_path / "people.csv").write_text("\n".join(["to,city,story", *people]))
    transport = Counting()
    made = planner(PEOPLE, transport)
    assert not made.check(NoRecords()).errors
    assert len(list(made.plan())) == len(people)
    assert len(transport.built) == 2 * len(people)


def test_kept_messages_are_compared_with_the_journal_as_it_is_now(planner: NewPlanner) -> None:
    made = planner(TEXT)
    made.check(NoRecords())
    (new,) = made.plan(NoRecords())
    assert new.status == "new"
    sent = Record(status="sent", digest=new.digest)
    (planned,) = made.plan(Known({new.message.key: sent}), last=True)
    assert planned.status == "sent"
    (again,) = made.plan(NoRecords())  # made anew
    assert again == new


def test_kept_messages_are_dropped_once_they_are_given_out(planner: NewPlanner) -> None:
    made = planner(MANY)
    made.check(NoRecords())
    plan = made.plan(last=True)
    next(plan)
    second = weakref.ref(next(plan).message.content)
    for _ in range(len(NUMBERS) // 2):
        next(plan)
    gc.collect()
    assert second() is None


def test_a_plugin_is_asked_again_for_each_kind_of_content(planner: NewPlanner) -> None:
    answers = iter(range(9))

    def transform_payload(payload: Payload, message: Message) -> None:
        if message.type == "document":
            payload["answer"] = next(answers)

    made = planner(TEXT + FILE.replace('"a"', '"b"'), transform_payload=transform_payload)
    assert not made.check(NoRecords()).errors
    with pytest.raises(InputChanged, match=r'm/b/1.*plugin "hooks".* answered differently'):
        next(made.plan())


def test_an_objection_that_comes_later_stops_everything(planner: NewPlanner) -> None:
    objections: list[Problem] = []
    made = planner(TEXT, validate_message=lambda: objections)
    assert not made.check(NoRecords()).errors
    objections.append(Problem(message="not on a Sunday"))
    with pytest.raises(InputChanged, match=r"not on a Sunday.*: this is not as it was checked"):
        next(made.plan())
