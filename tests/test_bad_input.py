"""Bad input gets a sentence at its place and exit code 2, and nothing is sent."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import Files, Project, Result

SECRET = "S3CR3T-5d1c0ffee"
NOBODY = 65534  # a user without any rights
# Four lines, so that what a case adds begins in line 5.
HEAD = 'manifest = 1\n[[messages]]\nid = "a"\nto = "79001234567"\n'
TEXT = 'text.body = "x"\n'
NEITHER = (
    " is neither a phone number with country code (79001234567) "
    "nor a group id (79001234567-1581234048)"
)
OUTSIDE = (
    " is outside the manifests' folder; move it there, or name its folder in dispatcher.toml: "
    '[files] roots = ["…"]'
)
INDIVIDUAL = 'but "to" is of the type "individual"'
NAME_RULE = "may hold only letters, digits and . _ - + @"
TWICE = "each message begins with [[messages]], in two brackets"
NAME_START = "must begin with a letter or a digit"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def named(case: object) -> str | None:
    """A test is called by what its case writes, not by what it expects."""
    return case[:40] if isinstance(case, str) else None


def told(result: Result, path: str = "m.toml") -> list[str]:
    """The errors of a file that is bad: their places and sentences."""
    assert result.code == 2
    parts = (line.removeprefix(f"{path}:").partition(": error: ") for line in result.problems)
    return [f"{place}: {sentence}" for place, _, sentence in parts]


def assert_begin(found: list[str], problems: list[str]) -> None:
    """There are these problems, or problems that begin so, and no others."""
    assert [line[: len(problem)] for line, problem in zip(found, problems, strict=True)] == problems


def assert_one_problem(result: Result, problem: str, subject: str = 'message "a": ') -> None:
    """A message has this problem, or one that begins so, and no other."""
    place, sentence = problem.split(": ", 1)
    assert_begin(told(result), [f"{place}: {subject}{sentence}"])


# ------------------------------------------------------------------- files that are no manifests


@cases(
    "content, problem",
    (b"", "1:1: the file is empty; a manifest begins with: manifest = 1"),
    (b"# nothing\n", "1:1: the file is empty; a manifest begins with: manifest = 1"),
    (
        'manifest = 1\nx = "Привет"\n'.encode("cp1251"),
        "2:6: byte 0xcf is not UTF-8; save the file as UTF-8",
    ),
    ("manifest = 1\n".encode("utf-16"), "1:1: the text is UTF-16; save it as UTF-8"),
    ("manifest = 1\n".encode("utf-16-le"), "1:2: the text holds a NUL character"),
    (b'manifest = 1\nx = "\0"\n', "2:6: the text holds a NUL character"),
    (
        b"manifest = 1\nx = 0x" + b"f" * 17,
        "2:5: the number is too large; put it in quotes if it is text",
    ),
)
def test_a_file_that_can_be_no_manifest(project: Project, content: bytes, problem: str) -> None:
    assert told(project.validate({"m.toml": content})) == [problem]


@cases(
    "text, problem",
    ("to =", "1:5: a value is missing here"),
    ("to = Ann", '1:6: text stands in quotes: "Ann"'),
    ("to = “Ann”", "1:6: “ (U+201C) is no quote in TOML; use a straight one"),
    ("to = “Ann", "1:6: “ (U+201C) is no quote in TOML; use a straight one"),
    ("to = True", "1:6: write true in lower case, not True"),
    ("to = nil", "1:6: TOML has no nil; leave the key out"),
    ("to = Off", "1:6: write true or false, not Off; text stands in quotes"),
    ("to = +7 900", '1:9: text stands in quotes: "+7 900"'),
    ("to = 1,5", "1:7: no comma stands after a value"),
    ('to = "Ann', "1:6: a text begins here and has no closing quote"),
    ("to = 'Ann\n", "1:6: a text begins here and has no closing quote"),
    ("to = '''Ann\n'\n", "1:6: a text begins here and has no closing quote"),
    ('to = """Ann\n"\n', "1:6: a text begins here and has no closing quote"),
    ('to = "A\nB"', '1:8: the text has no closing quote; several lines need """'),
    (r'to = "C:\Users"', r'1:11: in "…" a backslash is written \\; in file names write /'),
    (r'to = "C:\data"', r'1:11: in "…" a backslash is written \\; in file names write /'),
    ('to = "A\x07"', "1:8: U+0007 stands here; delete it"),
    ("to", "1:3: after a key comes =, as in: key = value"),
    ("to: 1", "1:3: write = after a key, not :"),
    ('first name = "Ann"', "1:7: after a key comes =; one with spaces stands in quotes"),
    ("кому = 1", '1:1: a key of other letters than a-z stands in quotes: "кому"'),
    ("= 1", "1:1: a line is: key = value"),
    ("a. = 1", "1:4: a key, or a part of it, is missing here"),
    ("a = 1 b = 2", "1:7: each key stands on a line of its own"),
    ("[a] b = 1", "1:5: what follows a table's name stands on lines of its own"),
    ("a = [1 2]", "1:8: a comma or ] is missing"),
    ("a = { b = 1 c = 2 }", "1:13: a comma or } is missing"),
    ("a = { b = 1, b = 2 }", '1:19: the key "b" is there twice'),
    ("a = { b = 1 }\na.c = 2", "2:8: this table was completed before; add the key there"),
    ("a = 1\na = 2", "2:6: this key or table was there before"),
    ("[a]\n[a]", "2:3: the table [a] is there twice; join them"),
    ("a = 2026-13-01", '1:9: text stands in quotes: "2026-13-01"'),
    (r'a = "\ud800"', "1:12: there is no such character"),
    ("[[messages]]\n[messages]", "2:10: each message begins with [[messages]], in two brackets"),
    ("[messages]\n[[messages]]", "2:11: each message begins with [[messages]], in two brackets"),
    ("[[messages]", "1:11: the closing ]] is missing"),
    ("[messages", "1:10: the closing ] is missing"),
)
def test_a_file_that_is_no_toml(project: Project, text: str, problem: str) -> None:
    assert told(project.validate({"m.toml": text})) == [problem]


def repeated(opening: str, middle: str, closing: str = "") -> str:
    """Four megabytes of nesting."""
    times = 4_000_000 // len(opening + closing)
    return opening * times + middle + closing * times


_QUOTED = "'a' . " * 990

DEEP = {
    "lists": "x = " + repeated("[", "", "]"),
    "tables": "x = " + repeated("{a=", "1", "}"),
    "dots": repeated("a.", "a = 1"),
    "header": "[" + repeated("a.", "a]"),
    "headers": "".join("[" + "a." * depth + "a]\n" for depth in range(3000)),
    "arrays": "".join("[[" + "a." * depth + "a]]\n" for depth in range(3000)),
    "keys": "".join(f"b{line}.{'a.' * 990}a = 1\n" for line in range(2000)),
    "keys in quotes": "".join(f"b{line} . {_QUOTED}a = 1\n" for line in range(500)),
}


@cases("name", "m.toml", "dispatcher.toml")
@pytest.mark.parametrize("nesting", DEEP.values(), ids=DEEP)
def test_megabytes_of_nesting(project: Project, name: str, nesting: str) -> None:
    started = time.monotonic()
    result = project.validate({"m.toml": HEAD + TEXT, name: nesting})
    assert time.monotonic() - started < 10
    assert result.code == 2
    assert "bug" not in result.stderr
    assert len(result.stdout + result.stderr) < 1000


def test_deep_variables_are_merged_all_the_same(project: Project) -> None:
    deep = "a." * 900 + "a"
    text = f"[vars.{deep}]\n{deep} = 1\n[defaults.vars.{deep}]\n{deep} = 2\n"
    text += (
        f"[[messages]]\nid = 'a'\nto = '79001234567'\n{TEXT}[messages.vars.{deep}]\n{deep} = 3\n"
    )
    result = project.validate({"m.toml": f"manifest = 1\n{text}"})
    assert (result.code, result.problems) == (0, [])


def test_a_file_that_is_too_large(project: Project) -> None:
    with (project.folder / "m.toml").open("wb") as file:
        file.truncate(5_000_001)
    problem = "1:1: the file is larger than 5 MB; a long list of recipients belongs in a .csv file"
    assert told(project.validate({})) == [problem]


@cases(
    "text, problem",
    ("\n" * 200_001, "1:1: the file has more than 200000 lines"),
    ('a = "' + "x" * 2_000_000 + '"', "3:1: the line is longer than 2000000 characters"),
)
def test_a_file_that_nobody_can_have_written(project: Project, text: str, problem: str) -> None:
    result = project.validate({"m.toml": f"manifest = 1\n\n{text}"})
    advice = "; a long list of recipients belongs in a .csv file"
    assert told(result) == [f"{problem}{advice}"]


@cases(
    "text, problem",
    (
        "messages = [" + '{id="a"},' * 50_001 + "]",
        "2:450013: the file has more than 50000 messages",
    ),
    (
        "[[messages]]\nid = 'a'\nto = [" + '"",' * 100_001 + "]\ntext.body = 'a'",
        '4:6: message "a": to names more than 100000 recipients',
    ),
)
def test_more_than_a_manifest_can_hold(project: Project, text: str, problem: str) -> None:
    result = project.validate({"m.toml": f"manifest = 1\n{text}"})
    advice = '; put the recipients into a .csv file: recipients = "…"'
    assert told(result) == [problem + advice]


def test_of_very_many_problems_the_first_are_told(project: Project) -> None:
    entry = "[[messages]]\nid = 'a{}'\nto = '79001234567'\ntext.bodi = 'Hi'\n"
    entries = "".join(map(entry.format, range(2000)))
    result = project.validate({"m.toml": f"manifest = 1\n{entries}"})
    assert len(result.problems) == 1001
    assert result.problems[0].endswith("1000 more problems of this file are not shown")
    assert 'message "a999": unknown key "bodi"; did you mean "body"?' in result.problems[-1]


def test_a_pointer_of_git_lfs_is_no_text_of_a_message(project: Project) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"
    result = project.validate({"m.toml": f"{HEAD}text.file = 'a.txt'\n", "a.txt": pointer})
    assert result.code == 2
    assert "cannot read the text: it is a pointer of git lfs, not the file" in result.stdout


def test_a_text_that_is_too_large(project: Project) -> None:
    with (project.folder / "a.txt").open("wb") as file:
        file.truncate(1_000_001)
    result = project.validate({"m.toml": f"{HEAD}text.file = 'a.txt'\n"})
    assert result.problems == ["a.txt:1:1: error: the text is larger than 1 MB"]


@cases(
    "arguments, problem",
    (["."], ".:1:1: no manifests (*.toml) in this folder"),
    (["nope"], "nope:1:1: no such file or folder"),
    (["a.txd"], 'a.txd:1:1: no such file or folder; did you mean "a.txt"?'),
    (["a.txt/x"], "a.txt/x:1:1: no such file or folder"),
    ([], "manifests:1:1: no such file or folder"),
    (["loop.toml"], "loop.toml:1:1: cannot read the file: too many levels of symbolic l"),
)
def test_a_path_without_manifests(project: Project, arguments: list[str], problem: str) -> None:
    project.write_all({"a.txt": "x", ".hidden/m.toml": "x", "dispatcher.toml": "", ".m.toml": "x"})
    if "loop.toml" in arguments:
        (project.folder / "loop.toml").symlink_to("loop.toml")
    path, place = problem.split(":", 1)
    assert_begin(told(project.call("validate", *arguments), path), [place])


def test_a_file_name_that_is_no_utf8_and_one_with_a_line_break(project: Project) -> None:
    project.write_all({os.fsdecode(b"\xff.toml"): "", "a\nb.toml": ""})
    result = project.call("validate", ".")
    empty = "the file is empty; a manifest begins with: manifest = 1"
    rename = 'cannot be the manifest\'s name; give it another name: name = "…"'
    assert told(result) == [
        rf"\udcff.toml:1:1: {empty}",
        rf'\udcff.toml:1:1: "\udcff" {rename}',
        rf"a\nb.toml:1:1: {empty}",
        rf'a\nb.toml:1:1: "a\nb" {rename}',
    ]


# ------------------------------------------------------------------------ the manifest as a whole


@cases(
    "text, problems",
    ("x = 1\n", ["1:1: this is no manifest: it has neither manifest = 1 nor [[messages]]"]),
    ("x = 1\nmanifest = 1\n", ["1:1: there are no messages", "1:1: unknown key"]),
    ('manifst = 1\n[[mesages]]\nid = "a"\n', ['1:1: unknown key "manifst"', "2:3: unknown key"]),
    ('manifest = "1"\n', ["1:1: there are no messages", "1:12: this program reads manifests"]),
    (f"{HEAD}{TEXT}".replace("= 1", "= 2"), ["1:12: this program reads manifests of version"]),
    (f"{HEAD}{TEXT}".replace("= 1", "= true"), ["1:12: this program reads manifests of vers"]),
    (f"{HEAD}{TEXT}".replace("= 1", "= 1.0"), ["1:12: this program reads manifests of vers"]),
    (f"name = 1\n{HEAD}{TEXT}", ["1:8: name is text; put 1 in quotes"]),
    (f'name = "a/b"\n{HEAD}{TEXT}', [f"1:8: name {NAME_RULE}"]),
    (f'name = ""\n{HEAD}{TEXT}', ["1:8: name must not be empty"]),
    (f'nmae = "x"\n{HEAD}{TEXT}', ['1:1: unknown key "nmae"; did you mean "name"?']),
    (f"transport = 1\n{HEAD}{TEXT}", ["1:13: transport is text; put 1 in quotes"]),
    (f"vars = []\n{HEAD}{TEXT}", ["1:8: vars: expected a table, got a list"]),
    (f'vars = []\n{HEAD}text.body = "{{{{ x }}}}"', ["1:8: vars: expected a table, got a li"]),
    (f'var.x = "y"\n{HEAD}text.body = "{{{{ x }}}}"', ['1:1: unknown key "var"; did you mea']),
    (f"defaults = 1\n{HEAD}{TEXT}", ["1:12: defaults: expected a table, got 1"]),
    ("manifest = 1\nmessages = 1\n", ["2:12: there are no messages; each begins with [[mess"]),
    ("manifest = 1\nmessages = []\n", ["2:12: there are no messages"]),
    ('manifest = 1\n[messages]\nid = "a"\n', ["2:1: there are no messages"]),
    ("manifest = 1\nmessages = [1]\n", ['2:13: message "#1": messages: expected a table, g']),
    ('manifest = 1\n[[message]]\nid = "a"\n', ['2:3: unknown key "message"; did you mean "']),
    ("manifest = 1\n[[Messages]]\n", ['2:3: unknown key "Messages"; did you mean "messages"']),
    (
        f"{HEAD}{TEXT}[[messages]]\nid = 'a'\nto = '79001234568'\n{TEXT}",
        ['7:6: message "a": this id is used in line 3 already; give it another'],
    ),
    (f"{HEAD}{TEXT}[transports.greenapi]\n", ['6:2: unknown key "transports"; did you mean']),
)
def test_the_manifest_as_a_whole(project: Project, text: str, problems: list[str]) -> None:
    assert_begin(told(project.validate({"m.toml": text})), problems)


@cases(
    "line, problem",
    ("to = 79001234567", "3:6: to is text; put 79001234567 in quotes"),
    ('to = ["79001234567", 5]', "3:22: to is text; put 5 in quotes"),
    ('too = "79001234567"', '3:1: unknown key "too"; did you mean "to"?'),
    ('text.bdy = "x"', '3:6: unknown key "bdy"; did you mean "body"?'),
    ("text.body = 1", "3:13: body is text; put 1 in quotes"),
    ('text = "x"', '3:8: text is a table; write text.body = "x"'),
    ('image = { sorce = "x" }', '3:11: unknown key "sorce"; did you mean "source"?'),
    ("vars = 1", "3:8: vars: expected a table, got 1"),
    ids=named,
)
def test_a_fault_of_the_defaults_is_told_once(project: Project, line: str, problem: str) -> None:
    """And not again for each message that lacks what it was to get."""
    entries = "".join(f'[[messages]]\nid = "{id}"\n' for id in "abc")
    result = project.validate({"m.toml": f"manifest = 1\n[defaults]\n{line}\n{entries}"})
    assert_begin(told(result), [problem])


@cases(
    "line, problem",
    ('id = "x"', "7:1: id cannot be a default; every message has its own"),
    ('type = "text"', "7:1: type cannot be a default; every message has its own"),
    ("prevew_url = true", '7:1: unknown key "prevew_url"; did you mean "preview_url"?'),
    ("tint = 1", '7:1: unknown key "tint"'),
    ("revision = 0", "7:12: revision must be at least 1"),
    ("image.caption = []", "7:17: caption: expected text, got a list"),
    ids=named,
)
def test_a_harmless_fault_of_defaults_hides_none(project: Project, line: str, problem: str) -> None:
    text = f"{HEAD}text.body = ' '\n[defaults]\n{line}\n"
    found = told(project.validate({"m.toml": text}))
    assert found == ['5:13: message "a": body is empty', problem]


# ----------------------------------------------------------------------------------- one message


@cases(
    "text, problem",
    ("", "2:1: has no content; add text.body, image.source, …"),
    ("body = 'x'", '5:1: unknown key "body"; did you mean "text.body"?'),
    ("text = 'x'", '5:8: text is a table; write text.body = "x"'),
    ("text = {}", "5:1: text needs one of body, file"),
    ("text = { body = 1 }", "5:17: body is text; put 1 in quotes"),
    ("text.body = 2026-01-01", "5:13: body is text; put 2026-01-01 in quotes"),
    ("text.body = true", "5:13: body is text; put true in quotes"),
    ("text.body = ''", "5:13: body is empty"),
    ("text.body = ' \t'", "5:13: body is empty"),
    ('text.body = "a\\u0007"', "5:13: body holds a control character (U+0007)"),
    (f'text.body = "{"x" * 4097}"', "5:13: the text has 4097 characters; at most 4096 are all"),
    (f'text.body = "{"😃" * 4097}"', "5:13: the text has 4097 characters; at most 4096 are al"),
    ("text = { body = 'x', file = 'x' }", "5:22: text has both body and file; use one of them"),
    (f"{TEXT}image.id = '1'", "6:1: has both text and image; only one is possible"),
    ("image = {}", "5:1: image needs one of source, link, id"),
    ("image.caption = 'x'", "5:1: image needs one of source, link, id"),
    ("image = { link = 'https://a.b', source = 'x' }", "5:11: image has both source and link"),
    ("image = { link = 'https://a.b', id = 'x' }", "5:33: image has both link and id; use one"),
    ("image = { id = 'x', filename = 'y' }", "5:21: filename is not allowed on image"),
    ("audio.id = 'x'\naudio.caption = 'y'", "6:7: caption is not allowed on audio"),
    ("[messages.audio]\nid = 'x'\ncaption = 'y'", "7:1: caption is not allowed on audio"),
    ("image = { id = 'x', caption = '' }", "5:31: caption is empty"),
    ("image = { id = 'x', caption = 5 }", "5:31: caption is text; put 5 in quotes"),
    ("image.id = ''", "5:12: id is empty"),
    ("image.link = ''", "5:14: link is empty"),
    ("image.link = 'ftp://a.b/c'", '5:14: "ftp://a.b/c" is not an http or https link'),
    ("image.link = 'https://'", '5:14: "https://" is not an http or https link'),
    ("image.link = 'https://a b'", '5:14: "https://a b" is not an http or https link'),
    ("image.link = 'https://[::1'", '5:14: "https://[::1" is not an http or https link'),
    ("image.link = 'https://a:99999'", '5:14: "https://a:99999" is not a valid URL'),
    ('image.link = "https://a\\u0000b"', "5:14: link holds a control character (U+0000)"),
    ("image.source = 'ftp://a.b'", '5:16: no plugin knows what "ftp://" means; a source is a'),
    ("image.source = 'https://a b'", '5:16: "https://a b" is not an http or https link'),
    ("image.source = 'https://a:99999'", '5:16: "https://a:99999" is not a valid URL'),
    ("image.source = ''", "5:16: the name of the file is empty"),
    ("image = { id = 'x', provider.name = 'y' }", "5:21: provider goes with a link, not with an"),
    ("image = { link = 'https://a.b', provider = {} }", '5:44: provider: "name" is missing'),
    (
        "image = { link = 'https://a', provider = 'y' }",
        "5:42: provider is a table; write provider.",
    ),
    ("image = { link = 'https://a.b', provider.name = '' }", "5:49: provider.name is empty"),
    ("document = { id = 'x', filename = 'a/b' }", "5:35: filename is a name, not a path"),
    ("document = { id = 'x', filename = '' }", "5:35: filename is empty"),
    (f"{TEXT}[messages.txt]\nbody = 'x'", '6:11: unknown key "txt"; did you mean "text"?'),
    ids=named,
)
def test_the_content_of_a_message(project: Project, text: str, problem: str) -> None:
    assert_one_problem(project.validate({"m.toml": f"{HEAD}{text}\n"}), problem)


@cases(
    "text, problem",
    ("preview_url = 1", "5:15: preview_url: expected true or false, got 1"),
    ("preview_url = 'yes'", '5:15: preview_url: expected true or false, got "yes"'),
    ("revision = 0", "5:12: revision must be at least 1"),
    ("revision = '2'", '5:12: revision: expected a whole number, got "2"'),
    ("revision = 1.5", "5:12: revision: expected a whole number, got 1.5"),
    ("revision = true", "5:12: revision: expected a whole number, got true"),
    ("revison = 2", '5:1: unknown key "revison"; did you mean "revision"?'),
    ('"a\\u001b\\u2028" = 2', r'5:1: unknown key "a\x1b\u2028"'),
    (f"'{'x' * 1000}' = 2", f'5:1: unknown key "{"x" * 59}…"'),
    ("recipient_type = 'group'", f'5:18: recipient_type is "group", {INDIVIDUAL}'),
    ("recipient_type = 'groop'", f'5:18: recipient_type is "groop", {INDIVIDUAL}'),
    ("type = 'image'", '5:8: type is "image", but its content is text'),
    ("type = 'txt'", '5:8: type: did you mean "text"?'),
    ("type = 1", "5:8: type must be text, image, video, audio or document"),
    ("vars = 1", "5:8: vars: expected a table, got 1"),
    ("transport = 1", "5:13: transport is text; put 1 in quotes"),
    ("transport = 'greenap'", '5:13: no transport named "greenap"; did you mean "greenapi"?'),
    ("transport = 'pigeon'", '5:13: no transport named "pigeon"; installed: greenapi'),
    ("recipients = 'r.csv'", "5:1: has both to and recipients; use one of them"),
    ids=named,
)
def test_the_other_keys_of_a_message(project: Project, text: str, problem: str) -> None:
    assert_one_problem(project.validate({"m.toml": f"{HEAD}{text}\n{TEXT}"}), problem)


def test_4096_characters_are_few_enough_and_an_emoji_is_one(project: Project) -> None:
    result = project.validate({"m.toml": f'{HEAD}text.body = "{"😃" * 4096}"\n'})
    assert (result.code, result.problems) == (0, [])


@cases(
    "line, problem",
    ("", '2:1: "to" is missing (or recipients = "people.csv")'),
    ("to = 79001234567", "4:6: to is text; put 79001234567 in quotes"),
    ("to = {}", "4:6: to: expected text, got a table"),
    ("to = []", "4:6: to must not be empty"),
    ("to = ''", f'4:6: ""{NEITHER}'),
    ("to = '+7 900 12E-45-67'", f'4:6: "+7 900 12E-45-67"{NEITHER}'),
    ("to = '79001234567, 79001234568'", '4:6: "79001234567, 79001234568" is more than one'),
    ("to = '09001234567'", '4:6: "09001234567": needs country = "…"'),
    ("to = '900'", '4:6: "900": a phone number has 7 to 15 digits, this one 3'),
    ("to = '7900123456789012'", '4:6: "7900123456789012": a phone number has 7 to 15 digits'),
    ("to = '79001234567-1'", '4:6: "79001234567-1": a number that begins with +7 has 11'),
    ("to = '７９００１２３４５６７'", '4:6: "７９００１２３４５６７" holds ７ (U+FF17)'),
    ("to = ['79001234567', 'x']", f'4:22: "x"{NEITHER}'),
    ("to = ['79001234567', 5]", "4:22: to is text; put 5 in quotes"),
    ("to = ['79001234567', '79001234567']", "4:22: 79001234567 is a recipient twice; remove on"),
    ("to = ['79001234567', '+7 (900) 123-45-67']", "4:22: 79001234567 is a recipient twice; r"),
    ("too = '79001234567'", '4:1: unknown key "too"; did you mean "to"?'),
    ("TO = '79001234567'", '4:1: unknown key "TO"; did you mean "to"?'),
    ("recipients = 'r.cvs'", '4:14: no such file: "r.cvs"; did you mean "r.csv"?'),
    ("recipients = '../r.csv'", f'4:14: the file "../r.csv"{OUTSIDE}'),
    ("recipients = 5", "4:14: recipients is text; put 5 in quotes"),
    ("recipients = ''", "4:14: the name of the file is empty"),
    ("recipients = 'folder'", '4:14: "folder" is a folder, not a file'),
    ids=named,
)
def test_recipients(project: Project, line: str, problem: str) -> None:
    project.write_all({"r.csv": "to\n79001234567\n", "folder/x": ""})
    text = f'manifest = 1\n[[messages]]\nid = "a"\n{line}\n{TEXT}'
    assert_one_problem(project.validate({"m.toml": text}), problem)


@cases(
    "line, problem",
    ("", '2:1: "id" is missing'),
    ("id = 1", "3:6: id is text; put 1 in quotes"),
    ("id = ''", "3:6: id must not be empty"),
    ("idd = 'a'", '3:1: unknown key "idd"; did you mean "id"?'),
    ids=named,
)
def test_a_message_without_an_id_is_counted(project: Project, line: str, problem: str) -> None:
    text = f'manifest = 1\n[[messages]]\n{line}\nto = "79001234567"\n{TEXT}'
    assert_one_problem(project.validate({"m.toml": text}), problem, 'message "#1": ')


@cases("id", "a b", "a/b", "-a", ".a", "a\\nb", "{{ a }}", "é́ ")
def test_an_id_that_cannot_be_a_part_of_a_key(project: Project, id: str) -> None:
    text = HEAD.replace('"a"', f'"{id}"')
    problem = f"3:6: id {NAME_START if id[0] in '-.' else NAME_RULE}"
    assert_one_problem(project.validate({"m.toml": text + TEXT}), problem, f'message "{id}": ')


# ------------------------------------------------------------------------------------ local files


@cases("key", "image.source", "text.file")
@cases(
    "name, sentence",
    ("pics/sop.png", 'no such file: "pics/sop.png"; did you mean "shop.png"?'),
    ("nowhere/shop.png", 'no such file: "nowhere/shop.png"'),
    ("pics", '"pics" is a folder, not a file'),
    (".", '"." is a folder, not a file'),
    ("../shop.png", f'the file "../shop.png"{OUTSIDE}'),
    ("pics/../../shop.png", f'the file "pics/../../shop.png"{OUTSIDE}'),
    ("/etc/hostname", f'the file "/etc/hostname"{OUTSIDE}'),
    ("/dev/zero", f'the file "/dev/zero"{OUTSIDE}'),
    ("out", f'the file "out"{OUTSIDE}'),
    ("etc/hostname", f'the file "etc/hostname"{OUTSIDE}'),
    ("loop", 'cannot use the file "loop": too many levels of symbolic links'),
    ("x" * 300, f'cannot use the file "{"x" * 59}…": file name too long'),
    ("a\\u0000b", r'cannot use the file "a\x00b": no file can have this name'),
    ids=named,
)
def test_a_file_that_cannot_be_used(project: Project, key: str, name: str, sentence: str) -> None:
    project.write_all({"pics/shop.png": "x"})
    (project.folder / "out").symlink_to("/etc/hostname")
    (project.folder / "etc").symlink_to("/etc")
    (project.folder / "loop").symlink_to("loop")
    result = project.validate({"m.toml": f'{HEAD}{key} = "{name}"\n'})
    assert_one_problem(result, f"5:{len(key) + 4}: {sentence}")


@cases(
    "size, problem",
    (0, '5:16: the file "a.png" is empty'),
    (37_000_001, '5:16: the file "a.png" has 37.0 MB (37000001 bytes); at most 37 MB (37000000'),
    (1 << 40, '5:16: the file "a.png" is larger than 2 GB'),
)
def test_the_size_of_a_file(project: Project, size: int, problem: str) -> None:
    with (project.folder / "a.png").open("wb") as file:
        file.truncate(size)
    assert_one_problem(project.validate({"m.toml": f"{HEAD}image.source = 'a.png'\n"}), problem)


def test_provider_does_not_go_with_a_file_to_upload(project: Project) -> None:
    text = f"{HEAD}image = {{ source = 'a.png', provider.name = 'x' }}\n"
    result = project.validate({"m.toml": text, "a.png": "x"})
    problem = "5:29: provider goes with a link, but the source is a file to upload"
    assert_one_problem(result, problem)


@cases(
    "content, problem",
    (b"", '1:1: message "a": body is empty'),
    (b"a\n\nHi {{ nam }}\n", '3:1: message "a": unknown variable "nam"; did you mean "name"?'),
    (b"a\n\nHi {{ nam|upper }}", '3:1: message "a": unknown variable "nam"; did you mean "nam'),
    (b"a\n{% if name %}\n", '2:1: message "a": {% if … %} has no {% endif %}'),
    (b"x" * 4097, '1:1: message "a": the text has 4097 characters; at most 4096 are allowed'),
    (b"a\nb\7", '1:1: message "a": body holds a control character (U+0007)'),
    ("Привет".encode("cp1251"), "1:1: byte 0xcf is not UTF-8; save the file as UTF-8"),
    ("Привет".encode("utf-16"), "1:1: the text is UTF-16; save it as UTF-8"),
    (b"a\nb\0", "2:2: the text holds a NUL character"),
)
def test_the_text_in_a_file(project: Project, content: bytes, problem: str) -> None:
    text = f"{HEAD}text.file = 'texts/a.txt'\nvars.name = 'Ann'\n"
    result = project.validate({"m.toml": text, "texts/a.txt": content})
    assert_begin(told(result, "texts/a.txt"), [problem])


def test_a_bad_file_that_several_messages_use_is_told_once(project: Project) -> None:
    entry = "[[messages]]\nid = '{}'\nrecipients = 'r.csv'\ntext.file = 't.txt'\n"
    text = "manifest = 1\n" + "".join(map(entry.format, "abc"))
    result = project.validate({"m.toml": text, "r.csv": "to\n79001234567\n,x\n", "t.txt": "\0"})
    assert told(result) == [
        "r.csv:3:1: this row has 2 values, but the first line names 1",
        "t.txt:1:1: the text holds a NUL character",
    ]


# -------------------------------------------------------------------------- files of recipients

CSV = "manifest = 1\n[[messages]]\nid = 'a'\nrecipients = 'r.csv'\n" + TEXT


@cases(
    "content, problems",
    (b"", ['1:1: the first line must name the columns, one of them "to"']),
    (b"phone,name\n1,2\n", ['1:1: no "to" among phone, name; recipients = {…, to = "phone"}']),
    (b"To,name\n1,2\n", ['1:1: no "to" among To, name; recipients = {…, to = "To"}']),
    (b"to,a,a\n1,2,3\n", ['1:1: the first line names the column "a" twice']),
    (b"to,to\n1,2\n", ['1:1: the first line names the column "to" twice']),
    (b"to,,a\n1,2,3\n", ["1:1: the first line has a nameless column"]),
    (
        b"to,name\n79001234567\n79001234568,Ann\n79001234569,Ann,Bob\n\n,Eve\n",
        [
            "2:1: this row has 1 value, but the first line names 2",
            "4:1: this row has 3 values, but the first line names 2",
            '6:1: "to" is empty',
        ],
    ),
    (
        "to,name\n79001234567,Анна\n".encode("cp1251"),
        ["2:13: byte 0xc0 is not UTF-8; save the file as UTF-8"],
    ),
    (b'to\n79001234567\n"790\n\n', ["3:1: not valid CSV: a quote is opened here and never cl"]),
    (b'to,a\n79001234567,"a"b\n', ["2:1: not valid CSV: after a closing quote the next colum"]),
    (b"to,a\n79001234567," + b"x" * 131_073, ["2:1: not valid CSV: a value is longer than 13"]),
    (b'to,a\n79001234567,"x\ny"\nabc,z\n', [f'4:1: message "a": "abc"{NEITHER}']),
    (
        b"to\n79001234567\n+7 900 123-45-67\n",
        ['3:1: message "a": 79001234567 is a recipient twice, first in line 2; remove'],
    ),
    (b"to\n{{ to }}\n", [f'2:1: message "a": "{{{{ to }}}}"{NEITHER}']),
)
def test_csv(project: Project, content: bytes, problems: list[str]) -> None:
    assert_begin(told(project.validate({"m.toml": CSV, "r.csv": content}), "r.csv"), problems)


@cases(
    "content, problems",
    (b"{\n", ["1:2: not valid JSON: expecting property name enclosed in double quotes"]),
    (b'{"to": "79001234567"}\n\n{"to" "x"}', ["3:7: not valid JSON: expecting ':' delimiter"]),
    (b'"x"\n5\n[]\n', [f"{line}:1: each line must be an object like" for line in (1, 2, 3)]),
    (
        b'{}\n{"to": 79001234567}\n{"to": null}\n{"to": ["79001234567"]}\n{"to": " "}\n',
        [
            '1:1: "to" is missing',
            '2:1: "to" must be text (put it in quotes)',
            '3:1: "to" is missing',
            '4:1: "to" must be text',
            '5:1: "to" is empty',
        ],
    ),
    (b'{"to": "79001234567", "a": "\\ud800"}', ["1:1: the text holds half of a character"]),
    (b'{"to": "79001234567", "\\ud800": 1}', ["1:1: the text holds half of a character"]),
    (b'{"to": "79001234567", "a": ' + b"9" * 5000 + b"}", ["1:1: a number is too large"]),
    (b'{"to": "79001234567", "a": NaN}', ["1:1: NaN is not a number; leave the key out, or w"]),
    (b'{"to": "79001234567", "a": -Infinity}', ["1:1: -Infinity is not a number; leave the k"]),
    (b'{"to": "79001234567", "to": "79001234568"}', ['1:1: the key "to" is there twice']),
    (b'{"to": "79001234567", "a": {"b": 1, "b": 2}}', ['1:1: the key "b" is there twice']),
    (b'{"a": ' + b"[" * 100_000, ["1:1: tables or lists are nested too deep"]),
    (b'{"a": ' + b'{"a": ' * 100_000, ["1:1: tables or lists are nested too deep"]),
    ('{"to": "Анна"}'.encode("cp1251"), ["1:9: byte 0xc0 is not UTF-8; save the file as UTF"]),
    (b'{"to": "Ann"}', [f'1:1: message "a": "Ann"{NEITHER}']),
)
def test_json_lines(project: Project, content: bytes, problems: list[str]) -> None:
    result = project.validate({"m.toml": CSV.replace("r.csv", "r.jsonl"), "r.jsonl": content})
    assert_begin(told(result, "r.jsonl"), problems)


def test_recipients_come_from_csv_or_jsonl_only(project: Project) -> None:
    result = project.validate({"m.toml": CSV.replace("r.csv", "r.xlsx"), "r.xlsx": "x"})
    assert_begin(told(result, "r.xlsx"), ["1:1: a workbook; save its sheet as CSV"])


@cases("name", "r.csv", "r.jsonl")
def test_a_file_without_recipients_is_a_warning(project: Project, name: str) -> None:
    files = {"m.toml": CSV.replace("r.csv", name), "r.csv": "to\n", "r.jsonl": "\n"}
    result = project.validate(files)
    line = f'{name}:1:1: warning: message "a": the file names no recipients'
    assert (result.code, result.problems) == (0, [line])
    assert project.call("plan", ".").code == 3


@cases(
    "rows, where",
    ("79001234567,\n", "r.csv:2"),
    ("79001234567,\n79001234568,\n", "r.csv:2 and 1 more row"),
)
def test_what_is_wrong_for_many_rows_is_told_once(project: Project, rows: str, where: str) -> None:
    text = CSV.replace(TEXT, "text.body = '{{ name }}'\n")
    result = project.validate({"m.toml": text, "r.csv": f"to,name\n{rows}"})
    assert_one_problem(result, f"5:13: body is empty ({where})")
    assert result.problems[0].endswith(f"({where})")


# -------------------------------------------------------------------------------------- templates


# Each loop does with every letter what the one in it does with every letter.
LOOPS = "{% for a in name %}" * 15 + "{% endfor %}" * 15


@cases(
    "line, problem",
    ("text.body = '{{ nam }}'", '5:13: unknown variable "nam"; did you mean "name"?'),
    ("text.body = '{{ x }}'", '5:13: unknown variable "x"; known here: name, shop'),
    ("text.body = '{{ shop.x }}'", '5:13: there is no "x" in this value'),
    ("text.body = '{{ first name }}'", '5:13: "{{ first name }}": a name has no spaces'),
    ("text.body = 'No {#5'", '5:13: {# has no #}; to print it write {{ "{#" }}'),
    ("text.body = '{{ name | uper }}'", '5:13: no filter "uper"; did you mean "upper"?'),
    ("text.body = '{% set a = 1 %}'", "5:13: set cannot be used here; if and for can"),
    ("text.body = '{{ name.__class__ }}'", "5:13: this is out of the reach of templates"),
    ("text.body = '{{ 9 * 9 | round(999999999, \"ceil\") }}'", "5:13: round works with at most"),
    ("text.body = '{{ \"x\" * 999999999 }}'", "5:13: * is for numbers; ~ puts texts together"),
    (f"text.body = '{LOOPS}'", "5:13: the template takes too long; let it do less, or with le"),
    ("text.body = '{{ shop }}'", "5:13: a list or table is no text; use |join(', ')"),
    ("image = { id = 'x', caption = '{{ x }}' }", '5:31: unknown variable "x"; known here: n'),
    ("image.source = '{{ x }}.png'", '5:16: unknown variable "x"; known here: name, shop'),
    ("image.link = '{{ x }}'", '5:14: unknown variable "x"; known here: name, shop'),
    ("image = { link = 'https://a.b', provider.name = '{{ x }}' }", "5:49: unknown variable"),
    ids=named,
)
def test_templates(project: Project, line: str, problem: str) -> None:
    text = f"{HEAD}{line}\n[vars]\nname = 'Ann'\n[messages.vars]\nshop = ['x']\n"
    assert_one_problem(project.validate({"m.toml": text}), problem)


def test_a_template_in_to(project: Project) -> None:
    text = f"{HEAD}{TEXT}".replace('"79001234567"', '["79001234567", "{{ x }}", "{{ y }}"]')
    assert told(project.validate({"m.toml": text})) == [
        '4:22: message "a": unknown variable "x"; [vars] can define it',
        '4:33: message "a": unknown variable "y"; [vars] can define it',
    ]


# -------------------------------------------------------------------------------------- transports


@cases("where, place", ("", "1:13"), ("defaults.", "1:22"), ids=["file", "defaults"])
def test_an_unknown_transport_is_told_once_a_file(project: Project, where: str, place: str) -> None:
    entry = f"[[messages]]\nid = 'b'\nto = '79001234567'\n{TEXT}"
    text = f"{where}transport = 'greenap'\n{HEAD}{TEXT}{entry}"
    sentence = 'no transport named "greenap"; did you mean "greenapi"?'
    assert told(project.validate({"m.toml": text})) == [f"{place}: {sentence}"]


@cases("argument", ["--transport", "greenap"], [])
def test_a_transport_that_the_file_does_not_name(project: Project, argument: list[str]) -> None:
    sentence = 'no transport named "greenap"; did you mean "greenapi"?'
    project.write_all({"dispatcher.toml": "" if argument else "transport = 'greenap'\n"})
    result = project.validate({"m.toml": HEAD + TEXT}, "m.toml", *argument)
    where = "Error: --transport: " if argument else "dispatcher.toml:1:13: error: "
    assert (result.code, result.stderr) == (2, f"{where}{sentence}\n")


def test_the_rest_of_a_message_is_checked_without_its_transport(project: Project) -> None:
    text = f"{HEAD}transport = 'greenap'\nimage.source = 'a.png'\n"
    result = project.validate({"m.toml": text})
    assert [line.split(": ")[0] for line in result.problems] == ["m.toml:5:13", "m.toml:6:16"]


# ----------------------------------------------------------------------------------------- secrets


@cases(
    "text",
    f'token = "{SECRET}"\n{HEAD}{TEXT}',
    f'{HEAD}{TEXT}token = "{SECRET}"\n',
    f'{HEAD}{TEXT}[defaults]\ngreenapi_token = "{SECRET}"\n',
    f'{HEAD}image.link = "https://a.b"\nimage.provider.password = "{SECRET}"\n'
    'image.provider.name = "x"',
    f'{HEAD}[messages.text]\nbody = "x"\nAuthorization = "Bearer {SECRET}"\n',
    f'{HEAD}[messages.text]\nbody = "x"\n[messages.text.api-key]\nvalue = "{SECRET}"\n',
    f'{HEAD}{TEXT}token = ["{SECRET}"]\n',
)
def test_a_secret_in_a_manifest(project: Project, text: str) -> None:
    result = project.validate({"m.toml": text})
    [line] = result.problems
    assert result.code == 2
    assert line.endswith("a secret belongs in the environment, never here")
    assert SECRET not in result.stdout + result.stderr


@cases("command", "validate", "plan", "send", "plugins")
@cases(
    "text, place",
    (f'token = "{SECRET}"\n', "1:9"),
    (f'[transports.greenapi]\ntoken = "{SECRET}"\n', "2:9"),
    (f'[transports]\ngreenapi.token = "{SECRET}"\n', "2:18"),
    (f'[transports.greenapi]\ntoken_file = "{SECRET}"\n', "2:14"),
    (f'[profiles.x.transports.greenapi]\ntoken = "{SECRET}"\n', "2:9"),
    (f'[[transports.greenapi]]\ntoken = "{SECRET}"\n', "2:9"),
    (f'[plugins.x]\nlist = [{{ api_key = "{SECRET}" }}]\n', "2:21"),
    ids=named,
)
def test_a_secret_in_the_settings(project: Project, command: str, text: str, place: str) -> None:
    project.write_all({"manifests/m.toml": HEAD + TEXT, "dispatcher.toml": text})
    result = project.call(command)
    assert (result.code, result.stdout) == (2, "")
    what = "a secret belongs in" if "plugins" in text else "set GREENAPI_TOKEN in"
    assert result.stderr == f"dispatcher.toml:{place}: error: {what} the environment, never here\n"


def test_a_secret_of_a_wrong_kind_is_not_shown(project: Project) -> None:
    text = f'[transports.greenapi.token]\nvalue = "{SECRET}"\n'
    result = project.validate({"m.toml": HEAD + TEXT, "dispatcher.toml": text})
    assert result.code == 2
    assert result.stderr == "dispatcher.toml:1:1: error: token: expected text, got a table\n"


def test_without_a_token_only_send_complains(project: Project) -> None:
    project.write_all({"manifests/m.toml": HEAD + TEXT})
    assert project.call("validate").code == 0
    assert project.call("plan").code == 0
    result = project.call("send")
    assert (result.code, result.stdout) == (2, "")
    problem = "no token for Green API: set GREENAPI_TOKEN or GREENAPI_TOKEN_FILE"
    assert result.stderr == f"Error: {problem}\n"


# ----------------------------------------------------------- the configuration and the command line


@cases(
    "text, problems",
    ("x = \n", ["1:5: a value is missing here"]),
    ("x = 'Привет'\n".encode("cp1251"), ["1:6: byte 0xcf is not UTF-8; save the file as UTF-"]),
    (
        "manifest = 'x'\n[delivry]\n[transport.greenapi]\n",
        [
            '1:1: unknown key "manifest"; did you mean "manifests"?',
            '2:2: unknown key "delivry"; did you mean "delivery"?',
            "3:2: the table is [transports.greenapi], with an s",
        ],
    ),
    (
        "[delivery]\nworkers = 0\nattempts = 101\ndeadline = '15 minutes'\nengine = 1\n",
        [
            "2:11: workers must be at least 1",
            "3:12: attempts must be at most 100",
            '4:12: deadline: expected a duration like "90s", "15m" or "1h30m", got "15 min',
            "5:10: engine is text; put 1 in quotes",
        ],
    ),
    (
        "[delivery]\nworker = 1\n[files]\nroot = []\nroots = 'x'\n",
        [
            '2:1: unknown key "worker"; did you mean "workers"?',
            '4:1: unknown key "root"; did you mean "roots"?',
            '5:9: roots: expected a list, got "x"',
        ],
    ),
    ("delivery.deadline = 0", ['1:21: deadline: 0 has no unit; write "0s" or "0m"']),
    ("delivery.deadline = inf", ["1:21: inf is not a number; leave the key out, or put it in"]),
    ("delivery.deadline = true", ['1:21: deadline: expected a duration like "90s", "15m" or ']),
    (
        "[profiles.x]\nmanifest = 'x'\n[profiles.y.delivery]\nworkes = 1\n",
        [
            '2:1: unknown key "manifest"; did you mean "manifests"?',
            '4:1: unknown key "workes"; did you mean "workers"?',
        ],
    ),
    ("profiles = 1", ["1:12: profiles: expected a table, got 1"]),
    ("[profiles]\nx = 1", ["2:5: x: expected a table, got 1"]),
    ("transports = 'x'", ['1:14: transports: expected a table, got "x"']),
    (
        "[transports.greenapi]\nbase_ulr = 'x'\nbase_url = 'ftp://x'\nconnect_timeout = 0\n"
        "read_timeout = 'x'\nrate = 'fast'\n",
        [
            "3:12: base_url: must be an http or https URL with a host",
            "4:19: connect_timeout must be more than 0",
            '5:16: read_timeout: expected a number, got "x"',
            '6:8: rate: must be like "50/s", "10/min" or "100/h"',
            '2:1: unknown key "base_ulr"; did you mean "base_url"?',
        ],
    ),
    (
        "[transports.greenapi]\nbase_url = 'http://gateway.example'\n",
        ["2:12: base_url: must be https; http would show the token"],
    ),
    ids=named,
)
def test_the_configuration(project: Project, text: str | bytes, problems: list[str]) -> None:
    project.write_all({"manifests/m.toml": HEAD + TEXT, "dispatcher.toml": text})
    result = project.call("validate")
    assert result.stdout == ""
    lines = result.stderr.removeprefix("Error: ")
    assert_begin(told(replace(result, stdout=lines), "dispatcher.toml"), problems)


def test_the_configuration_of_a_profile(project: Project) -> None:
    text = "[profiles.x.transports.greenapi]\nbase_url = 'http://gateway.example'\n"
    project.write_all({"manifests/m.toml": HEAD + TEXT, "dispatcher.toml": text})
    assert project.call("validate").code == 0
    result = project.call("validate", "--profile", "x")
    assert result.code == 2
    assert result.stderr.startswith("dispatcher.toml:2:12: error: base_url: must be https")


def test_a_value_of_the_environment_is_to_blame_and_not_shown(project: Project) -> None:
    text = "[transports.greenapi]\nread_timeout = 5\n"
    project.write_all({"manifests/m.toml": HEAD + TEXT, "dispatcher.toml": text})
    result = project.call("validate", env={"GREENAPI_READ_TIMEOUT": SECRET})
    problem = "environment, GREENAPI_READ_TIMEOUT: read_timeout: expected a number"
    assert (result.code, result.stderr) == (2, f"Error: {problem}\n")


@cases(
    "arguments, sentence",
    (["--profile", "stagin"], 'dispatcher.toml has no profile "stagin"; did you mean "staging"?'),
    (["--run", "a b"], '--run "a b" may hold only letters, digits and . _ - + @'),
    (["--run", "a/b"], '--run "a/b" may hold only letters, digits and . _ - + @'),
    (["--run", ""], '--run "" must not be empty'),
    (["--run", "a\u200db"], "take out U+200D (zero width joiner)"),
    (["--journal", "mysql://x"], 'not "mysql"'),
    (["--without", "fils"], 'no plugin named "fils"; did you mean "files"?'),
    (["--colour"], "--colour"),
)
def test_the_command_line(project: Project, arguments: list[str], sentence: str) -> None:
    project.write_all({"manifests/m.toml": HEAD + TEXT, "dispatcher.toml": "[profiles.staging]\n"})
    result = project.call("plan", *arguments)
    assert (result.code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_a_profile_without_a_configuration(project: Project) -> None:
    result = project.validate({"m.toml": HEAD + TEXT}, "m.toml", "--profile", "x")
    sentence = 'no dispatcher.toml here or above, so there is no profile "x"'
    assert (result.code, result.stderr) == (2, f"Error: {sentence}\n")


@cases("target", "nowhere.toml", "dispatcher.toml")
def test_a_configuration_that_leads_nowhere_is_told(project: Project, target: str) -> None:
    (project.folder / "dispatcher.toml").symlink_to(target)
    result = project.validate({"m.toml": HEAD + TEXT}, "m.toml")
    assert result.code == 2
    assert result.stderr.startswith("dispatcher.toml:1:1: error: cannot read the file: ")


def test_two_manifests_of_one_name(project: Project) -> None:
    named = f"name = 'm'\n{HEAD}{TEXT}"
    result = project.validate({"a/m.toml": HEAD + TEXT, "b/m.toml": HEAD + TEXT, "c.toml": named})
    sentence = 'the name "m" is also that of a/m.toml; give it another name: name = "…"'
    assert told(result) == [f"b/m.toml:1:1: {sentence}", f"c.toml:1:8: {sentence}"]


# --------------------------------------------------------------------------- every problem at once


EVERYTHING: Files = {
    "broken.toml": "manifest = 1\n[[messages]\n",
    "cp1251.toml": "# Привет\nmanifest = 1\n".encode("cp1251"),
    "empty.toml": "",
    "sub/first.toml": """\
manifest = 2
nmae = "x"

[defaults]
to = "+7 900 123-45-67"
prevew_url = true
image.caption = "{{ nowhere }}"

[[messages]]
id = "two-faults"
revision = 0
text.body = " "

[[messages]]
id = "four-faults"
to = ["x", "79001234567", "79001234567"]
preview_url = true
type = "video"
image.source = "nothing.png"

[[messages]]
id = "inline"
audio = { source = "tune.mp3", caption = "x", filename = "y", provider = { nam = "z" } }

[[messages]]
id = "inline"
text = { body = "Hi {{ name }}", file = "t.txt" }

[[messages]]
id = "rows"
recipients = "people.csv"
text.file = "text.txt"

[[messages]]
to = "79001234567"
body = "x"
""",
    "sub/people.csv": "to,name\n79001234567,Ann\nx,Bob\n79001234568\n7 900 123 45 67,Eve\n",
    "sub/text.txt": "Dear {{ name }},\n\nyour {{ thing }}\n",
    "sub/tune.mp3": "",
    "sub/second.toml": """\
manifest = 1
name = "first"
transport = "pigeon"
[[messages]]
id = "a"
to = "79001234567"
text.body = "x"
[[messages]]
id = "b"
to = ["79001234567-1581234048", "+7-900"]
recipient_type = "individual"
text.body = "x"
""",
}


# Read it: each fault of the files above once, at its place.
EVERY_PROBLEM = """\
broken.toml:2:11: error: the closing ]] is missing
cp1251.toml:1:3: error: byte 0xcf is not UTF-8; save the file as UTF-8
empty.toml:1:1: error: the file is empty; a manifest begins with: manifest = 1
sub/first.toml:1:12: error: this program reads manifests of version 1 only: manifest = 1
sub/first.toml:2:1: error: unknown key "nmae"; did you mean "name"?
sub/first.toml:6:1: error: unknown key "prevew_url"; did you mean "preview_url"?
sub/first.toml:7:17: error: message "four-faults": unknown variable "nowhere"; [vars] can define it
sub/first.toml:11:12: error: message "two-faults": revision must be at least 1
sub/first.toml:12:13: error: message "two-faults": body is empty
sub/first.toml:16:7: error: message "four-faults": "x" is neither a phone number with country code (79001234567) nor a group id (79001234567-1581234048)
sub/first.toml:16:27: error: message "four-faults": 79001234567 is a recipient twice; remove one
sub/first.toml:17:1: error: message "four-faults": preview_url is allowed on text only
sub/first.toml:18:8: error: message "four-faults": type is "video", but its content is image
sub/first.toml:19:16: error: message "four-faults": no such file: "nothing.png"
sub/first.toml:23:20: error: message "inline": the file "tune.mp3" is empty
sub/first.toml:23:32: error: message "inline": caption is not allowed on audio
sub/first.toml:23:47: error: message "inline": filename is not allowed on audio
sub/first.toml:23:76: error: message "inline": unknown key "nam"; did you mean "name"?
sub/first.toml:26:6: error: message "inline": this id is used in line 22 already; give it another
sub/first.toml:27:34: error: message "inline": text has both body and file; use one of them
sub/first.toml:34:1: error: message "#6": "id" is missing
sub/first.toml:36:1: error: message "#6": unknown key "body"; did you mean "text.body"?
sub/people.csv:3:1: error: message "rows": "x" is neither a phone number with country code (79001234567) nor a group id (79001234567-1581234048)
sub/people.csv:4:1: error: this row has 1 value, but the first line names 2
sub/people.csv:5:1: error: message "rows": 79001234567 is a recipient twice, first in line 2; remove one, or write duplicates = "first"
sub/second.toml:2:8: error: the name "first" is also that of sub/first.toml; give it another name: name = "…"
sub/second.toml:3:13: error: no transport named "pigeon"; installed: greenapi
sub/second.toml:11:18: error: message "b": recipient_type is "individual", but "to" is of the type "group"
sub/text.txt:3:1: error: message "rows": unknown variable "thing"; known here: name, row, to (sub/people.csv:2 and 2 more rows)
"""  # noqa: E501


def test_every_problem_of_every_file_at_once(project: Project) -> None:
    result = project.validate(EVERYTHING)
    assert result.code == 2
    assert result.problems == EVERY_PROBLEM.splitlines()


@cases("format", "json", "github")
def test_the_other_formats_tell_the_same(project: Project, format: str) -> None:
    """One line a problem, whatever stands in the files."""
    project.write_all(EVERYTHING)
    result = project.call("validate", ".", "--format", format)
    assert result.code == 2
    assert len(result.problems) == len(EVERY_PROBLEM.splitlines())


# -------------------------------------------------------------------------------- nothing is sent


GOOD = "manifest = 1\n[[messages]]\nid = 'good'\nto = '79001234567'\nimage.source = 'a.png'\n"
BAD: list[Files] = [
    {"manifests/bad.toml": "manifest = "},
    {"manifests/bad.toml": f"{HEAD}audio.id = 'x'\naudio.caption = 'y'\n"},
    {"manifests/bad.toml": f"{HEAD}text.body = '{{{{ x }}}}'\n"},
    {"manifests/bad.toml": CSV, "manifests/r.csv": "to\n79001234567\nx\n"},
    {"dispatcher.toml": "worker = 1\n"},
]


@pytest.mark.parametrize("bad", BAD)
def test_one_fault_and_nothing_leaves(project: Project, inbox: SandboxProcess, bad: Files) -> None:
    project.send_to(inbox.url)
    before = inbox.media()
    project.write_all({"manifests/good.toml": GOOD, "manifests/a.png": "x", **bad})
    result = project.call("send")
    assert (result.code, result.stdout) == (2, "")
    assert ": error: " in result.stderr
    assert (inbox.messages(), inbox.media()) == ([], before)
    assert not (project.folder / ".dispatcher").exists()


@pytest.mark.parametrize("bad", BAD[:2])
def test_nor_does_it_reach_the_sandbox(project: Project, bad: Files) -> None:
    project.write_all({"manifests/good.toml": GOOD, "manifests/a.png": "x", **bad})
    result = project.call("send", "--sandbox")
    assert result.code == 2
    assert result.stdout.strip() == ""
    assert ": error: " in result.stderr


def test_the_project_without_the_fault_is_sent(project: Project, inbox: SandboxProcess) -> None:
    """So that the tests above prove something."""
    project.send_to(inbox.url)
    before = inbox.media()
    project.write_all({"manifests/good.toml": GOOD, "manifests/a.png": "x"})
    assert project.call("send").code == 0
    assert [message["to"] for message in inbox.messages()] == ["79001234567"]
    assert len(inbox.media()) == len(before) + 1


# ------------------------------------------------- what can only be tried in a process of its own


@cases(
    "text, problem",
    ("", "fifo:1:1: the file is not a regular file"),
    (f"{HEAD}image.source = 'fifo'\n", 'm.toml:5:16: message "a": "fifo" is not a regul'),
    (f"{HEAD}text.file = 'fifo'\n", 'm.toml:5:13: message "a": "fifo" is not a regular'),
    (CSV.replace("r.csv", "fifo"), 'm.toml:4:14: message "a": "fifo" is not a regular '),
    ids=["manifest", "source", "text", "recipients"],
)
def test_a_named_pipe_is_not_waited_for(project: Project, text: str, problem: str) -> None:
    project.write("m.toml", text)
    os.mkfifo(project.folder / "fifo")
    result = project.run("validate", "m.toml" if text else "fifo")
    assert_begin(told(result, ""), [problem])


@contextmanager
def unprivileged() -> Iterator[None]:
    """For root nothing is unreadable: become somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def open_project() -> Iterator[Project]:
    """A project in a folder that everybody can enter."""
    if os.geteuid() == 0 and not hasattr(os, "setresuid"):
        pytest.skip("root reads everything, and cannot become somebody else for a while here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Project(folder)
        for path in folder.rglob("*"):
            path.chmod(0o755)


@cases(
    "locked, problem",
    ("m.toml", "1:1: cannot read the file: permission denied"),
    ("sub", "sub:1:1: cannot read the folder: permission denied"),
    ("a.png", '5:16: message "a": the file "a.png" may not be read: permission denied'),
    ("r.csv", 'n.toml:4:14: message "a": the file "r.csv" may not be read: permission denied'),
    ("t.txt", 'o.toml:5:13: message "a": the file "t.txt" may not be read: permission denied'),
)
def test_what_may_not_be_read(open_project: Project, locked: str, problem: str) -> None:
    files = {
        "m.toml": f"{HEAD}image.source = 'a.png'\n",
        "n.toml": CSV,
        "o.toml": f"{HEAD}text.file = 't.txt'\n",
        "a.png": "x",
        "r.csv": "to\n79001234567\n",
        "t.txt": "x",
        "sub/p.toml": HEAD + TEXT,
    }
    assert open_project.validate(files).code == 0
    (open_project.folder / locked).chmod(0)
    with unprivileged():
        result = open_project.call("validate", ".")
    assert told(result) == [problem]


def test_a_configuration_that_may_not_be_read_is_not_passed_over(open_project: Project) -> None:
    files = {"m.toml": HEAD + TEXT, "dispatcher.toml": ""}
    assert open_project.validate(files, "m.toml").code == 0
    (open_project.folder / "dispatcher.toml").chmod(0)
    with unprivileged():
        result = open_project.call("validate", "m.toml")
    sentence = "dispatcher.toml:1:1: error: cannot read the file: permission denied"
    assert (result.code, result.stderr) == (2, f"{sentence}\n")
