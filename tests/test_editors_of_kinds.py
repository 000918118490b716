"""Editors and `validate` say the same of a transport's own kinds, whatever their fields are."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.editors import EDITORS, reports
from tests.support.project import NewProject, Project

HARBOUR = '''
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from dispatcher import Address, BaseTransport, Content, Media, MediaId, Receipt, Verbatim, hookimpl


class Flag(StrEnum):
    PLAIN = "plain"
    STRIPED = "striped"


class Side(Enum):
    PORT = "port"
    STARBOARD = "starboard"


class Deck(IntEnum):
    LOWER = 1
    UPPER = 2


class Poll(Content):
    """A question, and the options to choose from."""

    question: str = Field(max_length=255, examples=["Lunch?"])
    options: list[str] = Field(min_length=2, max_length=12, examples=[["yes", "no"]])


class Size(BaseModel):
    """Of a plain model, which is no content."""

    model_config = {"extra": "forbid"}

    length: float = Field(gt=0, examples=[12.5])
    beam: float | None = None


class Cabin(Content):
    number: int = Field(ge=1, le=99, examples=[7])
    deck: Deck = Deck.LOWER
    side: Side | None = None
    guests: list[str] = []


class Ship(Content):
    """A ship with everything that a field may be."""

    name: str = Field(pattern="^[A-Z]", examples=["Anna"])
    flag: Flag = Flag.PLAIN
    rig: Literal["sloop", "ketch"] | None = None
    size: Size | None = None
    cabins: list[Cabin] = Field(default=[], max_length=3)
    ports: set[str] = set()
    colours: frozenset[Flag] = frozenset()
    position: tuple[float, float] | None = None
    stops: tuple[str, ...] = ()
    price: Decimal | None = Field(default=None, ge=0, decimal_places=2)
    engine: bool = False
    crew: dict[str, Cabin] = {}
    notes: dict[str, str | int] = {}
    sails: date | None = None
    code: Verbatim | None = None
    picture: Media | None = None


class Signal(Content):
    """One of two ways to say it, or a file."""

    exactly_one_of: ClassVar[tuple[str, ...]] = ("words", "flags")
    text_file: ClassVar[str] = "words"

    words: str | None = Field(default=None, examples=["Ahoy"])
    flags: list[Flag] | None = None


class Cargo(Content):
    """A list of what is on board."""

    list_field: ClassVar[str] = "crates"

    crates: list[Size] = Field(min_length=1, examples=[[{"length": 1.5}]])


class Harbour(BaseTransport):
    name = "harbour"
    contents = {"poll": Poll, "ship": Ship, "signal": Signal, "crates": Cargo}

    def address(self, written, country):
        return Address(to=written, recipient_type="ship")

    def build(self, message, attachment):
        return {"to": message.to, message.type: message.content.model_dump(mode="json")}

    def check(self, payload, attachment):
        return []

    def upload(self, file):
        return MediaId(id=file.sha256)

    def send(self, payload):
        return Receipt(id="1")


@hookimpl
def dispatcher_transports():
    return [Harbour]
'''

GOOD = [
    'poll = { question = "Lunch, {{ name }}?", options = ["yes", "no"] }',
    "[messages.poll]\nquestion = '''Lunch?\nHere?'''\noptions = ['yes', 'no']",
    'ship.name = "Anna"',
    """
    [messages.ship]
    name = "Anna"
    flag = "striped"
    rig = "ketch"
    size = { length = 12.5, beam = 4 }
    ports = ["Riga", "Kiel", "Riga"]
    colours = ["plain", "striped"]
    position = [56.95, 24]
    stops = ["a", "b", "c"]
    price = 12.50
    engine = true
    notes = { captain = "Bo", age = 41 }
    sails = 2026-12-01
    code = "{{"
    picture.link = "https://a.example/b.png"
    crew.cook = { number = 2 }
    [[messages.ship.cabins]]
    number = 1
    deck = 2
    side = "port"
    guests = ["Ann", "{{ name }}"]
    [[messages.ship.cabins]]
    number = 99
    """,
    """
    vars = { flag = "striped", number = 7, yes = true, price = "2.5", day = "2026-12-01" }
    [messages.ship]
    name = "{{ name }}"
    flag = "{{ flag }}"
    colours = ["{{ flag }}"]
    position = ["{{ number }}", 1.5]
    price = "{{ price }}"
    engine = "{{ yes }}"
    sails = "{{ day }}"
    size.length = "{{ number }}"
    cabins = [{ number = "{{ number }}", deck = "{{ 1 + 1 }}", side = "{{ 'port' }}" }]
    """,
    f"poll = {{ question = \"{'{{ name }}' * 30}\", options = ['yes', 'no'] }}",
    'ship = { name = "Anna", sails = "2026-12-01" }',
    'ship = { name = "Anna", price = "12.50", ports = [], stops = [], cabins = [] }',
    'ship = { name = "Anna", price = 12, size.length = 1 }',
    'signal.words = "Ahoy"',
    'signal.flags = ["plain"]',
    "crates = [{ length = 1.5 }, { length = 2, beam = 1 }]",
    "[[messages.crates]]\nlength = 1.5\n[[messages.crates]]\nlength = 2",
]
# What is wrong, and what `validate` says of it.
BAD = [
    ('poll.question = "Lunch?"', '"options" is missing'),
    ('poll = "Lunch?"', "poll is a table"),
    ('poll = { question = "Lunch?", options = ["yes"] }', "at least 2 entries"),
    ('poll = { question = "Lunch?", options = ["yes", 1] }', "put 1 in quotes"),
    ('poll = { question = 5, options = ["yes", "no"] }', "put 5 in quotes"),
    ('poll = { question = "?", options = ["yes", "no"], optoins = [] }', "did you mean"),
    ('ship.name = "anna"', "does not have the form"),
    ('ship = { name = "Anna", flag = "stripy" }', 'flag: did you mean "striped"?'),
    ('ship = { name = "Anna", flag = 1 }', "flag"),
    ('ship = { name = "Anna", rig = "brig" }', "rig must be sloop or ketch"),
    ('ship = { name = "Anna", size = {} }', '"length" is missing'),
    ('ship = { name = "Anna", size.length = "12.5" }', "length: expected a number"),
    ('ship = { name = "Anna", size.length = 0 }', "more than 0"),
    ('ship = { name = "Anna", size = { length = 1, height = 2 } }', 'unknown key "height"'),
    ('ship = { name = "Anna", cabins = [{ number = 0 }] }', "at least 1"),
    ('ship = { name = "Anna", cabins = [{ number = 1.5 }] }', "whole number"),
    ('ship = { name = "Anna", cabins = [{ number = 1, deck = 3 }] }', "deck"),
    ('ship = { name = "Anna", cabins = [{ number = 1, deck = "1" }] }', "deck"),
    ('ship = { name = "Anna", cabins = [{ number = 1, side = "left" }] }', "side"),
    ('ship = { name = "Anna", cabins = [{ number = 1, guests = "Ann" }] }', "expected a list"),
    ('ship = { name = "Anna", cabins = { number = 1 } }', "cabins: expected a list"),
    ('ship = { name = "Anna", ports = "Riga" }', "ports: expected a list"),
    ('ship = { name = "Anna", ports = ["Riga", 5] }', "put 5 in quotes"),
    ('ship = { name = "Anna", ports = ["Riga", " "] }', "ports is empty"),
    ('ship = { name = "Anna", stops = ["Riga", " "] }', "an entry of stops is empty"),
    ('ship = { name = "Anna", colours = ["blue"] }', "colours must be plain or striped"),
    ('ship = { name = "Anna", position = [56.95] }', "position must have more entries than 1"),
    ('ship = { name = "Anna", position = [56.95, 24, 1] }', "position must have at most 2 entries"),
    ('ship = { name = "Anna", position = [56.95, "east"] }', "number"),
    ('ship = { name = "Anna", stops = [1] }', "put 1 in quotes"),
    ('ship = { name = "Anna", price = -1 }', "at least 0"),
    ('ship = { name = "Anna", price = true }', "price"),
    ('ship = { name = "Anna", price = "much" }', "price: expected a number"),
    ('ship = { name = "Anna", sails = "soon" }', "sails"),
    ('ship = { name = "Anna", sails = 5 }', "sails"),
    ('ship = { name = "Anna", cabins = [{ number = 1, guests = [" "] }] }', "is empty"),
    ('ship = { name = "Anna", engine = 1 }', "true or false"),
    ('ship = { name = "Anna", engine = "yes" }', "true or false"),
    (
        'ship = { name = "Anna", notes = { captain = true } }',
        "captain: expected text or a whole number",
    ),
    ('ship = { name = "Anna", crew.cook = { numbr = 2 } }', "numbr"),
    ('ship = { name = "Anna", picture = { link = "https://a.example", id = "1" } }', "both"),
    ("signal = {}", "needs one of"),
    ('signal = { words = "Ahoy", flags = ["plain"] }', "both"),
    ('signal = { words = "Ahoy", file = "words.txt" }', "both"),
    ("crates = []", "must not be empty"),
    ("crates = [{ beam = 1 }]", '"length" is missing'),
    ("[messages.crates]\nlength = 1", "crates"),
]


class Judged(NamedTuple):
    """A folder with a file for each message, the schema, and what `validate` says of each file."""

    folder: Path
    schema: Path
    errors: dict[str, list[str]]
    planned: list[dict[str, Any]]


@pytest.fixture(scope="module")
def judged(new_project: NewProject) -> Judged:
    project = new_project()
    project.install("harbour", HARBOUR)
    project.config('transport = "harbour"\n')
    schema = project.write("harbour.schema.json", project.call("schema").stdout)
    for number, table in enumerate(GOOD):
        _write(project, f"good-{number}", table)
    for number, (table, _) in enumerate(BAD):
        _write(project, f"bad-{number}", table)
    errors: dict[str, list[str]] = {}
    for line in project.call("validate").problems:
        if found := re.match(r"manifests/(\S+)\.toml:(.*)", line):
            errors.setdefault(found[1], []).append(found[2])
    good = sorted(project.folder.glob("manifests/good-*.toml"))
    planned = project.call("plan", "--payloads", "--json", *map(str, good)).planned
    return Judged(project.folder, schema, errors, planned)


def _write(project: Project, name: str, table: str) -> None:
    text = "\n".join(line.strip() for line in table.splitlines())
    head = f'manifest = 1\nvars.name = "Ann"\n[[messages]]\nid = "m"\nto = "@{name}"\n'
    project.write(f"manifests/{name}.toml", f"{head}{text}\n")


@pytest.mark.parametrize("number", range(len(BAD)), ids=[table for table, _ in BAD])
def test_a_mistake_is_told_once_at_its_line(judged: Judged, number: int) -> None:
    _, words = BAD[number]
    [error] = judged.errors[f"bad-{number}"]
    assert words in error
    assert int(error.partition(":")[0]) in (6, 7)


def test_a_good_message_is_no_mistake(judged: Judged) -> None:
    assert {name: found for name, found in judged.errors.items() if name.startswith("good")} == {}


def test_what_is_posted_is_json(judged: Judged) -> None:
    planned = {each["key"].split("/")[1]: each["payload"] for each in judged.planned}
    ship = planned["good-3"]["ship"]
    assert ship["ports"] == sorted(ship["ports"]) == ["Kiel", "Riga"]
    assert ship["colours"] == ["plain", "striped"]
    names = ("flag", "position", "stops", "price", "sails")
    written = ["striped", [56.95, 24.0], ["a", "b", "c"], "12.5", "2026-12-01"]
    assert [ship[name] for name in names] == written
    assert ship["cabins"][0] == {"number": 1, "deck": 2, "side": "port", "guests": ["Ann", "Ann"]}
    ship = planned["good-4"]["ship"]
    written = ["striped", [7.0, 1.5], [], "2.5", "2026-12-01"]
    assert [ship[name] for name in names] == written
    assert (ship["engine"], ship["size"]["length"]) == (True, 7.0)
    assert ship["cabins"] == [{"number": 7, "deck": 2, "side": "port", "guests": []}]


@pytest.mark.parametrize("editor", EDITORS)
def test_an_editor_refuses_what_validate_refuses(judged: Judged, editor: str) -> None:
    refused = reports(editor, judged.folder, {"manifests": judged.schema})
    names = {path.stem: sentences for path, sentences in refused.items()}
    good = {name: said for name, said in names.items() if name.startswith("good")}
    missed = {table for number, (table, _) in enumerate(BAD) if f"bad-{number}" not in names}
    assert (good, missed) == ({}, set())
