"""Exit codes, JSON lines, streams, colours, the progress bar, tracebacks; and no token anywhere."""

import os
import pty
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from tests.support.cases import cases
from tests.support.gateway import Reply
from tests.support.project import Held, Project, Result, text

TO = "79001234567"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
REFUSED = {"fault": "status", "status": 400, "code": 1022}


@cases(
    "code, faults",
    (0, []),
    (1, [REFUSED]),
    (4, [{**REFUSED, "times": 1}]),
    (5, [{**REFUSED, "times": 1}, {"fault": "reset_after"}]),
)
def test_exit_code_of_a_mailing(project: Project, code: int, faults: list[dict[str, Any]]) -> None:
    project.texts("a", "b")
    project.inbox.faults(faults)
    assert project.call("send").code == code


def test_exit_code_3_if_there_is_nothing_to_send(project: Project) -> None:
    project.write("manifests/nobody.csv", "to\n")
    project.manifest('[[messages]]\nid = "a"\nrecipients = "nobody.csv"\ntext.body = "Hi"')
    result = project.call("send")
    assert result.code == 3
    assert "nothing to send" in result.stderr


WRONG: dict[str, tuple[list[str], str, dict[str, str | None], str]] = {
    "option": (["send", "--wat"], "", {}, "no option --wat"),
    "duration": (["send", "--wait", "soon"], "", {}, "90s"),
    "run": (["send", "--run", "a/b"], "", {}, '--run "a/b"'),
    "path": (["send", "no.toml"], "", {}, "no.toml"),
    "manifest": (["send", "dispatcher.toml"], "", {}, "the file is empty"),
    "configuration": (["send"], "[delivery]\nworkers = 0", {}, "workers"),
    "token in a file": (["send"], '[transports.greenapi]\ntoken = "x"', {}, "GREENAPI_TOKEN"),
    "no token": (["send"], "", {"GREENAPI_TOKEN": None}, "GREENAPI_TOKEN"),
    "plain http": (["send"], "", {"GREENAPI_BASE_URL": "http://example.com"}, "https"),
    "transport": (["send", "--transport", "pigeon"], "", {}, "pigeon"),
    "plugin": (["send", "--without", "gren"], "", {}, "gren"),
    "engine": (["send"], '[delivery]\nengine = "celery"', {}, "celery"),
    "profile": (["send", "--profile", "staging"], "", {}, "staging"),
    "journal": (["send", "--journal", "sqlite:///"], "", {}, "names no file"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_exit_code_2_if_something_is_wrong_before_any_message(project: Project, wrong: str) -> None:
    arguments, config, env, why = WRONG[wrong]
    project.texts("a")
    project.config(config)
    project.call(*arguments, env=env).refused(why)
    assert project.inbox.stats()["connections"] == 0


@cases(
    "arguments",
    ["settle", "\udcff", "--sent"],
    ["history", "--to", "7\udcff"],
    ["send", "--run", "\udcff"],
    ["plan", "--profile", "\udcff"],
    ["plan", "--journal", "postgresql://127.0.0.1/\udcff"],
    ["plugins", "new", "\udcff"],
    ["sandbox", "--host", "\udcff"],
    ids=" ".join,
)
def test_argument_that_is_no_text_is_a_usage_error(project: Project, arguments: list[str]) -> None:
    project.texts("a")
    project.call(*arguments).refused('udcff" is not UTF-8')


def test_a_path_may_be_any_bytes(project: Project) -> None:
    manifest = 'manifest = 1\nname = "m"\n' + text("a")
    project.write(os.fsdecode(b"\xff/\xfe.toml"), manifest)
    journal = ["--journal", f"sqlite:///{os.fsdecode(bytes([0xFD]))}.db"]
    assert project.call("send", "\udcff", *journal).code == 0
    assert project.call("plan", "\udcff/\udcfe.toml", *journal).stdout.startswith("= sent")
    project.write(os.fsdecode(b"\xff/\xfe.toml"), manifest.replace("to =", "too ="))
    assert r"\udcff/\udcfe.toml:" in project.call("validate", "\udcff").stdout


def test_an_error_is_on_its_line_whatever_it_repeats(project: Project) -> None:
    project.texts("a")
    for arguments in (
        ["validate", "--wat\n::error::x"],
        ["plan", "a\n::error::x\x1b[2J\u202e.toml"],
        ["wat\n::error::x"],
        ["plan", "--run", "a\n::error::x"],
        ["plan", "--profile", "a\n::error::x"],
    ):
        result = project.call(*arguments)
        assert result.code == 2
        (line,) = [line for line in result.stderr.split("\n") if "error::x" in line]
        assert not line.startswith("::")
        assert not set(line) & {"\x1b", "\u202e"}


def test_json_lines_have_the_promised_keys_and_nothing_stands_beside_them(project: Project) -> None:
    project.manifest(text("a") + text("b", "79001234568"))
    project.inbox.faults([{**REFUSED, "to": "79001234568"}])

    result = project.call("send", "--json")

    assert result.results["a"] == {
        "event": "result",
        "key": f"default/m/a/1/{TO}",
        "manifest": "m",
        "message": "a",
        "to": TO,
        "transport": "greenapi",
        "status": "sent",
        "id": project.inbox.messages()[0]["id"],
        "attempts": 1,
        "error": None,
    }
    assert result.results["b"] == {
        **result.results["a"],
        "key": "default/m/b/1/79001234568",
        "message": "b",
        "to": "79001234568",
        "status": "failed",
        "id": None,
        "error": {"code": "1022", "text": "Subscriber was not found / Подписчик не найден"},
    }
    counts = {"sent": 1, "skipped": 0, "failed": 1, "unknown": 0, "not_tried": 0}
    again = {"status": "failed", "count": 1, "command": "dispatcher send --json"}
    assert result.summary == {"event": "summary", **counts, "next": [again]}
    assert len(result.lines) == 4
    assert result.stderr == "failed, to try again: dispatcher send --json\n"


def test_people_get_results_on_stdout_and_the_summary_on_stderr(project: Project) -> None:
    project.texts("a")
    result = project.call("send")
    id = project.inbox.messages()[0]["id"]
    assert result.stdout == f"sent     default/m/a/1/{TO}  {id}\n"
    assert result.told == "1 sent\n"


def test_warning_goes_to_stderr_and_stops_nothing(project: Project) -> None:
    project.write("manifests/song.png", b"\x89PNG\r\n\x1a\n" + bytes(20))
    project.manifest(f'[[messages]]\nid = "a"\nto = "{TO}"\naudio.source = "song.png"')
    result = project.call("send", "--json")
    assert result.code == 0
    assert "warning" in result.stderr
    assert result.statuses == {"a": "sent"}


Screen: TypeAlias = Callable[..., tuple[Result, str]]


@pytest.fixture
def screen(project: Project) -> Screen:
    """Run a command whose stderr, and unless told otherwise stdout, are one terminal.

    Out: how it ended, and all that the terminal got.
    """

    def run(*arguments: str, stdout: bool = True, **env: str) -> tuple[Result, str]:
        ours, terminal = pty.openpty()
        streams = {"stdin": terminal, "stderr": terminal}
        if stdout:
            streams["stdout"] = terminal
        process = project.start(*arguments, env={"TERM": "xterm-256color", **env}, **streams)
        os.close(terminal)
        shown: list[bytes] = []
        reader = threading.Thread(target=lambda: shown.extend(iter(lambda: _read(ours), b"")))
        reader.start()
        result = project.finish(process)
        reader.join()
        os.close(ours)
        got = b"".join(shown).decode()
        project.checked(replace(result, stderr=got))
        return result, got

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says at the end
        return b""


def test_terminal_shows_a_bar_and_only_what_needs_a_look(project: Project, screen: Screen) -> None:
    project.manifest(text("a") + text("b", "79001234568") + text("c"))
    project.inbox.faults([{**REFUSED, "to": "79001234568"}])

    result, shown = screen("send")

    assert result.code == 4
    assert "sending" in shown
    assert "━" in shown
    assert "0/3" in shown
    assert "3/3" in shown
    assert "\x1b[?25l" not in shown, "a hidden cursor would stay so when the run is killed"
    plain = COLOUR.sub("", shown)
    assert "failed   default/m/b/1/79001234568  1022: Subscriber was not found" in plain
    assert re.search(r"(\n|\r|\x1b\[2K)failed   default/m/b/1/", plain), "above the bar"
    assert "default/m/a/1" not in plain
    assert "2 sent, 1 failed" in plain


def test_terminal_says_what_is_skipped_because_it_changed(project: Project, screen: Screen) -> None:
    project.manifest(text("a"))
    project.call("send")
    project.manifest(text("a", body="Hello again"))
    _, shown = screen("send")
    assert f"default/m/a/1/{TO}  it was sent with other content" in COLOUR.sub("", shown)


@pytest.mark.parametrize("columns", ["0", "1", "-1"])
def test_failures_show_at_any_width(project: Project, screen: Screen, columns: str) -> None:
    project.manifest(text("a"))
    project.inbox.faults([REFUSED])
    _, shown = screen("send", COLUMNS=columns)
    assert "failed   default/m/a/1/79001234567  1022: Subscriber" in COLOUR.sub("", shown)


TALKS_WHILE_SENDING = """
import logging, os, sys
from dispatcher import hookimpl

@hookimpl
def dispatcher_message_finished(message, outcome):
    token = os.environ["GREENAPI_TOKEN"]
    logging.getLogger("some.library").warning("logged %s", token)
    print("written", token, "\\x1b]0;title\\x07", file=sys.stderr)
    print("half a line [/b]", end="", file=sys.stderr, flush=True)
    raise ValueError(f"raised {token}")
"""


@pytest.mark.parametrize("stdout", [True, False], ids=["all on screen", "results elsewhere"])
def test_what_is_said_beside_the_bar_shows_no_secret_and_steers_nothing(
    project: Project, screen: Screen, stdout: bool
) -> None:
    """`Project.checked` looks for the token."""
    project.texts("a")
    project.install("talkative", TALKS_WHILE_SENDING)

    result, shown = screen("send", stdout=stdout)

    assert result.code == 0
    for line in ("[some.library] logged ***", r"written *** \x1b]0;title\x07", "raised ***"):
        assert line in COLOUR.sub("", shown)
    assert "half a line [/b]" in shown


def test_redirected_results_are_complete_and_plain_though_the_bar_is_on_a_terminal(
    project: Project, screen: Screen
) -> None:
    project.manifest(text("a") + text("b", "79001234568"))
    project.inbox.faults([{**REFUSED, "to": "79001234568"}])
    result, shown = screen("send", stdout=False)
    lines = sorted(result.stdout.splitlines())
    assert [line.split()[0] for line in lines] == ["failed", "sent"]
    assert not COLOUR.search(result.stdout)
    assert "━" in shown


def test_json_on_a_terminal_is_json(project: Project, screen: Screen) -> None:
    project.texts("a")
    result, shown = screen("send", "--json", stdout=False)
    assert result.statuses == {"a": "sent"}
    assert shown == ""


@pytest.mark.parametrize("command", ["plan", "send", "validate"])
def test_colours_are_for_terminals_and_never_with_no_color(
    project: Project, screen: Screen, command: str
) -> None:
    body = "" if command == "validate" else "Hello"
    project.manifest(text("a", body=body))
    project.inbox.faults([REFUSED])

    _, coloured = screen(command)
    _, plain = screen(command, NO_COLOR="1")
    elsewhere = project.call(command)

    assert COLOUR.search(coloured)
    assert set(COLOUR.findall(plain)) <= {"\x1b[0m", "\x1b[1m"}, "bold is no colour"
    assert "\x1b" not in elsewhere.stdout + elsewhere.stderr


PLUGIN_THAT_FAILS = """
from dispatcher import hookimpl

@hookimpl
def dispatcher_validate_message(message):
    raise ZeroDivisionError("a fault of the plugin")
"""


def test_traceback_shows_with_debug_only(project: Project) -> None:
    project.install("faulty", PLUGIN_THAT_FAILS)
    project.texts("a")
    without = project.call("send")
    with_it = project.call("send", "--debug")
    assert without.code == with_it.code == 2
    assert "ZeroDivisionError: a fault of the plugin" in without.stderr
    assert "Traceback" not in without.stderr
    assert "Traceback" in with_it.stderr
    assert "fake_faulty.py" in with_it.stderr


LEAKS: dict[str, Callable[[str], Reply]] = {
    "details": lambda token: Reply(
        400, b'{"errors":[{"code":1011,"details":"bad token %s"}]}' % token.encode()
    ),
    "page": lambda token: Reply(502, f"<h1>{token}</h1>".encode()),
    "id": lambda token: Reply(201, b'{"messages":[{"id":"%s"}]}' % token.encode()),
    "redirect": lambda token: Reply(302, b"", {"Location": f"http://example.com/{token}"}),
    "authorization": lambda token: Reply(401, token.encode(), {"X-Echo": token}),
    "retry": lambda token: Reply(429, token.encode(), {"Retry-After": token}),
    "length": lambda token: Reply(201, token.encode(), {"Content-Length": token}),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_token_that_a_gateway_repeats_shows_nowhere(held: Held, leak: str) -> None:
    """`Project.checked` looks for it, in the journal too, after every command of every test."""
    held.config("[delivery]\nattempts = 1\n[transports.greenapi]\nread_timeout = 1")
    token = held.environment["GREENAPI_TOKEN"]
    held.gateway.reply = lambda asked: LEAKS[leak](token)
    held.texts("a")

    result = held.call("send", "--json", "--debug")

    (asked,) = held.gateway.requests
    assert asked.headers["authorization"] == f"Bearer {token}"
    assert result.results["a"]["status"] in ("sent", "failed", "unknown")
    assert held.call("history").code == 0


@cases(
    "env",
    {"GREENAPI_TOKEN": "marker-token-5d1c0ffee with a space"},
    {"GREENAPI_BASE_URL": "http://marker-token-5d1c0ffee@127.0.0.1:1"},
    {"HTTP_PROXY": "http://marker-token-5d1c0ffee@127.0.0.1:1", "NO_PROXY": ""},
    {"GREENAPI_TOKEN_FILE": "token.txt"},
    {"GREENAPI_TOKEN": None, "GREENAPI_TOKEN_FILE": "token.txt"},
    ids=["token", "url", "proxy", "both", "file"],
)
def test_token_in_bad_settings_shows_nowhere(project: Project, env: dict[str, str | None]) -> None:
    project.write("token.txt", "marker-token-5d1c0ffee\nand another line")
    project.texts("a")
    for command in (["send", "--debug"], ["plan", "--debug"]):
        project.call(*command, env=env)


def test_token_may_come_from_a_file(held: Held) -> None:
    held.texts("a")
    held.write("token.txt", "from-a-file\n")
    env = {"GREENAPI_TOKEN": None, "GREENAPI_TOKEN_FILE": "token.txt"}
    assert held.call("send", env=env).code == 0
    assert held.gateway.requests[0].headers["authorization"] == "Bearer from-a-file"


def test_closed_pipe_ends_the_run_quietly(project: Project) -> None:
    """`dispatcher send | head -1`: what nobody reads is in the journal all the same."""
    project.texts(*(f"m{number}" for number in range(20)))
    process = project.start("send")
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    result = project.finish(process)
    assert "Traceback" not in result.stderr
    assert result.code in (0, 1)
    arrived = len(project.inbox.messages())
    assert set(project.statuses().values()) == {"sent"}
    assert len(project.journal()) == arrived


FULL = "cannot write the output: no space left on device"


def test_a_full_disk_behind_stdout_does_not_stop_the_mailing(project: Project) -> None:
    project.texts("a", "b", "c")
    sent = project.run("send", prefix=("sh", "-c", 'exec "$@" > /dev/full', "sh"))
    assert (sent.code, len(project.inbox.messages())) == (0, 3)
    assert FULL in sent.stderr
    assert "3 sent" in sent.stderr
    planned = project.run("plan", prefix=("sh", "-c", 'exec "$@" > /dev/full', "sh"))
    assert (planned.code, FULL in planned.stderr) == (1, True)


def test_a_closed_pipe_does_not_stop_the_mailing(project: Project) -> None:
    project.texts(*(f"m{number}" for number in range(20)))
    sent = project.run("send", prefix=("sh", "-c", '"$@" | true', "sh"))
    assert len(project.inbox.messages()) == 20
    assert "20 sent" in sent.stderr
