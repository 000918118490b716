"""Positions agree with tomli on what a document holds, and with the eye on where it stands."""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.toml import KeyPath, positions
from dispatcher.toml.positions import Position, PositionIndex, Positions
from tests.support.cases import cases


def position(text: str, offset: int) -> Position:
    """Line and column as tomli itself counts them."""
    error = tomli.TOMLDecodeError("", text, offset)
    return Position(error.lineno, error.colno)


def rest(text: str, position: Position) -> str:
    """The text from `position` on."""
    lines = text.split("\n")[position.line - 1 :]
    return "\n".join(lines)[position.column - 1 :]


def paths(data: dict[str, Any]) -> Iterator[KeyPath]:
    containers: list[tuple[KeyPath, Any]] = [((), data)]
    while containers:
        path, container = containers.pop()
        is_table = isinstance(container, dict)
        for step, value in container.items() if is_table else enumerate(container):
            yield (*path, step)
            if isinstance(value, dict | list):
                containers.append(((*path, step), value))


def locate(text: str) -> dict[KeyPath, Positions]:
    """The place of every path of a text's data."""
    places = PositionIndex(text)
    found = {path: places.find(path) for path in paths(tomli.loads(text))}
    return {path: place for path, place in found.items() if place is not None}


# ---------------------------------------------------------------------------------------------
# Hand-written: ¹ stands before the key and ² before the value of the path.

CASES: list[tuple[str, KeyPath]] = [
    # keys
    ("¹id = ²1", ("id",)),
    ("\n\n \t¹id=²1", ("id",)),
    ("¹-_9 = ²1", ("-_9",)),
    ("¹1979-05-27 = ²1", ("1979-05-27",)),
    ('¹"a b" = ²1', ("a b",)),
    ('¹"" = ²1', ("",)),
    ("¹'' = ²1", ("",)),
    ("¹'C:\\x' = ²1", ("C:\\x",)),
    (r'¹"\"\\ \u00e9\U0001F600\x41\e\t" = ²1', ('"\\ é\U0001f600A\x1b\t',)),
    ('"é\U0001f600" = 0\n"\U0001f600\U0001f600".¹x = ²1', ("\U0001f600\U0001f600", "x")),
    ('"\u2028\x85" = 0\n¹x = ²1', ("x",)),
    # dotted keys
    ("¹²image.caption = 1", ("image",)),
    ("image.¹caption = ²1", ("image", "caption")),
    ("image \t. ¹caption = ²1", ("image", "caption")),
    ("¹²image.caption = 1\nimage.link = 2", ("image",)),
    ("image.caption = 1\nimage.¹link = ²2", ("image", "link")),
    ("3.¹14 = ²1", ("3", "14")),
    ("""a."b.c" . ¹²'d.e' . f = 1""", ("a", "b.c", "d.e")),
    ("""a."b.c" . 'd.e' . ¹f = ²1""", ("a", "b.c", "d.e", "f")),
    # tables
    ("²[¹vars]", ("vars",)),
    ("²[ ¹vars ] # [x]", ("vars",)),
    ("[vars]\n¹a = ²1", ("vars", "a")),
    ("[vars]\n[other]\n¹a = ²1", ("other", "a")),
    ('[vars]\n¹"a b" = ²1', ("vars", "a b")),
    ("[¹²a.b]", ("a",)),
    ("²[a . ¹b]", ("a", "b")),
    ("[a . ¹²b . 'c d']", ("a", "b")),
    ("[a.b]\n²[¹a]", ("a",)),
    ("[a.b]\n[a]\n¹c = ²1", ("a", "c")),
    ("[a]\n[¹²b.c]\n[a.d]\n[b.e]", ("b",)),
    ("[a]\n¹²b.c = 1\n[a.b.d]", ("a", "b")),
    ("[a]\nb.c = 1\n²[a.b.¹d]", ("a", "b", "d")),
    # arrays of tables
    ("²[[¹messages]]", ("messages",)),
    ("²[[¹messages]]", ("messages", 0)),
    ("²[[¹messages]]\n[[messages]]", ("messages",)),
    ("²[[¹messages]]\n[[messages]]", ("messages", 0)),
    ("[[messages]]\n ²[[ ¹messages ]]", ("messages", 1)),
    ("[[messages]]\n[[messages]]\n¹id = ²1", ("messages", 1, "id")),
    ("[[messages]]\n[[messages]]\n²[messages.¹image]", ("messages", 1, "image")),
    ("[[messages]]\n[messages.image]\n¹a = ²1", ("messages", 0, "image", "a")),
    ("[[messages]]\n[messages.¹²image.x]", ("messages", 0, "image")),
    ("[[messages]]\n²[[messages.¹items]]\n[[messages.items]]", ("messages", 0, "items")),
    ("[[messages]]\n[[messages.items]]\n²[[messages.¹items]]", ("messages", 0, "items", 1)),
    ("[[m]]\n[[m.a]]\n[[m]]\n[[m.a]]\n[m.a.b]\nx.¹y = ²1", ("m", 1, "a", 0, "b", "x", "y")),
    ("[a.b]\n²[[a.¹c]]", ("a", "c")),
    ("[[¹²a.c]]", ("a",)),
    # inline arrays and tables
    ("¹a = ²[]", ("a",)),
    ("a = [¹²1, 2]", ("a", 0)),
    ("a = [1,¹²2]", ("a", 1)),
    ("a = [ [1], [2, ¹²3,], ]", ("a", 1, 1)),
    ("a = [[], [ ] , ¹²[]]", ("a", 2)),
    ('a = [ # "\n  1, # ]\n\n# ,\n  ¹²2 # 3\n]', ("a", 1)),
    ("¹a = ²{}", ("a",)),
    ("a = { ¹b = ²1 }", ("a", "b")),
    ("a = {b=1,¹c=²{}}", ("a", "c")),
    ("a = { ¹²b.c = 1 }", ("a", "b")),
    ("a = { b . ¹c = ²1 }", ("a", "b", "c")),
    ("a = { b.c = 1, d = { b.¹c = ²1 } }", ("a", "d", "b", "c")),
    ("a = {\n  b = 1, # }\n  # c = 2\n  ¹d = ²2,\n}", ("a", "d")),
    ("a = [{ b = 1 }, ¹²{ b = 2 }]", ("a", 1)),
    ("a = [{ b = 1 }, { ¹b = ²2 }]", ("a", 1, "b")),
    ("[[a]]\nb = [{ c = [1, { 'd e'.¹f = ²2 }] }]", ("a", 0, "b", 0, "c", 1, "d e", "f")),
    # values that must be read to their end to find what follows
    *(
        (f"a = [{value}, ¹²1]", ("a", 1))
        for value in [
            *("0", "-1", "+1_000", "0xDEAD_beef", "0o17", "0b01", "1.5", "-0.5e-3", "6E+23"),
            *("inf", "-inf", "+nan", "true", "false"),
            *("1979-05-27", "1979-05-27 ", "07:32", "07:32:00.999"),
            *("1979-05-27T07:32", "1979-05-27 07:32", "1979-05-27 07:32:00.5-07:00"),
            *("1979-05-27t07:32:00z", "1979-05-27 07:32Z"),
            *('""', '"],"', r'"\""', r'"\\"', '"\'"', '"#"', r'"\e\x41"'),
            *("''", "'],'", "'\\'", "'\"'", "'#'"),
            *('""""""', '"""],"""', '""""a"""', '"""a""""', '"""a"""""', '"""""a""b"""""'),
            *(r'"""\""""', r'"""a\\"""', r'"""\""\""""""', '"""\n],\n\n"""', '"""a \\\n\n  b"""'),
            *("''''''", "'''],'''", "''''a'''", "'''a''''", "'''a'''''", "'''''a''b'''''"),
            *("'''\\'''", "'''\n],\n\n'''"),
        ]
    ),
]


def unmark(marked: str) -> tuple[str, Positions]:
    text = marked.replace("¹", "").replace("²", "")
    key = marked.replace("²", "").index("¹")
    value = marked.replace("¹", "").index("²")
    return text, Positions(position(text, key), position(text, value))


@cases("newline", "\n", "\r\n")
@pytest.mark.parametrize(("marked", "path"), CASES)
def test_marked(marked: str, path: KeyPath, newline: str) -> None:
    text, place = unmark(marked)
    text = text.replace("\n", newline)
    places = locate(text)
    assert places[path] == place
    assert set(places) == set(paths(tomli.loads(text)))


MANIFEST = """\
version = 1

[[messages]]
  id = "first"
  vars = { "a b" = [
    1,
    2, # two
  ] }

[[messages]]
image.caption = '''
Hello
'''
[messages.text]
"""


@cases(
    "path, key, value",
    (("version",), (1, 1), (1, 11)),
    (("messages",), (3, 3), (3, 1)),
    (("messages", 0), (3, 3), (3, 1)),
    (("messages", 0, "id"), (4, 3), (4, 8)),
    (("messages", 0, "vars"), (5, 3), (5, 10)),
    (("messages", 0, "vars", "a b"), (5, 12), (5, 20)),
    (("messages", 0, "vars", "a b", 0), (6, 5), (6, 5)),
    (("messages", 0, "vars", "a b", 1), (7, 5), (7, 5)),
    (("messages", 1), (10, 3), (10, 1)),
    (("messages", 1, "image"), (11, 1), (11, 1)),
    (("messages", 1, "image", "caption"), (11, 7), (11, 17)),
    (("messages", 1, "text"), (14, 11), (14, 1)),
)
def test_manifest(path: KeyPath, key: tuple[int, int], value: tuple[int, int]) -> None:
    places = locate(MANIFEST)
    assert places[path] == (key, value)
    assert len(places) == 12


@cases("text", "", "\n", "# only\n# comments", " \t")
def test_nothing_to_locate(text: str) -> None:
    assert locate(text) == {}


# ---------------------------------------------------------------------------------------------
# Limits

MESSAGE = """
[[messages]]
id = "first"  # of many
to = "79001234567@c.us"
type = "image"
vars = { name = "Anna", "a b" = [1, 2, 3] }
[messages.image]
source = "pictures/first.png"
caption = '''
Hello, {{ name }}!
'''
"""


@cases(
    "text",
    "a = " + "[" * 400 + "]" * 400,
    "a = " + "{b = " * 400 + "1" + "}" * 400,
    "a = " + "[{b.c = " * 200 + "1" + "}]" * 200,
    ".".join("a" * 1000) + " = 1",
    f"[{'.'.join('a' * 300)}]\n{'.'.join('a' * 300)} = {'[' * 200}{']' * 200}",
)
def test_as_deep_as_tomli_reads(text: str) -> None:
    assert set(locate(text)) == set(paths(tomli.loads(text)))


@cases(
    "text",
    "".join(MESSAGE.replace("first", str(i)) for i in range(1_500)),
    'a = """' + '""a' * 330_000 + '"""',
    'a = """' + r"\"" * 500_000 + '"""',
    "a = '''" + "''a" * 330_000 + "'''",
    'a = "' + "x" * 1_000_000 + '"',
    "#\n" * 500_000,
    "a =" + " " * 1_000_000 + "1",
    ids=["manifest", "quotes", "escapes", "apostrophes", "long", "comments", "blanks"],
)
def test_a_megabyte_is_scanned_whole(text: str) -> None:
    assert set(locate(text)) == set(paths(tomli.loads(text)))


@cases(
    "values, path",
    ("1," * 50_000, ("messages", 0, "id")),
    ("{a = 1}," * 50_000, ("messages", 0, "id")),
    ("'a'," * 50_000, ("vars", "after")),
    ("[[1],[2]]," * 50_000, ("vars", "inner", "a", "b")),
)
def test_values_that_nobody_asks_for_cost_next_to_nothing(
    values: str, path: KeyPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    spot = positions._Spot(0, 0)
    text = f"[vars]\nlist = [{values}]\nafter = 1\ninner.a = {{b = 2}}\n[[messages]]\nid = 'a'\n"
    kept = []
    monkeypatch.setattr(positions, "_Spot", lambda *_, **__: kept.append(1) or spot)
    PositionIndex(text).find(path)
    assert len(kept) < 20


def test_each_of_many_faults_is_found_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    match = positions._match

    def counted(*arguments: Any) -> Any:
        steps.append(1)
        return match(*arguments)

    def steps_for(count: int) -> int:
        steps.clear()
        places = PositionIndex("".join(MESSAGE.replace("first", str(i)) for i in range(count)))
        for index in range(count):
            assert places.find(("messages", index, "id")) is not None
        return len(steps)

    monkeypatch.setattr(positions, "_match", counted)
    assert steps_for(400) < 2.1 * steps_for(200)


# ---------------------------------------------------------------------------------------------
# Generated: a document is drawn as data, then written in one of the many ways TOML allows.


@dataclass(frozen=True)
class Spelled:
    """A value other than a string, as written."""

    text: str


SPELLED = [
    *("0", "-1", "+1_000", "0xDEAD_beef", "0o17", "0b01", "1.5", "-0.5e-3", "6E+23", "inf"),
    *("-inf", "true", "false", "1979-05-27", "07:32", "07:32:00.999", "1979-05-27T07:32"),
    *("1979-05-27 07:32", "1979-05-27 07:32:00.5-07:00", "1979-05-27t07:32:00z"),
]
ODD = [
    *("", "a b", "1", "1.2", "#", "=", "'", '"', "''", '""', "'''", '"""', "]]", "}", ",", "\\"),
    *("\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "é", "\U0001f600", ' "', " '"),
]
STRINGS = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8"), max_size=5)
KEYS = st.sampled_from(["a", "b", "c", "a-b"]) | STRINGS
TEXTS = STRINGS | st.lists(st.sampled_from([*ODD, "word"]), max_size=5).map("".join)
LEAVES = st.sampled_from([Spelled(text) for text in SPELLED]) | TEXTS
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.lists(st.dictionaries(KEYS, inner, max_size=3), min_size=1, max_size=3)
    ),
    max_leaves=15,
)
DOCUMENTS = st.dictionaries(KEYS, DATA, max_size=5)

SHORT = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", "\x1b": "e", '"': '"', "\\": "\\"}
BARE = set(string.ascii_letters + string.digits + "-_")
COMMENT = "# [x] = {\"\"\" ''' é,"

Data = Any  # dict, list, str or Spelled; once read, what tomli makes of them
Pair = tuple[tuple[str, ...], Data]
Block = tuple[KeyPath, list[Pair]]


def meaning(data: Data) -> Data:
    match data:
        case Spelled(text):
            return tomli.loads(f"x = {text}")["x"]
        case dict():
            return {key: meaning(value) for key, value in data.items()}
        case list():
            return [meaning(value) for value in data]
    return data


def printable(text: str) -> bool:
    return all(char == "\t" or (char >= " " and char != "\x7f") for char in text)


class Writer:
    """Writes a document, noting the offsets of each path and how its key and value are spelled."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.text = ""
        self.places: dict[KeyPath, tuple[int, int]] = {}
        self.keys: dict[KeyPath, set[str]] = {}
        self.values: dict[KeyPath, str] = {}

    def write(self, document: dict[str, Any]) -> None:
        for path, pairs in self.blocks((), document):
            self.filler()
            if path:
                self.header(path)
            for parts, value in pairs:
                self.filler()
                self.pair(path, parts, value)
                self.end_line()
        if self.chance(0.3):
            self.text = self.text.removesuffix("\n")

    # How the tables of a document become headers and dotted keys

    def blocks(self, path: KeyPath, table: dict[str, Any]) -> list[Block]:
        body, below = {}, []
        for key, value in table.items():
            if isinstance(value, dict) and self.chance(0.6):
                below.append(self.blocks((*path, key), value))
            elif self.is_array_of_tables(value) and self.chance(0.7):
                elements = [self.blocks((*path, key, i), item) for i, item in enumerate(value)]
                below.append([block for element in elements for block in element])
            else:
                body[key] = value
        blocks = self.interleave(below)
        if not path or isinstance(path[-1], int):
            blocks.insert(0, (path, self.pairs(body)))
        elif body or not blocks or self.chance(0.3):
            blocks.insert(self.random.randint(0, len(blocks)), (path, self.pairs(body)))
        return blocks

    def is_array_of_tables(self, value: Data) -> bool:
        return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)

    def interleave(self, sequences: list[list[Block]]) -> list[Block]:
        turns = [i for i, sequence in enumerate(sequences) for _ in sequence]
        if self.chance(0.5):
            self.random.shuffle(turns)
        iterators = [iter(sequence) for sequence in sequences]
        return [next(iterators[turn]) for turn in turns]

    def pairs(self, table: dict[str, Any]) -> list[Pair]:
        pairs: list[Pair] = []
        for key, value in table.items():
            if isinstance(value, dict) and value and self.chance(0.5):
                pairs += [((key, *parts), inner) for parts, inner in self.pairs(value)]
            else:
                pairs.append(((key,), value))
        if self.chance(0.5):
            self.random.shuffle(pairs)
        return pairs

    # Statements

    def header(self, path: KeyPath) -> None:
        is_element = isinstance(path[-1], int)
        bracket = len(self.text)
        self.text += "[[" if is_element else "["
        self.blank()
        key = self.key(path[:-1] if is_element else path, 0)
        self.blank()
        self.text += "]]" if is_element else "]"
        if is_element:
            self.places.setdefault(path[:-1], (key, bracket))
        self.places[path] = (key, bracket)
        self.end_line()

    def pair(self, table: KeyPath, parts: tuple[str, ...], value: Data) -> None:
        path = (*table, *parts)
        key = self.key(path, len(table))
        self.blank()
        self.text += "="
        self.blank()
        self.value(path, key, value)

    def key(self, path: KeyPath, start: int) -> int:
        """Write `path[start:]` as a dotted key; return where its last part begins."""
        parts = [(path[: i + 1], part) for i, part in enumerate(path) if isinstance(part, str)]
        for here, part in parts:
            if len(here) <= start:
                continue
            offset, spelling = len(self.text), self.key_part(part)
            self.text += spelling
            self.keys.setdefault(here, set()).add(spelling)
            if here != path:
                self.places.setdefault(here, (offset, offset))
                self.blank()
                self.text += "."
                self.blank()
        return offset

    def value(self, path: KeyPath, key: int | None, data: Data) -> None:
        offset = len(self.text)
        self.places[path] = (offset if key is None else key, offset)
        if isinstance(data, dict):
            self.inline("{", "}", path, [(*pair,) for pair in self.pairs(data)])
        elif isinstance(data, list):
            self.inline("[", "]", path, list(enumerate(data)))
        else:
            self.values[path] = data.text if isinstance(data, Spelled) else self.string(data)
            self.text += self.values[path]

    def inline(self, opener: str, closer: str, path: KeyPath, items: list[Any]) -> None:
        self.text += opener
        self.gap()
        for i, (step, value) in enumerate(items):
            if i:
                self.text += ","
                self.gap()
            if isinstance(step, int):
                self.value((*path, step), None, value)
            else:
                self.pair(path, step, value)
            self.gap()
        if items and self.chance(0.3):
            self.text += ","
            self.gap()
        self.text += closer

    # Spellings

    def key_part(self, part: str) -> str:
        choices = [self.basic(part)]
        if printable(part) and "'" not in part:
            choices.append(f"'{part}'")
        if part and BARE.issuperset(part):
            choices += [part] * 3
        return self.random.choice(choices)

    def string(self, text: str) -> str:
        choices = [self.basic(text), self.long_basic(text)]
        if printable(text) and "'" not in text:
            choices.append(f"'{text}'")
        if printable(text.replace("\n", "")) and "'''" not in text:
            newline = "\n" if text.startswith("\n") or self.chance(0.5) else ""
            choices.append(f"'''{newline}{text}'''")
        return self.random.choice(choices)

    def basic(self, text: str) -> str:
        return '"' + "".join(self.char(char) for char in text) + '"'

    def long_basic(self, text: str) -> str:
        spelled = "\n" if text.startswith("\n") or self.chance(0.5) else ""
        quotes = 0
        for char in text:
            if char not in " \t\n" and self.chance(0.1):
                spelled, quotes = spelled + "\\ \n\n\t ", 0
            quotes = quotes + 1 if char == '"' and quotes < 2 else 0
            spelled += char if quotes or char == "\n" else self.char(char)
        return f'"""{spelled}"""'

    def char(self, char: str) -> str:
        if printable(char) and char not in '"\\' and self.chance(0.9):
            return char
        forms = [f"\\U{ord(char):08x}"]
        forms += [f"\\u{ord(char):04X}"] if char <= "\uffff" else []
        forms += [f"\\x{ord(char):02x}"] if char <= "\xff" else []
        forms += ["\\" + SHORT[char]] if char in SHORT else []
        return self.random.choice(forms)

    # What stands between

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def blank(self) -> None:
        self.text += self.random.choice(["", "", " ", " ", "\t "])

    def gap(self) -> None:
        self.text += self.random.choice(["", "", " ", " ", "\n", "\n\t\n  ", f" {COMMENT}\n"])

    def filler(self) -> None:
        self.text += self.random.choice(["", "", "", "\n", "  ", f"\n{COMMENT}\n\t"])

    def end_line(self) -> None:
        self.text += self.random.choice(["\n", "\n", " \n", f"{COMMENT}\n"])


def written(document: dict[str, Any], random: Random) -> Writer:
    writer = Writer(random)
    writer.write(document)
    return writer


def follow(data: Data, path: KeyPath) -> Data:
    for step in path:
        data = data[step]
    return data


@settings(deadline=None)
@given(DOCUMENTS, st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n"]))
def test_generated(document: dict[str, Any], random: Random, newline: str) -> None:
    writer = written(document, random)
    text = writer.text.replace("\n", newline)
    data = tomli.loads(text)
    assert data == meaning(document)

    places = locate(text)
    assert set(places) == set(paths(data))
    for path, spelling in writer.values.items():
        assert rest(text, places[path].value).startswith(spelling.replace("\n", newline))
        assert tomli.loads(f"x = {spelling}")["x"] == follow(data, path)
    for path, spellings in writer.keys.items():
        assert rest(text, places[path].key).startswith(tuple(spellings))
        assert all(path[-1] in tomli.loads(f"{spelling} = 1") for spelling in spellings)
    assert places == {
        path: Positions(position(writer.text, key), position(writer.text, value))
        for path, (key, value) in writer.places.items()
    }


def agrees_with_tomli(text: str) -> None:
    try:
        data = tomli.loads(text)
    except ValueError:
        return
    assert set(locate(text)) == set(paths(data))


@settings(deadline=None)
@given(DOCUMENTS, st.randoms(use_true_random=False), st.data())
def test_damaged(document: dict[str, Any], random: Random, data: st.DataObject) -> None:
    text = written(document, random).text
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    damage = data.draw(st.sampled_from(["", *"[]{}.,=\"'#\n\\a1"]))
    agrees_with_tomli(text[:start] + damage + text[end:])


@settings(deadline=None)
@given(st.lists(st.sampled_from([*"[]{}.,=\"'#\n\\ a1", '"""', "'''", "=1\n"])).map("".join))
def test_noise(text: str) -> None:
    agrees_with_tomli(text)
