"""Files of recipients as people have them: other columns, marks, encodings, leftovers, archives."""

import csv
import gzip
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import ManifestError
from dispatcher.inputs import Inputs
from dispatcher.manifest import first_rows, recipients
from dispatcher.manifest.first_rows import FirstRows
from dispatcher.manifest.recipients import ListFormat, read_rows
from dispatcher.manifest.rows import MAX_ROW, Row
from dispatcher.testing import manifest, plan
from tests.support.cases import cases
from tests.support.project import Project

TO, OTHER = "79001234567", "79001234568"


class Planned(NamedTuple):
    """The texts by recipient, and the problems without their path."""

    texts: dict[str, str]
    problems: list[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(
    folder: Path, name: str, content: bytes | str, body: str = "{{ name }}", **more: Any
) -> Planned:
    """What becomes of a message to a list. `more`: keys of `recipients` beside `file`."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    table = {"file": name, **more} if more else name
    made = plan(manifest(folder, {"recipients": table, "text": {"body": body}}))
    texts = {each.message.to: each.payload["text"]["body"] for each in made.messages}
    return Planned(texts, [str(each).removeprefix(f"{folder}/") for each in made.problems])


# -------------------------------------------------------------------------- as people have them

RUSSIAN = "Имя;Телефон;Город\nАнна;8 (900) 123-45-67;Пермь\nБорис;+7 900 123-45-68;Омск\n;;\n"


def test_a_russian_spreadsheets_export_is_one_line_in_the_manifest(project: Project) -> None:
    project.write("manifests/клиенты.csv", RUSSIAN.replace("\n", "\r\n").encode("cp1251"))
    project.manifest("""
[[messages]]
id = "hello"
recipients = { file = "клиенты.csv", to = "Телефон", country = "RU", encoding = "cp1251" }
text.body = "{{ Имя }}, {{ Город }}"
""")
    result = project.call("plan", "--json")
    assert (result.code, result.stderr) == (0, "")
    bodies = {each["payload"]["to"]: each["payload"]["text"]["body"] for each in result.planned}
    assert bodies == {TO: "Анна, Пермь", OTHER: "Борис, Омск"}


ROWS = [["to", "name"], [TO, "Анна, мама"], [OTHER, 'Боря "Б"']]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@cases("delimiter", ",", ";", "\t")
@pytest.mark.parametrize("encoding", ENCODINGS)
@cases("end", "\n", "\r\n")
def test_what_a_file_shows_by_itself(folder: Path, delimiter: str, encoding: str, end: str) -> None:
    lines = [delimiter.join('"' + each.replace('"', '""') + '"' for each in row) for row in ROWS]
    found = planned(folder, "r.csv", (end.join(lines) + end).encode(encoding))
    assert found == ({TO: "Анна, мама", OTHER: 'Боря "Б"'}, [])


@pytest.mark.parametrize("encoding", ENCODINGS)
@cases("name", "r.jsonl", "R.JSONL", "r.jsonl.gz")
def test_json_lines_of_any_unicode(folder: Path, encoding: str, name: str) -> None:
    lines = [json.dumps({"to": to, "name": name}, ensure_ascii=False) for to, name in ROWS[1:]]
    content = "\n".join(lines).encode(encoding)
    content = gzip.compress(content, mtime=0) if name.endswith("gz") else content
    found = planned(folder, name, content)
    assert found == ({TO: "Анна, мама", OTHER: 'Боря "Б"'}, [])


@cases(
    "name, content, more",
    ("r.csv", f"to|name\n{TO}|Ann\n", {"delimiter": "|"}),
    ("r.csv", f"sep=|\nto|name\n{TO}|Ann\n", {}),
    ("r.csv", f'"sep=;"\r\nto;name\r\n{TO};Ann\r\n', {}),
    ("r.csv", f"sep=,\r\nto,name\r\n{TO},Ann\r\n".encode("utf-8-sig"), {}),
    ("r.csv", f'"a;b;c",name,to\n1,Ann,{TO}\n', {}),
    ("r.csv", f"a,b,c;to;name\n1;{TO};Ann\n", {}),
    ("r.csv", f"to,name,,\n{TO},Ann,,\n,,,\n ,\t,,\n", {}),
    ("r.csv", f"to,name\n{TO},Ann,,,\n,\n", {}),
    ("R.CSV.GZ", gzip.compress(f"to,name\n{TO},Ann\n".encode(), mtime=0), {}),
    ("r.csv", f"to,name\n{TO},Ann\n".encode("utf-8-sig"), {"encoding": "cp1251"}),
    ("r.csv", f"Phone number,name\n{TO},Ann\n", {"to": "Phone number"}),
    ("r.jsonl", json.dumps({"msisdn": TO, "name": "Ann"}), {"to": "msisdn"}),
    ("r.csv", f"to,name\n{TO},Ann\n+7 900 123-45-67,Bob\n", {"duplicates": "first"}),
)
def test_leftovers_of_spreadsheets(
    folder: Path, name: str, content: bytes | str, more: Mapping[str, str]
) -> None:
    assert planned(folder, name, content, **more) == ({TO: "Ann"}, [])


def test_a_nul_makes_no_text_utf_16(folder: Path) -> None:
    (folder / "r.csv").write_bytes(f"to,name\n{TO},a\0\n".encode())
    [row] = read_rows(folder / "r.csv", ListFormat(), Inputs())
    assert isinstance(row, Row)
    assert row.vars["name"] == "a\0"


@cases("name", "r.csv", "r.csv.gz")
def test_text_in_utf_8_is_not_read_as_another_encoding(folder: Path, name: str) -> None:
    content = f"to,name\n{TO},Анна\n".encode()
    content = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
    found = planned(folder, name, content, encoding="cp1251")
    said = "the text is UTF-8, not cp1251; leave encoding out of the manifest"
    assert found == ({}, [f"{name}:1:1: error: {said}"])


@cases("encoding", "utf-16", "utf-32")
def test_an_encoding_that_does_not_fit_is_told(folder: Path, encoding: str) -> None:
    found = planned(folder, "r.csv", f"to,name\n{TO},Ann\n", encoding=encoding)
    assert found == ({}, [f"r.csv:1:1: error: the text is not {encoding}, as the manifest says"])


NFC, NFD = "\u0439", "\u0438\u0306"


@cases("column", NFC, NFD)
@cases("written", NFC, NFD)
@cases("name", "r.csv", "r.jsonl")
def test_a_column_in_each_normal_form(folder: Path, name: str, column: str, written: str) -> None:
    values = {f"{column} to": TO, column: "Ann"}
    rows = [list(values), list(values.values())]
    content = "\n".join(map(",".join, rows)) if name == "r.csv" else json.dumps(values)
    body = f"{{{{ {written} }}}} {{{{ row['{written}'] }}}}"
    assert planned(folder, name, content, body, to=f"{written} to") == ({TO: "Ann Ann"}, [])


def test_a_column_in_two_normal_forms_is_there_twice(folder: Path) -> None:
    [of_csv] = planned(folder, "r.csv", f"to,{NFC},{NFD}\n{TO},a,b\n").problems
    [of_json] = planned(folder, "r.jsonl", json.dumps({"to": TO, NFC: 1, NFD: 2})).problems
    assert of_csv.endswith(f'names the column "{NFC}" twice')
    assert of_json.endswith(f'the key "{NFC}" is there twice')


@cases("name", "r.csv", "r.jsonl", "r.csv.gz")
def test_a_pointer_of_git_lfs_is_no_list(folder: Path, name: str) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid x\n"
    [problem] = planned(folder, name, pointer).problems
    assert "it is a pointer of git lfs, not the file itself" in problem


def test_a_list_of_many_gigabytes_is_not_even_read(folder: Path) -> None:
    with (folder / "r.csv").open("wb") as file:
        file.truncate(8 << 30)
    with pytest.raises(ManifestError, match="is larger than 1 GB"):
        list(read_rows(folder / "r.csv", ListFormat(), Inputs()))


def test_lines_are_counted_with_what_stands_before_the_header(folder: Path) -> None:
    found = planned(folder, "r.csv", f'sep=;\nto;name\n{TO};"A\nnn"\nx;Bob\n')
    assert [each.partition(" ")[0] for each in found.problems] == ["r.csv:5:1:"]


@given(
    st.lists(
        st.tuples(st.integers(0, 99_999_999), st.text(st.characters(codec="utf-8"), max_size=20)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_was_written_is_read(
    tmp_path_factory: Any, rows: list[tuple[int, str]], delimiter: str, encoding: str
) -> None:
    path = tmp_path_factory.mktemp("lists") / "r.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        sheet = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        sheet.writerow(["any", "to"])
        sheet.writerows([text, f"7900{number:08}"] for number, text in rows)
    found = list(read_rows(path, ListFormat(), Inputs()))
    assert [(each.to, each.vars["any"]) for each in found if isinstance(each, Row)] == [
        (f"7900{number:08}", text) for number, text in rows
    ]


# -------------------------------------------------------------------------- columns in templates


@cases(
    "column, body",
    ("first-name", '{{ row["first-name"] }}'),
    ("First Name", "{{ row['First Name'] | upper }}"),
    ("if", '{{ row["if"] }}'),
    ("row", "{{ row }}"),
    ("plain", "{{ plain }}{{ row.plain }}"),
    ("to", "{{ to }}"),
)
def test_a_column_may_have_any_name(folder: Path, column: str, body: str) -> None:
    name = "" if column == "to" else f",{column}"
    cell = "" if column == "to" else ",ann"
    found = planned(folder, "r.csv", f"to{name}\n{TO}{cell}\n", body)
    assert found.problems == []
    assert set(found.texts[TO].lower().replace("ann", "a")) <= set(f"a{TO}")


@cases(
    "body, said",
    ("{{ first-name }}", 'write {{ row["first-name"] }}'),
    ("{{ first_name }}", 'unknown variable "first_name"; write {{ row["first-name"] }}'),
    ("{{ Last Name }}", 'write {{ row["Last Name"] }}'),
    ("{{ last name|upper }}", 'write {{ row["Last Name"] }}'),
    ("{% if first-name %}x{% endif %}", 'write {{ row["first-name"]'),
    ('{{ row["first-name"] }} {{ nam }}', 'unknown variable "nam"; known here'),
    ('{{ row["first"] }}', 'the list has no column "first"; did you mean "first-name"?'),
    ("{{ row.zip }}", 'the list has no column "zip"; there are to, first-name, Last '),
    ("{{ to.first }}", 'there is no "first" in this value'),
)
def test_a_column_that_is_called_by_a_wrong_name(folder: Path, body: str, said: str) -> None:
    found = planned(folder, "r.csv", f"to,first-name,Last Name\n{TO},Ann,Bee\n", body)
    [problem] = found.problems
    assert said in problem


def test_a_column_that_hides_the_row(folder: Path) -> None:
    found = planned(folder, "r.csv", f"to,row,e-mail\n{TO},3,a@b\n", '{{ row["e-mail"] }}')
    [problem] = found.problems
    assert 'named "row" hides the row itself here; give it another name' in problem


@cases(
    "body, blanks",
    ("Dear {{ name }}!", ["name"]),
    ("Dear {{ name | upper }}!", ["name"]),
    ('Dear {{ row["e-mail"] }}!', ["e-mail"]),
    ("Dear {{ name }}, {{ name }}, {{ city }}!", ["name", "city"]),
    ("{% for each in [1, 2] %}{{ name }}{% endfor %}.", ["name"]),
    ("Dear {{ name | default('friend', true) }}!", []),
    ("Dear {{ name | upper | default('', true) }}!", []),
    ("Dear{% if name %} {{ name }}{% endif %}!", []),
    ("Dear {{ name or 'friend' }}!", []),
    ("Dear {{ full }}{{ shop }}!", []),
    ("Dear all!", []),
)
def test_an_empty_cell_that_a_template_shows(folder: Path, body: str, blanks: list[str]) -> None:
    (folder / "r.csv").write_text(f"to,name,city,e-mail,full\n{TO},,,\t,Ann\n{OTHER},a,b,c,d\n")
    message = {"recipients": "r.csv", "text": {"body": body}}
    made = plan(manifest(folder, message, vars={"shop": ""}))
    assert [each.sentence for each in made.problems] == [
        f'"{name}" is empty ({folder}/r.csv:2)' for name in blanks
    ]
    assert {each.severity for each in made.problems} <= {"warning"}
    assert len(made.messages) == 2


def test_many_empty_cells_are_one_line(folder: Path) -> None:
    rows = "".join(f"7900{number:07},\n" for number in range(5))
    found = planned(folder, "r.csv", f"to,name\n{rows}", "Dear {{ name }}!")
    assert len(found.texts) == 5
    assert [each.partition('"name"')[2] for each in found.problems] == [
        f" is empty ({folder}/r.csv:2 and 4 more rows)"
    ]


# ------------------------------------------------------------------------------------ what is wrong


@cases(
    "name, content, more, said",
    ("r.csv", "Имя,Phone,c\n", {}, 'no "to" among Имя, Phone, c; recipients = {…, to = "Phone"}'),
    ("r.csv", "a,b\n", {"to": "c"}, '1:1: no "c" among a, b; '),
    ("r.csv", "to|name\n", {}, 'no "to" among to|name; recipients = {…, delimiter = "|"}'),
    ("r.csv", "sep=;\na;b\n", {}, '2:1: no "to" among a, b; '),
    ("r.csv", "sep=;", {}, '1:1: the first line must name the columns, one of them "to"'),
    ("r.csv", ",,\n", {}, '1:1: the first line must name the columns, one of them "to"'),
    ("r.jsonl", f'[{{"to": "{TO}"}}]', {}, "1:1: this is one JSON array; convert"),
    ("r.jsonl", f'\n[\n{{"to": "{TO}"}},\n', {}, "2:1: this is one JSON array"),
    ("r.jsonl", '{"phone": "1"}', {}, '1:1: "to" is missing; there are "phone"'),
    ("r.xlsx", b"PK\3\4", {}, "1:1: a workbook; save its sheet as CSV"),
    ("r.csv", b"PK\3\4", {}, "1:1: a workbook; save its sheet as CSV"),
    ("r.csv", gzip.compress(b"to\n", mtime=0), {}, "1:1: this file is compressed; its name must"),
    ("r.csv.gz", b"to\n", {}, "1:1: the file is damaged: it cannot be unpacked"),
    ("r.csv.gz", gzip.compress(b"to\n" * 99, mtime=0)[:-9], {}, "1:1: the file is damaged"),
    ("r.tsv", "to\n", {}, "1:1: recipients come from a .csv or a .jsonl file, or one"),
    ("r.csv", "to,n\n1,Ж\n".encode("cp1251"), {}, "2:3: byte 0xc6 is not UTF-8; save"),
    ("r.csv", b"to,n\n1,\x98\n", {"encoding": "cp1251"}, "2:3: byte 0x98 is not cp1251"),
    ("r.csv", "to\n".encode("utf-16") + b"\0", {}, "1:1: the text is not UTF-16"),
    ("r.csv", f"to,a\n{TO},{'x' * MAX_ROW}\n", {}, f"2:1: a row is longer than {MAX_ROW}"),
    ("r.csv", f"to,a\n{TO},{chr(34)}x{chr(34)}" + ',"\n"' * MAX_ROW, {}, ": a row is lo"),
    ("r.csv", "to" + ",a" * 1000, {}, "1:1: there are 1001 columns; at most 1000 can"),
    ("r.jsonl", '{"a": "' + "x" * MAX_ROW, {}, f"1:1: a row is longer than {MAX_ROW}"),
    ("r.jsonl", f'{{"to": "{TO}", "p": 1e400}}', {}, "1:1: 1e400 is too large for a num"),
    ("r.jsonl", f'{{"to": "{TO}", "p": [-1E999]}}', {}, "1:1: -1E999 is too large for a"),
)
def test_a_list_that_cannot_be_read(
    folder: Path, name: str, content: bytes | str, more: Mapping[str, str], said: str
) -> None:
    found = planned(folder, name, content, "x", **more)
    [problem] = found.problems
    assert said in problem.replace(": error: ", ": ")
    assert problem.startswith(f"{name}:")


@cases(
    "table, said",
    ('{ file = "r.csv", encoding = "cp1521" }', "4:43: no text has the enc"),
    ('{ file = "r.csv", encoding = "rot13" }', "4:43: no text has the enco"),
    ('{ file = "r.csv", encoding = "idna" }', "4:43: no text has the encod"),
    ('{ file = "r.csv", encoding = "zlib" }', "4:43: no text has the encod"),
    ('{ file = "r.csv", encoding = "a\\u0000" }', "4:43: no text has the en"),
    ('{ file = "r.csv", delimiter = ";;" }', "4:44: delimiter is one chara"),
    ('{ file = "r.csv", delimiter = "\\"" }', "4:44: delimiter is one char"),
    ('{ file = "r.csv", country = "rus" }', '4:42: "rus" is no country'),
    ('{ file = "r.csv", duplicates = "last" }', "4:45: duplicates must be error or first"),
    ('{ file = "r.csv", enconding = "x" }', '4:32: unknown key "enconding"; d'),
    ('{ file = "x.csv" }', '4:23: no such file: "x.csv"; did you mean "r.c'),
    ("{ file = 5 }", "4:23: file is text; put 5 in quotes"),
    ('{ to = "phone" }', '4:14: recipients: "file" is missing'),
    ('["r.csv"]', "4:14: recipients: expected text, got a list"),
)
def test_what_is_wrong_is_shown_inside_the_table(project: Project, table: str, said: str) -> None:
    project.write("manifests/r.csv", f"to\n{TO}\n")
    project.manifest(f'[[messages]]\nid = "a"\nrecipients = {table}\ntext.body = "x"\n')
    result = project.call("validate")
    [problem] = result.problems
    place, sentence = said.split(": ", 1)
    assert result.code == 2
    assert problem.startswith(f'manifests/m.toml:{place}: error: message "a": {sentence}')


def test_the_table_may_be_a_default(project: Project) -> None:
    project.write("manifests/r.csv", f"phone\n{TO}\n")
    project.manifest(
        '[defaults]\nrecipients = { file = "r.csv", to = "phone" }\n'
        '[[messages]]\nid = "a"\ntext.body = "x"\n'
        f'[[messages]]\nid = "b"\nto = "{OTHER}"\ntext.body = "x"\n'
    )
    lines = project.call("plan", "--json").events("plan")
    assert [each["payload"]["to"] for each in lines] == [TO, OTHER]


def test_a_huge_archive_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipients, "_UNPACKED_FREELY", 100_000)
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(b"to\n" + b"\n" * 5_000_000, mtime=0))
    with pytest.raises(ManifestError, match="unpacks to more than any list"):
        list(read_rows(path, ListFormat(), Inputs()))
    path.write_bytes(gzip.compress(b"to\n" + b"79001234567\n" * 2000, mtime=0))
    assert len(list(read_rows(path, ListFormat(), Inputs()))) == 2000


def test_editors_know_the_table(project: Project) -> None:
    schema = json.loads(project.call("schema").stdout)
    assert set(schema["$defs"]["RecipientsTable"]["properties"]) == {
        *("file", "to", "country", "encoding", "delimiter", "duplicates")
    }


# ---------------------------------------------------------------------------- the same one twice

RECIPIENTS = st.one_of(
    st.integers(min_value=0, max_value=2**66).map(str),
    st.sampled_from(["0", "00", "7", "07", "7-7@g.us", "٧", "²", "7" * 18, "7" * 19, "0" * 19]),
    st.text(max_size=3),
)


@given(st.lists(RECIPIENTS), st.integers(min_value=2, max_value=9))
def test_where_each_was_first_is_known(written: list[str], bucket: int) -> None:
    rows, first = FirstRows(), dict[str, int]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_rows, "_BUCKET", bucket)
        for row, to in enumerate([*written, *written]):
            assert rows.first(to, row) == first.get(to)
            first.setdefault(to, row)


@cases("order", sorted, lambda to: sorted(to, reverse=True), list, ids=["up", "down", "any"])
def test_each_recipient_who_is_there_twice_is_named_with_both_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    monkeypatch.setattr(first_rows, "_BUCKET", 64)
    chance = random.Random(1)
    rows = order([f"7900{number:07}" for number in chance.sample(range(10**7), 2000)])
    again = {chance.randrange(1000): chance.randrange(1000, 2000) for _ in range(20)}
    for first, second in again.items():
        rows[second] = rows[first]
    expected = [
        f'people.csv:{second + 2}:1: error: message "message-1": {rows[second]} is a recipient '
        f'twice, first in line {first + 2}; remove one, or write duplicates = "first"'
        for first, second in sorted(again.items(), key=lambda each: each[1])
    ]
    found = planned(folder, "people.csv", "\n".join(["to,name", *(f"{to},A" for to in rows)]))
    assert found.problems == expected
