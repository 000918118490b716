"""What a test begins with: messages, manifests, plans, a registry, a transport that records."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

import dispatcher.testing
from dispatcher import (
    BaseTransport,
    Content,
    Contents,
    Link,
    Message,
    Payload,
    PluginError,
    Upload,
    hookimpl,
)
from dispatcher.testing import Recording, manifest, message, plan, registry, upload
from tests.support.cases import cases


class Shout:
    @hookimpl
    def dispatcher_transform_payload(self, payload: Payload, message: Message) -> None:
        payload["text"]["body"] = payload["text"]["body"].upper()


def test_a_message_is_valid_whatever_is_changed() -> None:
    assert message().text is not None
    assert message(image={"link": "https://a.example"}).type == "image"
    assert message(to="+7 900 123-45-67").to == "79001234567"
    assert message(to="79001234567-1581234048").recipient_type == "group"
    assert message(vars={"a": 1}, key="k").key == "k"


def test_a_wrong_change_is_no_message() -> None:
    with pytest.raises(ValueError, match="colour"):
        message(colour="red")


@cases(
    "tables, bodies",
    ((), ["HELLO!"]),
    (({}, {"text": {"body": 'a "b"\n\\ 😃'}}), ["HELLO!", 'A "B"\n\\ 😃']),
    (({"to": ["79001234567", "79001234568"]},), ["HELLO!", "HELLO!"]),
    (('[[messages]]\nid = "x"\nto = "79001234567"\ntext.body = "x"',), ["X"]),
)
def test_a_plan_of_a_manifest(tmp_path: Path, tables: Any, bodies: list[str]) -> None:
    made = plan(manifest(tmp_path, *tables), Shout())
    assert made.problems == []
    assert [each.payload["text"]["body"] for each in made.messages] == bodies


def test_a_plan_with_a_built_in_transport(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    path = manifest(tmp_path, {"document": {"source": "a.pdf"}}, transport="greenapi")
    (planned,) = plan(path).messages
    assert planned.payload["document"]["id"] == planned.upload.reference


def test_a_plan_has_the_problems(tmp_path: Path) -> None:
    made = plan(manifest(tmp_path, {"text": {"body": " "}}, {"image": {"source": "a.png"}}))
    assert made.messages == []
    assert [each.where for each in made.problems] == ["text.body", "image.source"]


def test_a_broken_plugin_is_an_error() -> None:
    with pytest.raises(PluginError, match="implements no hook"):
        registry(SimpleNamespace())


def test_a_recording_remembers_for_all_its_transports() -> None:
    recording = Recording()
    kind: Callable[..., Any] = registry(recording).transport("recording")
    first, second = kind(), kind()
    file = upload()
    receipt = first.send(first.build(message(image={"source": "x"}), file))
    second.upload(file)
    link = Link(url="https://a.example", provider="cdn")
    second.send(second.build(message(image={"source": "x"}), link))
    assert receipt.id == "recorded-1"
    assert recording.uploads == [file]
    assert [each["image"] for each in recording.payloads] == [
        {"id": file.reference},
        {"link": "https://a.example", "provider": {"name": "cdn"}},
    ]


def test_a_file_in_memory_is_one(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    real, made = Upload.from_path(tmp_path / "film.mp4"), upload(b"film", "film.mp4")
    assert real.model_dump(exclude={"open"}) == made.model_dump(exclude={"open"})


def test_everything_is_listed_and_there() -> None:
    for name in dispatcher.testing.__all__:
        assert getattr(dispatcher.testing, name)


def test_the_kit_loads_nothing_slow() -> None:
    code = "import sys, dispatcher.testing; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"requests", "starlette", "uvicorn", "jinja2", "hypothesis"}
    assert not slow & {*ran.stdout.split()}


class Poll(Content):
    question: str


class Loft(BaseTransport):
    name = "loft"
    contents: ClassVar[Contents] = {"poll": Poll}


def test_a_message_may_have_a_kind_of_a_transport() -> None:
    made = message(poll={"question": "Lunch?"}, transport=Loft)
    assert (made.type, made.transport, made.content) == ("poll", "loft", Poll(question="Lunch?"))
    with pytest.raises(ValidationError, match="Field required"):
        message(poll={}, transport=Loft)
