"""A journal is read and used also if the run that first changed its database was killed then."""

import shutil
import signal
from collections.abc import Callable

import pytest

from .mailing import Mailing, NewMailing


@pytest.fixture
def mailing(new_mailing: NewMailing, preloaded: Callable[[str], dict[str, str]]) -> Mailing:
    return new_mailing(3, script=("beginning",), environment=preloaded("diskfault"))


def kill_in_first_change(mailing: Mailing) -> None:
    process = mailing.start()
    errors = mailing.read_rest(process)
    assert process.returncode == -signal.SIGKILL, errors
    assert mailing.project.journal_file.with_name("journal.db-journal").exists()


def test_new_journal(mailing: Mailing) -> None:
    kill_in_first_change(mailing)

    assert mailing.project.call("plan").code == 0
    assert mailing.journal() == {}
    assert mailing.ends_well() == 0


def test_copy_in_its_place(mailing: Mailing) -> None:
    assert mailing.ends_well() == 0
    project, copy = mailing.project, mailing.project.folder / "copy.db"
    assert project.call("journal", "backup", str(copy)).code == 0
    shutil.move(copy, project.journal_file)
    kill_in_first_change(mailing)

    assert project.call("journal", "check").code == 0
    assert set(mailing.journal().values()) == {"sent"}
    assert mailing.ends_well() == 0
