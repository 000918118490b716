"""`dispatcher doctor`: what is as it should be, what is not, and what to do."""

import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from dispatcher import ExitCode
from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.gateway import Gateway
from tests.support.project import TOKEN, NewProject, Project, text

MANIFEST = f"manifest = 1\n{text('a')}"
SECOND_THOUGHT = 'import dispatcher\nraise RuntimeError("not today")\n'


@pytest.fixture
def shop(project: Project) -> Project:
    project.config("[profiles.staging]\n")
    project.texts("a")
    return project


def findings(project: Project, *arguments: str, code: int = 0) -> dict[str, dict[str, str]]:
    """What was found of each subject; the worst, if there are several."""
    result = project.call("doctor", "--json", *arguments)
    assert result.code == code, result.stdout + result.stderr
    order = ("ok", "warn", "FAIL")
    found = sorted(result.events("finding"), key=lambda each: order.index(each["level"]))
    return {each["subject"]: each for each in found}


def test_a_repository_that_can_send(shop: Project) -> None:
    result = shop.call("doctor")
    assert result.code == 0
    assert [line.split(maxsplit=2)[:2] for line in result.stdout.splitlines()] == [
        ["ok", "configuration"],
        ["ok", "profile"],
        ["ok", "time"],
        ["ok", "plugins"],
        ["ok", "manifests"],
        ["ok", "numbers"],
        ["ok", "credentials"],
        ["ok", "journal"],
        ["ok", "disk"],
        ["ok", "state"],
    ]
    assert "none chosen; there are: staging" in result.stdout
    assert not (shop.folder / ".dispatcher").exists()


def test_no_journal_yet_for_a_gateway_beyond_this_machine(shop: Project) -> None:
    shop.environment |= {"GREENAPI_BASE_URL": "https://gateway.example.com"}
    found = findings(shop)["journal"]
    assert (found["level"], found["remedy"][:27]) == ("warn", "if there was one, find it: ")


def test_what_was_sent(shop: Project) -> None:
    shop.inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    assert shop.call("send").code == ExitCode.UNKNOWN
    found = findings(shop)
    assert "journal.db, 0.1 MB: 1 unknown, last changed" in found["journal"]["sentence"]
    assert found["unknown"]["remedy"].startswith("to see them: dispatcher history")
    assert found["backup"]["level"] == "warn"
    assert shop.call("journal", "backup", "copy.db").code == 0
    assert findings(shop)["backup"]["level"] == "ok"
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8), tick=True):
        assert findings(shop)["backup"]["level"] == "warn"


def test_a_clock_that_was_set_back(shop: Project) -> None:
    assert shop.call("send").code == 0
    with time_machine.travel(datetime.now(UTC) - timedelta(days=1), tick=True):
        assert findings(shop, code=2)["clock"]["level"] == "FAIL"


def test_a_journal_that_others_may_read(shop: Project) -> None:
    assert shop.call("send").code == 0
    shop.journal_file.chmod(0o644)
    assert "chmod 600" in findings(shop)["journal"]["sentence"]


def test_a_journal_that_is_damaged(shop: Project) -> None:
    assert shop.call("send").code == 0
    shop.journal_file.write_bytes(b"SQLite format 3\0" + bytes(5000))
    found = findings(shop, code=2)
    assert (found["journal"]["level"], found["disk"]["level"] if "disk" in found else "ok") == (
        "FAIL",
        "ok",
    )


def test_no_configuration(project: Project) -> None:
    project.texts("a")
    found = findings(project)["configuration"]
    assert (found["level"], found["remedy"]) == ("warn", "to begin one: dispatcher init")


@cases("text", "transport = 1\n", 'nonsense = ""\n', "[delivery]\nworkers = 0\n")
def test_a_configuration_that_is_wrong(shop: Project, text: str) -> None:
    shop.config(text)
    found = findings(shop, code=2)
    assert list(found) == ["configuration"]
    assert "dispatcher.toml:" in found["configuration"]["sentence"]


def test_a_plugin_that_is_broken(shop: Project) -> None:
    shop.install("moody", SECOND_THOUGHT)
    found = findings(shop, code=2)["plugins"]
    assert "not today" in found["sentence"]
    assert found["remedy"].endswith("--without moody")


def test_manifests_with_errors(shop: Project) -> None:
    shop.write("manifests/bad.toml", "manifest = 2\n")
    assert findings(shop, code=2)["manifests"]["remedy"] == "to see them: dispatcher validate"


def test_no_token(shop: Project) -> None:
    shop.environment |= {"GREENAPI_TOKEN": ""}
    found = findings(shop, code=2)["credentials"]
    assert "GREENAPI_TOKEN" in found["sentence"]


def test_numbers_that_lack_their_country_code(shop: Project) -> None:
    americans = [f"1415201{number:04}" for number in range(2671, 2675)]
    shop.manifest(text("a", [*americans, "4352012345"]))
    found = findings(shop)["numbers"]
    assert found["level"] == "warn"
    assert "1 of 5 may lack a country code: 4352012345, where +14352012345" in found["sentence"]


def test_little_room(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage("/")._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    assert findings(shop, code=2)["disk"]["level"] == "FAIL"


def test_a_state_folder_that_is_not_this_users(shop: Project) -> None:
    folder = shop.write("state/message-dispatcher/x", "").parent
    folder.chmod(0o777)
    shop.environment["XDG_STATE_HOME"] = str(shop.folder / "state")
    assert "may be written by other users" in findings(shop, code=2)["state"]["sentence"]


def test_the_gateway_is_asked_only_if_that_is_wanted(
    new_project: NewProject, gateway: Gateway
) -> None:
    project = new_project(gateway.url)
    project.texts("a")
    assert "gateway" not in findings(project)
    assert gateway.requests == []


def test_a_gateway_that_answers(shop: Project) -> None:
    found = findings(shop, "--online")
    assert found["gateway"]["sentence"] == "greenapi: takes the token"
    assert shop.inbox.messages() == []


def test_a_gateway_that_refuses_the_token(project: Project) -> None:
    project.texts("a")
    with SandboxProcess("--token", "another") as gateway:
        project.send_to(gateway.url)
        found = findings(project, "--online", code=2)["gateway"]
    assert "Authorization key is not allowed" in found["sentence"]


def test_a_gateway_that_is_not_there(project: Project) -> None:
    project.texts("a")
    project.send_to("http://127.0.0.1:9")
    found = findings(project, "--online", code=2)["gateway"]
    assert "127.0.0.1:9" in found["sentence"]


def test_a_clock_that_is_not_the_gateways(shop: Project) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2), tick=True):
        found = findings(shop, "--online")["clock"]
    assert found["level"] == "warn"
    assert re.search(r"from that of greenapi by (1:59|2:00)", found["sentence"])


def test_a_token_in_an_address_is_not_shown(shop: Project) -> None:
    shop.environment["GREENAPI_BASE_URL"] = f"https://gateway.example.com/{TOKEN}"
    assert "gateway.example.com/***" in findings(shop)["credentials"]["sentence"]


def test_the_token_is_not_shown(shop: Project) -> None:
    result = shop.call("doctor", "--online")
    assert TOKEN not in result.stdout + result.stderr


def test_a_schema_that_is_out_of_date(shop: Project) -> None:
    shop.write("manifests/m.toml", "#:schema ../dispatcher.schema.json\n" + MANIFEST)
    shop.config("#:schema config.schema.json\n[profiles.staging]\n")
    shop.write("config.schema.json", shop.call("schema", "--config").stdout)
    missing = findings(shop)["schema"]
    assert missing["sentence"].endswith("names, is not there")
    assert missing["remedy"] == "dispatcher schema > dispatcher.schema.json"
    shop.write("dispatcher.schema.json", "{}")
    assert "is not that of the installed plugins" in findings(shop)["schema"]["sentence"]
    shop.write("dispatcher.schema.json", shop.call("schema").stdout)
    assert findings(shop)["schema"]["level"] == "ok"
