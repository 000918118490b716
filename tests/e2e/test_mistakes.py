"""Mistakes that people make, and the whole answer to each of them.

It says what is wrong, where, and what to do; in two lines at the most, and 80 columns each.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.support.cases import cases
from tests.support.gateway import Reply
from tests.support.project import Held, Project

# Five lines, so that what a mistake adds begins in line 6.
TO = 'to = "79001234567"\n'
HEAD = f'manifest = 1\n\n[[messages]]\nid = "a"\n{TO}'
HI = 'text.body = "Hi"\n'
GOOD = {"manifests/m.toml": HEAD + HI}
KEY = "default/m/a/1/79001234567"
NBSP, ZERO_WIDTH = "\u00a0", "\u200b"


class Mistake(NamedTuple):
    """Files, a command and its variables; all that it writes, to stdout and then to stderr."""

    files: Mapping[str, str | bytes]
    command: str
    output: str
    code: int = 2
    env: Mapping[str, str | None] = {}


def manifest(text: str, place: str, sentence: str) -> Mistake:
    """In a manifest, at this line and column."""
    problem = f"m.toml:{place}: error: {sentence}\n1 error"
    return Mistake({"m.toml": text}, "validate m.toml", problem)


def written(text: str, place: str, sentence: str) -> Mistake:
    """In a message, whose lines after the head these are."""
    return manifest(f"{HEAD}{text}\n", place, f'message "a": {sentence}')


def body(text: str, sentence: str) -> Mistake:
    """In a template, which stands in line 6 and has the variable `name`."""
    return written(f"text.body = '''{text}'''\nvars.name = 'Ann'", "6:13", sentence)


def syntax(line: str, column: int, sentence: str) -> Mistake:
    """In line 6 of a manifest, which is no TOML then."""
    return manifest(f"{HEAD}{line}\n", f"6:{column}", sentence)


def listed(content: str, text: str, problem: str, name: str = "people.csv") -> Mistake:
    """In a list of recipients, or in the text for them, which stands in line 6."""
    manifest = f"{HEAD.removesuffix(TO)}recipients = '{name}'\ntext.body = '{text}'\n"
    files = {"m.toml": manifest, name: content}
    if ": error: " in problem:
        return Mistake(files, "validate m.toml", f"{problem}\n1 error")
    return Mistake(files, "validate m.toml", f"{problem}\n1 message, no errors".lstrip(), 0)


def configured(text: str, place: str, sentence: str) -> Mistake:
    """In dispatcher.toml."""
    problem = f"dispatcher.toml:{place}: error: {sentence}"
    return Mistake({**GOOD, "dispatcher.toml": text}, "plan", problem)


def typed(command: str, sentence: str, help: str | None = None, **env: str | None) -> Mistake:
    """On the command line, beside a good manifest; `help`: the command that the answer names."""
    tip = "" if help is None else f"\nTry: dispatcher {help}--help"
    return Mistake(GOOD, command, f"Error: {sentence}{tip}", env=env)


TEMPLATES = [
    body("Hi {{ name }", '"{{ name }" ends in one brace; write two'),
    body("Hi {{ name", '"{{ name" has no }}'),
    body("{{{ name }}}", "a brace too many; a variable is {{ name }}"),
    body("{{ First Name }}", '"{{ First Name }}": a name has no spaces'),
    body("{% name %}", "{% name %} is no statement; write {{ name }}"),
    body("{% if name %}Hi", "{% if … %} has no {% endif %}"),
    body("Hi{% endif %}", "{% endif %} has no {% if … %} before it"),
    body("{% if name %}a{% elseif name %}b{% endif %}", "write elif, not elseif"),
    body("{% if name = 'x' %}a{% endif %}", "= compares nothing here; write =="),
    body("{{ name | default(“x”) }}", "“ (U+201C) has no place in the braces"),
    body("{{ name | uper }}", 'no filter "uper"; did you mean "upper"?'),
    body("{{ name | replace('a') }}", 'a filter lacks its "new"'),
    body("{{ name ? 'a' : 'b' }}", "there is no ? here; write {{ a if b else c }}"),
    body("{% set x = 1 %}", "set cannot be used here; if and for can"),
    body("{{ Name }}", 'unknown variable "Name"; did you mean "name"?'),
    body("No. {#5", '{# has no #}; to print it write {{ "{#" }}'),
]
SYNTAX = [
    syntax("text.body = “Hi”", 13, "“ (U+201C) is no quote in TOML; use a straight one"),
    syntax('text.body = "Hi”', 17, "” (U+201D) closes no text; write a straight quote"),
    syntax("preview_url = True", 15, "write true in lower case, not True"),
    syntax("preview_url = yes", 15, "write true or false, not yes; text stands in quotes"),
    syntax("text.body = null", 13, "TOML has no null; leave the key out"),
    syntax(f"{NBSP}text.body = 'Hi'", 1, "U+00A0 (no-break space) stands here; type a plain space"),
    syntax(f"text.body{NBSP}= 'Hi'", 10, "U+00A0 (no-break space) stands here; type a plain space"),
    syntax(f"{ZERO_WIDTH}text.body = 'Hi'", 1, "U+200B (zero width space) stands here; delete it"),
    syntax("text.body = Hi there", 13, 'text stands in quotes: "Hi there"'),
    syntax('text.body: "Hi"', 10, "write = after a key, not :"),
    syntax('text.body = "Hi",', 17, "no comma stands after a value"),
    syntax(
        'text.body = "Say "Hi""', 19, r"the text ends before this; a quote inside it is written \""
    ),
    syntax('text.body = """\nHi', 13, "a text begins here and has no closing quote"),
    syntax(
        r'image.source = "files\pictures.png"',
        24,
        r'in "…" a backslash is written \\; in file names write /',
    ),
    syntax('[messages]\nid = "b"', 10, "each message begins with [[messages]], in two brackets"),
    syntax("// Hi", 1, "a line is: key = value; a comment begins with #"),
]
MANIFESTS = [
    written('text = "Hi"', "6:8", 'text is a table; write text.body = "Hi"'),
    written('image = "b.png"', "6:9", 'image is a table; write image.source = "b.png"'),
    written(
        '[messages.vars]\nname = "Ann"\ntext.body = "Hi {{ name }}"',
        "8:1",
        "text is in vars here; put it above that table",
    ),
    manifest(
        'manifest = 1\n[[messages]]\nid = "a"\n[messages.image]\nlink = "https://a.example/b.png"\n'
        + TO,
        "6:1",
        'message "a": to belongs above [messages.image]',
    ),
    written(HI + 'name = "x"', "7:1", "name belongs above [[messages]]"),
    manifest(f'[vars]\nshop = "Acme"\n{HEAD}{HI}', "3:1", "manifest belongs above [vars]"),
    written(
        r'image.source = "files\banner.png"', "6:16", 'write / between folders: "files/banner.png"'
    ),
    written(
        r"image.source = 'files\banner.png'", "6:16", 'write / between folders: "files/banner.png"'
    ),
    manifest(
        HEAD.replace('"79001234567"', "79001234567") + HI,
        "5:6",
        'message "a": to is text; put 79001234567 in quotes',
    ),
    Mistake(
        {
            "m.toml": HEAD.replace('"a"', '"a b"').replace('"79001234567"', '["79001234567", 5]')
            + HI
        },
        "plan m.toml",
        'm.toml:4:6: error: message "a b": id may hold only letters, digits and . _ - + @\n'
        'm.toml:5:22: error: message "a b": to is text; put 5 in quotes',
    ),
    written("", "3:1", "has no content; add text.body, image.source, …"),
    manifest("manifest = 1\n", "1:1", "there are no messages; each begins with [[messages]]"),
    manifest(f'token = "x"\n{HEAD}{HI}', "1:1", "a secret belongs in the environment, never here"),
]
CONFIGURATIONS = [
    configured("[transport.greenapi]", "1:2", "the table is [transports.greenapi], with an s"),
    configured("[greenapi]", "1:2", "unknown table; did you mean [transports.greenapi]?"),
    configured(
        "[delivery]\ndeadline = 15", "2:12", 'deadline: 15 has no unit; write "15s" or "15m"'
    ),
    configured("workers = 3", "1:1", "workers belongs below [delivery]"),
    configured('[delivery]\njournal = "sqlite:///x.db"', "2:1", "journal belongs above [delivery]"),
    configured(
        '[transports.greenapi]\ntoken = "x"',
        "2:9",
        "set GREENAPI_TOKEN in the environment, never here",
    ),
    configured(
        '[transports.greenapi]\nrate = "5"',
        "2:8",
        'rate: must be like "50/s", "10/min" or "100/h"',
    ),
    configured(
        '[delivery]\nengine = "thread"',
        "2:10",
        'no engine named "thread"; did you mean "threads"?',
    ),
    configured('transport = "owl"', "1:13", 'no transport named "owl"; installed: greenapi'),
    configured(
        "transport = “greenapi”", "1:13", "“ (U+201C) is no quote in TOML; use a straight one"
    ),
]
COMMANDS = [
    typed("send --dry-run", 'no option --dry-run; "dispatcher plan" shows what send would do'),
    typed("send --jsn", 'no option --jsn; did you mean "--json"?', "send "),
    typed("sned", 'no command "sned"; did you mean "send"?', ""),
    typed("status", 'no command "status"; did you mean "report"?', ""),
    typed("report --run default", "no option --run; say it without: dispatcher report RUN"),
    typed(
        "manifests/m.toml",
        '"manifests/m.toml" is no command; try: dispatcher plan manifests/m.toml',
        "",
    ),
    typed(
        "history --status done",
        '--status: "done" is not one of "sent", "failed", "unknown", "sending"',
        "history ",
    ),
    typed("send --wait 10", '--wait: 10 has no unit; write "10s" or "10m"', "send "),
    typed(
        "plan --transport pigeon", '--transport: no transport named "pigeon"; installed: greenapi'
    ),
    typed("--profile test plan", 'no dispatcher.toml here or above, so there is no profile "test"'),
    typed(
        "send",
        "no token for Green API: set GREENAPI_TOKEN or GREENAPI_TOKEN_FILE",
        GREENAPI_TOKEN=None,
    ),
    typed(
        "send",
        "GREENAPI_TOKEN is no token: it holds a space or a sign outside ASCII",
        GREENAPI_TOKEN="two words",
    ),
]
LISTS = [
    listed(
        "to,name\n79001234567,\n",
        "Dear {{ name }}!",
        'm.toml:6:13: warning: message "a": "name" is empty (people.csv:2)',
    ),
    listed(
        "to,name\n79001234567,Ann\n",
        "Dear {name}!",
        'm.toml:6:13: warning: message "a": "{name}" stays as it is; write {{ name }}',
    ),
    listed(
        "to,first-name\n79001234567,Ann\n",
        "Dear {{ first-name }}!",
        'm.toml:6:13: error: message "a": write {{ row["first-name"] }} (people.csv:2)',
    ),
    listed(
        "to,First Name\n79001234567,Ann\n",
        "Dear {{ First Name }}!",
        'm.toml:6:13: error: message "a": write {{ row["First Name"] }} (people.csv:2)',
    ),
    listed(
        "name,phone\nAnn,79001234567\n",
        "Hello!",
        'people.csv:1:1: error: no "to" among name, phone; recipients = {…, to = "phone"}',
    ),
    listed(
        "PK\3\4",
        "Hello!",
        "people.xlsx:1:1: error: a workbook; save its sheet as CSV and name that file",
        "people.xlsx",
    ),
    listed(
        '[{"to": "79001234567"}]\n',
        "Hello!",
        "people.jsonl:1:1: error: this is one JSON array; convert it with: jq -c '.[]'",
        "people.jsonl",
    ),
    listed("to,name\n79001234567,Ann\n,\n,\n", "Dear {{ name }}!", ""),  # rows that were emptied
    listed("sep=;\nto;name\n79001234567;Ann\n", "{{ name }}", ""),  # a first line of Excel's
    listed(
        "to\n79001234567.0\n",
        "Hello!",
        'people.csv:2:1: error: message "a": "79001234567.0" has decimals; remove them',
    ),
    listed(
        "to\n8 (900) 123-45-67\n",
        "Hello!",
        'people.csv:2:1: error: message "a": "8 (900) 123-45-67": needs country = "…"',
    ),
]
AGAIN = "failed, to try again: dispatcher send"
MISTAKES = [*TEMPLATES, *SYNTAX, *MANIFESTS, *CONFIGURATIONS, *COMMANDS, *LISTS]


def answer(project: Project, mistake: Mistake) -> list[str]:
    """Make it; all lines of the answer, which are short and few, and how to go on."""
    for name, content in mistake.files.items():
        project.write(name, content)
    result = project.call(*mistake.command.split(), env=mistake.env)
    told = result.told if "\nto send: " in result.stderr else result.stderr
    lines = (result.stdout + told).splitlines()
    assert result.code == mistake.code, lines
    assert len([line for line in lines if line != AGAIN]) <= 2, lines
    assert max(map(len, lines)) <= 80, lines
    return lines


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.output)
def test_a_mistake_and_its_answer(project: Project, mistake: Mistake) -> None:
    assert answer(project, mistake) == mistake.output.splitlines()


def test_where_there_is_no_journal_its_place_is_told(project: Project) -> None:
    absent = f"there is no journal {project.folder}/.dispatcher/journal.db yet"
    project.call("history").refused(absent, code=3)
    project.call("settle", KEY, "--sent").refused(f"{absent}: nothing to settle", code=3)


def test_a_key_that_the_journal_does_not_know(project: Project) -> None:
    project.send_texts("a")
    form = "RUN/MANIFEST/ID/REVISION/RECIPIENT, as history has them"
    other = Mistake({}, "settle nope --sent", f'error: "nope" is no key: {form}', 3)
    assert answer(project, other) == [other.output]
    known = Mistake({}, f"settle {KEY} --sent", f"error: {KEY} is not unknown, but sent", 3)
    assert answer(project, known) == [known.output]


@pytest.mark.parametrize("from_file", [False, True])
def test_a_wrong_token_is_named_by_its_origin(held: Held, from_file: bool) -> None:
    held.gateway.reply = lambda asked: Reply(401, b"")
    held.write("t", "wrong-token")
    origin = "GREENAPI_TOKEN_FILE (t)" if from_file else "GREENAPI_TOKEN"
    token = {"GREENAPI_TOKEN": None, "GREENAPI_TOKEN_FILE": "t"} if from_file else {}
    wrong = Mistake(GOOD, "send", "", 1, token)
    assert answer(held, wrong) == [
        f"failed   {KEY}  http 401: check {origin}",
        f"1 failed; stopped: check {origin}",
        AGAIN,
    ]


def test_a_gateway_that_is_not_running(project: Project, closed_port: int) -> None:
    project.send_to(f"http://127.0.0.1:{closed_port}")
    absent = Mistake(
        {**GOOD, "dispatcher.toml": "[delivery]\nattempts = 1\n"},
        "send",
        f"failed   {KEY}  connection refused by 127.0.0.1:{closed_port}\n"
        f"1 failed; is the gateway running? to start it: dispatcher sandbox\n{AGAIN}",
        1,
    )
    assert answer(project, absent) == absent.output.splitlines()


def test_a_bad_id_hides_no_bad_number(project: Project) -> None:
    text = HEAD.replace('"a"', '"a b"').replace("79001234567", "900")
    project.write("m.toml", text + HI)
    result = project.call("validate", "m.toml")
    places = [line.partition(": ")[0] for line in result.stdout.splitlines()]
    assert (result.code, places) == (2, ["m.toml:4:6", "m.toml:5:6"])


@pytest.mark.parametrize("name", ["manifests/m.toml", "manifests/hi.txt", "dispatcher.toml"])
def test_a_byte_order_mark_is_no_mistake(project: Project, name: str) -> None:
    files = {
        "dispatcher.toml": 'transport = "greenapi"\n',
        "manifests/m.toml": f'{HEAD}text.file = "hi.txt"\n',
        "manifests/hi.txt": "Hi",
    }
    for each, text in files.items():
        project.write(each, ("\ufeff" if each == name else "") + text)
    result = project.call("plan", "--json")
    [planned] = result.events("plan")
    assert (result.code, planned["payload"]["text"]) == (0, {"body": "Hi"})


@cases("before", ("--profile", "test"), ("--profile=test",), ("--debug", "--profile", "test"))
def test_options_may_stand_before_the_command(project: Project, before: tuple[str, ...]) -> None:
    project.texts("a")
    project.config('[profiles.test]\ntransport = "owl"\n')
    expected = project.call("plan", "--profile", "test")
    found = project.call(*before, "plan")
    assert 'no transport named "owl"' in expected.stderr
    assert (found.code, found.stderr.splitlines()[-1:]) == (2, expected.stderr.splitlines())
    assert project.call("--without", "greenapi", "plan").code == 2
    assert project.call("--no-plugins", "plan").code == 0


SEVEN = "one\ntwo\nthree\nfour\nfive\nsix\n{{ nme }}\n"
LONG_TEXTS = {
    "basic": (f'text.body = """{SEVEN}"""', 12),
    "literal": (f"text.body = '''{SEVEN}'''", 12),
    "beginning in the next line": (f'text.body = """\n{SEVEN}"""', 13),
    "with escapes": (f'text.body = """{SEVEN}"""'.replace("two\n", 'two\\n\\"\\"\\"\\\\\n'), 12),
    "with joined lines": (f'text.body = """{SEVEN}"""'.replace("two\n", "two \\\n \n  "), 13),
    "in a joined line": (f'text.body = """\\\n{SEVEN}"""'.replace("six\n", "six \\\n"), 13),
    "of a table": (f'[messages.image]\nlink = "https://a.example/b"\ncaption = """{SEVEN}"""', 14),
    "in one line": (f'text.body = "{SEVEN}"'.replace("\n", "\\n"), 6),
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(("text", "line"), LONG_TEXTS.values(), ids=LONG_TEXTS)
def test_a_mistake_in_a_text_of_several_lines_is_shown_at_its_line(
    project: Project, text: str, line: int, line_end: str
) -> None:
    project.write("m.toml", f"{HEAD}{text}\n".replace("\n", line_end))
    result = project.call("validate", "m.toml")
    assert result.stdout.startswith(f"m.toml:{line}:")
    assert result.stdout.count("\n") == 1


def test_a_mistake_in_a_default_is_shown_at_its_line_once(project: Project) -> None:
    entries = "".join(f'[[messages]]\nid = "{id}"\n{TO}' for id in "ab")
    project.write("m.toml", f'manifest = 1\n[defaults]\ntext.body = """\n{SEVEN}"""\n{entries}')
    result = project.call("validate", "m.toml")
    places = [line.partition(": ")[0] for line in result.stdout.splitlines()]
    assert places == ["m.toml:10:1", "m.toml:10:1"]


PICKY = """
from dispatcher import Problem, SourceError, hookimpl

@hookimpl
def dispatcher_validate_message(message):
    yield Problem(message="too friendly", where="text.body")

@hookimpl
def dispatcher_resolve_source(source):
    if source.startswith("picky:"):
        raise SourceError("nothing of this name")
"""


def test_a_problem_of_a_third_party_ends_in_its_name(project: Project) -> None:
    project.install("picky", PICKY)
    picture = '[[messages]]\nid = "b"\nto = "79001234567"\nimage.source = "picky:x"\n'
    project.write("m.toml", f"{HEAD}{HI}{picture}")
    result = project.call("validate", "m.toml")
    lines = result.stdout.splitlines()
    assert 'm.toml:6:13: error: message "a": too friendly (picky)' in lines
    assert 'm.toml:10:16: error: message "b": nothing of this name (picky)' in lines
