"""Real git repositories."""

import subprocess
from pathlib import Path

AUTHOR = {  # for a git that a person would start
    **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "a@example.com" for who in ("AUTHOR", "COMMITTER")},
}
_AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.com")
_SETTINGS = (*_AUTHOR, "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str | Path) -> str:
    """What git says in a folder."""
    done = subprocess.run(
        ["git", *_SETTINGS, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def committed(folder: Path) -> Path:
    """A repository with all that is in a folder."""
    git(folder, "init")
    git(folder, "add", "--all")
    git(folder, "commit", "--message", "All")
    return folder
