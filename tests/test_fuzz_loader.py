"""Whatever stands in the files, the commands end with a sentence and an exit code of theirs.

`--hypothesis-profile long` tries 20,000 inputs for each test; see conftest.py.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from tests.support.project import EXAMPLES, Project, Result

PROBLEM = re.compile(r"(?P<path>.+?):(?P<line>\d+):(?P<column>\d+): (error|warning): \S.*")

RICH = """\
manifest = 1
name = "rich"
transport = "greenapi"

[defaults]
preview_url = false
revision = 2
image = { caption = "{{ shop }}", provider.name = "p" }
vars.shop = "default"

[vars]
shop = "Acme"
list = [1, 2.5, "x", 2026-01-31, { a = true }]
table.inner.key = "value"

[[messages]]
id = "list"
to = ["79001234567", "+7 900 123-45-68", "79001234567-1581234048"]
text.body = '''Hi {{ shop | upper }},
{% for x in list if x is string %}{{ loop.index }} {{ x }}{% else %}none{% endfor %}
{{ table.inner["key"] }} {{ missing | default("?") }}'''

[[messages]]
id = "rows"
recipients = "rows.csv"
type = "document"
recipient_type = "individual"
[messages.document]
source = "a.pdf"
caption = "{{ name }}"
filename = "{{ city }}.pdf"
[messages.vars]
shop = "own"

[[messages]]
id = "lines"
recipients = "rows.jsonl"
text = { file = "t.txt" }

[[messages]]
id = "link"
to = "{{ phone }}"
vars = { phone = "79001234567" }
image.link = "https://a.example/{{ shop }}.png"
"""
ROWS = 'to,name,city\n79001234567,Ann,Kazan\n"79001234568","Bob ""x""\nB",Пермь\n'
LINES = (
    '{"to": "79001234567", "name": "Ann", "items": ["a", {"b": 1}]}\n'
    '{"to": "79001234568", "name": "Вера", "n": 1.5, "none": null}\n'
)
LETTER = "Dear {{ name }},\n{% if name == 'Ann' %}Hi{% endif %}\n{{ shop }}\n"
CONFIG = """\
manifests = "m.toml"
transport = "greenapi"
journal = "sqlite:///.dispatcher/journal.db"
[delivery]
engine = "threads"
workers = 8
deadline = "1h30m"
[files]
roots = ["."]
[transports.greenapi]
base_url = "https://api.green-api.com"
rate = "50/s"
connect_timeout = 5
[profiles.other.plugins.x]
key = [1, { a = 2 }]
[profiles.staging.transports.greenapi]
base_url = "http://127.0.0.1:8025"
"""
FILES = {
    "m.toml": RICH,
    "rows.csv": ROWS,
    "rows.jsonl": LINES,
    "t.txt": LETTER,
    "a.pdf": "%PDF",
    "files/shop.jpg": "x",
}


class Folder(Project):
    """The files of a project, of which each example replaces one."""

    def check(self, name: str, content: bytes) -> None:
        """`validate` with this content in a file: how it must end, whatever it is."""
        self.write(name, content)
        result = self.ended("validate", "m.toml")
        event(f"exit {result.code}")
        self._check_problems(result)

    def check_plan(self) -> None:
        """`plan` agrees with `validate`, and prints JSON or nothing."""
        validated = self.ended("validate", "m.toml")
        planned = self.ended("plan", "m.toml", "--json")
        assert (validated.code == 2) == (planned.code == 2)
        lines = planned.stdout.split("\n")[:-1]
        assert all(isinstance(json.loads(line), dict) for line in lines)
        assert bool(lines) == (planned.code == 0)

    def _check_problems(self, result: Result) -> None:
        """Every problem is one line with a place that exists."""
        lines = (result.stdout + result.stderr.removeprefix("Error: ")).split("\n")
        problems = [match for line in lines if (match := PROBLEM.fullmatch(line))]
        errors = [problem for problem in problems if problem[4] == "error"]
        elsewhere = re.search(r"^(environment, |transport |Error: no )", result.stderr)
        assert bool(errors) == (result.code == 2) or elsewhere, result
        if result.code == 2 and result.stdout:
            assert len(problems) == result.stdout.count("\n"), result.stdout
        for problem in problems:
            self._check_place(problem["path"], int(problem["line"]), int(problem["column"]))

    def _check_place(self, path: str, line: int, column: int) -> None:
        text = (self.folder / path).read_bytes().decode(errors="replace")
        lines = [each for part in text.split("\n") for each in (part.split("\r") or [""])]
        assert 1 <= line <= len(lines) + 1
        assert 1 <= column <= max(map(len, text.split("\n"))) + 2

    def ended(self, *arguments: str) -> Result:
        """How a command ends, which it does in one of three ways."""
        result = self.call(*arguments)
        assert result.code in {0, 2, 3}, result
        assert "Traceback" not in result.stderr, result.stderr
        return result


@pytest.fixture(scope="module")
def folder() -> Iterator[Folder]:
    """Made once, because it costs more than the commands in it."""
    with tempfile.TemporaryDirectory() as name:
        project = Folder(Path(name))
        for path in (EXAMPLES / "texts").iterdir():
            project.write(f"texts/{path.name}", path.read_bytes())
        yield project


@pytest.fixture(autouse=True)
def _good_files(folder: Folder) -> None:
    for name, content in FILES.items():
        folder.write(name, content)
    (folder.folder / "dispatcher.toml").unlink(missing_ok=True)


def test_the_files_are_good_before_they_are_spoilt(folder: Folder) -> None:
    result = folder.ended("validate", "m.toml")
    assert (result.code, result.stdout) == (0, ""), result
    folder.write("dispatcher.toml", CONFIG.encode())
    assert folder.ended("validate").code == 0


# ---------------------------------------------------------------------------------------- mutations

ODD_VALUES = [
    *("", '""', "' '", '"x"', "0", "-1", "1", "1.5", "true", "inf", "nan", "1979-05-27", "[]"),
    *(
        "{}",
        "07:32:00",
        "1979-05-27T07:32:00Z",
        "[1]",
        '["x"]',
        '[["x"]]',
        "[{}]",
        "{ a = 1 }",
        "null",
    ),
    *("99999999999999999999", "0x" + "f" * 40, "1e400", '"\\u0000"', '"\\u001b[31m"', '"\\uffff"'),
    *('"{{ shop }}"', '"{{ x"', '"{% for %}"', '"{{ shop.__class__ }}"', '"{#"', '"../../x"'),
    *('"https://a b"', '"ftp://x"', '"79001234567"', '"1-2"', '"+7 900 123-45-67"', '"a.pdf"'),
    *('["79001234567", "79001234567"]', '"group"', '"image"', '"rows.csv"', "'''\n'''", '"😃"'),
    *('{ body = "x" }', '{ file = "t.txt" }', '{ id = "1" }', '{ source = "." }', '"/dev/zero"'),
    '"' + "x" * 5000 + '"',
    '"' + "{{ shop }}" * 500 + '"',
    "[" * 30 + "]" * 30,
]
ODD_LINES = [
    *("[[messages]]", "[messages]", "[defaults]", "[vars]", "[messages.text]", "[messages.vars]"),
    *("manifest = 1", "x = 1", "id = 'a'", "text.body = 'x'", "image.source = 'a.pdf'", "= 1", "["),
    *("token = 'secret'", "text.body.x = 1", "defaults.x = 1", "'' = 1", '"a\\nb" = 1', "\ufeff"),
    *("{}", '{"to": 5}', '{"to": "79001234567"}', ",", ",,,", '"', "79001234567,x,y", "\0", "\x85"),
    *("{{ name }}", "{% for i in items %}", "{% endfor %}", "[delivery]", "[transports.x]"),
    "\u2028",
    "a." * 60 + "a = 1",
]


def _lines(text: bytes) -> list[bytes]:
    return text.splitlines(keepends=True)


@st.composite
def mutations(draw: st.DrawFn, originals: tuple[str, ...]) -> bytes:
    """A good file with something wrong in one or several places."""
    text = draw(st.sampled_from(originals)).encode()
    for _ in range(draw(st.integers(1, 4))):
        change = draw(st.sampled_from([flip, insert, cut, delete, double, swap, value, line, word]))
        text = change(draw, text)
    return text


def flip(draw: st.DrawFn, text: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(text) - 1)))
    return text[:at] + bytes([draw(st.integers(0, 255))]) + text[at + 1 :]


def insert(draw: st.DrawFn, text: bytes) -> bytes:
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text(max_size=5)).encode() + text[at:]


def cut(draw: st.DrawFn, text: bytes) -> bytes:
    at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 40))
    return text[:at] + text[at + length :]


def delete(draw: st.DrawFn, text: bytes) -> bytes:
    lines = _lines(text)
    at = draw(st.integers(0, max(0, len(lines) - 1)))
    return b"".join(lines[:at] + lines[at + 1 :])


def double(draw: st.DrawFn, text: bytes) -> bytes:
    lines = _lines(text)
    at, to = (draw(st.integers(0, max(0, len(lines) - 1))) for _ in range(2))
    return b"".join([*lines[:to], *lines[at : at + 1], *lines[to:]])


def swap(draw: st.DrawFn, text: bytes) -> bytes:
    lines = _lines(text) or [b""]
    a, b = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def value(draw: st.DrawFn, text: bytes) -> bytes:
    """Another value for a key."""
    places = [match.span() for match in re.finditer(rb"(?<==)[^\n]*", text)]
    start, end = draw(st.sampled_from(places or [(0, 0)]))
    return text[:start] + b" " + draw(st.sampled_from(ODD_VALUES)).encode() + text[end:]


def line(draw: st.DrawFn, text: bytes) -> bytes:
    lines = _lines(text)
    at = draw(st.integers(0, len(lines)))
    return b"".join([*lines[:at], draw(st.sampled_from(ODD_LINES)).encode() + b"\n", *lines[at:]])


def word(draw: st.DrawFn, text: bytes) -> bytes:
    """One word of the file in the place of another."""
    places = [match.span() for match in re.finditer(rb"\w+", text)]
    start, end = draw(st.sampled_from(places or [(0, 0)]))
    first, last = draw(st.sampled_from(places or [(0, 0)]))
    return text[:start] + text[first:last] + text[end:]


GOOD = tuple(path.read_text() for path in sorted(EXAMPLES.glob("*.toml")))


# ------------------------------------------------------------------------------------------- tests


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_anything_at_all(folder: Folder, content: bytes) -> None:
    folder.check("m.toml", content)


@given(mutations((RICH, *GOOD)))
def test_manifests(folder: Folder, content: bytes) -> None:
    folder.check("m.toml", content)
    folder.check_plan()


@given(mutations((ROWS,)))
def test_csv(folder: Folder, content: bytes) -> None:
    folder.check("rows.csv", content)


@given(mutations((LINES,)))
def test_json_lines(folder: Folder, content: bytes) -> None:
    folder.check("rows.jsonl", content)


@given(mutations((LETTER,)))
def test_texts(folder: Folder, content: bytes) -> None:
    folder.check("t.txt", content)


@given(mutations((CONFIG,)))
def test_configurations(folder: Folder, content: bytes) -> None:
    assume(b"sqlite" in content)  # another journal would be another subject
    folder.check("dispatcher.toml", content)


# Data of any shape in the places where a manifest has its own.
SCALARS = st.one_of(
    st.text(max_size=8),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.sampled_from(["79001234567", "{{ shop }}", "{{ x }}", "a.pdf", "t.txt", "rows.csv", "text"]),
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KINDS = ["text", "image", "audio", "document"]
CONTENTS = "body file source link id provider caption filename name".split()
KEYS = "id to recipients revision recipient_type type preview_url transport vars".split()


def table(names: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from([*names, "txt", "idd", "x"]), values, max_size=5)


CONTENT = table(CONTENTS, DATA) | DATA
ENTRY = st.builds(
    lambda keys, contents: {**keys, **contents},
    table(KEYS, DATA),
    st.dictionaries(st.sampled_from(KINDS), CONTENT, max_size=2),
)
GOOD_ENTRY = st.builds(
    lambda entry: {
        **{"id": "a", "to": "79001234567"},
        **({} if entry.keys() & set(KINDS) else {"text": {"body": "x"}}),
        **entry,
    },
    ENTRY,
)
MANIFEST = st.fixed_dictionaries(
    {"messages": st.lists(GOOD_ENTRY | ENTRY | DATA, max_size=3)},
    optional={"defaults": ENTRY | DATA, "vars": DATA, "name": DATA, "transport": DATA, "x": DATA},
)


def toml(value: object) -> str:
    """A value as TOML, a table in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()


@given(MANIFEST)
def test_manifests_of_any_shape(folder: Folder, data: dict[str, Any]) -> None:
    text = "manifest = 1\n" + "".join(f"{key} = {toml(value)}\n" for key, value in data.items())
    folder.check("m.toml", text.encode())
