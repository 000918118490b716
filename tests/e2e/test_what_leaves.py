"""What leaves is what `plan --payloads` printed, whatever plugins do and files become."""

import importlib
import json
import os
import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.api import Sending
from dispatcher.delivery import Summary
from dispatcher.testing import manifest
from dispatcher.visible import visible_json
from tests.support.gateway import Gateway, Reply, Request
from tests.support.plugins import add_metadata
from tests.support.project import Held, Project

# Its hooks do what `TRICKS` names, with everything that any of them was ever given.
PLUGIN = """
from enum import Enum

from dispatcher import Problem, Upload, hookimpl
from dispatcher.builtin.greenapi.transport import GreenApi

TRICKS, KEPT, MEDIA, TABLE = set(), [], [], {}

def spoil(value):
    if isinstance(value, dict):  # also one that is frozen
        dict.clear(value)
        dict.__setitem__(value, "to", "79990000000")
    elif isinstance(value, list):
        list.append(value, "spoilt")
    elif isinstance(value, Enum):
        return  # a constant, as much a part of the program as a class
    elif hasattr(value, "__dict__"):
        for each in list(vars(value).values()):
            spoil(each)
        for name in vars(value):
            vars(value)[name] = "79990000000"

def given(*values):
    if "spoil" in TRICKS:
        for each in KEPT[-50:]:
            spoil(each)
    KEPT.extend(values)

@hookimpl
def dispatcher_resolve_source(source, base):
    if "resolve" in TRICKS:
        KEPT.append(Upload.from_path(base / source))
        return KEPT[-1]

@hookimpl
def dispatcher_validate_message(message, attachment):
    given(message, attachment)
    KEPT.append([Problem(message="look", severity="warning")])
    return KEPT[-1]

@hookimpl
def dispatcher_transform_payload(payload, message):
    given(payload, message)
    if "share" in TRICKS and "text" in payload:
        TABLE["body"] = payload["text"]["body"] + " (" + str(message.vars.get("n")) + ")"
        payload["text"] = TABLE
    if "odd" in TRICKS:
        payload.update({"size": (1, 2.5, True), 7: None})
    if "replace" in TRICKS:
        kept = dict(payload)
        payload.clear()
        payload.update(kept)

@hookimpl
def dispatcher_message_finished(message, outcome):
    if message.type == "document":
        KEPT.extend(MEDIA)  # not earlier: the id of its file has not been taken then
    given(message, outcome)

class Sly(GreenApi):
    name = "sly"

    def build(self, message, attachment):
        given(message, attachment)
        KEPT.append(super().build(message, attachment))
        return KEPT[-1]

    def check(self, payload, attachment):
        problems = list(super().check(payload, attachment)) if "odd" not in TRICKS else []
        given(payload, attachment)
        spoil(payload)
        return problems

    def upload(self, file):
        media = super().upload(file)
        MEDIA.append(media)
        given(file)
        spoil(file)
        return media

    def send(self, payload):
        receipt = super().send(payload)
        spoil(payload)
        given(payload, receipt)
        return receipt

@hookimpl
def dispatcher_transports():
    return [Sly]
"""
TRICKS = ("spoil", "resolve", "share", "odd", "replace")
FAST = {"GREENAPI_RATE": "100000/s"}
# They are printed as they are: in others, what is hidden would be escaped.
TEXTS = (
    st.text(st.characters(exclude_categories=["C"], exclude_characters="{}%#"), max_size=40)
    .map(lambda text: f"x{text}")
    .filter(lambda text: visible_json(text) == text)
)


def place(held: Held, asked: Request) -> int:
    return next(place for place, each in enumerate(held.gateway.requests) if each is asked)


@pytest.fixture
def held(held: Held) -> Held:
    """A project at a gateway that gives every message an id of its own."""

    def answer(asked: Request) -> Reply:
        id = f"{asked.at}-{place(held, asked)}"
        ids = {"messages": [{"id": id}], "media": [{"id": "the-file"}]}
        return Reply(201, json.dumps(ids).encode())

    held.gateway.reply = answer
    return held


@pytest.fixture
def plugin(held: Held, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the plugin that plays tricks in the project."""
    folder = held.write("plugins/fake_tricks.py", PLUGIN).parent
    add_metadata(folder, "fake-tricks", "tricks = fake_tricks")
    monkeypatch.syspath_prepend(folder)
    held.write("manifests/prices.pdf", b"%PDF-1.7 prices")
    module = importlib.import_module("fake_tricks")
    yield module
    module.TRICKS.clear()


def printed(project: Project, *options: str) -> dict[str, bytes]:
    """What `plan --payloads` prints, by key."""
    lines = project.call("plan", "--payloads", *options, env=FAST).stdout.split("\n")
    return {
        line.split()[2]: lines[number + 1].strip(" ").encode()
        for number, line in enumerate(lines)
        if line.startswith("+ new")
    }


def posted(gateway: Gateway) -> list[bytes]:
    return [each.body for each in gateway.requests if each.path == "/v1/messages"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tricks=st.sets(st.sampled_from(TRICKS)),
    transport=st.sampled_from(["greenapi", "sly"]),
    texts=st.lists(TEXTS, min_size=1, max_size=4),
)
def test_whatever_plugins_do_what_was_printed_arrives(
    held: Held, plugin: Any, tricks: set[str], transport: str, texts: list[str]
) -> None:
    held.gateway.requests.clear()
    if transport == "greenapi":
        tricks -= {"odd"}  # it has a contract, which is checked
    plugin.TRICKS.clear()
    plugin.TRICKS.update(tricks)
    entries: list[dict[str, Any]] = [
        {"to": ["79001234501", "79001234502"], "text": {"body": text}, "vars": {"n": number}}
        for number, text in enumerate(texts)
    ]
    file = {"to": "79001234503", "document": {"source": "prices.pdf", "caption": texts[0]}}
    manifest(held.folder / "manifests", *entries, file, transport=transport, repeat="run")
    options = ("--run", uuid.uuid4().hex)

    shown = printed(held, *options)
    sent = held.call("send", "--json", *options, env=FAST)

    assert sent.code == 0, sent.stdout + sent.stderr
    assert len(shown) == 2 * len(texts) + 1
    arrived = posted(held.gateway)
    assert len(sent.events("result")) == len(arrived) == len(shown)
    for line in sent.events("result"):
        assert line["to"] == line["key"].rpartition("/")[2]
        at = int(line["id"].rpartition("-")[2])
        body = held.gateway.requests[at].body
        assert json.loads(body)["to"] == line["to"]
        assert body == with_id(shown[line["key"]])


def with_id(payload: bytes) -> bytes:
    """A payload as it is posted once its file is uploaded."""
    found = json.loads(payload)
    reference = found.get("document", {}).get("id", "")
    return payload.replace(reference.encode(), b"the-file") if reference else payload


# Files that change

ROWS = 25
KINDS = {
    "manifest": "manifests/m.toml",
    "text": "manifests/hello.txt",
    "csv": "manifests/people.csv",
    "jsonl": "manifests/more.jsonl",
    "media": "manifests/prices.pdf",
}


def _rewritten(path: Path) -> None:
    """As long as before and, as far as its owner can have it so, as old."""
    info, content = path.stat(), path.read_bytes()
    path.write_bytes(content.replace(b"7900", b"7901").replace(b"e", b"3"))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 1)


def _appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"to": "79990000000"}\n' if path.suffix == ".jsonl" else b"79990000000,x\n")


def _swapped(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes().replace(b"7900", b"7902").replace(b"o", b"0"))
    other.replace(path)


def _linked(path: Path) -> None:
    other = path.with_name(f".{path.name}")
    other.write_bytes(b"a secret as long as this one"[: path.stat().st_size])
    path.unlink()
    path.symlink_to(other)


def _piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES = [_rewritten, _truncated, _appended, _swapped, _linked, _piped, Path.unlink]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_changes_while_messages_are_sent_ends_the_run(
    held: Held, kind: str, change: Callable[[Path], None]
) -> None:
    moment = random.Random(f"{kind} {change.__name__}").randrange(ROWS)
    answer = held.gateway.reply

    def changed(asked: Request) -> Reply:
        if place(held, asked) == moment:
            change(held.folder / KINDS[kind])
        return answer(asked)

    held.gateway.reply = changed
    _write_inputs(held)
    shown = {with_id(payload) for payload in printed(held).values()}
    assert len(shown) == 3 * ROWS + 1

    sent = held.call("send", "--json", env=FAST)

    arrived = posted(held.gateway)
    assert set(arrived) <= shown
    assert len(set(arrived)) == len(arrived)
    for request in held.gateway.requests:
        if request.path != "/v1/messages":
            assert request.body == PRICES
    assert sent.code == 4, sent.stderr
    assert f"{Path(KINDS[kind]).name} has changed since it was checked" in sent.stderr
    assert "this is a bug" not in sent.stderr
    assert sent.summary["sent"] == len(arrived)
    assert sent.summary["not_tried"] > ROWS, "it went on for long"


PRICES = b"%PDF-1.7 prices for everybody, as one more secret"


def _write_inputs(project: Project) -> None:
    rows = [f"7900{number:07}" for number in range(ROWS)]
    people = "\n".join(["to,name", *(f"{to},one" for to in rows)])
    more = "\n".join(json.dumps({"to": to}) for to in rows)
    project.write("manifests/people.csv", people + "\n")
    project.write("manifests/more.jsonl", more + "\n")
    project.write("manifests/hello.txt", "Hello there, everybody")
    project.write("manifests/prices.pdf", PRICES)
    project.config("[delivery]\nworkers = 2\n")
    project.manifest(
        '[[messages]]\nid = "a"\nrecipients = "people.csv"\ntext.file = "hello.txt"\n'
        '[[messages]]\nid = "b"\nrecipients = "more.jsonl"\ntext.body = "Hello"\n'
        '[[messages]]\nid = "c"\nrecipients = "people.csv"\ntext.body = "{{ name }}"\n'
        '[[messages]]\nid = "d"\nto = "79001234567"\ndocument.source = "prices.pdf"\n'
    )


def test_a_file_that_changes_before_the_first_message_ends_the_run(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_inputs(held)
    run = Sending.run

    def changed_before(sending: Sending) -> Summary:
        _rewritten(held.folder / KINDS["csv"])
        return run(sending)

    monkeypatch.setattr(Sending, "run", changed_before)
    sent = held.call("send", "--json", env=FAST)
    assert sent.code == 1
    assert "people.csv has changed since it was checked" in sent.stderr
    assert sent.summary == {
        "event": "summary",
        **dict.fromkeys(["sent", "skipped", "failed", "unknown"], 0),
        "not_tried": 3 * ROWS + 1,
        "next": sent.summary["next"],
    }
    held.has_sent_nothing()


def test_plugin_that_answers_differently_each_time_sends_nothing(held: Held, plugin: Any) -> None:
    manifest(held.folder / "manifests", {"text": {"body": "Hello"}}, transport="sly")
    plugin.TRICKS.add("share")
    numbers = iter(range(9))
    table: Any = type("Table", (dict,), {"__setitem__": lambda self, key, value: None})()
    dict.update(table, body="1")
    plugin.TABLE = table

    def body(self: Any, key: str, value: str) -> None:
        dict.__setitem__(self, key, f"{value} {next(numbers)}")

    type(table).__setitem__ = body
    sent = held.call("send", env=FAST)
    assert sent.code == 1
    assert "is not as it was checked" in sent.stderr
    held.has_sent_nothing()
