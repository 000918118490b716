"""Shows what a pull request changes for recipients: in the summary, a comment and annotations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from comment import CHANGED, FAILED, NOTHING, Api, ApiError, Difference, cut, keep_for, report

_LONGEST_SUMMARY = 900_000  # bytes; GitHub drops one of more than 1 MiB
_NOTHING = "Nothing changes for recipients"
_MAY_NOT = (401, 403, 404)


def main(environment: dict[str, str]) -> int:
    """Return the exit code of `dispatcher diff --check`, or 2 if nothing could be compared."""
    revision = _merge_base(environment.get("GITHUB_BASE_REF"))
    config = ["--config", environment["CONFIG"]] if environment.get("CONFIG") else []
    command = ["dispatcher", "diff", *config, *(["--rev", revision] if revision else [])]
    # Plugins run there, and need not have the token.
    theirs = {name: value for name, value in environment.items() if name != "TOKEN"}
    made = subprocess.run(
        [*command, "--format", "markdown"], stdout=subprocess.PIPE, encoding="utf-8", env=theirs
    )
    state = FAILED if made.returncode else NOTHING if made.stdout.startswith(_NOTHING) else CHANGED
    if made.stdout:
        _summarise(made.stdout, Path(environment["GITHUB_STEP_SUMMARY"]))
    _comment(made.stdout, state, environment)
    if state == FAILED:
        return made.returncode
    return subprocess.run([*command, "--check", "--format", "github"], env=theirs).returncode


def _merge_base(branch: str | None) -> str | None:
    """Return the commit with which a pull request to a branch is compared.

    Without the branch, it is the dispatcher that finds it, or says what to fetch.
    """
    if not branch:
        return None
    remote = f"refs/remotes/origin/{branch}"
    found = subprocess.run(
        ["git", "merge-base", "HEAD", remote], stdout=subprocess.PIPE, encoding="utf-8"
    )
    return found.stdout.strip() or remote


def _summarise(text: str, file: Path) -> None:
    if len(text.encode()) > _LONGEST_SUMMARY:
        note = (
            "**This is not all, as it is too much for a summary: see it with `dispatcher diff`.**"
        )
        text = f"{note}\n\n{cut(text, _LONGEST_SUMMARY // 4)}"  # four bytes a character, at most
    with file.open("a", encoding="utf-8") as summary:
        summary.write(text)


def _comment(text: str, state: str, environment: dict[str, str]) -> None:
    """Keep the comment, or leave to another workflow what it needs to: a fork's run may not."""
    event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_bytes())
    request = event.get("pull_request")
    if request is None:
        return
    difference = Difference(request["number"], state, text)
    file = Path(environment["RUNNER_TEMP"]) / "message-dispatcher" / "comment.json"
    difference.write(file)
    with Path(environment["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"comment={file}\n")
    api = Api(*(environment[name] for name in ("GITHUB_API_URL", "GITHUB_REPOSITORY", "TOKEN")))
    try:
        report(keep_for(difference, api, environment, request["head"]["sha"]))
    except ApiError as error:
        may_not = error.status in _MAY_NOT
        why = "this run may not comment (a fork's may not)" if may_not else f"no comment: {error}"
        print(f"::{'notice' if may_not else 'warning'}::{why}; its summary says what changes")


if __name__ == "__main__":
    sys.exit(main(dict(os.environ)))
