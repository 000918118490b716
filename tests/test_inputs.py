"""Files that are others later: noticed by what the system says, by content, by plan."""

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher import Refused, Upload
from dispatcher.errors import InputChanged, ManifestError
from dispatcher.http.files import opened
from dispatcher.inputs import InputFile, Inputs
from dispatcher.manifest import Options, load
from dispatcher.planning import NoRecords, Planner, kept
from dispatcher.testing import Recording, manifest, registry
from dispatcher.testing.recording import RecordingTransport
from tests.support.cases import cases

CONTENT = b"what was checked"
OTHER = b"another, as long"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "a.bin"
    found.write_bytes(CONTENT)
    return found


def rewrite(path: Path) -> None:
    """In place, as long as before, and with the time of before."""
    info = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def link(path: Path) -> None:
    path.rename(path.with_name("b.bin"))
    path.symlink_to("b.bin")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def copy(path: Path) -> None:
    """The same bytes in another file."""
    other = path.with_name("b.bin")
    other.write_bytes(CONTENT)
    other.replace(path)


CHANGES: list[Callable[[Path], object]] = [rewrite, pipe, copy, Path.unlink, os.utime]


@cases("change", *CHANGES, link, ids=lambda change: change.__name__)
def test_no_byte_of_another_file_leaves(path: Path, change: Callable[[Path], object]) -> None:
    upload = Upload.from_path(path)
    with opened(upload) as stream:
        assert stream.read() == CONTENT
    change(path)
    with pytest.raises(Refused, match="cannot be read"), opened(upload):
        pytest.fail("it was opened")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_an_input_that_changed_is_named(path: Path, change: Callable[[Path], object]) -> None:
    inputs = Inputs()
    with inputs.open(path) as stream:
        assert stream.read() == CONTENT
    inputs.require_unchanged()
    inputs.open(path).close()
    change(path)
    with pytest.raises(InputChanged, match=r"a\.bin has changed since it was checked"):
        inputs.require_unchanged()
    with pytest.raises((InputChanged, OSError)):
        inputs.open(path)


def test_what_changes_no_content_changes_nothing(path: Path) -> None:
    inputs, upload = Inputs(), Upload.from_path(path)
    inputs.open(path).close()
    path.chmod(0o600)
    os.link(path, path.with_name("b.bin"))
    inputs.require_unchanged()
    with upload.open() as stream:
        assert stream.read() == CONTENT


def test_a_file_behind_a_link_is_the_file(path: Path) -> None:
    to = path.with_name("to.bin")
    to.symlink_to(path)
    upload = Upload.from_path(to)
    with upload.open() as stream:
        assert stream.read() == CONTENT
    assert upload.filename == "to.bin"


def test_what_is_being_written_is_not_described(path: Path) -> None:
    class Growing(io.BufferedReader):
        """Something is added while it is read."""

        def readinto(self, buffer: Any) -> int:
            with path.open("ab") as file:
                file.write(b"more")
            return 0

    with Growing(io.FileIO(path)) as stream, pytest.raises(OSError, match="being written"):
        InputFile.read(str(path), stream)


def test_many_files_are_looked_at_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, looked = Inputs(), threading.Event()
    for number in range(300):
        (tmp_path / str(number)).write_bytes(CONTENT)
        inputs.open(tmp_path / str(number)).close()
    inputs.require_unchanged()
    monkeypatch.setattr(InputFile, "is_unchanged", lambda *_, **__: looked.set() or True)
    inputs.require_unchanged()
    assert not looked.is_set()
    inputs.require_unchanged(thorough=True)
    assert looked.is_set()


# Without any of this, as where a file system keeps no exact times

ROWS = [f"7900{number:07}" for number in range(600)]
LISTS = {
    "a row more": [*ROWS, "79990000000"],
    "a row less": ROWS[:-1],
    "most rows less": ROWS[:10],
    "none": [],
    "another order": [*ROWS[:530], ROWS[531], ROWS[530], *ROWS[532:]],
    "half written": [*ROWS[:300], "79000030"],
    "another number": [*ROWS[:-1], "79990000000"],
}


def checked(folder: Path) -> Planner:
    """A planner that has checked messages to all of ROWS, in people.csv."""
    (folder / "people.csv").write_text("\n".join(["to", *ROWS]))
    path = manifest(folder, {"recipients": "people.csv", "text": {"body": "Hello"}})
    transport = RecordingTransport()
    manifests = load([path], Options(transport="recording"))
    planner = Planner(manifests, registry(Recording()), lambda name: transport)
    assert not planner.check(NoRecords()).errors
    return planner


@pytest.mark.parametrize("rows", LISTS.values(), ids=LISTS.keys())
def test_no_message_is_planned_that_was_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str]
) -> None:
    monkeypatch.setattr(InputFile, "is_same", lambda *_: True)
    monkeypatch.setattr(Inputs, "require_unchanged", lambda *_, **__: None)
    monkeypatch.setattr(kept, "_MOST", len(ROWS) - 1)  # so that all are made anew
    planner = checked(tmp_path)
    (tmp_path / "people.csv").write_text("\n".join(["to", *rows]))

    planned: list[str] = []
    # A half number is a problem by itself.
    with pytest.raises((InputChanged, ManifestError), match=r"is not as it was checked|79000030"):
        planned.extend(each.message.to for each in planner.plan())
    assert planned == ROWS[: len(planned)]


@pytest.mark.parametrize("rows", LISTS.values(), ids=LISTS.keys())
def test_a_changed_file_is_named_before_kept_messages_are_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str]
) -> None:
    monkeypatch.setattr(InputFile, "is_same", lambda *_: True)
    planner = checked(tmp_path)
    (tmp_path / "people.csv").write_text("\n".join(["to", *rows]))
    with pytest.raises(InputChanged, match=r"people\.csv has changed since it was checked"):
        next(planner.plan())
