"""A plugin that misbehaves is named, and harms nobody else's messages."""

import json
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cases import cases
from tests.support.project import Project, text

ONE, OTHER = text("one", body="Hello from {{ shop }}"), text("two", "79007654321")
TWO = f'[vars]\nshop = "Acme"\n{ONE}{OTHER}'
HOOK = """
import json, os, sys, time
from dispatcher import Link, Problem, hookimpl

@hookimpl
def dispatcher_{hook}({arguments}):
    {body}
"""
# A transport that misbehaves at one place with the first message, and accepts the other one.
TRANSPORT = """
import sys
from dispatcher import Receipt, hookimpl
from pydantic_settings import BaseSettings

class Odd:
    name = "odd"
    local = True
    Settings = BaseSettings

    def __init__(self, settings):
        self.at("init")

    def at(self, place, payload=None):
        if place == "{place}" and (payload is None or payload["id"] == "one"):
            {body}

    def build(self, message, attachment):
        payload = {{"id": message.id, "to": message.to}}
        self.at("build", payload)
        return payload

    def check(self, payload, attachment):
        self.at("check", payload)
        return []

    def upload(self, file):
        raise NotImplementedError

    def send(self, payload):
        self.at("send", payload)
        return Receipt(id=payload["id"])

@hookimpl
def dispatcher_transports():
    return [Odd]
"""
NAMED = 'plugin "odd" (fake-odd 0.1.0)'
Odd = Callable[..., None]


@pytest.fixture
def odd(project: Project) -> Odd:
    """Have a plugin of this source installed in a project with two messages."""
    project.manifest(TWO)
    return lambda source, **fields: project.install("odd", source.format(**fields))


CANCELLED = "raise __import__('asyncio').CancelledError"
BAD = {
    "raises": "raise ValueError('at home with a cold')",
    "exits": "sys.exit(3)",
    "is cancelled": CANCELLED,
    "answers nonsense": "return 17",
    "changes the message": "message.vars['shop'] = 'Evil'",
}
ARGUMENTS = {"validate_message": "message", "transform_payload": "payload, message"}


@pytest.mark.parametrize("hook", ARGUMENTS)
@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_bad_hook_is_named_and_stops_send(project: Project, odd: Odd, hook: str, body: str) -> None:
    odd(HOOK, hook=hook, arguments=ARGUMENTS[hook], body=body)
    sent = project.call("send")
    sent.refused(f'error: message "one": {NAMED} failed in dispatcher_{hook}')
    assert re.match(r"manifests/\S+\.toml:\d+:\d+: error: message", sent.stderr), sent.stderr
    assert "Traceback" not in sent.stderr
    assert "sent" not in sent.stdout


@pytest.mark.parametrize("hook", ARGUMENTS)
def test_without_a_bad_hook_everything_is_planned(project: Project, odd: Odd, hook: str) -> None:
    odd(HOOK, hook=hook, arguments=ARGUMENTS[hook], body=BAD["raises"])
    without = project.call("plan", "--without", "odd")
    assert without.code == 0, without.stderr
    assert "Hello from Acme" in without.stdout


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_who_is_told_of_outcomes_cannot_change_them(project: Project, odd: Odd, body: str) -> None:
    odd(HOOK, hook="message_finished", arguments="message", body=body)
    sent = project.call("send")
    assert sent.code == 0, sent.stderr
    assert sent.stdout.count("\nsent ") + sent.stdout.startswith("sent ") == 2
    assert f"{NAMED} failed in dispatcher_message_finished" in sent.stderr


@pytest.mark.parametrize("hook", [*ARGUMENTS, "message_finished"])
def test_what_plugins_print_is_not_among_the_results(project: Project, odd: Odd, hook: str) -> None:
    arguments = ARGUMENTS.get(hook, "message")
    body = "print('{{\"event\":'); sys.stdout.write('forged\\n')"
    odd(HOOK, hook=hook, arguments=arguments, body=body)
    sent = project.call("send", "--json")
    assert sent.code == 0, sent.stderr
    events = [json.loads(line)["event"] for line in sent.stdout.splitlines()]
    assert events == ["start", "result", "result", "summary"]
    assert "[fake_odd] forged" in sent.stderr


def test_nor_what_it_prints_while_it_is_loaded(project: Project, odd: Odd) -> None:
    odd("print('loaded')\n" + HOOK, hook="engines", arguments="", body="return []")
    planned = project.call("plan", "--json")
    assert [line["event"] for line in planned.lines] == ["start", "plan", "plan", "summary"]
    assert planned.stderr.startswith("[fake_odd] loaded\n")


@pytest.mark.parametrize("place", ["init", "build", "check"])
@cases(
    "body", "raise ValueError('ill')", "sys.exit(3)", CANCELLED, ids=["raises", "exits", "cancel"]
)
def test_a_bad_transport_is_named_before_anything_leaves(
    project: Project, odd: Odd, place: str, body: str
) -> None:
    odd(TRANSPORT, place=place, body=body)
    sent = project.call("send", "--transport", "odd")
    sent.refused('transport "odd"')
    assert "this is a bug" not in sent.stderr
    assert project.call("history").code == 3


@cases(
    "body",
    "raise ValueError('ill')",
    "sys.exit(3)",
    CANCELLED,
    "return 1",
    ids=["raises", "exits", "is cancelled", "wrong"],
)
def test_a_transport_that_fails_leaves_one_unknown_and_sends_the_others(
    project: Project, odd: Odd, body: str
) -> None:
    source = TRANSPORT.replace('self.at("send", payload)', f'if payload["id"] == "one": {body}')
    odd(source, place="", body="pass")
    sent = project.call("send", "--transport", "odd", "--json")
    assert sent.code == 5, sent.stderr
    results = [json.loads(line) for line in sent.stdout.splitlines()]
    statuses: dict[str, Any] = {each.get("message"): each.get("status") for each in results}
    assert statuses == {"one": "unknown", "two": "sent", None: None}


@cases("place", "loading", "dispatcher_validate_message", 'build of transport "odd"')
def test_who_blocks_is_named_and_ctrl_c_ends_it(project: Project, odd: Odd, place: str) -> None:
    if place == "loading":
        odd("import time\ntime.sleep(60)")
    elif "transport" in place:
        odd(TRANSPORT, place="build", body="__import__('time').sleep(60)")
    else:
        odd(HOOK, hook="validate_message", arguments="message", body="time.sleep(60)")
    project.write(
        "plugins/sitecustomize.py", "import dispatcher.cli.diagnosis as s\ns.WARN_AFTER = 0.5\n"
    )
    chosen = ["--transport", "odd"] if "transport" in place else []
    process = project.start("validate", *chosen)
    line = process.stderr.readline()
    assert f"{NAMED} has been busy with {place} for 0.5 s" in line
    assert "--without odd" in line
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert time.monotonic() - began < 5


@cases(
    "place, body, sentence",
    ("build", "return 'x'", "answered 'x', expected the JSON body as a dict"),
    ("check", "return ['too long']", "answered 'too long', expected an"),
)
def test_a_transport_that_answers_nonsense_is_named(
    project: Project, odd: Odd, place: str, body: str, sentence: str
) -> None:
    call = {"build": 'self.at("build", payload)', "check": 'self.at("check", payload)'}[place]
    odd(TRANSPORT.replace(call, body), place="", body="pass")
    sent = project.call("send", "--transport", "odd")
    assert sent.code == 2
    assert f'{NAMED} failed in {place} of transport "odd": {sentence}' in sent.stderr
    assert "this is a bug" not in sent.stderr


def test_where_a_transport_failed_is_shown_to_who_looks_for_it(project: Project, odd: Odd) -> None:
    odd(TRANSPORT, place="send", body="raise ValueError('ill')")
    sent = project.call("send", "--transport", "odd", "--debug")
    assert sent.code == 5
    assert "ValueError: ill" in sent.stderr
    assert "fake_odd.py" in sent.stderr
    assert "ill" not in sent.stdout


def test_a_receipt_without_an_id_proves_nothing(project: Project, odd: Odd) -> None:
    source = TRANSPORT.replace('Receipt(id=payload["id"])', 'Receipt(id=" ")')
    odd(source, place="", body="pass")
    sent = project.call("send", "--transport", "odd", "--json")
    assert set(sent.statuses.values()) == {"unknown"}


def test_settings_of_a_transport_that_is_not_there_are_an_error(project: Project) -> None:
    project.manifest(TWO)
    project.config('[transports.grenapi]\nrate = "1/s"\n')
    project.call("plan").refused(
        'dispatcher.toml:1:13: error: no transport named "grenapi"; did you mean "greenapi"?'
    )


FORKS = {
    "validate_message": ("message", "os.fork(); return []"),
    "message_finished": ("message, outcome", "os.fork()"),
}


@pytest.mark.parametrize("hook", FORKS)
def test_copy_of_the_process_is_no_second_run(project: Project, odd: Odd, hook: str) -> None:
    arguments, body = FORKS[hook]
    odd(HOOK, hook=hook, arguments=arguments, body=body)

    result = project.run("send", "--json")  # until nobody holds its streams

    assert (result.code, result.statuses) == (0, {"one": "sent", "two": "sent"})
    copies = [line for line in result.stderr.splitlines() if "the copy of this process" in line]
    assert copies
    assert set(copies) == {
        f"{NAMED} has forked in dispatcher_{hook}; the copy of this process was ended"
    }
    assert project.call("send", "--json").summary["skipped"] == 2
    assert project.inbox.stats()["requests"] == 2
