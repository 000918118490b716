"""Whatever becomes of its streams, the same is sent and a command ends with the same code."""

import os
import pty

import pytest

from tests.support.cases import cases
from tests.support.project import Held, Project, text

TO = 79001234567
KEY = f"default/m/a/1/{TO}"
NOWHERE = {
    "full": 'exec "$@" 2> /dev/full',
    "closed": 'exec "$@" 2>&-',
    "unread": 'exec "$@" 2> >(exec true)',
}
TALKATIVE = """
from dispatcher import hookimpl

@hookimpl
def dispatcher_validate_message(message):
    print("a word about", message.id)
    return []

@hookimpl
def dispatcher_message_finished(message, outcome):
    raise ZeroDivisionError("of which a worker warns")
"""


@pytest.fixture(params=NOWHERE.values(), ids=NOWHERE)
def nowhere(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """How to start a command whose stderr takes nothing."""
    return ("bash", "-c", request.param, "bash")


@cases(
    "code, command",
    (0, "validate"),
    (0, "plan --json"),
    (2, "plan no.toml"),
    (2, "plan --wat"),
    (3, "history"),
    (3, f"settle {KEY} --sent"),
)
def test_the_exit_code_does_not_depend_on_who_reads(
    project: Project, nowhere: tuple[str, ...], code: int, command: str
) -> None:
    project.texts("a")
    result = project.run(*command.split(), prefix=nowhere)
    assert (result.code, result.stderr) == (code, "")
    assert result.stdout == project.call(*command.split()).stdout


def test_mailing_goes_on_whatever_it_says(project: Project, nowhere: tuple[str, ...]) -> None:
    project.install("talkative", TALKATIVE)
    project.texts("a", "b", "c")
    result = project.run("send", prefix=nowhere)
    assert (result.code, result.stdout.count("sent ")) == (0, 3)
    assert len(project.inbox.messages()) == 3
    assert set(project.statuses().values()) == {"sent"}


ASCII: list[dict[str, str | None]] = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


MANIFEST = f"""
manifest = 1
[[messages]]
id = "list"
recipients = "люди.csv"
text.body = "{{{{ имя }}}}"
[[messages]]
id = "file"
to = "{TO}"
document.source = "прайс.txt"
"""


@pytest.mark.parametrize("env", ASCII, ids=["streams", "locale"])
def test_a_mailing_goes_on_whatever_its_streams_can_write(
    project: Project, env: dict[str, str | None]
) -> None:
    entries = (text(f"m{n}", str(TO + n)) for n in range(9))
    project.manifest('name = "новости"\n' + "".join(entries))
    project.inbox.faults([{"fault": "status", "status": 400, "code": 1022, "to": str(TO)}])
    result = project.run("send", env=env)
    assert (result.code, len(project.inbox.messages())) == (4, 8)
    assert len(result.stdout.splitlines()) == 9
    assert result.stdout.isascii()
    assert "failed   default/\\u043d\\u043e" in result.stdout
    assert "1022: Subscriber was not found / \\u041f" in result.stdout

    rows = project.run("history", "--run", "default", "--json", env=env)
    assert {line["manifest"] for line in rows.lines} == {"новости"}
    assert rows.stdout.isascii()
    key = rows.lines[0]["key"]
    assert "is not unknown" in project.run("settle", key, "--sent", env=env).stderr


def test_names_of_files_are_utf_8_whatever_the_locale_is(project: Project) -> None:
    project.write("manifests/продажа.toml", MANIFEST)
    project.write("manifests/люди.csv", f"to,имя\n{TO},Анна\n")
    project.write("manifests/прайс.txt", "1 2 3")
    usual, elsewhere = (project.run("plan", "--json", env=env) for env in ({}, ASCII[1]))
    keys = {f"default/продажа/{id}/1/{TO}" for id in ("list", "file")}
    assert {each["key"] for each in usual.events("plan")} == keys
    assert (elsewhere.code, elsewhere.lines) == (0, usual.lines)


def test_the_conversation_of_the_sandbox_fits_into_ascii(project: Project) -> None:
    project.manifest(text(body="Привет\\n::stop-commands::x\\u202e"))
    result = project.run("send", "--sandbox", env=ASCII[0])
    assert result.code == 0
    assert result.stdout.splitlines()[-2:] == [
        "  \\u2022 \\u041f\\u0440\\u0438\\u0432\\u0435\\u0442",
        "    \\x3a:stop-commands::x\\u202e",
    ]


def test_results_that_nobody_wants_go_nowhere_else(project: Project) -> None:
    project.texts("a")
    for command in (["plan", "--json"], ["send"], ["history"]):
        result = project.run(*command, prefix=("bash", "-c", 'exec "$@" >&-', "bash"))
        assert result.code == 0
        assert "default/m/a" not in result.stderr
    assert len(project.inbox.messages()) == 1


def test_a_mailing_goes_on_when_its_terminal_is_gone(held: Held) -> None:
    held.texts("a", "b")
    ours, terminal = pty.openpty()
    with held.under_way("send", env={"TERM": "xterm"}, stderr=terminal) as process:
        os.close(terminal)
        os.close(ours)
    assert held.finish(process).code == 0
    assert set(held.statuses().values()) == {"sent"}
    assert len(held.gateway.requests) == 2
