"""What a shell completes, by its protocol with click, and once in a real bash."""

import os
import re
import shlex

import pytest

from tests.support.cases import cases
from tests.support.pages import following, read
from tests.support.project import Project
from tests.support.terminal import terminal

PAGE = read("docs/how-to/completion.md")
CONFIG = '[profiles.staging.delivery]\nworkers = 1\n[profiles."two words"]\n'


def complete(project: Project, line: str, shell: str = "bash", **env: str) -> list[str]:
    """What is offered for the last word of a line; nothing else may be printed."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    asked = {
        "_DISPATCHER_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = project.call(env={**asked, **env})
    assert result.stderr == ""
    return result.stdout.split()


@pytest.fixture
def shop(project: Project) -> Project:
    project.texts("welcome", "farewell")
    project.manifest('name = "sale"\n[[messages]]\nid = "prices"\n', "manifests/spring.toml")
    project.config(CONFIG)
    return project


@cases(
    "line, offered",
    ("dispatcher val", ["plain,validate"]),
    ("dispatcher send --stri", ["plain,--strict"]),
    ("dispatcher plan ", ["plain,manifests/m.toml", "plain,manifests/spring.toml"]),
    ("dispatcher plan manifests/s", ["plain,manifests/spring.toml"]),
    ("dispatcher plan manifests/m.toml ", ["plain,manifests/spring.toml"]),
    ("dispatcher plan other", ["file,other"]),
    ("dispatcher send --only ", ["plain,welcome", "plain,farewell", "plain,prices"]),
    ("dispatcher send manifests/spring.toml --only ", ["plain,prices"]),
    ("dispatcher send --only sale/", ["plain,sale/prices"]),
    ("dispatcher send --only=w", ["plain,welcome"]),
    ("dispatcher --profile ", ["plain,staging"]),
    ("dispatcher plan --transport gr", ["plain,greenapi"]),
    ("dispatcher plan --without f", ["plain,files"]),
    ("dispatcher history --manifest s", ["plain,sale"]),
    ("dispatcher history --message p", ["plain,prices"]),
    ("dispatcher -C manifests validate s", ["plain,spring.toml"]),
    ("dispatcher vlaidate ", []),
    ("dispatcher -C nowhere plan --profile ", ["plain,staging"]),
)
def test_completes(shop: Project, line: str, offered: list[str]) -> None:
    assert complete(shop, line) == offered


def test_an_id_of_two_manifests_has_their_names(shop: Project) -> None:
    shop.manifest('[[messages]]\nid = "welcome"\n', "manifests/n.toml")
    assert complete(shop, "dispatcher send --only ") == [
        "plain,m/welcome",
        "plain,farewell",
        "plain,n/welcome",
        "plain,prices",
    ]


def test_a_manifest_that_cannot_be_read_hides_no_other(shop: Project) -> None:
    shop.write("manifests/a.toml", f"a = {'[' * 100_000}")
    os.mkfifo(shop.folder / "manifests/b.toml")
    assert complete(shop, "dispatcher send --only p") == ["plain,prices"]


def test_what_nobody_can_type_is_left_out(shop: Project) -> None:
    shop.manifest('[[messages]]\nid = "x\\u001bc"\n[[messages]]\nid = "x\\u202e"\n')
    assert complete(shop, "dispatcher send --only x") == []


def test_keys_that_can_be_settled(shop: Project) -> None:
    shop.inbox.faults([{"path": "/v1/messages", "fault": "reset_after", "times": 1}])
    shop.call("send", "manifests/m.toml")
    assert complete(shop, "dispatcher settle ") == ["plain,default/m/welcome/1/79001234567"]


@pytest.mark.parametrize("line", ["dispatcher ", "dispatcher plan --only ", "dispatcher settle "])
def test_is_silent_whatever_is_broken(shop: Project, line: str) -> None:
    shop.install("broken", "import nothing_of_this_name")
    shop.write("manifests/m.toml", "manifest = 1\n[[messages]")
    shop.config("this is no TOML")
    found = complete(shop, line, DISPATCHER_DISABLED_PLUGINS="")
    assert "plain,validate" in found or line != "dispatcher "


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_the_function_that_asks(project: Project, shell: str) -> None:
    assert f"_DISPATCHER_COMPLETE={shell}_source dispatcher" in PAGE
    result = project.call(env={"_DISPATCHER_COMPLETE": f"{shell}_source"})
    assert (result.code, result.stderr) == (0, "")
    assert f"_DISPATCHER_COMPLETE={shell}_complete" in result.stdout


def test_bash_completes_what_the_page_types(project: Project) -> None:
    [line] = re.findall(r"^\| bash .*`(eval .*)` \|$", PAGE, re.MULTILINE)
    project.texts("newsletter").rename(project.folder / "manifests/welcome.toml")
    project.config(CONFIG)
    completed = iter(["idate ", "come.toml ", "ging ", "letter "])
    with (
        following("docs/how-to/completion.md", "Completing words in a shell") as page,
        terminal(project.folder) as bash,
    ):
        assert bash.type(line) == ""
        [script] = page.scripts()
        for typed in script.splitlines():
            *words, end = typed.split("⇥")
            assert end == ""
            for word in words:
                bash.tab(word.lstrip(), next(completed))
            bash.interrupt()
    assert list(completed) == []
