"""Two manifests of one name in two commands: the journal says that it knows another one."""

import shutil
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest

from dispatcher.journal import open_journal, read_journal
from tests.support.cases import cases
from tests.support.postgres import Database, url_with

NEWS = '[[messages]]\nid = "hello"\nto = "79001234567"\ntext.body = "Hello!"\n'
ERROR = 'error: the name "news" is also that of shop-a/news.toml, which was sent before'


@pytest.fixture
def sent(project: Any) -> Any:
    """A project with two manifests of one name, of which one is sent."""
    project.config("")
    project.manifest(NEWS, "shop-a/news.toml")
    project.manifest(NEWS, "shop-b/news.toml")
    result = project.call("send", "shop-a")
    assert (result.code, "the name" in result.stderr) == (0, False)
    return project


@cases("command", "plan", "send")
def test_a_name_from_another_file_is_an_error(sent: Any, inbox: Any, command: str) -> None:
    result = sent.call(command, "shop-b")
    assert result.code == 2
    assert f"shop-b/news.toml:1:1: {ERROR}" in result.stderr
    assert sent.call(command, "shop-a").code == 0
    assert len(inbox.messages()) == 1


def test_both_at_once_are_an_error(sent: Any) -> None:
    result = sent.call("plan", "shop-a", "shop-b")
    assert result.code == 2
    assert 'the name "news" is also that of shop-a/news.toml' in result.stderr


def test_a_manifest_that_was_moved_is_itself(sent: Any) -> None:
    (sent.folder / "shop-a/news.toml").rename(sent.folder / "shop-b/news.toml")
    assert "the name" not in sent.call("plan", "shop-b").stderr


def test_a_manifest_that_has_another_name_now_has_no_claim(sent: Any) -> None:
    sent.manifest(f'name = "old-news"\n{NEWS}', "shop-a/news.toml")
    assert "the name" not in sent.call("plan", "shop-b").stderr


def test_a_link_to_it_is_the_same_manifest(sent: Any) -> None:
    (sent.folder / "alias").symlink_to("shop-a")
    assert "the name" not in sent.call("plan", "alias").stderr


def test_a_clone_elsewhere_has_the_same_manifests(sent: Any) -> None:
    clone = type(sent)(sent.folder.with_name(f"{sent.folder.name}-clone"), "")
    shutil.copytree(sent.folder, clone.folder)
    assert "the name" not in clone.call("plan", "shop-a").stderr
    assert f"shop-b/news.toml:1:1: {ERROR}" in clone.call("plan", "shop-b").stderr


def test_a_journal_that_noted_no_files_yet_knows_of_no_other(sent: Any) -> None:
    with sqlite3.connect(sent.journal_file) as journal:
        journal.execute("DROP TABLE places")
    journal.close()
    assert "the name" not in sent.call("plan", "shop-b").stderr
    assert "the name" not in sent.call("send", "shop-b").stderr
    assert "the name" in sent.call("plan", "shop-a").stderr


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a journal that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.db"
    found: str = request.getfixturevalue("database").url
    return found


def test_each_file_of_a_name_is_noted_once(url: str) -> None:
    for paths in ({"a": "x/a.toml", "b": "x/b.toml"}, {"a": "y/a.toml"}, {"a": "x/a.toml"}, {}):
        with open_journal(url) as journal:
            journal.note_manifest_paths(paths)
    with read_journal(url) as reader:
        paths = reader.manifest_paths(["a", "b", "c"])
    assert paths == {"a": {"x/a.toml", "y/a.toml"}, "b": {"x/b.toml"}}


def test_a_role_that_may_make_no_tables_does_without(database: Database) -> None:
    with open_journal(database.url):
        pass
    role = f"sender_{uuid.uuid4().hex[:8]}"
    database.ask(f"CREATE ROLE {role} LOGIN")
    try:
        database.ask(f"GRANT USAGE ON SCHEMA dispatcher TO {role}")
        database.ask(f"GRANT ALL ON ALL TABLES IN SCHEMA dispatcher TO {role}")
        theirs = url_with(database.url, user=role, password=None)
        with open_journal(theirs) as journal:
            journal.note_manifest_paths({"a": "a.toml"})
            assert journal.manifest_paths(["a"]) == {}
            assert journal.lookup(["x"]) == {}
        with open_journal(database.url) as journal:
            journal.note_manifest_paths({"a": "a.toml"})
        with open_journal(theirs) as journal:  # nor may it read what another role has made
            assert journal.manifest_paths(["a"]) == {}
    finally:
        database.ask(f"DROP OWNED BY {role}")
        database.ask(f"DROP ROLE {role}")
