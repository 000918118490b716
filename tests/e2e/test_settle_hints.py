"""`settle` with a key that the journal does not know: it says what it knows instead."""

import re
import uuid
from collections.abc import Iterator

import pytest

from tests.support.cases import cases
from tests.support.postgres import Database, url_with
from tests.support.project import NewProject, Project, text

TO, OTHER = "79001234567", "79995550000"
LOST = {"fault": "reset_after", "path": "/v1/messages", "to": TO}
# As servers in most countries sort; the second passes over what is neither letter nor digit, and
# then less is found.
COLLATIONS = ("en-US", "en-US-u-ka-shifted")


@pytest.fixture(scope="module", params=["sqlite", "postgresql", *COLLATIONS])
def address(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a journal; None: the usual file."""
    if request.param == "sqlite":
        yield None
        return
    server: Database = request.getfixturevalue("server")
    name = f"dispatcher_test_{uuid.uuid4().hex[:12]}"
    sorted_by = (
        f"LOCALE_PROVIDER icu ICU_LOCALE '{request.param}'" if request.param in COLLATIONS else ""
    )
    server.ask(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {sorted_by}")
    yield url_with(server.url, database=name)
    server.ask(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def past(sandbox_process: object, new_project: NewProject, address: str | None) -> Project:
    """Messages to two people in two manifests and two runs; what went to the first is unknown."""
    project = new_project()
    project.inbox.clear()
    if address is not None:
        project.environment["DISPATCHER_JOURNAL"] = address
    project.config("")
    project.inbox.faults([LOST])
    prices = text("spring", [TO, OTHER]) + 'revision = 2\n[[messages]]\nid = "autumn"\n'
    project.manifest(f'{prices}to = "{OTHER}"\ntext.body = "Hi"\n', "manifests/prices.toml")
    project.manifest(text("welcome", TO), "manifests/new-people.toml")
    project.manifest('repeat = "run"\n' + text("digest", TO), "manifests/daily.toml")
    assert project.call("send", "manifests/prices.toml", "manifests/new-people.toml").code == 5
    for run in ("2026-11-28", "2026-11-29"):
        assert project.call("send", "--run", run, "manifests/daily.toml").code == 5
    return project


HINTS = {
    "a digit is wrong": (
        "default/prices/spring/2/79001234568",
        "did you mean default/prices/spring/2/79001234567 (unknown)?",
    ),
    "a digit is missing": (
        "default/prices/spring/2/7900123456",
        "did you mean default/prices/spring/2/79001234567 (unknown)?",
    ),
    "written as people do": (
        "default/prices/spring/2/+7 900 123-45-67",
        "did you mean default/prices/spring/2/79001234567 (unknown)?",
    ),
    "the id is wrong": (
        f"default/prices/sprign/2/{TO}",
        f"did you mean default/prices/spring/2/{TO} (unknown)?",
    ),
    "the manifest is wrong": (
        f"default/price/spring/2/{TO}",
        f"did you mean default/prices/spring/2/{TO} (unknown)?",
    ),
    "another revision": (
        f"default/prices/spring/1/{TO}",
        f"the journal has it in another run or revision: default/prices/spring/2/{TO} (unknown)",
    ),
    "other runs": (
        f"2026-11-30/daily/digest/1/{TO}",
        f"in another run or revision: 2026-11-29/daily/digest/1/{TO} (unknown), "
        f"2026-11-28/daily/digest/1/{TO} (unknown)",
    ),
    "another message": (
        f"default/invoices/november/1/{OTHER}",
        f"its recipient has: default/prices/spring/2/{OTHER} (sent), "
        f"default/prices/autumn/1/{OTHER} (sent)",
    ),
    "the run was forgotten": (
        f"prices/spring/2/{TO}",
        f"did you mean default/prices/spring/2/{TO} (unknown)?",
    ),
    "nothing like it": ("default/x/y/1/79111111111", "see: dispatcher history"),
}


@pytest.mark.parametrize(("key", "hint"), HINTS.values(), ids=HINTS)
def test_what_the_journal_knows_instead(
    past: Project, request: pytest.FixtureRequest, key: str, hint: str
) -> None:
    result = past.call("settle", "--sent", key)
    assert (result.code, result.stdout) == (3, "")
    if "shifted" not in request.node.name:
        assert hint in result.stderr
    assert result.stderr.count("\n") == 1


def test_each_key_that_is_named_is_known(past: Project) -> None:
    """Whichever way the database sorts."""
    known = {line["key"] for line in past.call("history", "--json").lines}
    for key, _ in HINTS.values():
        said = past.call("settle", "--sent", key).stderr
        assert set(re.findall(r"(\S+) \((?:sent|unknown)\)", said)) <= known


@cases("wrong", "price-list", "", "a/b/c/d/e", "default/prices/spring/0/79001234567")
def test_what_is_no_key_is_told_what_one_looks_like(project: Project, wrong: str) -> None:
    project.send_texts("a")
    result = project.call("settle", "--sent", wrong)
    assert result.code == 3
    form = "RUN/MANIFEST/ID/REVISION/RECIPIENT, as history has them"
    assert result.stderr == f'error: "{wrong}" is no key: {form}\n'


def test_a_former_name_is_told(project: Project) -> None:
    project.inbox.faults([LOST])
    project.send_texts("a", code=5)
    (project.folder / "manifests/m.toml").unlink()
    moved = f'moved_from = "m"\n{text("b")}moved_from = "a"\n'
    project.manifest(moved, "manifests/n.toml")
    result = project.call("settle", "--sent", f"default/n/b/1/{TO}")
    assert result.stderr.startswith(
        f"error: no message default/n/b/1/{TO}; the journal has it under its former name: "
        f"default/m/a/1/{TO} (unknown)"
    )
    assert project.call("settle", "--sent", f"default/m/a/1/{TO}").code == 0
    assert project.call("send", "--json").statuses == {"b": "skipped"}


def test_manifests_that_cannot_be_read_keep_nobody_from_a_hint(project: Project) -> None:
    project.send_texts("a")
    project.manifest("no TOML")
    result = project.call("settle", "--sent", f"default/m/b/1/{TO}")
    assert f"did you mean default/m/a/1/{TO} (sent)?" in result.stderr
