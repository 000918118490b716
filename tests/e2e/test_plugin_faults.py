"""What goes wrong in a plugin is said with its name, and harms nothing else."""

import pytest

from tests.support.cases import cases
from tests.support.project import Project

NAMED = 'plugin "odd" (fake-odd 0.1.0)'
KEY = "default/m/a/1/79001234567"

HEAD = """
import itertools, random, time
import click
from dispatcher import BaseTransport, MediaId, Problem, Receipt, hookimpl
"""


@pytest.fixture
def odd(project: Project) -> Project:
    """A project with a text message, for a plugin that is odd."""
    project.texts("a")
    return project


def test_what_a_transport_raises_when_it_is_made(odd: Project) -> None:
    odd.install(
        "odd",
        HEAD
        + """
class Odd(BaseTransport):
    name = "odd"
    def __init__(self, settings): raise LookupError("no loft")
    def build(self, message, attachment): return {}
    def check(self, payload, attachment): return []
    def upload(self, file): return MediaId(id="1")
    def send(self, payload): return Receipt(id="1")

@hookimpl
def dispatcher_transports(): return [Odd]
""",
    )
    odd.config('transport = "odd"\n')
    found = odd.call("validate")
    assert found.code == 2
    sentence = f'{NAMED} failed in __init__ of transport "odd": LookupError: no loft'
    assert sentence in found.stdout + found.stderr


ENGINE = (
    HEAD
    + """
class Odd:
    name = "odd"
    def run(self, messages, deliver, workers, stopped):
        {body}

@hookimpl
def dispatcher_engines(): return [Odd()]
"""
)


@cases(
    "body, why",
    ("raise LookupError('no broker')", 'failed in run of engine "odd": LookupError: no broker'),
    ("list(messages)", ': engine "odd" left 1 messages undelivered'),
    ("m = list(messages)[0]; deliver(m); deliver(m)", f": its engine delivers {KEY} twice, or"),
)
def test_an_engine_that_fails_is_named(odd: Project, body: str, why: str) -> None:
    odd.install("odd", ENGINE.format(body=body))
    odd.config('[delivery]\nengine = "odd"\n')
    sent = odd.call("send")
    assert NAMED + ("" if why.startswith(":") else " ") + why in sent.stderr
    assert "this is a bug" not in sent.stderr
    assert sent.code != 0


def test_what_a_plugin_says_of_a_finished_message_names_it(odd: Project) -> None:
    hook = "@hookimpl\ndef dispatcher_message_finished(message): raise OSError('full')\n"
    odd.install("odd", HEAD + hook)
    sent = odd.call("send")
    assert sent.code == 0
    named = f"{NAMED} failed in dispatcher_message_finished: OSError: full (message {KEY})"
    assert named in sent.stderr


def test_a_message_to_which_a_plugin_objects_is_not_changed_by_others(odd: Project) -> None:
    """A plugin may rely on what another one checks; the problem says what is wrong, no KeyError."""
    odd.install(
        "odd",
        HEAD
        + """
@hookimpl
def dispatcher_validate_message(message):
    if "code" not in message.vars:
        yield Problem(message="there is no code", where="text.body")

@hookimpl
def dispatcher_transform_payload(payload, message):
    payload["text"]["body"] += message.vars["code"]
""",
    )
    found = odd.call("validate")
    assert found.code == 2
    assert "there is no code (odd)" in found.stdout
    assert "KeyError" not in found.stdout + found.stderr


@cases("command", "validate", "plan", "send", "plugins")
def test_a_command_of_a_plugin_never_stands_for_a_built_in_one(odd: Project, command: str) -> None:
    odd.install(
        "odd",
        HEAD + "@hookimpl\ndef dispatcher_commands(): return [click.Command('send')]\n",
    )
    called = odd.call(command)
    assert called.code == 2
    assert f'{NAMED} offers a command named "send", which is built in' in called.stderr
    odd.has_sent_nothing()
    assert odd.call("plan", "--without", "odd").code == 0


BODY = 'payload["text"]["body"] += '
STEADY = f"""
@hookimpl
def dispatcher_transform_payload(payload):
    {BODY} "!"
"""
TRANSFORM = f"""
COUNT = itertools.count()
@hookimpl
def dispatcher_transform_payload(payload):
    {BODY} %s
"""
EARLY = '"early" if next(COUNT) < 1 else "late"'


@cases(
    "value, who",
    ("str(next(COUNT))", f"so {NAMED} must have answered differently the second time"),
    (EARLY, f"so one of these plugins ({NAMED}, plugin "),  # it does so no more
)
def test_a_plugin_that_answers_differently_is_named(odd: Project, value: str, who: str) -> None:
    odd.install("odd", HEAD + TRANSFORM % value)
    odd.install("steady", HEAD + STEADY)
    sent = odd.call("send")
    assert sent.code != 0
    assert f"message {KEY} is not as it was checked; no file has changed, {who}" in sent.stderr
    odd.has_sent_nothing()
