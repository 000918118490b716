"""The commands besides plan and send, send --sandbox, and what plugins add to all of them."""

import json
import re
import signal
import tomllib
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.request import Request, urlopen

import jsonschema
import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import EXAMPLES, NO_ACCOUNT, NewProject, Project, text

TO = "79001234567"
COMMANDS = ("validate", "plan", "send", "history", "settle", "sandbox", "schema", "plugins")

# send --sandbox


def test_send_to_the_sandbox_needs_no_account_and_shows_the_conversation(project: Project) -> None:
    for _ in range(2):  # again and again: nothing is remembered
        result = project.call("send", "--sandbox", str(EXAMPLES), env=NO_ACCOUNT)
        assert result.code == 0, result.stderr
        assert "26 sent" in result.stderr
        assert result.stdout.count("sent     default/") == 26
        for shown in (
            "Hello from a file in git! 😃",
            f"{TO}-1581234048 (group)",
            "[audio] audio/mpeg, 5974 bytes",
            "[document] prices.pdf application/pdf, 2533 bytes",
            "https://cdn.example.com/catalogue.pdf (through cdn-basic-auth)",
        ):
            assert shown in result.stdout
    assert not project.journal_file.exists(), "what people got is another matter"
    assert project.inbox.stats()["requests"] == 0


def test_sandbox_needs_a_temporary_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.texts("a")
    why = "No usable temporary directory found"
    monkeypatch.setattr("tempfile.gettempdir", Mock(side_effect=FileNotFoundError(2, why)))
    project.call("send", "--sandbox").refused(f"cannot start the sandbox: [Errno 2] {why}")


def test_send_to_the_sandbox_prints_json_only_when_asked(project: Project) -> None:
    project.texts("a")
    result = project.call("send", "--sandbox", "--json", env=NO_ACCOUNT)
    assert result.statuses == {"a": "sent"}
    assert [line["event"] for line in result.lines] == ["start", "result", "summary"]


def test_sandbox_is_not_started_for_nothing(project: Project) -> None:
    project.manifest(text("a", "x"))
    result = project.call("send", "--sandbox")
    assert (result.code, result.stdout) == (2, "")


# history


@pytest.fixture(scope="module")
def past(sandbox_process: SandboxProcess, new_project: NewProject) -> Project:
    """Two manifests, two runs, two recipients, and one message that failed."""
    sandbox_process.clear()
    project = new_project()
    project.config("")
    for name, to in (("m", TO), ("n", "79001234568")):
        project.manifest(text("a", to), f"manifests/{name}.toml")
    sandbox_process.faults([{"to": "79001234568", "fault": "status", "status": 400, "code": 1022}])
    project.call("send")
    sandbox_process.faults([])
    manifest = project.folder / "manifests/m.toml"
    manifest.write_text(manifest.read_text().replace("[[", 'repeat = "run"\n[[', 1))
    project.call("send", "--run", "evening", "manifests/m.toml")
    return project


@cases(
    "filters, keys",
    ([], ["default/m/a/1", "default/n/a/1", "evening/m/a/1"]),
    (["--run", "evening"], ["evening/m/a/1"]),
    (["--manifest", "n"], ["default/n/a/1"]),
    (["--to", TO], ["default/m/a/1", "evening/m/a/1"]),
    (["--status", "failed"], ["default/n/a/1"]),
    (["--status", "sent", "--run", "default"], ["default/m/a/1"]),
    (["--status", "unknown"], []),
)
def test_history_filters(past: Project, filters: list[str], keys: list[str]) -> None:
    result = past.call("history", "--json", *filters)
    assert result.code == (0 if keys else 3)
    assert sorted(line["key"].rpartition("/")[0] for line in result.lines) == keys
    text = past.call("history", *filters)
    assert sorted(re.findall(r"(\S+)/7900\d+ ", text.stdout)) == keys


def test_history_tells_all_it_knows(past: Project) -> None:
    (line,) = past.call("history", "--json", "--status", "failed").lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("changed_at"))
    assert line == {
        "event": "message",
        "key": "default/n/a/1/79001234568",
        "run": "default",
        "manifest": "n",
        "message": "a",
        "to": "79001234568",
        "transport": "greenapi",
        "status": "failed",
        "attempts": 1,
        "id": None,
        "error": {"code": "1022", "text": "Subscriber was not found / Подписчик не найден"},
        "not_before": None,
        "delivery": None,
    }


def test_history_of_nothing_is_empty(project: Project) -> None:
    project.call("history").refused(code=3)


# schema


@pytest.fixture(scope="module")
def schema(new_project: NewProject) -> dict[str, Any]:
    result = new_project().call("schema")
    assert result.code == 0
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def problems(schema: dict[str, Any], text: str) -> list[str]:
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [error.json_path for error in validator.iter_errors(tomllib.loads(text))]


def test_schema_is_a_schema_and_lists_the_transports(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["transport"]["enum"] == ["greenapi"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_examples_are_valid_by_the_schema(schema: dict[str, Any], path: Path) -> None:
    assert problems(schema, path.read_text()) == []


HEAD = f'manifest = 1\n[[messages]]\nid = "a"\nto = "{TO}"\n'
MISTAKES = {
    "misspelled key": (HEAD + 'text.bdoy = "Hi"', "$.messages[0].text"),
    "misspelled message key": (HEAD + 'txet.body = "Hi"', "$.messages[0]"),
    "caption on audio": (HEAD + 'audio = {id = "1", caption = "Hi"}', "$.messages[0].audio"),
    "filename on an image": (HEAD + 'image = {id = "1", filename = "x"}', "$.messages[0].image"),
    "preview as text": (
        HEAD + 'preview_url = "yes"\ntext.body = "Hi"',
        "$.messages[0].preview_url",
    ),
    "number without quotes": (HEAD.replace('"79001234567"', "79001234567"), "$.messages[0].to"),
    "no recipients": (HEAD.replace('"79001234567"', "[]"), "$.messages[0].to"),
    "unknown type": (HEAD + 'type = "sticker"\ntext.body = "Hi"', "$.messages[0].type"),
    "unknown transport": (HEAD + 'transport = "gren"\ntext.body = "Hi"', "$.messages[0].transport"),
    "revision 0": (HEAD + 'revision = 0\ntext.body = "Hi"', "$.messages[0].revision"),
    "no id": (f'manifest = 1\n[[messages]]\nto = "{TO}"\ntext.body = "Hi"', "$.messages[0]"),
    "id with a slash": (HEAD.replace('"a"', '"a/b"') + 'text.body = "Hi"', "$.messages[0].id"),
    "no version": (HEAD.removeprefix("manifest = 1\n") + 'text.body = "Hi"', "$"),
    "another version": (HEAD.replace("= 1", "= 2") + 'text.body = "Hi"', "$.manifest"),
    "no messages": ("manifest = 1", "$"),
    "secret": ('token = "x"\n' + HEAD + 'text.body = "Hi"', "$"),
}


@pytest.mark.parametrize(("text", "where"), MISTAKES.values(), ids=MISTAKES)
def test_schema_finds_what_people_often_get_wrong(
    schema: dict[str, Any], project: Project, text: str, where: str
) -> None:
    assert where in problems(schema, text)
    project.write("manifests/m.toml", text)
    assert project.call("validate").code == 2, "and so does validate"


# sandbox


def test_sandbox_command_serves_until_it_is_told_to_stop(project: Project) -> None:
    process = project.start("sandbox", "--port", "0", "--token", "secret")
    url = process.stdout.readline().removeprefix("sandbox: ").strip()
    with urlopen(f"{url}/readyz") as response:
        assert response.status == 200
    body = json.dumps({"to": TO, "text": {"body": "Hi"}}).encode()
    headers = {"Authorization": "Bearer secret", "Content-Type": "application/json"}
    with urlopen(Request(f"{url}/v1/messages", body, headers)) as response:
        assert response.status == 201

    process.send_signal(signal.SIGINT)

    result = project.finish(process)
    assert (result.code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("paths", [["nope"], [], ["manifests", "nope"]], ids=" ".join)
def test_preview_of_what_is_not_there_ends_at_once(project: Project, paths: list[str]) -> None:
    if "manifests" in paths:
        project.texts("a")
    result = project.call("preview", "--no-open", *paths)
    missing = "nope" if paths else "manifests"
    error = f"{missing}:1:1: error: no such file or folder\n"
    assert (result.code, result.stdout, result.stderr) == (2, "", error)


def test_sandbox_says_that_its_port_is_taken(project: Project) -> None:
    project.call("sandbox", "--port", project.inbox.url.rpartition(":")[2]).refused(
        "cannot listen on 127.0.0.1 port"
    )


# help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(project: Project, command: str) -> None:
    result = project.call(command, "--help")
    assert result.code == 0
    assert result.stdout.startswith(f"Usage: dispatcher {command}")
    assert "--help" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_word_of_help(project: Project, command: str) -> None:
    shown = project.call(command, "--help").stdout.partition("\nOptions:\n")[2]
    options = re.findall(r"^  (-.*(?:\n {4}.*)*)", shown, re.MULTILINE)
    assert options
    for option in options:
        assert re.search(r"(?:  |\n +)[A-Z]", option), option


@cases(
    "command, words",
    ("send", ["DISPATCHER_JOURNAL", "a second run sends only what is new", "5: some may have"]),
    ("plan", ["~ changed   was sent with other content, is left out", "> moved"]),
    ("history", ["run / manifest / message id / revision / recipient", "2h, 7d"]),
    ("settle", ["history --status unknown", "it may have arrived"]),
)
def test_help_is_understood_alone(project: Project, command: str, words: list[str]) -> None:
    shown = " ".join(project.call(command, "--help").stdout.split())
    for each in words:
        assert " ".join(each.split()) in shown


def test_help_lists_every_command(project: Project) -> None:
    result = project.call("--help")
    assert result.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", result.stdout, re.MULTILINE)


def test_version(project: Project) -> None:
    assert re.fullmatch(r"dispatcher, version \d+\.\d+\.\d+\n", project.call("--version").stdout)


@cases("word, hint", ("sned", 'did you mean "send"?'), ("plna", '"plan"'), ("frobnicate", ""))
def test_unknown_command(project: Project, word: str, hint: str) -> None:
    result = project.call(word)
    result.refused(f'no command "{word}"', hint)
    assert bool(hint) == ("did you mean" in result.stderr)


# plugins

HELPFUL = '''
import pathlib
import click
from dispatcher import Link, Problem, hookimpl

@hookimpl
def dispatcher_resolve_source(source):
    if source.startswith("drive:"):
        url = source.replace("drive:", "https://drive.example.com/")
        return Link(url=url, provider="drive")

@hookimpl
def dispatcher_validate_message(message):
    if message.text and "free of charge" in message.text.body:
        yield Problem(message='do not write "free of charge"', where="text.body")

@hookimpl
def dispatcher_transform_payload(payload):
    if "text" in payload:
        payload["text"]["body"] += "\\n\\nReply STOP to unsubscribe."

@hookimpl
def dispatcher_message_finished(message, outcome):
    with pathlib.Path("told.txt").open("a") as file:
        file.write(f"{message.id} {outcome.status} {outcome.id}\\n")

@hookimpl
def dispatcher_commands():
    return [greet]

@click.command("greet")
@click.argument("name")
def greet(name):
    """Greet somebody."""
    click.echo(f"Hello, {name}")
    return 4
'''


def test_plugin_takes_part_in_every_stage(project: Project) -> None:
    project.install("helpful", HELPFUL)
    project.manifest(
        f'[defaults]\nto = "{TO}"\n'
        '[[messages]]\nid = "a"\ntext.body = "Hi"\n'
        '[[messages]]\nid = "b"\nimage.source = "drive:42"\n'
    )

    plan = project.call("plan", "--json")
    sent = project.call("send", "--json")

    assert sent.code == 0, sent.stderr
    payloads = [message["payload"] for message in project.inbox.messages()]
    assert payloads == [line["payload"] for line in plan.planned]
    assert payloads[0]["text"]["body"] == "Hi\n\nReply STOP to unsubscribe."
    provider = {"link": "https://drive.example.com/42", "provider": {"name": "drive"}}
    assert payloads[1]["image"] == provider
    told = (project.folder / "told.txt").read_text().splitlines()
    assert told == [f"{id} sent {result['id']}" for id, result in sent.results.items()]


def test_plugins_objection_stops_send(project: Project) -> None:
    project.install("helpful", HELPFUL)
    project.manifest('repeat = "run"\n' + text(body="All free of charge"))
    project.call("send", "--run", "one").refused(
        'm.toml:6:13: error: message "a": do not write "free of charge"'
    )
    for flags in (["--without", "helpful", "--run", "one"], ["--no-plugins", "--run", "two"]):
        assert project.call("send", *flags).code == 0
    bodies = project.arrived()
    assert bodies == ["All free of charge"] * 2, "as it is written"


def test_plugins_command_takes_no_built_in_name(project: Project) -> None:
    project.install("greedy", HELPFUL.replace('"greet"', '"plan"'))
    project.texts("a")
    for arguments in (["--help"], ["greet"], ["plan"], ["send"]):
        result = project.call(*arguments)
        assert (result.code, result.stdout) == (2, "")
        assert result.stderr.startswith(
            'Error: plugin "greedy" (fake-greedy 0.1.0) offers a command named "plan", which is '
            "built in; disable it: DISPATCHER_DISABLED_PLUGINS=greedy\n"
        )
    assert project.call("--help", env={"DISPATCHER_DISABLED_PLUGINS": "greedy"}).code == 0


def test_plugins_command_is_a_command(project: Project) -> None:
    project.install("helpful", HELPFUL)
    result = project.call("greet", "Ann")
    assert (result.code, result.stdout) == (4, "Hello, Ann\n")
    assert "greet     Greet somebody." in project.call("--help").stdout
    assert 'did you mean "greet"?' in project.call("great").stderr


def test_schema_is_the_same_beside_a_plugin(project: Project) -> None:
    alone = project.call("schema")
    project.install("helpful", HELPFUL)
    beside = project.call("schema")
    assert (beside.code, beside.stdout) == (0, alone.stdout)


def test_plugins_lists_each_with_distribution_and_hooks(project: Project) -> None:
    project.install("helpful", HELPFUL)
    result = project.call("plugins", "--json")
    assert result.code == 0
    assert result.lines[0] == {
        "event": "plugin",
        "name": "helpful",
        "distribution": "fake-helpful",
        "version": "0.1.0",
        "builtin": False,
        "status": "active",
        "hooks": [
            "dispatcher_resolve_source",
            "dispatcher_validate_message",
            "dispatcher_transform_payload",
            "dispatcher_message_finished",
            "dispatcher_commands",
        ],
        "error": None,
    }
    assert {line["name"] for line in result.lines[1:] if line["builtin"]} >= {"greenapi", "files"}


PIGEON = """
from pathlib import Path
from dispatcher import MediaId, Receipt, hookimpl
from pydantic_settings import BaseSettings

class Settings(BaseSettings):
    model_config = {"env_prefix": "PIGEON_"}
    loft: str = "loft"

class Pigeon:
    name = "pigeon"
    local = True
    Settings = Settings

    def __init__(self, settings):
        self.loft = Path(settings.loft)

    def build(self, message, attachment):
        note = attachment.reference if attachment else message.text.body
        return {"for": message.to, "note": note}

    def check(self, payload, attachment):
        return []

    def upload(self, file):
        with file.open() as stream:
            (self.loft / file.filename).write_bytes(stream.read())
        return MediaId(id=f"leg of {file.filename}")

    def send(self, payload):
        with (self.loft / "note.txt").open("a") as file:
            file.write(f"{payload['for']}: {payload['note']}\\n")
        return Receipt(id="coo")

@hookimpl
def dispatcher_transports():
    return [Pigeon]
"""


def test_plugins_transport_sends_as_the_built_in_one_does(project: Project) -> None:
    project.install("pigeons", PIGEON)
    project.environment["PIGEON_LOFT"] = "roof"
    (project.folder / "roof").mkdir()
    project.write("manifests/a.pdf", b"content")
    project.manifest(
        f'transport = "pigeon"\n[defaults]\nto = "{TO}"\n'
        '[[messages]]\nid = "a"\ntext.body = "Hi"\n'
        '[[messages]]\nid = "b"\ndocument.source = "a.pdf"\n'
        '[[messages]]\nid = "c"\ntransport = "greenapi"\ntext.body = "Hi"\n'
    )

    sent = project.call("send", "--json")

    assert sent.code == 0, sent.stderr
    assert [(line["transport"], line["id"]) for line in sent.events("result")] == [
        ("pigeon", "coo"),
        ("pigeon", "coo"),
        ("greenapi", project.inbox.latest()["id"]),
    ]
    assert (project.folder / "roof/a.pdf").read_bytes() == b"content"
    notes = (project.folder / "roof/note.txt").read_text().splitlines()
    assert notes == [f"{TO}: Hi", f"{TO}: leg of a.pdf"]
    schema = json.loads(project.call("schema").stdout)
    assert schema["properties"]["transport"]["enum"] == ["greenapi", "pigeon"]


FAILS_WHEN_TOLD = """
from dispatcher import hookimpl

@hookimpl
def dispatcher_message_finished(message, outcome):
    raise RuntimeError("the monitoring is down")
"""


def test_plugin_that_fails_when_told_changes_nothing(project: Project) -> None:
    project.install("monitor", FAILS_WHEN_TOLD)
    result = project.send_texts("a", "b")
    assert result.statuses == {"a": "sent", "b": "sent"}
    warning = 'plugin "monitor" (fake-monitor 0.1.0) failed in dispatcher_message_finished: '
    assert result.stderr.count(warning) == 2
    assert "the monitoring is down" in result.stderr


BROKEN = {
    "does not import": ("import nowhere_to_be_found", "nowhere_to_be_found"),
    "misspells a hook": (
        "from dispatcher import hookimpl\n@hookimpl\ndef dispatcher_resolve_sauce(source): ...",
        'did you mean "dispatcher_resolve_source"?',
    ),
    "exits": ("raise SystemExit(0)", "SystemExit"),
}


@pytest.mark.parametrize(("source", "why"), BROKEN.values(), ids=BROKEN)
def test_broken_plugin_stops_send_before_it_begins(project: Project, source: str, why: str) -> None:
    project.install("crooked", source)
    project.texts("a")

    project.sends_nothing('plugin "crooked" (fake-crooked 0.1.0) cannot be loaded', why)


def test_plugins_lists_a_broken_one(project: Project) -> None:
    project.install("crooked", "import nowhere_to_be_found")
    result = project.call("plugins")
    assert result.code == 2
    assert re.search(r"crooked +fake-crooked 0\.1\.0 +broken", result.stdout)
    assert "--without crooked" in result.stderr
    disabled = {"DISPATCHER_DISABLED_PLUGINS": "crooked"}
    assert re.search(r"crooked .* disabled", project.call("plugins", env=disabled).stdout)


FAILS_IN = """
from dispatcher import hookimpl

@hookimpl
def {hook}(message):
    raise RuntimeError("out of order")
"""


@pytest.mark.parametrize("hook", ["dispatcher_validate_message", "dispatcher_transform_payload"])
def test_plugin_that_raises_stops_send_and_is_named(project: Project, hook: str) -> None:
    project.install("crooked", FAILS_IN.format(hook=hook))
    project.texts("a")
    result = project.call("send")
    assert result.code == 2
    assert f'plugin "crooked" (fake-crooked 0.1.0) failed in {hook}: ' in result.stderr
    assert project.inbox.stats()["requests"] == 0
