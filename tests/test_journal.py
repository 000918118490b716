"""The journal and its lock, apart from the commands that use them."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dispatcher import Failure, JournalError, MediaId, Message
from dispatcher.errors import JournalLocked
from dispatcher.journal import Journal, open_journal, read_journal
from dispatcher.journal.locking import locked
from dispatcher.models import Text

TO = "79001234567"
REFUSED = Failure(code="1022", text="Subscriber was not found")


def message(id: str = "a", to: str = TO, run: str = "default") -> Message:
    return Message(
        key=f"{run}/m/{id}/1/{to}",
        manifest="m",
        id=id,
        to=to,
        recipient_type="individual",
        type="text",
        text=Text(body="Hello"),
        transport="greenapi",
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/.dispatcher/journal.db"


def status(opened: Journal, key: str) -> str | None:
    record = opened.lookup([key]).get(key)
    return record.status if record else None


def test_what_is_known_of_a_message_from_intent_to_receipt(url: str) -> None:
    sent = message()
    with open_journal(url) as opened:
        assert opened.lookup([sent.key]) == {}
        opened.begin(sent, "digest-1")
        assert status(opened, sent.key) == "sending"
        opened.finish(sent.key, "failed", error=REFUSED)
        (row,) = opened.history()
        assert (row.status, row.error) == ("failed", REFUSED)
        opened.begin(sent, "digest-2")
        (row,) = opened.history()
        assert (row.status, row.error) == ("sending", None), "nothing of the last attempt stays"
        opened.finish(sent.key, "sent", id="1234")
    with read_journal(url) as reopened:
        assert reopened is not None
        record = reopened.lookup([sent.key])[sent.key]
        (row,) = reopened.history()
    assert (record.status, record.digest, record.id) == ("sent", "digest-2", "1234")
    assert (row.attempts, row.error, row.id) == (2, None, "1234")


def test_every_change_is_an_event(url: str, tmp_path: Path) -> None:
    with open_journal(url) as opened:
        opened.begin(message(), "digest")
        opened.finish(message().key, "failed", error=REFUSED)
        opened.begin(message(), "digest")
        opened.finish(message().key, "sent", id="1234")
    with closing(sqlite3.connect(tmp_path / ".dispatcher" / "journal.db")) as connection:
        query = "SELECT status, receipt, error_code FROM events ORDER BY id"
        events = connection.execute(query).fetchall()
    assert events == [
        ("sending", None, None),
        ("failed", None, "1022"),
        ("sending", None, None),
        ("sent", "1234", None),
    ]


def test_what_was_under_way_when_a_run_ended_is_unknown(url: str) -> None:
    with open_journal(url) as opened:
        for id in ("sent", "under-way"):
            opened.begin(message(id), "digest")
        opened.finish(message("sent").key, "sent", id="1")
    with read_journal(url) as reader:
        assert reader is not None
        assert status(reader, message("under-way").key) == "sending", "reading settles nothing"
    with open_journal(url) as opened:
        assert status(opened, message("sent").key) == "sent"
        assert status(opened, message("under-way").key) == "unknown"
        (row,) = opened.history(status="unknown")
        assert row.error is not None
        assert row.error.code == "interrupted"


def test_power_cut_loses_nothing_that_was_committed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits for the disk at every commit; in WAL mode that takes synchronous=FULL."""
    connections: list[sqlite3.Connection] = []
    real = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connections.append(real(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with open_journal(url) as opened:
        opened.begin(message(), "digest")
        (connection,) = connections
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_lookup_takes_any_number_of_keys(url: str) -> None:
    with open_journal(url) as opened:
        for number in (0, 1234, 2999):
            opened.begin(message(f"m{number}"), "digest")
        keys = [message(f"m{number}").key for number in range(3000)]
        assert set(opened.lookup(keys)) == {keys[0], keys[1234], keys[2999]}
        assert opened.lookup([]) == {}


def test_threads_share_a_journal(url: str) -> None:
    def work(number: int) -> None:
        mine = [message(f"m{number}-{each}") for each in range(20)]
        for each in mine:
            opened.begin(each, "digest")
            opened.finish(each.key, "sent", id=each.id)
            assert opened.lookup([each.key])[each.key].id == each.id

    with open_journal(url) as opened:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list(opened.history(status="sent"))) == 160


def test_journal_keeps_itself_out_of_git(url: str, tmp_path: Path) -> None:
    with open_journal(url):
        assert (tmp_path / ".dispatcher" / ".gitignore").read_text() == "*\n"
    elsewhere = tmp_path / "elsewhere"
    with open_journal(f"sqlite:///{elsewhere}/journal.db"):
        assert not (elsewhere / ".gitignore").exists(), "a folder that is the user's own"


@pytest.mark.parametrize("empty", [False, True], ids=["no file", "an empty file"])
def test_reading_before_the_first_run_finds_nothing_and_makes_nothing(
    url: str, tmp_path: Path, empty: bool
) -> None:
    file = tmp_path / ".dispatcher" / "journal.db"
    if empty:  # as it is for a moment while the first run begins
        file.parent.mkdir()
        file.touch()
    with read_journal(url) as reader:
        assert reader is None
    assert file.exists() == empty


@pytest.mark.parametrize("url", ["postgresql://host/x", "journal.db", "sqlite:///", ""])
def test_other_journals_are_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(JournalError, match="sqlite:///PATH"), open_journal(url):
        pass


# uploads


def test_media_ids_are_kept_by_account_until_they_are_forgotten(url: str) -> None:
    soon = datetime.now(UTC) + timedelta(hours=24)
    with open_journal(url) as opened:
        opened.remember_upload("one", "sha", MediaId(id="1", expires_at=soon))
        opened.remember_upload("two", "sha", MediaId(id="2", expires_at=soon))
    with open_journal(url) as opened:
        assert opened.media_id("one", "sha") == MediaId(id="1", expires_at=soon)
        opened.remember_upload("one", "sha", MediaId(id="3", expires_at=soon))
        opened.forget_upload("two", "sha")
        assert [opened.media_id(account, "sha") for account in ("one", "two", "three")] == [
            MediaId(id="3", expires_at=soon),
            None,
            None,
        ]


def test_media_id_that_does_not_say_how_long_it_lives_is_not_kept(url: str) -> None:
    with open_journal(url) as opened:
        opened.remember_upload("one", "sha", MediaId(id="1"))
        assert opened.media_id("one", "sha") is None


# the lock


def test_lock_names_its_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    with (
        locked(file, "morning"),
        pytest.raises(JournalLocked) as caught,
        locked(file, "evening"),
    ):
        pass
    for part in ('run "morning"', socket.gethostname(), "since 20"):
        assert part in str(caught.value)
    with locked(file, "evening"):
        pass


def test_lock_of_a_dead_holder_holds_nobody_up(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    Path(f"{file}.lock").write_text('{"run":"morning","host":"h","pid":1,"started":"long ago"}')
    with (
        locked(file, "evening"),
        pytest.raises(JournalLocked, match='run "evening"'),
        locked(file, "night"),
    ):
        pass


def test_holder_that_left_no_readable_name_is_another_run(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    with locked(file, "morning"):
        Path(f"{file}.lock").write_bytes(b"\xff{")
        with pytest.raises(JournalLocked, match="in use by another run"), locked(file, "evening"):
            pass


def test_patience_is_rewarded(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    holds, release = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(file, "morning"):
            holds.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(20)
    threading.Timer(0.2, release.set).start()
    with locked(file, "evening", patience=20):
        assert release.is_set()
    thread.join()


# everything, in any order


class AnyHistory(RuleBasedStateMachine):
    """A journal and a dictionary that must agree, whatever happens and whenever a run ends."""

    folder: Callable[[], Path]

    def __init__(self) -> None:
        super().__init__()
        self.url = f"sqlite:///{self.folder()}/journal.db"
        self.known: dict[str, tuple[str, str, str | None, int]] = {}
        self._open()

    def _open(self) -> None:
        self.context = open_journal(self.url)
        self.journal = self.context.__enter__()

    @rule(id=st.sampled_from("ab"), digest=st.sampled_from(["x", "y"]))
    def begin(self, id: str, digest: str) -> None:
        key = message(id).key
        attempts = self.known[key][3] if key in self.known else 0
        self.journal.begin(message(id), digest)
        self.known[key] = ("sending", digest, None, attempts + 1)

    @rule(id=st.sampled_from("ab"), how=st.sampled_from(["sent", "failed", "unknown"]))
    def finish(self, id: str, how: str) -> None:
        key = message(id).key
        if self.known.get(key, ("",))[0] != "sending":
            return
        receipt = f"receipt of {id}" if how == "sent" else None
        self.journal.finish(key, how, id=receipt, error=None if receipt else REFUSED)
        _, digest, _, attempts = self.known[key]
        self.known[key] = (how, digest, receipt, attempts)

    @rule()
    def end_and_begin_another_run(self) -> None:
        self.context.__exit__(None, None, None)
        self._open()
        for key, (how, digest, _, attempts) in self.known.items():
            if how == "sending":
                self.known[key] = ("unknown", digest, None, attempts)

    @invariant()
    def agree(self) -> None:
        rows = {row.key: row for row in self.journal.history()}
        found = self.journal.lookup(list(self.known))
        assert set(rows) == set(found) == set(self.known)
        for key, record in found.items():
            was = (record.status, record.digest, record.id, rows[key].attempts)
            assert was == self.known[key]

    def teardown(self) -> None:
        self.context.__exit__(None, None, None)


@pytest.fixture
def _folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    make = staticmethod(lambda: tmp_path_factory.mktemp("journal"))
    monkeypatch.setattr(AnyHistory, "folder", make, raising=False)


@pytest.mark.usefixtures("_folders")
def test_journal_agrees_with_a_dictionary_whatever_happens() -> None:
    examples = settings.default.max_examples // 10 if settings.default else 10
    run_state_machine_as_test(
        AnyHistory, settings=settings(max_examples=examples, stateful_step_count=20)
    )
