"""`plan --out` and `send --plan`: what was reviewed is what leaves, or nothing does."""

import json
import shlex
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from dispatcher import ConfigError, Dispatcher, ExitCode, PlanOutdated
from tests.support.cases import cases
from tests.support.project import NewProject, Project

ANNA, BORIS = "79001234501", "79001234502"
MESSAGE = 'manifest = 1\n[[messages]]\nid = "x"\nto = "79001234567"\ntext.body = "Hi"\n'
PLUGIN = """
import dispatcher
@dispatcher.hookimpl
def dispatcher_transform_payload(payload, message): return None
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A repository with a text to two people, and a document."""
    project.config('[transports.greenapi]\nrate = "100/s"\n')
    project.write("manifests/people.csv", f"to,name\n{ANNA},Anna\n{BORIS},Boris\n")
    project.write("manifests/prices.pdf", b"%PDF-1.4\n%\xe2\xe3\n")
    project.manifest(
        '[[messages]]\nid = "welcome"\nrecipients = "people.csv"\n'
        'text.body = "Hello, {{ name }}!"\n'
        f'[[messages]]\nid = "prices"\nto = "{ANNA}"\ndocument.source = "prices.pdf"\n'
    )
    return project


def saved(project: Project, *arguments: str) -> dict[str, Any]:
    """The file that `plan --out` writes."""
    result = project.call("plan", "--out", "plan.json", *arguments)
    assert result.code == 0, result.stderr
    content: dict[str, Any] = json.loads((project.folder / "plan.json").read_text())
    return content


def stale(project: Project, *why: str) -> None:
    """Nothing of the plan is sent, and why is said."""
    before = project.inbox.stats()["requests"]
    project.call("send", "--plan", "plan.json").refused(
        "plan.json is not what would be sent now, so nothing was sent:",
        *why,
        "make it anew, and have it reviewed: dispatcher plan --out",
    )
    assert project.inbox.stats()["requests"] == before


def test_what_was_reviewed_is_sent(shop: Project) -> None:
    result = shop.call("plan", "--out", "plan.json")
    assert result.stderr.endswith(
        "Plan: 3 new.\n"
        "written to plan.json; to send this, or nothing: dispatcher send --plan plan.json\n"
    )
    assert shop.call("send", "--plan", "plan.json").told == "3 sent\n"
    assert sorted(shop.arrived(type="text")) == ["Hello, Anna!", "Hello, Boris!"]


def test_the_file_holds_no_number_and_no_text(shop: Project) -> None:
    text = json.dumps(saved(shop))
    assert "Hello" not in text
    assert ANNA not in text
    assert "900" not in text.replace(json.loads(text)["salt"], "")


def test_two_plans_of_the_same_say_nothing_of_each_other(shop: Project) -> None:
    first, second = (saved(shop)["messages"] for _ in range(2))
    assert first.keys() == second.keys()
    assert first != second


EDITS = {
    "a text": ("manifests/m.toml", "Hello", "Dear", "default/m/welcome/1: 2 with other content"),
    "a row more": ("manifests/people.csv", "Boris\n", "Boris\n79001234503,Vera\n",
                   "default/m/welcome/1: 1 not in the plan"),
    "a row less": ("manifests/people.csv", f"{BORIS},Boris\n", "",
                   "default/m/welcome/1: 1 not there any more"),
    "a name": ("manifests/people.csv", "Boris", "Borya",
               "default/m/welcome/1: 1 with other content"),
    "a revision": ("manifests/m.toml", 'id = "welcome"', 'id = "welcome"\nrevision = 2',
                   "default/m/welcome/2: 2 not in the plan"),
    "a picture": ("manifests/prices.pdf", "1.4", "1.5", "prices/1: 1 with other content"),
    "a comment": ("manifests/m.toml", "manifest = 1", "manifest = 1 # one",
                  "manifests/m.toml has changed"),
    "the configuration": ("dispatcher.toml", "100/s", "99/s", "the configuration is another one"),
}  # fmt: skip


@cases("edit", *EDITS)
def test_what_is_another_plan_by_now_is_not_sent(shop: Project, edit: str) -> None:
    saved(shop)
    name, old, new, why = EDITS[edit]
    content = (shop.folder / name).read_bytes()
    assert old.encode() in content
    shop.write(name, content.replace(old.encode(), new.encode()))
    stale(shop, why)


def test_another_gateway_profile_or_plugin_is_another_plan(shop: Project) -> None:
    shop.config("[profiles.staging]\n")
    saved(shop)
    stale_with = shop.call("send", "--plan", "plan.json", "--profile", "staging", "--yes")
    stale_with.refused("no profile then, profile staging now")
    url = shop.environment["GREENAPI_BASE_URL"]
    shop.environment["GREENAPI_BASE_URL"] = "http://127.0.0.1:9"
    stale(shop, f"gateway greenapi: {url} then, http://127.0.0.1:9 now")
    shop.environment["GREENAPI_BASE_URL"] = url
    shop.install("quiet", PLUGIN)
    stale(shop, "plugin quiet is new")


def test_another_journal_is_another_plan(shop: Project) -> None:
    assert shop.call("send", "--only", "prices").code == 0
    (shop.folder / ".dispatcher").rename(shop.folder / "elsewhere")
    assert shop.call("send", "--only", "prices").code == 0
    saved(shop)
    shop.journal_at("sqlite:///elsewhere/journal.db")
    result = shop.call("send", "--plan", "plan.json")
    result.refused("nothing was sent:\n  the journal is another one\nmake it anew")


def test_the_way_on_makes_the_same_plan_anew(shop: Project) -> None:
    saved(shop, "--only", "welcome", "--limit", "1", "manifests")
    shop.write("manifests/people.csv", f"to,name\n{ANNA},Anya\n{BORIS},Boris\n")
    result = shop.call("send", "--plan", "plan.json")
    way = "dispatcher plan --out plan.json --only welcome --limit 1 manifests\n"
    assert result.stderr.endswith(f"make it anew, and have it reviewed: {way}")
    assert shop.call(*shlex.split(way)[1:]).code == 0
    assert shop.call("send", "--plan", "plan.json").told == "1 sent\n"
    assert shop.arrived() == ["Hello, Anya!"]


def test_the_way_on_without_a_configuration(project: Project) -> None:
    """There, the journal is beside the manifest, and the file is where it was said to be."""
    project.texts("a")
    result = project.call("plan", "--out", "plan.json", "manifests/m.toml")
    way = result.stderr.rpartition("nothing: dispatcher ")[2]
    assert project.call(*shlex.split(way)).told == "1 sent\n"


def test_a_plan_with_moved_messages_is_not_written(shop: Project) -> None:
    assert shop.call("send", "--only", "welcome").code == 0
    old = (shop.folder / "manifests/m.toml").read_text()
    saved(shop)
    shop.write("manifests/m.toml", old.replace("welcome", "hello"))
    stale(shop, "default/m/welcome/1: 2 not there any more")
    (shop.folder / "plan.json").unlink()
    result = shop.call("plan", "--out", "plan.json")
    assert result.code == ExitCode.USAGE
    assert "2 people have it as m/welcome" in result.stderr
    assert not (shop.folder / "plan.json").exists()
    shop.write("manifests/m.toml", old.replace('"welcome"', '"hello"\nmoved_from = "welcome"'))
    saved(shop)
    assert shop.call("send", "--plan", "plan.json").told.endswith("1 sent, 2 skipped\n")


def test_a_plan_is_sent_once(shop: Project) -> None:
    saved(shop)
    assert shop.call("send", "--plan", "plan.json").code == 0
    stale(shop, "default/m/welcome/1: 2 new then, sent now")


def test_what_was_sent_meanwhile_is_another_plan(shop: Project) -> None:
    saved(shop)
    assert shop.call("send", "--to", ANNA).code == 0
    stale(shop, "default/m/welcome/1: 1 new then, sent now")
    assert saved(shop)["messages"].keys() == {"default/m/welcome/1", "default/m/prices/1"}
    assert shop.call("send", "--plan", "plan.json").told.endswith("1 sent, 2 skipped\n")


def test_only_what_was_chosen_is_sent(shop: Project) -> None:
    saved(shop, "--only", "welcome", "--limit", "1")
    assert shop.call("send", "--plan", "plan.json").told == "1 sent\n"
    assert shop.arrived() == ["Hello, Anna!"]


def test_the_run_is_that_of_the_plan(project: Project) -> None:
    project.config("")
    project.texts("a", head='repeat = "daily"\n')
    saved(project, "--run", "2026-11-27", "manifests/m.toml")
    assert project.call("send", "--plan", "plan.json").told == "1 sent\n"
    assert [each["run"] for each in project.journal().values()] == ["2026-11-27"]


def test_it_can_be_sent_in_another_checkout(shop: Project, new_project: NewProject) -> None:
    saved(shop, "manifests")
    other = new_project()
    for file in shop.folder.rglob("*"):
        if file.is_file() and ".dispatcher" not in file.parts:
            other.write(str(file.relative_to(shop.folder)), file.read_bytes())
    (other.folder / "elsewhere").mkdir()
    assert other.call("-C", "elsewhere", "send", "--plan", "../plan.json").told == "3 sent\n"


def test_a_message_that_was_chosen_is_not_there_any_more(shop: Project) -> None:
    saved(shop, "--only", "welcome")
    old = (shop.folder / "manifests/m.toml").read_text()
    shop.write("manifests/m.toml", old.replace("welcome", "hello"))
    shop.call("send", "--plan", "plan.json").refused(
        "plan.json is not what would be sent now, so nothing was sent:",
        "--only welcome: there is no such message",
    )


def test_a_mac_spells_the_names_of_files_in_another_way(project: Project) -> None:
    apart = unicodedata.normalize("NFD", "йод")
    project.config("")
    old = project.texts("a").rename(project.folder / "manifests" / f"{apart}.toml")
    saved(project, f"manifests/{apart}.toml")
    old.rename(old.with_name(f"{unicodedata.normalize('NFC', apart)}.toml"))
    assert project.call("send", "--plan", "plan.json").told == "1 sent\n"


def test_what_it_leaves_is_a_new_plan(shop: Project) -> None:
    saved(shop, "--only", "welcome", "manifests")
    shop.inbox.faults([{"fault": "status", "status": 400, "code": 1022, "to": BORIS}])
    result = shop.call("send", "--plan", "plan.json")
    assert result.code == ExitCode.PARTLY
    again = "dispatcher plan --out plan.json --only welcome manifests"
    assert f"failed, to try again: {again}\n" in result.stderr


@cases("options", ["manifests"], ["--run", "r"], ["--only", "welcome"], ["--resend", "all"],
       ["--sandbox"])  # fmt: skip
def test_nothing_else_goes_with_a_plan(shop: Project, options: list[str]) -> None:
    saved(shop)
    result = shop.call("send", "--plan", "plan.json", *options)
    result.refused("--plan FILE sends what was reviewed")


@cases("option", "--to", "--trial")
def test_a_number_is_not_kept(shop: Project, option: str) -> None:
    result = shop.call("plan", "--out", "plan.json", option, ANNA)
    assert result.code == ExitCode.USAGE
    assert f"--out does not go with {option}: a plan in a file holds no number" in result.stderr
    assert not (shop.folder / "plan.json").exists()


BAD = {
    "no file": (None, "no such file or directory"),
    "a folder": ("", "it is not a regular file"),
    "nothing": (b"", "this is no plan that dispatcher plan --out wrote"),
    "a manifest": (b"manifest = 1\n", "this is no plan"),
    "a newer one": (b'{"plan": 2}', "plan: Input should be 1"),
    "no text": (b"\xff\xfe", "this is no plan"),
    "deep": (b"[" * 100_000, "this is no plan"),
}


@cases("kind", *BAD)
def test_what_is_no_plan_is_not_sent(shop: Project, kind: str) -> None:
    content, why = BAD[kind]
    name = "plan.json"
    if content:
        shop.write(name, content)
    elif content is not None:
        name = "." if kind == "a folder" else name
        shop.write("plan.json", content)
    shop.call("send", "--plan", name).refused(why)
    shop.has_sent_nothing()


@cases("damage", "cut", "salt", "long salt", "hash", "status")
def test_a_damaged_plan_is_not_sent(shop: Project, damage: str) -> None:
    content = saved(shop)
    entries = content["messages"]["default/m/welcome/1"]
    match damage:
        case "cut":
            entries["new"] = entries["new"][:-4]
        case "salt":
            content["salt"] = "no hexadecimal number"
        case "long salt":
            content["salt"] *= 4
        case "hash":
            entries["new"] = "A" * len(entries["new"])
        case "status":
            entries["sent"] = entries.pop("new")
    shop.write("plan.json", json.dumps(content))
    assert shop.call("send", "--plan", "plan.json").code == ExitCode.USAGE
    shop.has_sent_nothing()


def test_a_file_that_is_no_plan_is_not_overwritten(shop: Project) -> None:
    before = (shop.folder / "manifests/m.toml").read_bytes()
    result = shop.call("plan", "--out", "manifests/m.toml")
    assert result.code == ExitCode.USAGE
    assert "--out" in result.stderr
    assert "this is no plan" in result.stderr
    assert (shop.folder / "manifests/m.toml").read_bytes() == before


ODD = b"folder\xff".decode(errors="surrogateescape")


@cases("arguments", ["a" * 300], ["plan.json", ODD])
def test_what_cannot_be_written_is_told(shop: Project, arguments: list[str]) -> None:
    shop.write(f"{ODD}/odd.toml", MESSAGE)
    result = shop.call("plan", "--out", *arguments)
    assert result.code == ExitCode.USAGE
    assert "--out" in result.stderr


def test_another_account_is_another_plan(shop: Project) -> None:
    saved(shop)
    shop.environment["GREENAPI_TOKEN"] = "another-token-of-somebody"
    stale(shop, "the account of greenapi, or an address of its files, is another one")


def test_a_plan_with_errors_is_not_written(shop: Project) -> None:
    shop.write("manifests/bad.toml", "manifest = 2\n")
    assert shop.call("plan", "--out", "plan.json").code == ExitCode.USAGE
    assert not (shop.folder / "plan.json").exists()


def test_a_hundred_thousand_messages_take_few_bytes(project: Project) -> None:
    rows = "\n".join(f"7900{number:07}" for number in range(2_000))
    project.write("manifests/people.csv", f"to\n{rows}\n")
    project.manifest('[[messages]]\nid = "a"\nrecipients = "people.csv"\ntext.body = "Hi"\n')
    saved(project)
    assert (project.folder / "plan.json").stat().st_size * 50 < 10_000_000


def test_from_python(shop: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in shop.environment.items():
        monkeypatch.setenv(name, value)
    with Dispatcher.open(shop.folder) as dispatcher:
        dispatcher.save_plan(dispatcher.plan(), "plan.json")
        plan = dispatcher.load_plan("plan.json")
        with pytest.raises(ConfigError, match="--resend"):
            list(dispatcher.send(plan, resend=["changed"]))
        assert {each.outcome.status for each in dispatcher.send(plan)} == {"sent"}
        with pytest.raises(PlanOutdated, match="2 new then, sent now"):
            list(dispatcher.send(dispatcher.load_plan("plan.json")))
        with pytest.raises(ConfigError, match="plan of files"):
            dispatcher.save_plan(dispatcher.plan_messages([]), "plan.json")
