"""The Python API: what docs/python.md shows, and what a program can get wrong."""

from __future__ import annotations

import enum
import importlib.util
import math
import os
import pydoc
import re
import runpy
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import dispatcher
from dispatcher import ConfigError, Dispatcher, ExitCode, JournalLocked, ManifestError, RunStopped
from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import TOKEN, Project, Result, text
from tests.support.waiting import wait_until

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
SCRIPT, JOB, VIEW, TRIAL, HISTORY, REPORT = re.findall(
    r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)


@pytest.fixture
def project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project, with its environment as this process's."""
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    return project


def opened(project: Project, **options: Any) -> Dispatcher:
    return Dispatcher.open(project.folder, third_party=False, **options)


def message(name: str, **changes: Any) -> dict[str, Any]:
    return {"id": name, "to": "79001234567", "text": {"body": f"I am {name}"}, **changes}


def bodies(inbox: SandboxProcess) -> list[str]:
    """The texts that arrived."""
    return [each["payload"]["text"]["body"] for each in inbox.messages()]


@pytest.fixture
def failing_hook(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin is installed that fails when it is told of a message."""
    project.install("failing", _FAULTY.replace("MARKER", TOKEN))
    monkeypatch.syspath_prepend(project.environment["PYTHONPATH"])


def test_help_shows_names_of_ours_and_none_of_pydantic() -> None:
    shown = pydoc.render_doc(dispatcher, renderer=pydoc.plaintext)
    assert "class Content(" in shown
    assert "name_for_people" in shown
    assert not re.findall(r"\bmodel_(?:dump|fields|copy|validate)\b", shown)


def test_the_public_names_are_there_and_sorted() -> None:
    constants_first = sorted(dispatcher.__all__, key=lambda name: (not name.isupper(), name))
    assert dispatcher.__all__ == constants_first
    assert all(hasattr(dispatcher, name) for name in dispatcher.__all__)


def test_the_script_of_the_page_asks_and_sends(project: Project, inbox: SandboxProcess) -> None:
    project.texts("one", "two").rename(project.folder / "manifests" / "hello.toml")
    project.write("ask.py", SCRIPT)
    code = "import io, runpy, sys; sys.stdin = io.StringIO('yes'); runpy.run_path('ask.py')"
    result = project.run(program=("-c", code))
    assert result.code == 0, result.stderr
    keys = [f"default/hello/{id}/1/79001234567" for id in ("one", "two")]
    planned, sent = result.stdout.split("Send? ")
    assert planned.splitlines() == [f"new {key}" for key in keys]
    ids = [each["id"] for each in inbox.messages()]
    assert sent.splitlines() == [f"sent {key} {id}" for key, id in zip(keys, ids, strict=True)]


def ended(project: Project, script: Path) -> Result:
    """How a script ends that is run in this process."""

    def program() -> int:
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            return int(end.code)
        return 0

    return project.call_program(program)


def test_the_job_of_the_page_ends_as_the_command_would(
    project: Project, inbox: SandboxProcess
) -> None:
    job = project.write("job.py", JOB)
    project.texts("one", "two")
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    first, again = (ended(project, job) for _ in range(2))
    assert (first.code, again.code) == (ExitCode.UNKNOWN, ExitCode.UNKNOWN)
    assert again.stdout.startswith("unknown default/m/one/1/79001234567 an earlier attempt")
    project.texts("three", "four", "two")
    project.config("[delivery]\nmax = 1")
    assert ended(project, job).code == ExitCode.DONE, "most is the job's own"
    refused = [{"path": "/v1/messages", "fault": "status", "status": 400, "code": 1023}]
    inbox.faults(refused)
    project.texts("five")
    assert ended(project, job).code == ExitCode.FAILED
    inbox.faults([{"path": "/v1/messages", "fault": "status", "status": 401}])
    project.texts("six", "seven")
    stopped = ended(project, job)
    assert stopped.code == ExitCode.PARTLY
    assert "messages that were not tried: 1" in stopped.stderr
    project.texts("eight", to="1")
    bad = ended(project, job)
    assert (bad.code, bad.stdout) == (ExitCode.USAGE, "")
    assert "manifests/m.toml:" in bad.stderr


def test_the_page_lists_every_error_of_a_program() -> None:
    for name in dispatcher.__all__:
        kind = getattr(dispatcher, name)
        of_plugins = (dispatcher.DeliveryError, dispatcher.SourceError, dispatcher.AddressError)
        if isinstance(kind, type) and issubclass(kind, dispatcher.DispatcherError):
            listed = re.search(rf"^\| `{name}`", PAGE, re.MULTILINE) is not None
            assert listed != (issubclass(kind, of_plugins) or name == "DispatcherError"), name


def test_the_view_of_the_page_confirms_an_order_once(
    project: Project, inbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    browser = view(project.write("view.py", VIEW)).app.test_client()
    order = {"phone": "+7 900 123-45-67", "name": "{{ 7 * 7 }}"}
    first = browser.post("/orders/1042/confirmation", data=order)
    assert (first.status_code, first.json["status"]) == (200, "sent")
    again = browser.post("/orders/1042/confirmation", data=order)
    assert again.json == {"status": "skipped", "id": first.json["id"]}
    bad = browser.post("/orders/1043/confirmation", data={**order, "phone": "12"})
    assert bad.status_code == 400
    assert '"12"' in bad.json["problems"][0]
    assert bodies(inbox) == ["Dear {{ 7 * 7 }}, your order is on its way."]


def view(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("view", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_program_has_the_journal_that_the_environment_names_as_the_commands(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.texts("one")
    monkeypatch.setenv("DISPATCHER_JOURNAL", "sqlite:///environment.db")
    assert project.call("send", env={"DISPATCHER_JOURNAL": "sqlite:///environment.db"}).code == 0
    with opened(project) as dispatcher:
        [(_, outcome)] = dispatcher.send(dispatcher.plan())
        assert outcome.status == "skipped", "it was sent"
        assert dispatcher.journal == f"sqlite:///{project.folder}/environment.db"
    with opened(project, journal="sqlite:///named.db") as dispatcher:
        assert dispatcher.journal == f"sqlite:///{project.folder}/named.db"


def test_a_program_has_the_profile_and_transport_of_the_environment_as_the_commands(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.texts("one")
    project.config("[profiles.staging.delivery]\nworkers = 1")
    monkeypatch.setenv("DISPATCHER_PROFILE", "staging")
    monkeypatch.setenv("DISPATCHER_TRANSPORT", "pigeon")
    with opened(project) as dispatcher:
        assert dispatcher.config.profile == "staging"
        with pytest.raises(ConfigError, match='no transport named "pigeon"'):
            dispatcher.plan()
    with opened(project, transport="greenapi") as dispatcher:
        assert not dispatcher.plan().errors


def test_the_page_settles_what_is_unknown(project: Project, inbox: SandboxProcess) -> None:
    inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    project.texts("one", "two")
    assert project.call("send").code == ExitCode.UNKNOWN
    project.write("history.py", HISTORY)
    result = project.run(program=("history.py",))
    assert result.code == 0, result.stderr
    assert result.stdout.startswith("default/m/one/1/79001234567 20")
    assert result.stdout.endswith("broke before the whole answer was there\n")
    assert {row["status"] for row in project.journal().values()} == {"sent"}


def test_the_report_of_the_page_counts(project: Project, inbox: SandboxProcess) -> None:
    inbox.faults([{"fault": "status", "status": 400, "code": 1022, "to": "79001234568"}])
    project.manifest(text("one", ["79001234567", "79001234568"]))
    project.call("send")
    project.write("report.py", REPORT)
    result = project.run(program=("report.py",))
    assert result.code == 0, result.stderr
    assert result.stdout.startswith("one 1 of 2\n1 failed 1022: ")


def test_the_trial_of_the_page_sends_to_one_person(project: Project, inbox: SandboxProcess) -> None:
    project.texts("one", "two").rename(project.folder / "manifests" / "hello.toml")
    project.write("trial.py", TRIAL)
    result = project.run(program=("trial.py",))
    assert result.code == 0, result.stderr
    assert result.stdout.count("/79001234567 to 79990000000\n") == 2
    assert len(inbox.messages(to="79990000000")) == len(inbox.messages()) == 2


def test_a_plan_is_compared_with_the_journal_each_time(project: Project) -> None:
    project.texts("one", "two")
    with opened(project) as opened_:
        plan = opened_.plan()
        assert (len(plan), plan.problems) == (2, [])
        assert [each.status for each in plan] == ["new", "new"]
        assert [result.outcome.status for result in opened_.send(plan)] == ["sent", "sent"]
        assert [each.status for each in plan] == ["sent", "sent"]
        assert [result.outcome.status for result in opened_.send(plan)] == ["skipped", "skipped"]
        assert [row.message for row in opened_.history(to="+7 900 123-45-67")] == ["one", "two"]


def test_paths_and_the_journal_are_relative_to_the_folder(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.texts("one")
    monkeypatch.chdir(tmp_path)
    with opened(project) as opened_:
        list(opened_.send(opened_.plan("manifests/m.toml")))
    assert set(project.journal()) == {"one"}
    with opened(project, journal="sqlite:///other.db") as opened_:
        assert [each.status for each in opened_.plan("manifests/m.toml")] == ["new"]


def test_files_are_those_of_the_opened_folder_wherever_the_program_is(
    project: Project, inbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.texts("one")
    project.write("lists/to.csv", "to,name\n79001234567,Anna\n")
    project.write("hello.txt", "Hello {{ name }}")
    table = {"id": "many", "recipients": "lists/to.csv", "text": {"file": "hello.txt"}}
    monkeypatch.chdir(project.folder.parent)
    with Dispatcher.open(project.folder.name, third_party=False) as opened_:
        for folder in (project.folder.parent, project.folder, tmp_path, Path("/")):
            monkeypatch.chdir(folder)
            for plan in (opened_.plan(), opened_.plan("manifests"), opened_.plan_messages([table])):
                assert plan.problems == []
                list(opened_.send(plan))
    assert bodies(inbox) == ["I am one", "Hello Anna"]


@cases("folder", "nowhere", "dispatcher.toml", "a\0b")
def test_a_folder_that_is_none_is_an_error(project: Project, folder: str) -> None:
    project.config("")
    with pytest.raises(ConfigError, match=f"no such folder: .*/{folder}$"):
        Dispatcher.open(project.folder / folder, third_party=False)


def test_the_working_directory_may_be_gone(
    project: Project, inbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.texts("one")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with opened(project) as opened_:
        for plan in (opened_.plan(), opened_.plan_messages([message("two")])):
            assert plan.problems == []
            list(opened_.send(plan))
    assert len(inbox.messages()) == 2
    with pytest.raises(ConfigError, match="the working directory was deleted"):
        Dispatcher.open(third_party=False)


def test_nothing_leaves_with_an_error_anywhere(project: Project, inbox: SandboxProcess) -> None:
    project.manifest('[[messages]]\nid = "one"\nto = "12"\ntext.body = "Hello"\n')
    with opened(project) as opened_:
        plan = opened_.plan()
        [error] = plan.errors
        assert str(error).startswith(f"{project.folder}/manifests/m.toml:")
        with pytest.raises(ManifestError, match='"12"'):
            list(plan)
        with pytest.raises(ManifestError, match='"12"'):
            list(opened_.send(plan))
    assert inbox.messages() == []
    assert not project.journal_file.exists()


def test_what_was_checked_is_what_leaves(project: Project, inbox: SandboxProcess) -> None:
    project.texts("one")
    with opened(project) as opened_:
        plan = opened_.plan()
        project.texts("one", "two")
        with pytest.raises(RunStopped, match="has changed since it was checked"):
            list(opened_.send(plan))
    assert inbox.messages() == []


def test_whoever_stops_asking_stops_the_run(project: Project, inbox: SandboxProcess) -> None:
    project.config("[delivery]\nworkers = 1\n")
    ids = [f"m{number}" for number in range(200)]
    project.texts(*ids)
    with opened(project) as opened_:
        plan = opened_.plan()
        for result in opened_.send(plan):
            assert result.outcome.status == "sent"
            break
        arrived = len(inbox.messages())
        assert 1 <= arrived < 200
        sent = [row.message for row in opened_.history(status="sent")]
        assert sent == ids[:arrived], "what was in flight ended, and nothing is unknown"
        rest = [each for each in opened_.send(plan) if each.outcome.status == "sent"]
    assert len(rest) == 200 - arrived


def test_closing_stops_a_run_with_results_held(project: Project, inbox: SandboxProcess) -> None:
    project.config("[delivery]\nworkers = 1\n")
    project.texts(*(f"m{number}" for number in range(200)))
    with opened(project) as opened_:
        results = opened_.send(opened_.plan())
        next(results)
    with pytest.raises(RunStopped, match="the run was stopped") as raised:
        list(results)
    arrived = len(inbox.messages())
    assert arrived < 200
    assert f"not tried: {200 - arrived}" in str(raised.value)
    assert {row["status"] for row in project.journal().values()} == {"sent"}


def test_held_results_do_not_hold_the_journal(project: Project, inbox: SandboxProcess) -> None:
    project.texts("one", "two")
    with opened(project) as first:
        results = first.send(first.plan())
        next(results)
    with opened(project) as second:
        list(second.send(second.plan()))
    assert len(inbox.messages()) == 2
    results.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12
def test_results_are_not_those_of_a_fork(project: Project, inbox: SandboxProcess) -> None:
    project.texts("one", "two")
    with opened(project) as opened_:
        results = opened_.send(opened_.plan())
        next(results)
        if (child := os.fork()) == 0:
            try:
                next(results)
            except RuntimeError:
                os._exit(3)
            finally:
                os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert [result.outcome.status for result in results] == ["sent"]


@cases("resend", "changed", ["failed"])
def test_what_cannot_be_sent_again_is_an_error(
    project: Project, inbox: SandboxProcess, resend: Any
) -> None:
    project.texts("one")
    with opened(project) as opened_, pytest.raises(ValueError, match="'changed', 'unknown'"):
        list(opened_.send(opened_.plan(), resend=resend))
    assert inbox.messages() == []


def test_a_run_that_left_messages_untried_says_so(project: Project, inbox: SandboxProcess) -> None:
    project.config("[delivery]\nworkers = 1\n")
    inbox.faults([{"path": "/v1/messages", "fault": "status", "status": 401}])
    project.texts("one", "two", "three")
    results = []
    with opened(project) as opened_, pytest.raises(RunStopped, match="not tried: 2") as raised:
        results.extend(opened_.send(opened_.plan()))
    assert raised.value.exit_code == ExitCode.PARTLY
    assert results == [] or results[0].outcome.status == "failed"


def test_who_never_asks_is_warned(project: Project, inbox: SandboxProcess) -> None:
    project.texts("one")
    with opened(project) as opened_:
        plan = opened_.plan()
        with pytest.warns(RuntimeWarning, match="nothing was sent"):
            opened_.send(plan)
    assert inbox.messages() == []


def test_two_threads_send_one_after_the_other(project: Project, inbox: SandboxProcess) -> None:
    failed: list[BaseException] = []

    def send(id: str) -> None:
        try:
            list(opened_.send(opened_.plan_messages([message(id)]), wait=30.0))
        except BaseException as error:
            failed.append(error)

    with opened(project) as opened_:
        threads = [threading.Thread(target=send, args=(id,)) for id in ("one", "two", "three")]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert failed == []
    assert sorted(bodies(inbox)) == ["I am one", "I am three", "I am two"]


def test_the_journal_is_one_runs(project: Project, inbox: SandboxProcess) -> None:
    inbox.faults([{"path": "/v1/messages", "to": "79001234568", "fault": "delay", "delay": 3}])
    project.texts("one")
    slow = '[[messages]]\nid = "slow"\nto = "79001234568"\ntext.body = "Hello"\n'
    project.manifest(slow, "manifests/slow.toml")
    with opened(project) as opened_:
        results = opened_.send(opened_.plan())
        next(results)
        with pytest.raises(JournalLocked):
            list(opened_.send(opened_.plan()))
        results.close()


def test_the_journal_is_whole_beside_a_run(project: Project, inbox: SandboxProcess) -> None:
    told: list[object] = []
    tables = [message(f"m{number}", to=f"7900{number:07}") for number in range(100)]
    with opened(project, warn=told.append) as opened_:
        for _ in opened_.send(opened_.plan_messages(tables)):
            assert list(opened_.history())
    assert told == []


def test_messages_as_data_are_those_of_a_manifest(project: Project, inbox: SandboxProcess) -> None:
    project.write("prices.pdf", b"%PDF-1.7 prices")
    tables = [
        message("many", to=("79001234567", "+7 900 123-45-68"), vars={"day": date(2026, 11, 30)}),
        {"id": "file", "to": "79001234567", "document": {"source": "prices.pdf"}},
    ]
    tables[0]["text"] = {"body": "{{ day | date }}"}
    with opened(project) as opened_:
        plan = opened_.plan_messages((dict(each) for each in tables), run="today")
        assert plan.problems == []
        keys = [each.message.key for each in plan]
        tables[0]["to"] = "79001234569"
        assert {result.message.key for result in opened_.send(plan)} == set(keys)
    names = ("many/1/79001234567", "many/1/79001234568", "file/1/79001234567")
    assert keys == [f"today/messages/{name}" for name in names]
    assert len(inbox.messages()) == 3


def test_one_text_under_another_id_is_another_message_of_a_program(project: Project) -> None:
    """It has no list of all that it ever sent: what is not in hand is not gone."""
    with opened(project) as opened_:
        for id in ("order-1", "order-2"):
            table = message(id, text={"body": "Your order is ready."})
            assert [
                each.outcome.status for each in opened_.send(opened_.plan_messages([table]))
            ] == ["sent"]


class _Plan(str, enum.Enum):  # noqa: UP042, its `str` is not its text
    FREE = "free of charge"


def test_an_enums_member_is_its_value(project: Project) -> None:
    table = message("one", text={"body": "{{ plan }}"}, vars={"plan": _Plan.FREE})
    with opened(project) as opened_:
        [planned] = opened_.plan_messages([table])
    assert planned.message.text.body == "free of charge"


@cases(
    "change, says",
    ({"text": {"body": None}}, "None is no text"),
    ({"text": {"body": b"Hello"}}, "b'Hello' is no text"),
    ({"vars": {"x": math.nan}}, "nan is not a number"),
    ({"vars": {"x": 2**70}}, "the number is too large"),
    ({"vars": {1: "one"}}, "1 is no key"),
    ({"text": {"body": "\ud83d"}}, "half a character"),
    ({"tekst": {"body": "Hello"}}, "tekst"),
    ({"text": {"body": "{{ nobody }}"}}, "nobody"),
    ({"id": "a/b"}, "a/b"),
    ({"to": ["79001234567", "79001234567"]}, "79001234567"),
)
def test_bad_data_is_a_problem(
    project: Project, inbox: SandboxProcess, change: dict[str, Any], says: str
) -> None:
    with opened(project) as opened_:
        plan = opened_.plan_messages([message("one"), message("two", **change)], manifest="mine")
        assert [each for each in plan.errors if says in str(each)], plan.problems
        assert all(each.location.path == "<mine>" for each in plan.problems)
        with pytest.raises(ManifestError):
            list(opened_.send(plan))
    assert inbox.messages() == []


def test_too_many_messages_are_one_problem(project: Project) -> None:
    with opened(project) as opened_:
        [problem] = opened_.plan_messages(message("one") for _ in range(50_001)).problems
    assert "more than 50000 messages" in str(problem)


def test_data_without_an_end_is_a_problem(project: Project) -> None:
    endless: dict[str, Any] = {}
    endless["vars"] = endless
    with opened(project) as opened_:
        [problem] = opened_.plan_messages([message("one", vars=endless)]).problems
        assert "nested too deep" in str(problem)


@cases("name", "", "a/b", "\u200b")
def test_a_bad_name_of_a_manifest_or_run_is_an_error(project: Project, name: str) -> None:
    with opened(project) as opened_:
        assert opened_.plan_messages([message("one")], manifest=name).errors
        with pytest.raises(ConfigError, match="--run"):
            opened_.plan(run=name)


def test_warnings_are_logged_unless_somebody_takes_them(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(project) as opened_:
        list(opened_.history(to="12"))
    [record] = caplog.records
    assert (record.name, '"12"' in record.getMessage()) == ("dispatcher.api", True)
    told: list[object] = []
    with opened(project, warn=told.append) as opened_:
        list(opened_.history(to="12"))
    assert len(told) == 1


_FAULTY = """
from dispatcher import hookimpl
from dispatcher.builtin.greenapi.transport import GreenApi

class Faulty(GreenApi):
    name = "faulty"

    def __init__(self, settings):
        raise ValueError(settings.token.get_secret_value())

@hookimpl
def dispatcher_transports():
    return [Faulty]

@hookimpl
def dispatcher_message_finished(message, outcome):
    raise ValueError("MARKER")
"""


@pytest.mark.usefixtures("failing_hook")
def test_what_a_plugin_says_shows_no_token(project: Project, inbox: SandboxProcess) -> None:
    told: list[object] = []
    with Dispatcher.open(project.folder, warn=told.append) as opened_:
        list(opened_.send(opened_.plan_messages([message("one")])))
        [warning] = map(str, told)
        assert warning.endswith(": ValueError: *** (message default/messages/one/1/79001234567)")
        [problem] = opened_.plan_messages([message("two", transport="faulty")]).problems
        assert problem.sentence.endswith(
            'failed in __init__ of transport "faulty": ValueError: ***'
        )


@pytest.mark.usefixtures("failing_hook")
def test_who_is_warned_may_stop_the_run(project: Project, inbox: SandboxProcess) -> None:
    project.config("[delivery]\nworkers = 1\n")
    opened_ = Dispatcher.open(project.folder, warn=lambda warning: opened_.close())
    plan = opened_.plan_messages([message(f"m{number}") for number in range(200)])
    with pytest.raises(RunStopped, match="the run was stopped"):
        list(opened_.send(plan))
    assert {row.status for row in opened_.history()} == {"sent"}
    assert 1 <= len(inbox.messages()) < 200


@pytest.mark.usefixtures("failing_hook")
def test_what_warn_raises_ends_the_run_and_leaves_nothing_behind(
    project: Project, inbox: SandboxProcess
) -> None:
    def warn(warning: object) -> None:
        raise ZeroDivisionError

    before = threading.active_count()
    with Dispatcher.open(project.folder, warn=warn) as opened_:
        with pytest.raises(ZeroDivisionError):
            list(opened_.send(opened_.plan_messages([message("one")])))
        assert [row.status for row in opened_.history()] == ["sent"]
    wait_until(lambda: threading.active_count() == before)


def test_to_settle_without_a_journal_makes_none(project: Project) -> None:
    with opened(project) as opened_:
        assert not opened_.settle("default/m/one/1/79001234567", sent=True)
    assert not project.journal_file.exists()


def test_plugins_do_not_load_the_api() -> None:
    code = "import dispatcher, sys; sys.exit('dispatcher.api' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_history_of_a_status_that_there_is_not(project: Project) -> None:
    with (
        opened(project) as opened_,
        pytest.raises(ConfigError, match='status "fail"; did you mean "failed"'),
    ):
        opened_.history(status="fail")
    with (
        opened(project) as opened_,
        pytest.raises(ConfigError, match='delivery "deliverd"; did you mean "delivered"'),
    ):
        opened_.history(delivery="deliverd")
