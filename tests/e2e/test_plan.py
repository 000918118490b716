"""`plan` needs no network and no account, and shows byte for byte what `send` posts."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import encode
from dispatcher.sandbox.process import SandboxProcess
from dispatcher.visible import visible_json
from tests.support.project import EXAMPLES, NO_ACCOUNT, NewProject, Project

# The interpreter runs it before anything else.
NO_SOCKETS = """
import sys

def forbid(event, _):
    if event.startswith("socket."):
        raise RuntimeError(f"{event} is forbidden here")

sys.addaudithook(forbid)
"""
OPEN_A_SOCKET = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"


@pytest.fixture
def examples(project: Project) -> Project:
    """A project with the manifests of this repository."""
    shutil.copytree(EXAMPLES, project.folder / "manifests")
    return project


@dataclass(frozen=True)
class Offline:
    """How to start a Python that reaches nobody."""

    environment: dict[str, str]
    prefix: tuple[str, ...]


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Offline:
    """No socket can be made; where the system allows it, there is no network either."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(NO_SOCKETS)
    paths = filter(None, [str(folder), os.environ.get("PYTHONPATH")])
    environment = {"PYTHONPATH": os.pathsep.join(paths)}
    assert_no_connection((), environment, "is forbidden here")
    prefix = ("unshare", "--map-root-user", "--net")
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], check=False).returncode:
        return Offline(environment, ())
    assert_no_connection(prefix, {}, "unreachable")
    return Offline(environment, prefix)


def assert_no_connection(prefix: tuple[str, ...], environment: dict[str, str], why: str) -> None:
    attempt = subprocess.run(
        [*prefix, sys.executable, "-c", OPEN_A_SOCKET],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert why in attempt.stderr


@pytest.mark.parametrize("command", [["plan", "--json"], ["plan", "--payloads"], ["validate"]])
def test_offline_commands_need_no_network_and_no_account(
    examples: Project, offline: Offline, command: list[str]
) -> None:
    environment = {**NO_ACCOUNT, **offline.environment}
    result = examples.run(*command, env=environment, prefix=offline.prefix)
    assert result.code == 0, result.stderr
    there, here = (
        [line for line in each.stdout.splitlines() if not line.startswith('{"event":"start"')]
        for each in (result, examples.call(*command))
    )
    assert there == here, "nor do they depend on either"
    assert len(there) == {"--json": 27, "--payloads": 52}.get(command[-1], 0)


def test_examples_leave_exactly_as_planned(examples: Project) -> None:
    plan = examples.call("plan", "--json")
    payloads = examples.call("plan", "--payloads")

    sent = examples.call("send", "--json")

    assert sent.code == 0, sent.stderr
    arrived = arrived_by_key(sent.events("result"), examples.inbox)
    assert planned_by_key(plan.stdout, examples.inbox) == arrived
    shown = [line.strip() for line in payloads.stdout.splitlines()[1::2]]
    assert with_media_ids(shown, examples.inbox) == list(
        planned_by_key(plan.stdout, examples.inbox).values()
    )


def planned_by_key(stdout: str, inbox: SandboxProcess) -> dict[str, str]:
    """Each key's payload as it stands in a line of `plan --json`."""
    found = {}
    _, *lines, _ = stdout.removesuffix("\n").split("\n")  # without the start and the summary
    for line in lines:
        event = json.loads(line)
        body = encode(event["payload"]).decode()
        assert f'"payload":{visible_json(body)},"upload":' in line
        (found[event["key"]],) = with_media_ids([body], inbox)
    return found


def arrived_by_key(results: list[dict[str, Any]], inbox: SandboxProcess) -> dict[str, str]:
    """Each key's request body as it came in."""
    bodies = {message["id"]: message["body"] for message in inbox.messages()}
    assert len(bodies) == len(results)
    return {result["key"]: bodies[result["id"]] for result in results}


def with_media_ids(bodies: list[str], inbox: SandboxProcess) -> list[str]:
    # Other tests may have uploaded the same content before: the last one is ours.
    ids = {file["sha256"]: file["id"] for file in inbox.media()}
    reference = re.compile("upload:sha256:([0-9a-f]{64})")
    return [reference.sub(lambda found: ids[found[1]], body) for body in bodies]


def test_plan_names_the_file_to_upload(project: Project) -> None:
    project.write("manifests/a.png", b"four")
    project.manifest('[[messages]]\nid = "a"\nto = "79001234567"\nimage.source = "a.png"')
    (line,) = project.call("plan", "--json").planned
    sha256 = "04efaf080f5a3e74e1c29d1ca6a48569382cbbcd324e8d59d2b83ef21c039f00"
    assert line == {
        "event": "plan",
        "key": "default/m/a/1/79001234567",
        "status": "new",
        "payload": {
            "recipient_type": "individual",
            "to": "79001234567",
            "type": "image",
            "image": {"id": f"upload:sha256:{sha256}"},
        },
        "upload": {"filename": "a.png", "size": 4, "sha256": sha256, "mime_type": "image/png"},
    }


def test_plan_writes_nothing(project: Project) -> None:
    project.texts("a")
    before = sorted(project.folder.rglob("*"))
    assert project.call("plan").code == 0
    assert sorted(project.folder.rglob("*")) == before


# What people write, and what breaks those who quote, escape, split or normalise carelessly. No
# control characters but these: the gateway refuses them, and so does `validate`.
NASTY = st.sampled_from(
    [
        *('"', "\\", "'''", '"""', "\n", "\r\n", "\t"),
        *("{", "}}", "%}", "\\u0041", "&amp;", "\u2028"),
        *("😃", "👩‍👩‍👧", "é", "e\u0301", "שלום", "\u202e", "\ufeff", "\U0010ffff", "Ё"),
    ]
)
LETTERS = st.characters(exclude_categories=("Cs", "Cc"))
TEXTS = (
    st.lists(NASTY | st.text(LETTERS, max_size=8), min_size=1, max_size=12)
    .map("".join)
    .filter(lambda text: text.strip() and not re.search(r"\{[{%#]", text))
)


@settings(max_examples=settings.default.max_examples // 4 if settings.default else 25)
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_any_text_arrives_as_written_and_as_planned(
    sandbox_process: SandboxProcess, new_project: NewProject, texts: list[str]
) -> None:
    """Each text stands in one message as it is, and in another one as a template's value."""
    sandbox_process.clear()
    project = new_project()
    entries = (
        f'[[messages]]\nid = "plain-{number}"\nto = "79001234567"\ntext.body = {in_toml(text)}\n'
        f'[[messages]]\nid = "value-{number}"\nto = "79001234568"\ntext.body = "{{{{ value }}}}"\n'
        f"vars.value = {in_toml(text)}\n"
        for number, text in enumerate(texts)
    )
    project.manifest("".join(entries))

    plan = project.call("plan", "--json")
    sent = project.call("send", "--json")

    assert sent.code == 0, sent.stderr
    arrived = arrived_by_key(sent.events("result"), sandbox_process)
    assert planned_by_key(plan.stdout, sandbox_process) == arrived
    for number, text in enumerate(texts):
        for key in (f"plain-{number}/1/79001234567", f"value-{number}/1/79001234568"):
            assert json.loads(arrived[f"default/m/{key}"])["text"]["body"] == text


def in_toml(text: str) -> str:
    """A basic string: TOML escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)
