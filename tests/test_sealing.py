"""What was checked and shown is what leaves: payloads and messages, whatever plugins do to them."""

import enum
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import Attachment, Link, Message, Outcome, Payload, Problem, Upload
from dispatcher.models import decode, encode, fill_in, seal
from dispatcher.testing import Recording, manifest, message, plan, registry
from dispatcher.testing.recording import RecordingTransport
from tests.support.cases import cases
from tests.support.plugins import Hooks

TO = "79001234567"


class Word(str):
    """A text that says something else of itself."""

    def __str__(self) -> str:
        return "another"


class Size(enum.IntEnum):
    LARGE = 3


def circle() -> Any:
    found: dict[str, Any] = {}
    found["self"] = found
    return found


def deep() -> Any:
    found: Any = []
    for _ in range(100_000):
        found = [found]
    return found


# The bytes


keys = st.sampled_from(["", "a", "1", 1, None, True, "True", Word("a")])
leaves = st.sampled_from([None, True, 1, 1.0, 2.5, -0.0, 1e300, float("inf"), "a", Word("w")])
odd = st.recursive(
    leaves | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(keys, odd, max_size=3))
@settings(max_examples=50)
def test_what_is_sealed_reads_and_writes_as_the_same_bytes(payload: Any) -> None:
    try:
        sealed = seal(payload)
    except ValueError:
        return
    assert encode(decode(sealed)) == sealed
    json.loads(sealed, parse_constant=pytest.fail)


@cases(
    "value, written",
    (("a", 1), b'["a",1]'),
    (Word("as it is"), b'"as it is"'),
    (Size.LARGE, b"3"),
    ({1: "a", None: "b"}, b'{"1":"a","null":"b"}'),
    (10**40, b"1" + b"0" * 40),
    ids=str,
)
def test_what_is_nearly_json_is_made_json_once(value: object, written: bytes) -> None:
    assert seal({"x": value}) == b'{"x":' + written + b"}"


@cases(
    "make, sentence",
    (lambda: float("nan"), "not JSON compliant"),
    (lambda: float("-inf"), "not JSON compliant"),
    (lambda: "\ud83d", "half of a character"),
    (lambda: {1: "a", "1": "b"}, "two keys of one table are the same text"),
    (lambda: {(1, 2): "a"}, "keys must be str"),
    (lambda: {"a"}, "set is not JSON serializable"),
    (lambda: 10**5000, "digits"),
    (circle, "Circular"),
    (deep, "nested too deep"),
    ids=["nan", "infinity", "surrogate", "keys", "tuple", "set", "number", "circle", "deep"],
)
def test_what_is_not_json_is_refused_and_its_plugin_is_named(
    make: Callable[[], object], sentence: str, tmp_path: Path
) -> None:
    value = make()
    with pytest.raises(ValueError, match=sentence):
        seal({"x": value})
    spoiler = Hooks(transform_payload=lambda payload: payload.update(x=value))
    with pytest.raises(Exception, match=f'"plugin-1" failed in .*{sentence}'):
        plan(manifest(tmp_path), spoiler)


@cases("depth", 1, 40)
def test_a_media_id_stands_where_the_file_stood_and_nowhere_else(depth: int) -> None:
    payload: Any = {"id": "upload:sha256:ab", "caption": "is upload:sha256:ab", "upload": 1}
    for _ in range(depth):
        payload = {"more": [payload, "upload:sha256:cd"], "upload:sha256:ab": "a key"}
    written = encode(payload).decode()
    fill_in(payload, "upload:sha256:ab", "f1")
    assert encode(payload).decode() == written.replace('"id":"upload:sha256:ab"', '"id":"f1"')


@cases("place", "caption", "filename", "source")
def test_a_text_that_would_be_taken_for_the_file_is_a_problem(place: str, tmp_path: Path) -> None:
    reference = Upload.from_path(_file(tmp_path, "prices.pdf")).reference
    _file(tmp_path, reference)
    source = reference if place == "source" else "prices.pdf"
    document = {"source": source, **({} if place == "source" else {place: reference})}
    found = plan(manifest(tmp_path, {"document": document})).problems
    assert any("stands for the file itself" in str(problem) for problem in found)
    assert [each.where for each in found] == [f"document.{place}"]


def test_a_text_that_only_looks_like_a_file_leaves_as_it_is(tmp_path: Path) -> None:
    text = "upload:sha256:" + "0" * 64
    other = {"source": "prices.pdf", "caption": text}
    _file(tmp_path, "prices.pdf")
    made = plan(manifest(tmp_path, {"text": {"body": text}}, {"document": other}))
    first, second = made.messages
    assert first.payload["text"]["body"] == text
    payload = second.payload
    fill_in(payload, second.upload.reference, "f1")
    assert payload["document"] == {"id": "f1", "caption": text}


# The recipient


class Nested(RecordingTransport):
    """Has its recipient further down, twice."""

    name: ClassVar[str] = "nested"

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        return {"messages": [{"to": message.to, "text": "Hi"}], "chat": {"chat_id": message.to}}


class Declared(RecordingTransport):
    """Calls its recipient in a way of its own."""

    name: ClassVar[str] = "declared"
    recipient_fields: ClassVar[tuple[str, ...]] = ("loft",)

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        return {"loft": {"name": message.to}, "to": "the north"}


REDIRECTIONS: dict[str, tuple[str, Callable[[Any], object], str]] = {
    "another": ("recording", lambda payload: payload.update(to="79990000000"), "to"),
    "another kind": ("recording", lambda p: p.update(recipient_type="group"), "recipient_type"),
    "none": ("recording", lambda payload: payload.pop("to"), "to"),
    "a number": ("recording", lambda payload: payload.update(to=int(payload["to"])), "to"),
    "a list": ("recording", lambda payload: payload.update(to=[payload["to"]]), "to"),
    "one more": ("recording", lambda payload: payload.update(chat_id="1"), "chat_id"),
    "all gone": ("recording", lambda payload: payload.clear(), "to"),
    "further down": (
        "nested",
        lambda payload: payload["messages"][0].update(to="7"),
        "messages[0].to",
    ),
    "further down, gone": ("nested", lambda payload: payload["chat"].clear(), "chat.chat_id"),
    "declared": ("declared", lambda payload: payload["loft"].update(name="x"), "loft"),
}


@cases("transport, change, place", *REDIRECTIONS.values(), ids=REDIRECTIONS)
def test_no_plugin_says_to_whom_a_message_goes(
    tmp_path: Path, transport: str, change: Any, place: str
) -> None:
    redirecting = Hooks(transform_payload=lambda payload: change(payload) and None)
    path = manifest(tmp_path, transport=transport)
    offers = Hooks(transports=lambda: [Nested, Declared])
    [problem] = plan(path, redirecting, offers).problems
    assert f'"{place}" of the payload says who gets the message' in str(problem)
    assert str(problem).startswith(f"{path}:3:1: error: ")
    assert str(problem).endswith("(plugin-1)")


def test_what_is_no_recipient_may_be_changed(tmp_path: Path) -> None:
    def transform(payload: Payload) -> None:
        payload["to"] = "the south"  # `recipient_fields` does not name it
        payload["contacts"] = [{"phone": "79990000000"}]

    offers = Hooks(transports=lambda: [Declared])
    path = manifest(tmp_path, transport="declared")
    [planned] = plan(path, Hooks(transform_payload=transform), offers).messages
    assert planned.payload["to"] == "the south"


def test_names_of_fields_that_are_no_names_are_an_error() -> None:
    class Wrong(RecordingTransport):
        name: ClassVar[str] = "wrong"
        recipient_fields: ClassVar[Any] = "to"

    with pytest.raises(Exception, match=r"recipient_fields of Wrong must be names"):
        registry(Hooks(transports=lambda: [Wrong])).transports()


# What is whose


def test_what_a_plugin_keeps_and_changes_later_is_its_own(tmp_path: Path) -> None:
    """Each hook spoils, when it is called, everything that all hooks were given before."""
    kept: list[Any] = []
    table = {"body": "Hello from one table"}
    _file(tmp_path, "prices.pdf")

    def spoil(**given: Any) -> None:
        for each in kept:
            _spoil(each)
        kept.extend(given.values())

    def validate(message: Message, attachment: Attachment | None) -> list[Problem]:
        spoil(message=message, attachment=attachment)
        kept.append([Problem(message="look at it", severity="warning")])
        answer: list[Problem] = kept[-1]
        return answer

    def transform(payload: Payload, message: Message) -> None:
        spoil(payload=payload, message=message)
        if "text" in payload:
            table["body"] = f"{message.vars['word']} from one table"
            payload["text"] = table

    def resolve(source: str) -> Attachment:
        kept.append(Upload.from_path(tmp_path / source))
        found: Attachment = kept[-1]
        return found

    entries = [{"text": {"body": "x"}, "vars": {"word": word, "deep": [{}]}} for word in "ab"]
    path = manifest(tmp_path, *entries, {"document": {"source": "prices.pdf"}}, vars={"v": [1]})
    plugin = Hooks(validate_message=validate, transform_payload=transform, resolve_source=resolve)
    for _ in range(2):  # in the second round, what was kept in the first one is spoilt, too
        made = plan(path, plugin)
        first, second, file = made.messages
        assert first.payload["text"] == {"body": "a from one table"}
        assert second.payload["text"] == {"body": "b from one table"}
        assert file.payload["document"] == {"id": file.upload.reference}
        assert file.upload.sha256 == Upload.from_path(tmp_path / "prices.pdf").sha256
        assert [each.message.to for each in made.messages] == [TO] * 3
        assert first.message.vars == {"v": [1], "word": "a", "deep": [{}]}
        assert {str(each.message) for each in made.problems} == {"look at it (plugin-1)"}


def test_what_a_transport_shares_and_keeps_is_its_own(tmp_path: Path) -> None:
    class Sharing(RecordingTransport):
        name: ClassVar[str] = "sharing"
        shared: ClassVar[Payload] = {}
        kept: ClassVar[list[Any]] = []

        def build(self, message: Message, attachment: Attachment | None) -> Payload:
            for each in self.kept:
                _spoil(each)
            self.kept.append(message)
            self.shared.update(to=message.to, text={"body": message.content.model_dump()["body"]})
            return self.shared

        def check(self, payload: Payload, attachment: Attachment | None) -> list[Problem]:
            payload.clear()
            return []

    entries = ({"text": {"body": "a"}, "vars": {"x": 1}}, {"text": {"body": "b"}})
    path = manifest(tmp_path, *entries, transport="sharing")
    made = plan(path, Hooks(transports=lambda: [Sharing])).messages
    assert [each.payload["text"]["body"] for each in made] == ["a", "b"]
    assert made[0].message.vars == {"x": 1}


def test_who_is_told_of_an_outcome_gets_a_copy() -> None:
    told, outcome = message(), Outcome(status="sent", id="1")
    found = registry(Hooks(message_finished=lambda outcome: _spoil(outcome)), Recording())
    assert found.message_finished(told, outcome) == []
    assert outcome == Outcome(status="sent", id="1")


def test_a_payload_is_another_one_each_time_it_is_asked_for(tmp_path: Path) -> None:
    [planned] = plan(manifest(tmp_path)).messages
    planned.payload.clear()
    assert encode(planned.payload) == planned.sealed


def test_a_signed_link_with_characters_of_json_changes_no_digest(tmp_path: Path) -> None:
    urls = iter(f'https://e.com/a"b?signature={number}' for number in range(9))
    path = manifest(tmp_path, {"image": {"source": "cdn:a"}})

    class Lax(RecordingTransport):
        """Takes links that no gateway would."""

        name: ClassVar[str] = "lax"

        def build(self, message: Message, attachment: Attachment | None) -> Payload:
            assert isinstance(attachment, Link)
            return {"to": message.to, "link": attachment.url}

    def resolve(source: str) -> Link:
        return Link(url=next(urls), identity=source)

    plugin = Hooks(resolve_source=resolve, transports=lambda: [Lax])
    (first,), (second,) = (plan(path, plugin, transport="lax").messages for _ in range(2))
    assert first.sealed != second.sealed
    assert first.digest == second.digest


def _spoil(value: Any) -> None:
    """Change everything in it that Python lets anybody change."""
    if isinstance(value, dict):  # what is frozen, too
        dict.clear(value)
        dict.__setitem__(value, "to", "79990000000")
    elif isinstance(value, list):
        list.append(value, "spoilt")
    elif isinstance(value, enum.Enum):
        return  # a constant, as much a part of the program as a class
    elif hasattr(value, "__dict__"):
        for each in list(vars(value).values()):
            _spoil(each)
        for name in vars(value):
            vars(value)[name] = "spoilt"


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(b"%PDF-1.7 prices")
    return path
