"""Which commit a working tree is compared with."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dispatcher.errors import ConfigError
from dispatcher.git_command import GitError, git
from dispatcher.visible import quoted

# Where the default branch may be, the most certain first.
_DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


class Revision(NamedTuple):
    """A commit, and how it was chosen: `main`, `merge base with origin/main`."""

    commit: str
    chosen: str

    @property
    def short(self) -> str:
        """The beginning of its hash, as people write it."""
        return self.commit[:7]

    def __str__(self) -> str:
        return (
            self.short if self.commit.startswith(self.chosen) else f"{self.short} ({self.chosen})"
        )


class Repository:
    """The git repository that a folder is in: `prefix`, relative to its working tree, `top`.

    `folder` is that of git itself, which all worktrees share.
    Raises ConfigError if there is none, or if git cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("git") is None:
            raise ConfigError("git is not installed, and only git knows what the files were before")
        try:
            # Asked one by one, as a name may have a newline in it.
            self.top, self.folder = (
                Path(git(folder, "rev-parse", "--path-format=absolute", each))
                for each in ("--show-toplevel", "--git-common-dir")
            )
        except GitError as error:
            raise ConfigError(_unusable(folder, str(error))) from None
        self.prefix = PurePosixPath(os.path.relpath(os.path.realpath(folder), self.top))

    def revision(self, name: str | None) -> Revision:
        """Return the commit of this name, or the one where this branch has left the default one.

        Raises ConfigError, which says what to fetch.
        """
        return self._named(name) if name is not None else self._merge_base()

    def has_revision(self, name: str) -> bool:
        """Whether a name is that of a commit."""
        return self._commit(name) is not None

    def _named(self, name: str) -> Revision:
        commit = self._commit(name)
        if commit is None:
            raise ConfigError(f"there is no revision {quoted(name)} here; {self._to_fetch(name)}")
        return Revision(commit, name)

    def _merge_base(self) -> Revision:
        if self._commit("HEAD") is None:
            raise ConfigError("there is no commit yet, so there is nothing to compare with")
        branch = next((each for each in _DEFAULT_BRANCHES if self._commit(each)), None)
        if branch is None:
            raise ConfigError(
                "no default branch is here (origin/HEAD, origin/main, main, master); name the "
                "revision to compare with: dispatcher diff REV",
                *(["to fetch it: git fetch origin main"] if self._asked("remote") else []),
            )
        commit = self._asked("merge-base", "HEAD", branch)
        if commit is None:
            raise ConfigError(self._no_merge_base(branch))
        return Revision(commit, f"merge base with {self._shown(branch)}")

    def _no_merge_base(self, branch: str) -> str:
        if self._is_shallow:
            return (
                f"this clone is shallow: the commit where this branch has left {branch} is not in "
                "it; git fetch --unshallow (in GitHub's actions/checkout: fetch-depth: 0), or name "
                "the revision to compare with: dispatcher diff REV"
            )
        return (
            f"this branch and {branch} have no commit in common; name the revision to compare "
            "with: dispatcher diff REV"
        )

    def _shown(self, branch: str) -> str:
        """Return a branch's name, also if it is only called the remote's HEAD."""
        if branch != "origin/HEAD":
            return branch
        return self._asked("rev-parse", "--abbrev-ref", branch) or branch

    def _to_fetch(self, name: str) -> str:
        if name.startswith("-"):  # git would take it for an option
            return "a name that begins with - is written in full, like refs/tags/-x"
        remote = (self._asked("remote") or "origin").split("\n")[0]
        branch = name.removeprefix(f"{remote}/")
        if re.search(r"[~^@]", name) and self._is_shallow:
            return "this clone is shallow: git fetch --unshallow"
        if self._is_shallow:
            wanted = f"{branch}:refs/remotes/{remote}/{branch}" if branch != name else branch
            return f"this clone is shallow: git fetch --depth=1 {remote} {wanted}"
        return f"if it is one of {remote}: git fetch {remote} {branch}"

    @property
    def _is_shallow(self) -> bool:
        return self._asked("rev-parse", "--is-shallow-repository") == "true"

    def _commit(self, name: str) -> str | None:
        if name.startswith(("-", "^")):  # an option, or all but a commit
            return None
        return self._asked("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")

    def _asked(self, *question: str) -> str | None:
        try:
            return git(self.top, *question) or None
        except GitError:
            return None

    def has(self, revision: Revision, path: PurePosixPath) -> bool:
        """Whether a commit has a file or a folder at a path from the top."""
        name = "" if str(path) == "." else path
        return self._asked("cat-file", "-t", f"{revision.commit}:{name}") is not None


def _unusable(folder: Path, why: str) -> str:
    if why.startswith("not a git repository"):
        return (
            f"{folder} is in no git repository, so there is nothing to compare with; git init "
            "begins one, and dispatcher plan shows what would be sent now"
        )
    trust = ""
    if "dubious ownership" in why:
        trust = f"; if you trust it: git config --global --add safe.directory {folder}"
    return f"{folder}: git says: {why}{trust}"
