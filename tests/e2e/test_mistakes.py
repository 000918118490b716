"""Mistakes that people make, and the whole answer to each of them.

It says what is wrong, where, and what to do; in two lines at the most, and 80 columns each.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.support.gateway import Gateway, Reply, Request
from tests.support.project import Project

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


def written(text: str, *problem: str, command: str = "validate m.toml") -> Mistake:
    """In a manifest: its lines after the head, and the place and sentence of the problem."""
    [sentence] = problem
    return Mistake({"m.toml": HEAD + text}, command, f"{sentence}\n1 error")


def body(text: str, sentence: str) -> Mistake:
    """In a template, which stands in line 6 and has the variable `name`."""
    manifest = f"text.body = '''{text}'''\nvars.name = \"Ann\"\n"
    return written(manifest, f'm.toml:6:13: error: message "a": {sentence}')


def syntax(line: str, column: int, sentence: str) -> Mistake:
    """In line 6 of a manifest, which is no TOML then."""
    return written(f"{line}\n", f"m.toml:6:{column}: error: {sentence}")


def listed(name: str, content: str, text: str, sentence: str, end: str = "1 error") -> Mistake:
    """In a list of recipients, or in the text for them, which stands in line 6."""
    manifest = f"{HEAD.removesuffix(TO)}recipients = '{name}'\ntext.body = '{text}'\n"
    code = 2 if end == "1 error" else 0
    output = "\n".join(filter(None, [sentence, end]))
    return Mistake({"m.toml": manifest, name: content}, "validate m.toml", output, code)


def configured(text: str, output: str) -> Mistake:
    """In dispatcher.toml."""
    return Mistake({**GOOD, "dispatcher.toml": text}, "plan", output)


def typed(command: str, *output: str, code: int = 2) -> Mistake:
    """On the command line, beside a good manifest."""
    return Mistake(GOOD, command, "\n".join(output), code)


TEMPLATES = {
    "one brace": body("Hi {{ name }", '"{{ name }" ends in one brace; write two'),
    "no braces at the end": body("Hi {{ name", '"{{ name" has no }}'),
    "three braces": body("{{{ name }}}", "a brace too many; a variable is {{ name }}"),
    "a name with a space": body("{{ First Name }}", '"{{ First Name }}": a name has no spaces'),
    "percent signs": body("{% name %}", "{% name %} is no statement; write {{ name }}"),
    "an if without an end": body("{% if name %}Hi", "{% if … %} has no {% endif %}"),
    "an end without an if": body("Hi{% endif %}", "{% endif %} has no {% if … %} before it"),
    "elseif": body("{% if name %}a{% elseif name %}b{% endif %}", "write elif, not elseif"),
    "one equals sign": body("{% if name = 'x' %}a{% endif %}", "= compares nothing here; write =="),
    "curly quotes": body("{{ name | default(“x”) }}", "“ (U+201C) has no place in the braces"),
    "a filter that is misspelt": body(
        "{{ name | uper }}", 'no filter "uper"; did you mean "upper"?'
    ),
    "a filter without its argument": body("{{ name | replace('a') }}", 'a filter lacks its "new"'),
    "another language": body(
        "{{ name ? 'a' : 'b' }}", "there is no ? here; write {{ a if b else c }}"
    ),
    "an assignment": body("{% set x = 1 %}", "set cannot be used here; if and for can"),
    "another case": body("{{ Name }}", 'unknown variable "Name"; did you mean "name"?'),
    "a remark": body("No. {#5", '{# has no #}; to print it write {{ "{#" }}'),
}
SYNTAX = {
    "curly quotes": syntax(
        "text.body = “Hi”", 13, "“ (U+201C) is no quote in TOML; use a straight one"
    ),
    "a curly quote at the end": syntax(
        'text.body = "Hi”', 17, "” (U+201D) closes no text; write a straight quote"
    ),
    "True": syntax("preview_url = True", 15, "write true in lower case, not True"),
    "yes": syntax("preview_url = yes", 15, "write true or false, not yes; text stands in quotes"),
    "null": syntax("text.body = null", 13, "TOML has no null; leave the key out"),
    "a no-break space before a key": syntax(
        f"{NBSP}text.body = 'Hi'", 1, "U+00A0 (no-break space) stands here; type a plain space"
    ),
    "a no-break space after a key": syntax(
        f"text.body{NBSP}= 'Hi'", 10, "U+00A0 (no-break space) stands here; type a plain space"
    ),
    "a mark that nobody sees": syntax(
        f"{ZERO_WIDTH}text.body = 'Hi'", 1, "U+200B (zero width space) stands here; delete it"
    ),
    "no quotes": syntax("text.body = Hi there", 13, 'text stands in quotes: "Hi there"'),
    "a colon": syntax('text.body: "Hi"', 10, "write = after a key, not :"),
    "a comma at the end": syntax('text.body = "Hi",', 17, "no comma stands after a value"),
    "a quote in a text": syntax(
        'text.body = "Say "Hi""', 19, r"the text ends before this; a quote inside it is written \""
    ),
    "a text without an end": syntax(
        'text.body = """\nHi', 13, "a text begins here and has no closing quote"
    ),
    "a folder in the way of Windows": syntax(
        r'image.source = "files\pictures.png"',
        24,
        r'in "…" a backslash is written \\; in file names write /',
    ),
    "single brackets": written(
        '[messages]\nid = "b"',
        "m.toml:6:10: error: each message begins with [[messages]], in two brackets",
    ),
    "another comment": syntax("// Hi", 1, "a line is: key = value; a comment begins with #"),
}
MANIFESTS = {
    "text in place of a table": written(
        'text = "Hi"\n', 'm.toml:6:8: error: message "a": text is a table; write text.body = "Hi"'
    ),
    "a file in place of a table": written(
        'image = "b.png"\n',
        'm.toml:6:9: error: message "a": image is a table; write image.source = "b.png"',
    ),
    "a text below the variables": written(
        '[messages.vars]\nname = "Ann"\ntext.body = "Hi {{ name }}"\n',
        'm.toml:8:1: error: message "a": text is in vars here; put it above that table',
    ),
    "a recipient below a picture": Mistake(
        {
            "m.toml": 'manifest = 1\n[[messages]]\nid = "a"\n[messages.image]\n'
            'link = "https://a.example/b.png"\nto = "79001234567"\n'
        },
        "validate m.toml",
        'm.toml:6:1: error: message "a": to belongs above [messages.image]\n1 error',
    ),
    "a name below the messages": written(
        HI + 'name = "x"\n', 'm.toml:7:1: error: message "a": name belongs above [[messages]]'
    ),
    "the version below the variables": Mistake(
        {"m.toml": f'[vars]\nshop = "Acme"\n{HEAD}{HI}'},
        "validate m.toml",
        "m.toml:3:1: error: manifest belongs above [vars]\n1 error",
    ),
    "a picture with \\b in its name": written(
        r'image.source = "files\banner.png"',
        'm.toml:6:16: error: message "a": write / between folders: "files/banner.png"',
    ),
    "a picture with a backslash": written(
        r"image.source = 'files\banner.png'",
        'm.toml:6:16: error: message "a": write / between folders: "files/banner.png"',
    ),
    "a number as recipient": Mistake(
        {"m.toml": HEAD.replace('"79001234567"', "79001234567") + HI},
        "validate m.toml",
        'm.toml:5:6: error: message "a": to is text; put 79001234567 in quotes\n1 error',
    ),
    "a bad id beside a bad recipient": Mistake(
        {
            "m.toml": HEAD.replace('"a"', '"a b"').replace('"79001234567"', '["79001234567", 5]')
            + HI
        },
        "plan m.toml",
        'm.toml:4:6: error: message "a b": id may hold only letters, digits and . _ - + @\n'
        'm.toml:5:22: error: message "a b": to is text; put 5 in quotes',
    ),
    "no content": written(
        "", 'm.toml:3:1: error: message "a": has no content; add text.body, image.source, …'
    ),
    "no messages": Mistake(
        {"m.toml": "manifest = 1\n"},
        "validate m.toml",
        "m.toml:1:1: error: there are no messages; each begins with [[messages]]\n1 error",
    ),
    "a token": Mistake(
        {"m.toml": f'token = "x"\n{HEAD}{HI}'},
        "validate m.toml",
        "m.toml:1:1: error: a secret belongs in the environment, never here\n1 error",
    ),
}
CONFIGURATIONS = {
    "transport": configured(
        '[transport.greenapi]\nrate = "5/s"\n',
        "dispatcher.toml:1:2: error: the table is [transports.greenapi], with an s",
    ),
    "a transport's own table": configured(
        '[greenapi]\nrate = "5/s"\n',
        "dispatcher.toml:1:2: error: unknown table; did you mean [transports.greenapi]?",
    ),
    "a number without a unit": configured(
        "[delivery]\ndeadline = 15\n",
        'dispatcher.toml:2:12: error: deadline: 15 has no unit; write "15s" or "15m"',
    ),
    "a key outside its table": configured(
        "workers = 3\n", "dispatcher.toml:1:1: error: workers belongs below [delivery]"
    ),
    "a key inside another table": configured(
        '[delivery]\njournal = "sqlite:///x.db"\n',
        "dispatcher.toml:2:1: error: journal belongs above [delivery]",
    ),
    "a token": configured(
        '[transports.greenapi]\ntoken = "x"\n',
        "dispatcher.toml:2:9: error: set GREENAPI_TOKEN in the environment, never here",
    ),
    "a rate without a unit": configured(
        '[transports.greenapi]\nrate = "5"\n',
        'dispatcher.toml:2:8: error: rate: must be like "50/s", "10/min" or "100/h"',
    ),
    "an engine": configured(
        '[delivery]\nengine = "thread"\n',
        'dispatcher.toml:2:10: error: no engine named "thread"; did you mean "threads"?',
    ),
    "a transport": configured(
        'transport = "owl"\n',
        'dispatcher.toml:1:13: error: no transport named "owl"; installed: greenapi',
    ),
    "curly quotes": configured(
        "transport = “greenapi”\n",
        "dispatcher.toml:1:13: error: “ (U+201C) is no quote in TOML; use a straight one",
    ),
}
COMMANDS = {
    "a dry run": typed(
        "send --dry-run", 'Error: no option --dry-run; "dispatcher plan" shows what send would do'
    ),
    "a misspelt option": typed(
        "send --jsn",
        'Error: no option --jsn; did you mean "--json"?',
        "Try: dispatcher send --help",
    ),
    "a misspelt command": typed(
        "sned", 'Error: no command "sned"; did you mean "send"?', "Try: dispatcher --help"
    ),
    "another tool's command": typed(
        "status", 'Error: no command "status"; did you mean "history"?', "Try: dispatcher --help"
    ),
    "no command": typed(
        "manifests/m.toml",
        'Error: "manifests/m.toml" is no command; try: dispatcher plan manifests/m.toml',
        "Try: dispatcher --help",
    ),
    "a bad choice": typed(
        "history --status done",
        'Error: --status: "done" is not one of "sent", "failed", "unknown", "sending"',
        "Try: dispatcher history --help",
    ),
    "a time without a unit": typed(
        "send --wait 10",
        'Error: --wait: 10 has no unit; write "10s" or "10m"',
        "Try: dispatcher send --help",
    ),
    "an unknown transport": typed(
        "plan --transport pigeon",
        'Error: --transport: no transport named "pigeon"; installed: greenapi',
    ),
    "a profile without a file": typed(
        "--profile test plan",
        'Error: no dispatcher.toml here or above, so there is no profile "test"',
    ),
    "settling before anything was sent": typed(
        f"settle {KEY} --sent",
        "there is no journal yet, so that there is nothing to settle",
        code=3,
    ),
    "history before anything was sent": typed("history", "there is no journal yet", code=3),
    "no token": Mistake(
        GOOD,
        "send",
        "Error: no token for Green API: set GREENAPI_TOKEN or GREENAPI_TOKEN_FILE",
        env={"GREENAPI_TOKEN": None},
    ),
    "two words as token": Mistake(
        GOOD,
        "send",
        "Error: GREENAPI_TOKEN is no token: it holds a space or a sign outside ASCII",
        env={"GREENAPI_TOKEN": "two words"},
    ),
}
GOOD_LIST = "1 message, no errors"
LISTS = {
    "an empty cell that the text shows": listed(
        "people.csv",
        "to,name\n79001234567,\n",
        "Dear {{ name }}!",
        'm.toml:6:13: warning: message "a": "name" is empty (people.csv:2)',
        GOOD_LIST,
    ),
    "a column's name with a hyphen": listed(
        "people.csv",
        "to,first-name\n79001234567,Ann\n",
        "Dear {{ first-name }}!",
        'm.toml:6:13: error: message "a": write {{ row["first-name"] }} (people.csv:2)',
    ),
    "a column's name with a space": listed(
        "people.csv",
        "to,First Name\n79001234567,Ann\n",
        "Dear {{ First Name }}!",
        'm.toml:6:13: error: message "a": write {{ row["First Name"] }} (people.csv:2)',
    ),
    "another column of numbers": listed(
        "people.csv",
        "name,phone\nAnn,79001234567\n",
        "Hello!",
        'people.csv:1:1: error: no "to" among name, phone; recipients = {…, to = "phone"}',
    ),
    "a workbook": listed(
        "people.xlsx",
        "PK\3\4",
        "Hello!",
        "people.xlsx:1:1: error: a workbook; save its sheet as CSV and name that file",
    ),
    "a JSON array": listed(
        "people.jsonl",
        '[{"to": "79001234567"}]\n',
        "Hello!",
        "people.jsonl:1:1: error: this is one JSON array; convert it with: jq -c '.[]'",
    ),
    "rows that were emptied, not deleted": listed(
        "people.csv", "to,name\n79001234567,Ann\n,\n,\n", "Dear {{ name }}!", "", GOOD_LIST
    ),
    "a first line of Excel's": listed(
        "people.csv", "sep=;\nto;name\n79001234567;Ann\n", "{{ name }}", "", GOOD_LIST
    ),
    "a number as spreadsheets have it": listed(
        "people.csv",
        "to\n79001234567.0\n",
        "Hello!",
        'people.csv:2:1: error: message "a": "79001234567.0" has decimals; remove them',
    ),
    "a number without its country": listed(
        "people.csv",
        "to\n8 (900) 123-45-67\n",
        "Hello!",
        'people.csv:2:1: error: message "a": "8 (900) 123-45-67": needs country = "…"',
    ),
}
MISTAKES = {
    f"{table}: {name}": mistake
    for table, mistakes in {
        "template": TEMPLATES,
        "TOML": SYNTAX,
        "manifest": MANIFESTS,
        "configuration": CONFIGURATIONS,
        "command": COMMANDS,
        "list": LISTS,
    }.items()
    for name, mistake in mistakes.items()
}


def answer(project: Project, mistake: Mistake) -> list[str]:
    """Make it; all lines of the answer, which are short and few."""
    for name, content in mistake.files.items():
        project.write(name, content)
    result = project.call(*mistake.command.split(), env=mistake.env)
    lines = (result.stdout + result.stderr).splitlines()
    assert result.code == mistake.code, lines
    assert len(lines) <= 2, lines
    assert max(map(len, lines)) <= 80, lines
    return lines


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_and_its_answer(project: Project, mistake: Mistake) -> None:
    assert answer(project, mistake) == mistake.output.splitlines()


def test_a_key_that_the_journal_does_not_know(project: Project) -> None:
    project.texts("a")
    assert project.call("send").code == 0
    other = Mistake({}, "settle nope --sent", "error: no message nope; see: dispatcher history", 3)
    assert answer(project, other) == [other.output]
    known = Mistake({}, f"settle {KEY} --sent", f"error: {KEY} is not unknown, but sent", 3)
    assert answer(project, known) == [known.output]


@pytest.mark.parametrize("from_file", [False, True])
def test_a_wrong_token_is_named_by_its_origin(
    project: Project, gateway: Gateway, from_file: bool
) -> None:
    def refuse(asked: Request) -> Reply:
        return Reply(401, b"")

    gateway.reply = refuse
    project.write("t", "wrong-token")
    origin = "GREENAPI_TOKEN_FILE (t)" if from_file else "GREENAPI_TOKEN"
    token = {"GREENAPI_TOKEN": None, "GREENAPI_TOKEN_FILE": "t"} if from_file else {}
    urls = {"GREENAPI_BASE_URL": gateway.url, "GREENAPI_MEDIA_URL": gateway.url}
    wrong = Mistake(GOOD, "send", "", 1, {**urls, **token})
    assert answer(project, wrong) == [
        f"failed   {KEY}  http 401: check {origin}",
        f"1 failed; stopped: check {origin}",
    ]


def test_a_gateway_that_is_not_running(project: Project, closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    absent = Mistake(
        {**GOOD, "dispatcher.toml": "[delivery]\nattempts = 1\n"},
        "send",
        f"failed   {KEY}  connection refused by 127.0.0.1:{closed_port}\n"
        "1 failed; is the gateway running? to start it: dispatcher sandbox",
        1,
        {"GREENAPI_BASE_URL": url, "GREENAPI_MEDIA_URL": url},
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


@pytest.mark.parametrize(
    "before", [("--profile", "test"), ("--profile=test",), ("--debug", "--profile", "test")]
)
def test_options_of_a_session_may_stand_before_the_command(
    project: Project, before: tuple[str, ...]
) -> None:
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
    entries = "".join(f'[[messages]]\nid = "{id}"\nto = "79001234567"\n' for id in "ab")
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
