"""The command line's own decisions: exit codes, words, who wins over whom."""

import itertools
from typing import Any

from dispatcher import config
from dispatcher.cli.output import described
from dispatcher.delivery import Summary
from dispatcher.manifest.former_names import MessageName
from dispatcher.models import Image, Message, Text
from tests.support.cases import cases
from tests.support.project import Project

TO = "79001234567"
GOOD = f'[[messages]]\nid = "a"\nto = "{TO}"\ntext.body = "Hello"\n'


def test_exit_code_of_every_mixture_of_outcomes() -> None:
    """The exit codes of docs/sending.md, word by word."""
    names = ("sent", "skipped", "failed", "unknown", "not_tried", "interrupted")
    for mixture in itertools.product((0, 1), repeat=len(names)):
        has = dict(zip(names, mixture, strict=True))
        summary = Summary(interrupted=bool(has.pop("interrupted")))
        for name, count in has.items():
            setattr(summary, name, count)
        code = summary.exit_code
        if summary.interrupted:
            assert code == 130
        elif has["unknown"]:
            assert code == 5, "wins over the others"
        elif has["failed"] or has["not_tried"]:
            assert code == (4 if has["sent"] else 1)
        else:
            assert code == (0 if any(has.values()) else 3)
        assert summary.strict_exit_code == code
        summary.changed[MessageName("m", "a")] += 1
        assert summary.strict_exit_code == (7 if code in (0, 3) else code)


@cases(
    "content, words",
    ({"type": "text", "content": Text(body="Hello,\n  world")}, 'text "Hello, world"'),
    ({"type": "text", "content": Text(body="x" * 51)}, f'text "{"x" * 49}…"'),
    ({"type": "image", "content": Image(source="a.png", caption="A")}, "image a.png"),
    ({"type": "image", "content": Image(link="https://e.com/a")}, "image https://e.com/a"),
    ({"type": "image", "content": Image(id="123")}, "image 123"),
)
def test_plan_describes_a_message_in_a_few_words(content: dict[str, Any], words: str) -> None:
    fixed = {"key": "k", "manifest": "m", "id": "a", "to": TO, "recipient_type": "individual"}
    message = Message.model_validate({**fixed, "transport": "greenapi", **content})
    assert described(message) == words


# who wins over whom


def test_journal_flag_wins_over_environment_and_environment_over_file(project: Project) -> None:
    project.manifest(GOOD)
    project.config('journal = "sqlite:///file.db"')
    environment = {"DISPATCHER_JOURNAL": "sqlite:///environment.db"}
    made = [
        ("flag.db", ["--journal", "sqlite:///flag.db"], environment),
        ("environment.db", [], environment),
        ("file.db", [], {}),
    ]
    for name, flags, env in made:
        assert not (project.folder / name).exists()
        assert project.call("send", "--json", *flags, env=env).statuses == {"a": "sent"}
        assert (project.folder / name).exists()


def test_configuration_is_found_upwards_and_its_paths_are_relative_to_it(project: Project) -> None:
    project.manifest(GOOD)
    project.config('manifests = "manifests"')
    above = project.folder
    project.folder = above / "some" / "where"
    project.folder.mkdir(parents=True)
    assert project.call("send").code == 0
    assert (above / ".dispatcher" / "journal.db").exists()


@cases("named", "", 'journal = "sqlite:///people.db"\n', ids=["", "named"])
def test_profile_has_settings_and_a_journal_of_its_own(project: Project, named: str) -> None:
    project.manifest(GOOD)
    url = project.environment["GREENAPI_BASE_URL"]
    table = f'base_url = "{url}"\nmedia_url = "{url}"\n'
    project.config(f"{named}[profiles.staging.transports.greenapi]\n{table}")
    hosts: dict[str, str | None] = {"GREENAPI_BASE_URL": None, "GREENAPI_MEDIA_URL": None}
    assert project.call("send", "--profile", "staging", env=hosts).code == 0
    assert project.call("plan", "--profile", "staging", env=hosts).stdout.startswith("= sent")
    assert project.call("plan", env=hosts).stdout.startswith("+ new"), "for people it is new"
    environment = {"DISPATCHER_PROFILE": "staging", **hosts}
    assert project.call("plan", env=environment).stdout.startswith("= sent")


@cases(
    "named, own, journal",
    ("sqlite:///people.db", "", "sqlite:///{folder}/.dispatcher/journal-staging.db"),
    ("postgresql://db/people", "", "sqlite:///{folder}/.dispatcher/journal-staging.db"),
    ("postgresql://db/people", "sqlite:///test.db", "sqlite:///{folder}/test.db"),
    ("sqlite:///people.db", "postgresql://db/test", "postgresql://db/test"),
)
def test_a_profile_never_shares_the_journal_that_the_file_names_for_people(
    project: Project, named: str, own: str, journal: str
) -> None:
    profile = f"journal = '{own}'" if own else "transport = 'greenapi'"
    project.config(f"journal = '{named}'\n[profiles.staging]\n{profile}")
    staging = config.load(project.folder, profile="staging")
    assert staging.journal == journal.format(folder=project.folder)
    assert "people" in config.load(project.folder).journal


@cases("paths", ["manifests"], ["manifests/m.toml"], ["manifests", "manifests/m.toml"])
def test_paths_are_files_and_folders_each_manifest_once(project: Project, paths: list[str]) -> None:
    project.manifest(GOOD)
    project.write("manifests/notes.txt", "no manifest")
    assert len(project.call("plan", "--json", *paths).planned) == 1


@cases("arguments", [], ["journal"])
def test_without_a_command_there_is_help(project: Project, arguments: list[str]) -> None:
    result, help = project.call(*arguments), project.call(*arguments, "--help")
    assert (result.code, result.stdout, result.stderr) == (2, "", help.stdout)
