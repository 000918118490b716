"""Uploads of several runs on one journal: one of them uploads, the others wait for it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from dispatcher import MediaId, Message, Refused, Upload
from dispatcher.delivery import uploads
from dispatcher.delivery.uploads import Uploads
from dispatcher.journal import SharedState, open_journal
from tests.support.messages import FILE, message
from tests.support.postgres import Database

Open: TypeAlias = "Callable[[], tuple[Uploads, SharedState]]"


class Gateway:
    """Gives media ids, for a day or without an end, as `upload` says; a while after it is asked."""

    name, account_key, upload_takes_message = "scripted", "scripted:one", False

    def __init__(self, lasts: timedelta | None = timedelta(days=1)) -> None:
        self._lasts, self._lock, self.uploads = lasts, threading.Lock(), 0
        self.fails = 0

    def upload(self, file: Upload, message: Message) -> MediaId:
        with self._lock:
            self.uploads += 1
            number = self.uploads
        time.sleep(0.05)
        if number <= self.fails:
            raise Refused("no")
        end = datetime.now(UTC) + self._lasts if self._lasts else None
        return MediaId(id=f"medium-{number}", expires_at=end)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def opened(database: Database, stop: threading.Event) -> Iterator[Open]:
    """Open the uploads of a run on a shared journal, and what it shares."""
    with ExitStack() as stack:

        def opened() -> tuple[Uploads, SharedState]:
            journal = stack.enter_context(open_journal(database.url))
            shared = stack.enter_context(journal.shared_state())
            assert shared is not None
            return Uploads(journal, stop, shared), shared

        yield opened


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_LEASE", 0.5)
    monkeypatch.setattr(uploads, "_LOOK", 0.01)


def media(runs: list[Uploads], gateway: Any) -> list[Any]:
    """The media that runs get which need a file at the same time, or what they got instead."""
    with ThreadPoolExecutor(len(runs)) as pool:
        asked = [pool.submit(run.media, gateway, FILE, message()) for run in runs]
        return [each.exception() or each.result() for each in asked]


@pytest.mark.parametrize(("lasts", "count"), [(timedelta(days=1), 1), (None, 3)], ids=str)
def test_runs_upload_once_what_is_kept(opened: Open, lasts: timedelta | None, count: int) -> None:
    """An id without an end is not kept, and every run uploads for itself."""
    gateway, runs = Gateway(lasts), [opened()[0] for _ in range(3)]
    ids = [each.id for _ in range(2) for each in media(runs, gateway)]
    assert gateway.uploads == len(set(ids)) == count


def test_when_one_run_cannot_upload_a_file_another_one_tries(opened: Open) -> None:
    gateway, runs = Gateway(), [opened()[0] for _ in range(2)]
    gateway.fails = 1
    found = media(runs, gateway)
    assert sorted(type(each).__name__ for each in found) == ["Refused", "UploadedMedia"]
    assert gateway.uploads == 2


def test_run_that_died_while_it_uploaded_is_waited_for_no_longer_than_its_lease(
    opened: Open, database: Database
) -> None:
    (run, _), (_, dead) = opened(), opened()
    gateway = Gateway()
    media([run], gateway)
    ((sha,),) = database.ask("SELECT sha256 FROM dispatcher.uploads")
    database.ask("DELETE FROM dispatcher.uploads")
    assert dead.lease(f"upload scripted:one {sha}", 0.3)
    began = time.monotonic()
    (other, _) = opened()
    assert media([other], gateway)[0].id == "medium-2"
    assert time.monotonic() - began >= 0.2


def test_run_that_is_to_stop_waits_for_no_upload(
    opened: Open, database: Database, stop: threading.Event
) -> None:
    (run, _), (_, other) = opened(), opened()
    gateway = Gateway()
    media([run], gateway)
    ((sha,),) = database.ask("SELECT sha256 FROM dispatcher.uploads")
    database.ask("DELETE FROM dispatcher.uploads")
    assert other.lease(f"upload scripted:one {sha}", 60)
    stop.set()
    assert media([opened()[0]], gateway) == [None]


def test_upload_that_takes_longer_than_a_lease_is_still_one(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_LEASE", 0.03)
    gateway, runs = Gateway(), [opened()[0] for _ in range(2)]
    media(runs, gateway)
    assert gateway.uploads == 1


def test_id_that_another_run_has_renewed_is_not_forgotten(opened: Open) -> None:
    """Two runs find that the gateway does not know a medium any longer."""
    gateway, (first, second) = Gateway(), [opened()[0] for _ in range(2)]
    stale = media([first], gateway) + media([second], gateway)
    renewed = []
    for run, old in zip((first, second), stale, strict=True):
        run.forget(old)
        renewed += media([run], gateway)
    assert [each.id for each in renewed] == ["medium-2", "medium-2"]
    assert gateway.uploads == 2
