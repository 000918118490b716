"""What another user owns or may write is not followed: configuration, journal, rate file."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from dispatcher.delivery.rate_file import default_path
from dispatcher.errors import ConfigError
from dispatcher.ownership import VARIABLE, objection, objection_at
from tests.support.cases import cases
from tests.support.project import Project

STRANGER, NO_GROUP = 4_000_123, 4_000_124

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def found(mode: int, owner: int, group: int = NO_GROUP) -> os.stat_result:
    """What `stat` would say of such a file."""
    return os.stat_result((mode, 0, 0, 1, owner, group, 0, 0, 0, 0))


def is_trusted(info: os.stat_result, path: str = "/srv/shop/dispatcher.toml") -> bool:
    return objection(Path(path), info) is None


@cases(
    "mode, owner, is_good",
    (stat.S_IFREG | 0o644, os.geteuid(), True),
    (stat.S_IFREG | 0o644, 0, True),
    (stat.S_IFREG | 0o644, STRANGER, False),
    (stat.S_IFREG | 0o666, os.geteuid(), False),
    (stat.S_IFREG | 0o664, os.geteuid(), False),  # nobody knows who is in the group
    (stat.S_IFDIR | 0o755, os.geteuid(), True),
    (stat.S_IFDIR | 0o777, os.geteuid(), False),
    (stat.S_IFDIR | 0o1777, 0, True),  # /tmp
    (stat.S_IFDIR | 0o1777, STRANGER, False),
    (stat.S_IFREG | 0o1666, os.geteuid(), False),
    (stat.S_IFLNK | 0o777, os.geteuid(), True),
    (stat.S_IFLNK | 0o777, STRANGER, False),
)
def test_this_user_and_root_are_trusted(mode: int, owner: int, is_good: bool) -> None:
    assert is_trusted(found(mode, owner)) == is_good


@cases("members, is_good", ((), True), (("me",), True), (("me", "somebody"), False))
def test_a_group_may_write_if_it_is_one_user_s_own(
    monkeypatch: pytest.MonkeyPatch, members: tuple[str, ...], is_good: bool
) -> None:
    import grp
    import pwd

    users = {
        name: pwd.struct_passwd((name, "", uid, NO_GROUP if name == "me" else 5, "", "/", ""))
        for name, uid in {"me": os.geteuid(), "somebody": STRANGER}.items()
    }
    group = grp.struct_group(("me", "", NO_GROUP, list(members)))
    monkeypatch.setattr("grp.getgrgid", {NO_GROUP: group}.__getitem__)
    monkeypatch.setattr("pwd.getpwnam", users.__getitem__)
    monkeypatch.setattr("pwd.getpwall", lambda: list(users.values()))

    assert is_trusted(found(stat.S_IFREG | 0o664, os.geteuid())) == is_good


@cases(
    "safe, is_good",
    ("*", True),
    ("/srv/shop", True),
    ("/opt:/srv", True),
    ("/srv/shop/dispatcher.toml", True),
    ("/srv/sho", False),
    ("/srv/shop/campaign", False),
    ("", False),
)
def test_a_folder_that_the_user_declares_safe(
    monkeypatch: pytest.MonkeyPatch, safe: str, is_good: bool
) -> None:
    monkeypatch.setenv(VARIABLE, safe)
    assert is_trusted(found(stat.S_IFREG | 0o644, STRANGER)) == is_good


@cases("user, is_good", (0, True), (STRANGER + 1, False))
def test_behind_sudo_the_caller_is_trusted_by_root_alone(
    monkeypatch: pytest.MonkeyPatch, user: int, is_good: bool
) -> None:
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert is_trusted(found(stat.S_IFREG | 0o644, STRANGER)) == is_good


@as_root
def test_the_link_of_a_stranger_to_a_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "ours").touch()
    (tmp_path / "link").symlink_to("ours")
    assert objection_at(tmp_path / "link") is None
    os.lchown(tmp_path / "link", STRANGER, STRANGER)
    assert objection_at(tmp_path / "link") is not None


def everybody_may_write(path: Path) -> None:
    path.chmod(0o666)


def given_away(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER)


THREATS = [everybody_may_write, pytest.param(given_away, marks=as_root)]


@pytest.mark.parametrize("threaten", THREATS)
@cases("command", "validate", "plan", "send", "plugins")
def test_the_configuration_of_somebody_else_is_not_followed(
    project: Project, command: str, threaten: Callable[[Path], None]
) -> None:
    project.texts("a")
    threaten(project.config("[delivery]\nworkers = 3"))

    result = project.call(command)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: dispatcher.toml ")
    assert f"or set {VARIABLE}={project.folder}\n" in result.stderr

    assert project.call(command, env={VARIABLE: str(project.folder)}).code == 0


@pytest.mark.parametrize("threaten", THREATS)
@cases("name", ".dispatcher/journal.db", ".dispatcher/journal.db.lock")
def test_nothing_is_sent_by_the_journal_of_somebody_else(
    project: Project, name: str, threaten: Callable[[Path], None]
) -> None:
    project.texts("a")
    project.call("send")
    project.texts("a", "b")
    threaten(project.folder / name)

    result = project.call("send")
    assert (result.code, result.stdout) == (2, "")
    assert f"{name} " in result.stderr
    assert project.call("plan").code == 0  # others may read what was sent


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of a user who has no place for state."""
    (tmp_path / "nowhere").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_without_a_home_the_pace_is_kept_in_a_private_folder(no_home: Path) -> None:
    path = default_path()
    assert path.parent.parent == no_home
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert default_path() == path


def test_nothing_can_be_written(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", Mock(side_effect=FileNotFoundError("no folder")))
    why = "nor a temporary folder can be written; XDG_STATE_HOME can name another folder"
    with pytest.raises(ConfigError, match=why):
        default_path()


@cases("state", "", "relative")
def test_no_state_is_kept_in_the_working_directory(
    no_home: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """As for a container's user who is not in /etc/passwd: "~" stays as it is."""
    monkeypatch.chdir(no_home)
    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert default_path().parent == no_home / f"message-dispatcher-{os.getuid()}"
    assert {each.name for each in no_home.iterdir()} == {"nowhere", default_path().parent.name}


def test_the_folder_of_the_pace_is_private_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = os.umask(0)
    try:
        made = default_path()
    finally:
        os.umask(before)
    assert default_path() == made


def a_folder_for_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def a_pipe_within(path: Path) -> None:
    path.mkdir(mode=0o700)
    os.mkfifo(path / "pace.db")


def a_file_for_all_within(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path / "pace.db").touch()
    (path / "pace.db").chmod(0o666)


@cases("prepare", a_folder_for_all, Path.touch, a_pipe_within, a_file_for_all_within)
def test_what_was_prepared_is_not_taken(no_home: Path, prepare: Callable[[Path], None]) -> None:
    prepare(no_home / f"message-dispatcher-{os.getuid()}")
    why = "^cannot keep the state of the rate limiter: .*XDG_STATE_HOME"
    with pytest.raises(ConfigError, match=why):
        default_path()
