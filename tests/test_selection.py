"""What is chosen of a plan: which messages, which recipients, and for whom a trial is."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import Address, AddressError, ConfigError, Dispatcher, Message, names
from dispatcher.builtin import builtins
from dispatcher.config import load
from dispatcher.manifest import runs
from dispatcher.registry import build_registry
from dispatcher.testing import RecordingTransport
from tests.support.cases import cases
from tests.support.plugins import Hooks
from tests.support.project import text

TESTER = "79990000000"
PEOPLE = ["79001234501", "79001234502", "79001234503"]
numbers = st.lists(
    st.integers(79000000000, 79009999999).map(str), min_size=1, max_size=12, unique=True
)


class Chat(RecordingTransport):
    """A transport with names for recipients, who are no phone numbers."""

    name: ClassVar[str] = "chat"

    def address(self, written: str, country: str | None) -> Address:
        if not written.startswith("@"):
            raise AddressError(f'"{written}" has no @')
        return Address(written.lower(), "user")


class Folder:
    """A folder with one manifest, m.toml, and what is planned of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        hooks = Hooks(transports=lambda: [Chat])
        registry = build_registry(builtins(), [("chat", hooks)], third_party=False)
        self.dispatcher = Dispatcher(load(folder), registry, folder=folder)

    def write(self, *messages: str) -> None:
        (self.folder / "m.toml").write_text("manifest = 1\n" + "".join(messages))

    def chosen(self, **options: Any) -> dict[str, list[Message]]:
        """The messages that are chosen, by their ids."""
        plan = self.dispatcher.plan("m.toml", **options)
        messages = [planned.message for planned in plan]
        assert len(plan) == len(messages)
        by_id = defaultdict(list)
        for message in messages:
            by_id[message.id].append(message)
        return by_id

    def recipients(self, **options: Any) -> dict[str, list[str]]:
        return {id: [each.to for each in found] for id, found in self.chosen(**options).items()}

    def refused(self, **options: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            list(self.dispatcher.plan("m.toml", **options))
        return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path)
    found.write(text("a", PEOPLE), text("b", PEOPLE[:1]))
    return found


@pytest.fixture(scope="module")
def reused() -> Iterator[Folder]:
    """One for many examples."""
    with tempfile.TemporaryDirectory() as folder:
        yield Folder(Path(folder))


@given(numbers, st.integers(1, 15))
@settings(max_examples=40)
def test_a_limit_takes_the_first_recipients(reused: Folder, to: list[str], limit: int) -> None:
    reused.write(text("a", to), text("b", to[::-1]))
    assert reused.recipients(limit=limit) == {"a": to[:limit], "b": to[::-1][:limit]}


@given(st.data(), numbers, st.integers(1, 15))
@settings(max_examples=40)
def test_a_sample_is_the_same_whatever_the_order(
    reused: Folder, data: st.DataObject, to: list[str], size: int
) -> None:
    reused.write(text("a", to))
    sample = reused.recipients(sample=size)["a"]
    assert len(sample) == min(size, len(to))
    assert sample == [each for each in to if each in sample], "in the order of the list"
    reused.write(text("a", data.draw(st.permutations(to))))
    assert set(reused.recipients(sample=size)["a"]) == set(sample)
    if size > 1:
        assert set(reused.recipients(sample=size - 1)["a"]) <= set(sample)


def test_a_sample_of_another_message_is_another_one(folder: Folder) -> None:
    many = [f"7900123{number:04}" for number in range(100)]
    folder.write(text("a", many), text("b", many))
    found = folder.recipients(sample=5)
    assert set(found["a"]) != set(found["b"])


@cases(
    "options, expected",
    ({}, {"a": PEOPLE, "b": PEOPLE[:1]}),
    ({"only": "a"}, {"a": PEOPLE}),
    ({"only": ["m/b"]}, {"b": PEOPLE[:1]}),
    ({"only": ["m/b", "a"]}, {"a": PEOPLE, "b": PEOPLE[:1]}),
    ({"to": "+7 900 123-45-01"}, {"a": PEOPLE[:1], "b": PEOPLE[:1]}),
    ({"to": [PEOPLE[2], PEOPLE[0]], "only": "a"}, {"a": [PEOPLE[0], PEOPLE[2]]}),
    ({"to": PEOPLE[1:], "limit": 1}, {"a": PEOPLE[1:2]}),
    ({"to": PEOPLE[1], "sample": 1}, {"a": PEOPLE[1:2]}),
    ({"limit": 2}, {"a": PEOPLE[:2], "b": PEOPLE[:1]}),
    ({"to": "79000000000"}, {}),
)
def test_what_is_chosen(
    folder: Folder, options: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert folder.recipients(**options) == expected


@cases(
    "options, sentence",
    ({"only": "c"}, "--only c: there is no such message"),
    ({"only": "m/aa"}, '--only m/aa: there is no such message; did you mean "m/a"?'),
    ({"only": ["a", "x/a"]}, '--only x/a: there is no such message; did you mean "m/a"?'),
    ({"limit": 0}, "--limit 0: it takes at least one recipient"),
    ({"sample": -1}, "--sample -1: it takes at least one recipient"),
    ({"limit": 1, "sample": 1}, "--limit and --sample both say how many recipients"),
    ({"to": "123"}, '--to 123: "123": a phone number has 7 to 15 digits'),
    ({"to": [PEOPLE[0], "123"]}, "--to 123: "),
    ({"trial": "123"}, '--trial 123: "123": a phone number has 7 to 15 digits'),
    ({"trial": ""}, "--trial : "),
    ({"trial": "79001234567-1581234048"}, "a trial goes to one person, not to a group"),
    ({"trial": TESTER, "run": "monday"}, "--run monday: a trial has a run of its own"),
)
def test_what_cannot_be_chosen(folder: Folder, options: dict[str, Any], sentence: str) -> None:
    assert sentence in folder.refused(**options)


def test_every_name_without_a_message_is_told(folder: Folder) -> None:
    assert folder.refused(only=["x", "a", "y"]).splitlines() == [
        "--only x: there is no such message",
        "--only y: there is no such message",
    ]


def test_recipients_without_a_message_are_known(folder: Folder) -> None:
    plan = folder.dispatcher.plan("m.toml", to=[PEOPLE[0], "+7 900 000-00-00"])
    assert plan.without_message == ["+7 900 000-00-00"]


def test_names_are_compared_as_people_see_them(folder: Folder) -> None:
    folder.write(text("caf\u00e9"), text("tea"))
    assert list(folder.recipients(only="cafe\u0301")) == ["caf\u00e9"]


def test_numbers_are_read_by_the_country_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text('country = "RU"')
    folder = Folder(tmp_path)
    folder.write(text("a", PEOPLE))
    assert folder.recipients(to="8 900 123-45-02") == {"a": [PEOPLE[1]]}
    [copy] = folder.chosen(trial="8 (999) 000-00-00")["a"]
    assert copy.to == TESTER


def test_each_transport_reads_whom_the_user_names(folder: Folder) -> None:
    chat = text("c", ["@Anna", "@boris"]).replace('id = "c"', 'id = "c"\ntransport = "chat"')
    folder.write(text("a", PEOPLE), chat)
    assert folder.recipients(to="@ANNA") == {"c": ["@anna"]}, "phone numbers have no @"
    assert folder.recipients(to=PEOPLE[0]) == {"a": PEOPLE[:1]}
    assert folder.refused(to=PEOPLE[0], only="c") == f'--to {PEOPLE[0]}: "{PEOPLE[0]}" has no @'
    [copy] = folder.chosen(trial="@Tester", only="c")["c"]
    assert (copy.to, copy.recipient_type) == ("@tester", "user")
    assert "--trial @Tester: " in folder.refused(trial="@Tester"), "message a has no use for it"


@cases(
    "options, whom",
    ({"sample": 3}, PEOPLE),
    ({"limit": 2}, PEOPLE[:2]),
    ({"to": PEOPLE[1:]}, PEOPLE[1:]),
    ({"to": PEOPLE[1:], "sample": 1, "only": "a"}, None),
    ({}, None),
)
def test_a_trial_has_a_copy_for_each_recipient_that_is_chosen(
    folder: Folder, options: dict[str, Any], whom: list[str] | None
) -> None:
    copies = folder.chosen(trial=TESTER, **options)["a"]
    assert {(copy.to, copy.recipient_type) for copy in copies} == {(TESTER, "individual")}
    stands_for = [copy.key.split("/")[-1] for copy in copies]
    assert stands_for == whom if whom else len(stands_for) == 1


def test_a_trial_to_a_group_goes_to_a_person(folder: Folder) -> None:
    folder.write(text("a", "79001234567-1581234048"))
    [copy] = folder.chosen(trial=TESTER)["a"]
    assert (copy.to, copy.recipient_type) == (TESTER, "individual")
    assert copy.key.endswith("/m/a/1/79001234567-1581234048")


@pytest.mark.parametrize("repeat", ["", 'repeat = "run"\n', 'repeat = "daily"\n'])
def test_a_trial_has_a_run_of_its_own(folder: Folder, repeat: str) -> None:
    folder.write(repeat, text("a"), text("b"))
    plan = folder.dispatcher.plan("m.toml", trial=TESTER)
    [run] = {each.message.key.partition("/")[0] for _ in range(2) for each in plan}
    assert run == plan.run
    assert run.startswith("trial-20")
    assert names.why_invalid(run) is None


def test_the_run_of_a_trial_is_its_moment() -> None:
    moment = datetime(2026, 11, 30, 12, 45, 26, 70_999, UTC)
    assert runs.trial(moment) == "trial-2026-11-30T124526.070Z"


def test_what_is_not_chosen_is_checked_all_the_same(folder: Folder) -> None:
    folder.write(text("a"), text("b", body="{{ name }}"), text("c", [TESTER, "123"]))
    plan = folder.dispatcher.plan("m.toml", only="a", limit=1)
    assert [problem.location.message_id for problem in plan.errors] == ["b", "c"]
    assert len(plan) == 1
