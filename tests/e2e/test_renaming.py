"""A message that is renamed is the same message, if git says so, and stops the run if not."""

import subprocess

import pytest

from tests.support.project import Project, text

TO, OTHER = "79001234567", "79001234568"


def rename(project: Project, old: str, new: str, head: str = "") -> None:
    path = project.folder / f"manifests/{old}.toml"
    project.write(f"manifests/{new}.toml", path.read_text().replace("\n", f"\n{head}\n", 1))
    path.unlink()


def git(project: Project, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=project.folder, check=True, text=True)


@pytest.fixture
def sent(project: Project) -> Project:
    """A price list that was sent to two people."""
    project.config("")
    project.manifest(
        text("list", body="Prices") + f'[[messages]]\nid = "more"\nto = "{OTHER}"\n'
        'text.body = "More"\n',
        "manifests/prices.toml",
    )
    assert project.call("send").code == 0
    return project


def planned(project: Project, *arguments: str) -> dict[str, tuple[str, str | None]]:
    """Of each message, its status and the key that it was sent under."""
    lines = project.call("plan", "--json", *arguments).planned
    return {line["key"]: (line["status"], line.get("was")) for line in lines}


def test_a_renamed_file_stops_the_run_and_says_the_ways_on(sent: Project) -> None:
    rename(sent, "prices", "tariffs")
    assert planned(sent) == {
        f"default/tariffs/list/1/{TO}": ("moved", f"default/prices/list/1/{TO}"),
        f"default/tariffs/more/1/{OTHER}": ("moved", f"default/prices/more/1/{OTHER}"),
    }
    sent.call("send").refused(
        'manifests/tariffs.toml:4:6: error: message "list": 1 person has it as prices/list',
        'message "more"',
        'moved_from = "prices" above [[messages]]',
        "moved_from = []",
        "--resend moved",
    )
    assert sorted(sent.arrived()) == ["More", "Prices"]
    rename(sent, "tariffs", "tariffs-2", 'moved_from = ["prices"]')
    assert sent.call("send", "--json").statuses == {"list": "skipped", "more": "skipped"}
    assert planned(sent)[f"default/tariffs-2/list/1/{TO}"] == (
        "sent",
        f"default/prices/list/1/{TO}",
    )


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ('id = "spring"\nmoved_from = "list"', "sent"),
        ('id = "spring"\nmoved_from = "prices/list"', "sent"),
        ('id = "spring"\nmoved_from = ["summer", "list"]', "sent"),
        ('id = "spring"\nmoved_from = "list"\nrevision = 2', "new"),
        ('id = "spring"\nmoved_from = []', "new"),
        ('id = "spring"', "moved"),
    ],
)
def test_a_renamed_message(sent: Project, new: str, status: str) -> None:
    path = sent.folder / "manifests/prices.toml"
    path.write_text(path.read_text().replace('id = "list"', new))
    assert [found for key, (found, _) in planned(sent).items() if "/spring/" in key] == [status]


def test_another_text_under_another_name_has_changed(sent: Project) -> None:
    path = sent.folder / "manifests/prices.toml"
    new = path.read_text().replace('"list"', '"spring"\nmoved_from = "list"')
    path.write_text(new.replace('"Prices"', '"Spring prices"'))
    assert planned(sent)[f"default/prices/spring/1/{TO}"][0] == "changed"
    assert sent.call("send", "--resend", "changed", "--yes").code == 0
    assert sorted(sent.arrived()) == ["More", "Prices", "Spring prices"]
    keys = {line["key"] for line in sent.call("history", "--json").lines}
    assert keys == {f"default/prices/list/1/{TO}", f"default/prices/more/1/{OTHER}"}


def test_a_message_of_another_manifest(sent: Project) -> None:
    path = sent.folder / "manifests/prices.toml"
    path.write_text(path.read_text().partition('[[messages]]\nid = "more"')[0])
    more = f'[[messages]]\nid = "more"\nmoved_from = "prices/more"\nto = "{OTHER}"\n'
    sent.manifest(more + 'text.body = "More"\n', "manifests/rest.toml")
    assert [status for status, _ in planned(sent).values()] == ["sent", "sent"]
    assert [status for status, _ in planned(sent, "manifests/rest.toml").values()] == ["sent"]


def test_who_was_not_served_yet_is_served(sent: Project) -> None:
    path = sent.folder / "manifests/prices.toml"
    new = path.read_text().replace('"list"', '"spring"\nmoved_from = "list"')
    path.write_text(new.replace(f'"{TO}"', f'["{TO}", "79001234569"]'))
    assert sent.call("send").code == 0
    assert sorted(sent.arrived()) == ["More", "Prices", "Prices"]
    assert sent.call("send", "--json").summary["sent"] == 0


def test_what_failed_is_tried_again_under_its_old_name(project: Project) -> None:
    project.config("")
    project.inbox.faults([{"fault": "status", "status": 400, "code": 1022, "times": 1}])
    project.texts("a")
    assert project.call("send").code == 1
    project.manifest(text("b", body="I am a").replace('"b"', '"b"\nmoved_from = "a"', 1))
    assert project.call("send", "--json").statuses == {"b": "sent"}
    (row,) = project.call("history", "--json").lines
    assert (row["message"], row["status"], row["attempts"]) == ("a", "sent", 2)


def test_what_nobody_knows_is_settled_under_its_old_name(project: Project) -> None:
    project.config("")
    project.inbox.faults([{"fault": "reset_after", "times": 1}])
    project.texts("a")
    assert project.call("send").code == 5
    project.manifest(text("b", body="I am a").replace('"b"', '"b"\nmoved_from = "a"', 1))
    again = project.call("send")
    assert (again.code, f"settle it as default/m/a/1/{TO}" in again.stdout) == (5, True)
    assert project.call("settle", "--sent", f"default/m/a/1/{TO}").code == 0
    assert project.call("send", "--json").statuses == {"b": "skipped"}
    assert len(project.arrived()) == 1


def test_the_same_words_under_two_names_are_two_messages(sent: Project) -> None:
    sent.manifest(text("again", body="Prices"), "manifests/twin.toml")
    assert [status for status, _ in planned(sent, "manifests/twin.toml").values()] == ["new"]
    assert sent.call("send", "manifests/twin.toml").code == 0
    assert sorted(sent.arrived()) == ["More", "Prices", "Prices"]


def test_resend_moved_sends_once_more(sent: Project) -> None:
    rename(sent, "prices", "tariffs")
    assert sent.call("send", "--resend", "moved", "--yes").code == 0
    assert sorted(sent.arrived()) == ["More", "More", "Prices", "Prices"]
    assert sent.call("send", "--json").statuses == {"list": "skipped", "more": "skipped"}


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ('moved_from = "more"', "moved_from: prices/more is still there"),
        ('moved_from = "other/x"', 'nothing was sent as "other/x"'),
        ('moved_from = "a b"', "may hold only letters, digits"),
        ('moved_from = "a/b/c"', "may hold only letters, digits"),
        ('moved_from =["", "list"]', "moved_from must not be empty"),
        ("moved_from = 1", "moved_from"),
    ],
)
def test_a_former_name_that_is_none(sent: Project, written: str, sentence: str) -> None:
    git(sent, "init", "-q")
    git(sent, "add", "manifests")
    git(sent, "commit", "-qm", "prices")
    path = sent.folder / "manifests/prices.toml"
    path.write_text(path.read_text().replace('id = "list"', f'id = "spring"\n{written}'))
    sent.call("send").refused("manifests/prices.toml:4:14: error", sentence)


def test_two_messages_cannot_have_had_one_name(sent: Project) -> None:
    path = sent.folder / "manifests/prices.toml"
    path.write_text(path.read_text().replace('id = "list"', 'id = "spring"\nmoved_from = "list"'))
    twin = text("summer", body="Hot").replace('"summer"', '"summer"\nmoved_from = "prices/list"', 1)
    sent.manifest(twin, "manifests/twin.toml")
    place = "prices/list became prices/spring already (manifests/prices.toml:4)"
    sent.call("send").refused(place)
    sent.call("send", "manifests/twin.toml").refused(place)


def test_a_message_that_was_renamed_before_it_was_ever_sent(sent: Project) -> None:
    git(sent, "init", "-q")
    sent.manifest(text("first", body="Hello"), "manifests/news.toml")
    git(sent, "add", "manifests")
    git(sent, "commit", "-qm", "news")
    renamed = text("second", body="Hello").replace('"second"', '"second"\nmoved_from = "first"', 1)
    sent.manifest(renamed, "manifests/news.toml")
    result = sent.call("plan", "--json")
    assert (result.code, result.stderr) == (0, "")
    git(sent, "add", "manifests")
    git(sent, "commit", "-qm", "renamed")
    clone = sent.folder.with_name("shallow")
    git(sent, "clone", "-q", "--depth", "1", f"file://{sent.folder}", str(clone))
    journal = f"sqlite:///{sent.journal_file}"
    said = sent.call("plan", "-C", str(clone), "--journal", journal).stderr
    assert 'warning: message "second": moved_from: nothing was sent as "first"' in said


@pytest.mark.parametrize("messages", ["5", "true", "2026-11-30", '"text"', "{ id = 1 }", "[1]"])
def test_another_manifest_that_is_none_does_no_harm(sent: Project, messages: str) -> None:
    sent.manifest(f"messages = {messages}\n", "manifests/broken.toml")
    assert set(planned(sent, "manifests/prices.toml").values()) == {("sent", None)}
