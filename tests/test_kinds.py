"""Kinds of content that a transport of a third party has, from the manifest to the gateway."""

import json
import re
import textwrap
import tomllib
import warnings

import jsonschema_rs
import pytest
import requests

from dispatcher import BaseTransport, Content, PluginError
from dispatcher.testing import registry
from tests.support.plugins import Hooks
from tests.support.project import Project

LOFT = '''
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from dispatcher import (
    STANDARD_CONTENTS, Address, AddressError, BaseTransport, Bubble, Content, Media, MediaId,
    Problem, Receipt, Text, Verbatim, hookimpl,
)
from dispatcher.http.rules import model_problems


class Poll(Content):
    """A question with options."""

    question: str = Field(max_length=20)
    options: list[str] = Field(min_length=2)
    tone: Literal["kind", "strict"] = "kind"
    number: int | None = None
    code: Verbatim | None = None

    @field_validator("options")
    @classmethod
    def different(cls, options):
        if len(set(options)) < len(options):
            raise ValueError("options are the same twice")
        return options

    def summary(self):
        return f"{self.question} ({len(self.options)} options)"

    def bubble(self):
        return Bubble("Poll", text=self.question, lines=tuple(self.options))


class Letter(Content):
    """A letter, whose words may be in a file, though it has no group of keys."""

    text_file: ClassVar[str] = "words"

    words: str
    sender: str | None = None


class Note(Content):
    """A text that may be left out, or be in a file."""

    text_file: ClassVar[str] = "words"

    title: str
    words: str | None = None


class Parcel(Content):
    """A text that is needed, or its file, and one of two other keys."""

    exactly_one_of: ClassVar[tuple[str, ...]] = ("box", "bag")
    text_file: ClassVar[str] = "words"

    words: str
    box: str | None = None
    bag: str | None = None


class Button(Content):
    title: str


class Odd(Content):
    """Whatever a model may do wrong, and an alias."""

    at: Literal["validator", "exit", "sentence", "default", "whole", "summary", "bubble", "where"]
    from_: Verbatim = Field(default="", alias="from")
    degrees: float = 0.0
    rest: str = Field(default_factory=lambda: "rest")

    @field_validator("at")
    @classmethod
    def fails(cls, at):
        if at == "validator":
            raise KeyError(at)
        if at == "exit":
            raise SystemExit(0)
        if at == "sentence":
            raise Mute
        return at

    @model_validator(mode="after")
    def whole(self):
        if self.at == "whole":
            raise ValueError("at and from must differ")
        return self

    def summary(self):
        return {}["missing"] if self.at == "summary" else "odd"

    def bubble(self):
        return Bubble(5) if self.at == "bubble" else Bubble("Odd", text=self.at)

    def written_at(self, where):
        return 7


class Mute(ValueError):
    def __str__(self):
        raise OSError("no words")


class Card(Content):
    title: str
    buttons: list[Button] = []
    picture: Media | None = None


class Thumbnailed(Media):
    thumbnail: Media | None = None


class Frame(BaseModel):
    picture: Media


class Album(Content):
    pictures: list[Media] = []
    first: Thumbnailed | None = None
    framed: Frame | None = None
    named: dict[str, Media] = {}


class Ring(Content):
    number: str
    colours: list[str] = []


class Rings(Content):
    list_field = "rings"

    rings: list[Ring] = Field(min_length=1)


class Trip(Content):
    stops: list[str]

    def written_at(self, where):
        return where.replace("trip.legs", "trip.stops")


class Pigeon(BaseTransport):
    name = "pigeon"
    contents = {
        "poll": Poll, "card": Card, "rings": Rings, "trip": Trip, "album": Album, "odd": Odd,
        "letter": Letter, "note": Note, "parcel": Parcel,
    }

    def address(self, written, country):
        if not written.startswith("@"):
            raise AddressError("a loft begins with @")
        return Address(to=written.lower(), recipient_type="loft")

    def build(self, message, attachment):
        content = message.content.model_dump(exclude_none=True)
        if message.type == "rings":
            content = content["rings"]
        if message.media:
            content["picture"] = message.media.file_fields(attachment)
            assert attachment is not None
        return {"to": message.to, message.type: content}

    def check(self, payload, attachment):
        yield from model_problems(payload.get("rings", [{"number": "1"}]), Rings, "rings")
        if "trip" in payload:
            yield Problem(message="too far", where="trip.legs.1")
        if payload.get("odd", {}).get("at") == "where":
            yield Problem(message="wrong", where="odd.at")

    def upload(self, file):
        return MediaId(id=f"id-of-{file.filename}")

    def send(self, payload):
        return Receipt(id="1")


class Shout(Text):
    loud: bool = True


class Owl(Pigeon):
    name = "owl"
    contents = {**STANDARD_CONTENTS, "text": Shout}


@hookimpl
def dispatcher_transports():
    return [Pigeon, Owl]
'''


@pytest.fixture
def loft(project: Project) -> Project:
    project.install("loft", LOFT)
    project.config('transport = "pigeon"\n')
    return project


def _messages(project: Project, *tables: str, head: str = "") -> None:
    entries = [
        f'[[messages]]\nid = "m{number}"\nto = "@Loft"\n{textwrap.dedent(each)}'
        for number, each in enumerate(tables, 1)
    ]
    project.write("manifests/m.toml", f"manifest = 1\n{head}\n" + "\n".join(entries))


def _payloads(project: Project, *options: str) -> list[object]:
    result = project.call("plan", "--payloads", "--json", *options)
    assert result.code == 0, result.stderr
    return [each["payload"] for each in result.planned]


POLL = 'poll = { question = "Lunch?", options = ["yes", "no"] }'


def test_a_text_that_is_no_template_is_not_taken_for_one(loft: Project) -> None:
    entry = '[messages.poll]\nquestion = "{shop}?"\noptions = ["a", "b"]\ncode = "{shop}"\n'
    _messages(loft, entry, head='[vars]\nshop = "Acme"')
    said = loft.call("validate").stdout.splitlines()
    assert [line for line in said if "warning:" in line] == [
        'manifests/m.toml:8:12: warning: message "m1": "{shop}" stays as it is; write {{ shop }}'
    ]


def test_every_string_is_a_template_unless_it_is_verbatim(loft: Project) -> None:
    _messages(
        loft,
        """
        [messages.poll]
        question = "Lunch at {{ shop }}?"
        options = ["{{ shop }}", "no"]
        tone = "{{ tone }}"
        number = "{{ 6 * 7 }}"
        code = "{{ shop }}"
        """,
        head='[vars]\nshop = "Acme"\ntone = "strict"',
    )
    [payload] = _payloads(loft)
    assert payload == {
        "to": "@loft",
        "poll": {
            "question": "Lunch at Acme?",
            "options": ["Acme", "no"],
            "tone": "strict",
            "number": 42,
            "code": "{{ shop }}",
        },
    }
    assert loft.call("send", "--yes").code == 0
    assert "poll Lunch at Acme? (2 options)" in loft.call("plan").stdout


def test_a_list_of_tables_is_posted_as_a_list(loft: Project) -> None:
    rings = '[[messages.rings]]\nnumber = "{{ year }}-17"\n[[messages.rings]]\nnumber = "2"'
    _messages(loft, rings, head="[vars]\nyear = 2026")
    [payload] = _payloads(loft)
    assert payload["rings"] == [
        {"number": "2026-17", "colours": []},
        {"number": "2", "colours": []},
    ]
    assert loft.call("send", "--yes").code == 0


def test_a_payload_is_checked_by_the_model_as_a_plugin_leaves_it(loft: Project) -> None:
    loft.install(
        "ringer",
        "from dispatcher import hookimpl\n\n@hookimpl\ndef dispatcher_transform_payload(payload):\n"
        '    payload["rings"][1]["colours"] = ["red", 5]\n',
    )
    _messages(loft, 'rings = [{ number = "1" }, { number = "2" }]')
    [problem] = loft.call("validate").problems
    assert problem.startswith('manifests/m.toml:6:28: error: message "m1": colours is text; put 5')


def test_a_file_within_a_table_is_uploaded_and_its_id_filled_in(loft: Project) -> None:
    loft.write("manifests/roof.png", b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    _messages(loft, 'card = { title = "Hi", picture.source = "roof.png" }')
    [planned] = loft.call("plan", "--json").planned
    assert planned["upload"]["filename"] == "roof.png"
    [payload] = _payloads(loft)
    assert payload["card"]["picture"]["id"].startswith("upload:sha256:")
    assert loft.call("send", "--yes").code == 0


@pytest.mark.parametrize(
    "table",
    [
        'pictures = [{ link = "https://a.example/1.png" }, { source = "roof.png" }]',
        'first = { link = "https://a.example/1.png", thumbnail.source = "roof.png" }',
        'framed.picture.source = "roof.png"',
        'named.roof.source = "roof.png"',
    ],
)
def test_a_file_is_found_wherever_the_model_has_it(loft: Project, table: str) -> None:
    loft.write("manifests/roof.png", b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    _messages(loft, f"[messages.album]\n{table}")
    [planned] = loft.call("plan", "--json").planned
    assert planned["upload"]["filename"] == "roof.png"
    loft.write("manifests/roof.png", b"")
    [problem] = loft.call("validate").problems
    assert '"roof.png" is empty' in problem


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('pictures = [{ source = "a.png" }, { source = "b.png" }]', "7:46: .*album.pictures.0.s"),
        ('first = { source = "a.png", thumbnail.source = "b.png" }', "7:48: .*album.first.source"),
        ('named = { a.source = "a.png", b.source = "b.png" }', "7:42: .*album.named.a.source"),
    ],
)
def test_a_second_file_is_told_not_left_out(loft: Project, table: str, problem: str) -> None:
    for name in ("a.png", "b.png"):
        loft.write(f"manifests/{name}", b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    _messages(loft, f"[messages.album]\n{table}")
    [found] = loft.call("validate").problems
    assert re.search(f"m.toml:{problem}.*; give a link or an id here", found), found


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('poll = "Lunch?"', '6:8: message "m1": poll is a table; write poll.question = "Lunch?"'),
        ("poll.options = ['a', 'b']", '6:1: message "m1": "question" is missing'),
        (
            POLL.replace('"no"', "1"),
            '6:49: message "m1": options is text; put 1 in quotes',
        ),
        (
            'poll = { question = "Lunch?", optoins = [] }',
            '6:31: message "m1": unknown key "optoins"; did you mean "options"?',
        ),
        (POLL.replace('"no"', '"yes"'), '6:41: message "m1": options are the same twice'),
        (
            'poll = { question = "{{ \'Lunch, or rather supper?\' }}", options = ["a", "b"] }',
            '6:21: message "m1": question must be at most 20 characters long',
        ),
        (
            POLL.replace("}", ', tone = "{{ 7 }}" }'),
            '6:64: message "m1": tone must be kind or strict',
        ),
        (POLL.replace("}", ', tone = "kin" }'), '6:64: message "m1": tone: did you mean "kind"?'),
        (
            'card = { title = "x", buttons = [{ titel = "a" }] }',
            '6:36: message "m1": unknown key "titel"; did you mean "title"?',
        ),
        (
            'card = { title = "x", picture = { link = "https://a.example", id = "1" } }',
            '6:63: message "m1": card.picture has both link and id; use one of them',
        ),
        ('text.body = "x"', '6:1: message "m1": transport "pigeon" has no content "text"; '),
        (
            f'transport = "pigeno"\n{POLL}',
            '7:1: message "m1": no content "poll": there is no transport "pigeno"; did you',
        ),
        (
            'poll = { question = "Lunch?", options = ["a"] }',
            '6:41: message "m1": options must have at least 2 entries',
        ),
        ("", '3:1: message "m1": has no content; add poll.question, card.title'),
        (
            'rings = [{ number = "1" }, { numbre = "2" }]',
            '6:30: message "m1": unknown key "numbre"; did you mean "number"?',
        ),
        ("rings = []", '6:9: message "m1": rings must not be empty'),
        (
            'rings = [{ number = "1" }, { number = "{{ 1 }} " }, { number = "{{ missing }}" }]',
            '6:64: message "m1": unknown variable "missing"',
        ),
        (
            'rings = [{ number = "1", colours = [" "] }]',
            '6:37: message "m1": an entry of colours is',
        ),
        ('trip.stops = ["here", "there"]', '6:23: message "m1": too far'),
        ('odd.at = "whole"', '6:1: message "m1": odd: at and from must differ'),
        ("odd.at = \"{{ 'whole' }}\"", '6:1: message "m1": odd: at and from must differ'),
        (
            'odd = { at = "where", degrees = "{{ missing }}" }',
            '6:33: message "m1": unknown variable',
        ),
        (
            'odd = { at = "bubble", form = "a" }',
            '6:24: message "m1": unknown key "form"; did you mean "from"?',
        ),
        *(
            (
                f'odd = {{ at = "where", degrees = "{{{{ \'{value}\' }}}}" }}',
                '6:33: message "m1": degrees must not be inf or nan',
            )
            for value in ("nan", "-inf", "Infinity")
        ),
    ],
)
def test_each_mistake_is_told_at_its_place(loft: Project, table: str, problem: str) -> None:
    _messages(loft, table)
    [found] = loft.call("validate").problems
    assert found.startswith(f"manifests/m.toml:{problem.replace(': ', ': error: ', 1)}")


def test_a_text_may_be_in_a_file_also_where_it_has_no_alternative(loft: Project) -> None:
    loft.write("manifests/words.txt", "From a file")
    _messages(loft, 'letter.words = "Hi"', 'letter.file = "words.txt"')
    assert [each["letter"]["words"] for each in _payloads(loft)] == ["Hi", "From a file"]
    _messages(loft, 'letter = { words = "Hi", file = "words.txt" }', 'letter.sender = "Ann"')
    assert [each.partition('": ')[2] for each in loft.call("validate").problems] == [
        "letter has both words and file; use one of them",
        "letter needs one of words, file",
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (
            'note = { title = "Hi", words = "a", file = "words.txt" }',
            "note has both words and file",
        ),
        (
            'parcel = { words = "a", file = "words.txt", box = "b" }',
            "parcel has both words and file",
        ),
        ('parcel = { words = "a", box = "b", bag = "c" }', "parcel has both box and bag"),
        ('parcel.box = "b"', "parcel needs one of words, file"),
        ('parcel.file = "words.txt"', "parcel needs one of box, bag"),
    ],
)
def test_a_file_never_wins_over_a_text(loft: Project, table: str, problem: str) -> None:
    loft.write("manifests/words.txt", "From a file")
    validator = jsonschema_rs.validator_for(json.loads(loft.call("schema").stdout))
    good = [
        'note.title = "Hi"',
        'note = { title = "Hi", words = "a" }',
        'note = { title = "Hi", file = "words.txt" }',
        'parcel = { words = "a", box = "b" }',
        'parcel = { file = "words.txt", bag = "b" }',
    ]
    _messages(loft, *good)
    texts = [(each.get("note") or each["parcel"]).get("words") for each in _payloads(loft)]
    assert texts == [None, "a", "From a file", "a", "From a file"]
    manifest = loft.folder / "manifests/m.toml"
    assert validator.is_valid(tomllib.loads(manifest.read_text()))
    _messages(loft, table)
    [found] = loft.call("validate").problems
    assert problem in found
    assert not validator.is_valid(tomllib.loads(manifest.read_text()))


def test_a_message_replaces_a_text_of_the_defaults_by_a_file(loft: Project) -> None:
    loft.write("manifests/words.txt", "From a file")
    head = '[defaults.note]\ntitle = "Hi"\nwords = "a"\n'
    _messages(loft, "note = {}", 'note.file = "words.txt"', head=head)
    assert [each["note"]["words"] for each in _payloads(loft)] == ["a", "From a file"]


def test_a_message_is_judged_by_the_transport_that_it_names(loft: Project) -> None:
    _messages(
        loft,
        'text = { body = "Hi", loud = false }\ntransport = "owl"',
        POLL,
        f'{POLL}\ntransport = "owl"',
    )
    [problem] = loft.call("validate").stdout.splitlines()
    assert 'message "m3": transport "owl" has no content "poll"; "pigeon" has it' in problem
    _messages(loft, 'text = { body = "Hi", loud = false }\ntransport = "owl"', POLL)
    owl, pigeon = _payloads(loft)
    assert owl["text"] == {"body": "Hi", "loud": False}
    assert "poll" in pigeon


def test_defaults_complete_a_content_and_a_mistake_in_them_is_told_once(loft: Project) -> None:
    head = "[defaults.poll]\noptions = ['yes', 'no']\n"
    _messages(loft, 'poll.question = "Lunch?"', 'poll.question = "Supper?"', head=head)
    assert [each["poll"]["options"] for each in _payloads(loft)] == [["yes", "no"]] * 2
    wrong = head.replace("'no'", "1")
    _messages(loft, 'poll.question = "Lunch?"', 'poll.question = "Supper?"', head=wrong)
    [problem] = loft.call("validate").stdout.splitlines()
    assert problem.startswith("manifests/m.toml:3:19: error: options is text")


def test_the_preview_shows_the_bubble_of_the_kind(loft: Project) -> None:
    _messages(loft, POLL)
    with loft.preview() as url:
        page = requests.get(f"{url}?chat=%40loft", timeout=10).text
    assert re.search(r"Lunch\?.*<li>yes</li>.*<li>no</li>", page, re.DOTALL)


def test_the_schema_knows_the_kinds_of_every_transport(loft: Project) -> None:
    schema = json.loads(loft.call("schema").stdout)
    validator = jsonschema_rs.validator_for(schema)

    def is_valid(**message: object) -> bool:
        entry = {"id": "a", "to": "@loft", **message}
        return validator.is_valid({"manifest": 1, "messages": [entry]})

    poll = {"question": "Lunch?", "options": ["yes", "no"]}
    assert is_valid(poll=poll, transport="pigeon")
    assert not is_valid(poll={**poll, "qestion": "x"})
    assert not is_valid(poll={"question": "Lunch?"})
    assert not is_valid(poll=poll, transport="owl")
    assert is_valid(text={"body": "Hi", "loud": False}, transport="owl")
    assert is_valid(rings=[{"number": "1"}], transport="pigeon")
    assert not is_valid(rings=[])
    assert not is_valid(rings=[{"numbre": "1"}])
    assert schema["properties"]["messages"]["items"]


class Unwritten(Content):
    text_file = "bdy"
    body: str


class Unlisted(Content):
    list_field = "items"
    body: str = ""


class OneName(Content):
    exactly_one_of = "a"  # type: ignore[assignment] # as an author may forget the comma
    a: str = ""


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydantic's, which an author may not see

    class Hiding(Content):
        detached: str  # type: ignore[assignment] # what it hides is a method


FAULT = 'plugin "loft" (fake-loft 0.1.0) failed in contents of transport "pigeon": '


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("validator", "KeyError: 'validator'"),
        ("exit", "SystemExit: 0"),
        ("sentence", "OSError: no words"),
        ("where", "answered 7, expected the key of a manifest, or None"),
    ],
)
@pytest.mark.parametrize("written", ["{at}", "{{{{ '{at}' }}}}"])
def test_a_fault_of_a_model_is_its_plugins(loft: Project, at: str, why: str, written: str) -> None:
    _messages(loft, f'odd.at = "{written.format(at=at)}"', POLL)
    for command in (["validate"], ["plan"], ["send", "--yes"]):
        loft.call(*command).refused("manifests/m.toml:", f'message "m1": {FAULT}{why}')


def test_a_model_that_cannot_show_a_message_stops_no_other(loft: Project) -> None:
    _messages(loft, 'odd.at = "summary"', 'odd.at = "bubble"', POLL)
    plan = loft.call("plan")
    assert "odd (fake_loft.Odd.summary: KeyError: 'missing')" in plan.stdout
    assert "poll Lunch? (2 options)" in plan.stdout
    with loft.preview() as url:
        page = requests.get(f"{url}?chat=%40loft", timeout=10)
    assert page.status_code == 200
    assert "(fake_loft.Odd.bubble: ValidationError: " in page.text
    assert loft.call("send", "--yes").code == 0


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ({}, "must be models by name"),
        (["poll"], "must be models by name"),
        ({"to": Content}, '"to" is another key of a message'),
        ({"Poll!": Content}, "is no name"),
        ({"poll": str}, '"poll" is not derived from Content'),
        ({"poll": Unwritten}, "text_file of Unwritten is 'bdy', which is no field of it"),
        ({"poll": Unlisted}, "list_field of Unlisted is 'items', which is no field of it"),
        ({"poll": OneName}, 'exactly_one_of of OneName must be names, like ("link", "id")'),
        ({"poll": Hiding}, "Hiding.detached hides what a Content has under that name"),
    ],
)
def test_kinds_that_are_none_are_errors_of_the_plugin(contents: object, why: str) -> None:
    class Odd(BaseTransport):
        name = "odd"

        build = check = upload = send = lambda *_: None

    Odd.contents = contents
    with pytest.raises(PluginError, match=re.escape(why)):
        registry(Hooks(transports=lambda: [Odd])).transports()
