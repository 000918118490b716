"""Whether another user may have written a file.

dispatcher.toml decides where a token goes and which files may be read, a journal what counts as
sent. They are used only if nobody but this user and root may have written them: git requires the
same of a repository (git-config, `safe.directory`), sshd of its files (`StrictModes`).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

VARIABLE = "DISPATCHER_SAFE_DIRECTORY"


def objection(path: Path, info: os.stat_result) -> str | None:
    """Return why a file or folder cannot be trusted, and what to do, or None if it can.

    `info` is that of the open file, if there is one, so that nothing comes between check and use.
    """
    if info.st_uid not in _trusted_users():
        who, remedy = f"belongs to another user ({_name(info.st_uid)})", "chown it"
    elif _others_may_write(info):
        mode = stat.S_IMODE(info.st_mode)
        who, remedy = f"may be written by other users (mode {mode:04o})", "chmod go-w it"
    else:
        return None
    if _declared_safe(path):
        return None
    folder = path if stat.S_ISDIR(info.st_mode) else path.parent
    return f"{path} {who}; if you trust it: {remedy}, or set {VARIABLE}={folder.absolute()}"


def objection_at(path: Path) -> str | None:
    """Return the `objection` to a path, or to its target if it is a link; None if there is none."""
    for look in (os.lstat, os.stat):
        try:
            sentence = objection(path, look(path))
        except OSError:
            return None  # opening it will report it
        if sentence is not None:
            return sentence
    return None


def _trusted_users() -> set[int]:
    """Return this user and root; under sudo also the user who called it, as git does."""
    users = {0, os.geteuid()}
    sudo = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and sudo.isascii() and sudo.isdigit():
        users.add(int(sudo))
    return users


def _others_may_write(info: os.stat_result) -> bool:
    if stat.S_ISLNK(info.st_mode):  # the mode of a link means nothing
        return False
    if stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX:
        return False  # as in /tmp: each user may replace only their own files
    if info.st_mode & stat.S_IWOTH:
        return True
    return bool(info.st_mode & stat.S_IWGRP) and _has_others(info.st_gid)


def _has_others(group: int) -> bool:
    """Whether a group has members other than the trusted users.

    Where every user has a group of their own (umask 002), that group may write all their files.
    """
    import grp
    import pwd

    trusted = _trusted_users()
    try:
        names = grp.getgrgid(group).gr_mem
        members = {pwd.getpwnam(name).pw_uid for name in names}
    except KeyError:
        return True
    members.update(each.pw_uid for each in pwd.getpwall() if each.pw_gid == group)
    return not members <= trusted


def _declared_safe(path: Path) -> bool:
    """Whether the user trusts a file: its folder or one above is named, or `*` for all.

    For a link, either the place of the link or that of its target counts.
    """
    folders = os.environ.get(VARIABLE, "").split(os.pathsep)
    if "*" in folders:
        return True
    paths = Path(os.path.realpath(path.parent), path.name), Path(os.path.realpath(path))
    roots = [os.path.realpath(folder) for folder in folders if folder]
    return any(each.is_relative_to(root) for each in paths for root in roots)


def _name(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
