"""Keeps one comment in a pull request that says what changes for recipients.

The comment is found by its first line and edited in place. If nothing changes, there is none, and
an old one is said to be outdated.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

CHANGED, NOTHING, FAILED = "changed", "nothing", "failed"
LONGEST = 65_000  # characters; GitHub refuses a comment of more than 65,536
_OUTDATED = "**Outdated.**"
_PER_PAGE = 100
_TIMEOUT = 30  # seconds


class ApiError(Exception):
    """GitHub's API did not do what was asked; `status` is 0 if it did not answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """GitHub's REST API for one repository."""

    def __init__(self, url: str, repository: str, token: str) -> None:
        self._base = f"{url}/repos/{repository}"
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def call(self, method: str, path: str, value: object = None) -> Any:
        """Return what it answers. Raises ApiError."""
        data = (
            None
            if value is None
            else json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")
        )
        request = Request(f"{self._base}{path}", data, self._headers, method=method)
        try:
            with urlopen(request, timeout=_TIMEOUT) as response:
                return json.load(response)
        except HTTPError as error:
            raise ApiError(error.code, f"{method} {path}: {error.code} {error.reason}") from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise ApiError(0, f"{method} {path}: {error}") from None

    def comments(self, number: int) -> Iterator[Any]:
        """Yield the comments of a pull request, the oldest first."""
        page, found = 1, _PER_PAGE
        while found == _PER_PAGE:
            path = f"/issues/{number}/comments?per_page={_PER_PAGE}&page={page}"
            comments = self.call("GET", path)
            yield from comments
            page, found = page + 1, len(comments)


class Difference(NamedTuple):
    """What a pull request changes; `state` is CHANGED, NOTHING, or FAILED to be compared."""

    number: int
    state: str
    text: str

    @classmethod
    def read(cls, file: Path) -> Difference:
        """Read what `write` wrote, or somebody else. Raises ValueError."""
        number, state, text = (json.loads(file.read_bytes())[name] for name in cls._fields)
        states = (CHANGED, NOTHING, FAILED)
        if type(number) is not int or state not in states or not isinstance(text, str):
            raise ValueError(f"{file} holds no difference")
        return cls(number, state, text)

    def write(self, file: Path) -> None:
        """Write it for `read`, in a workflow that may comment."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self._asdict()), encoding="utf-8")


def marker(environment: dict[str, str]) -> str:
    """Return the comment's first line, which nobody sees: one for each folder and profile."""
    names = ("WORKING_DIRECTORY", "CONFIG", "DISPATCHER_PROFILE")
    parts = (quote(environment.get(name, ""), errors="surrogateescape") for name in names)
    return f"<!-- message-dispatcher: {':'.join(parts).rstrip(':')} -->"


def keep(api: Api, difference: Difference, mark: str, author: str, run: str, commit: str) -> str:
    """Make, edit or leave the comment; return what was done. Raises ApiError.

    `mark` is its first line, `author` whose it is, `run` the address of this run.
    """
    found = next(
        (
            comment
            for comment in api.comments(difference.number)
            if str(comment["body"]).startswith(mark) and comment["user"]["login"] == author
        ),
        None,
    )
    old = None if found is None else str(found["body"]).replace("\r\n", "\n").strip()
    if difference.state == CHANGED:
        body = shortened(f"{mark}\n{difference.text}", run).strip()
    elif old is None:
        return "no comment"
    elif difference.state == NOTHING and old.startswith(f"{mark}\n{_OUTDATED} Nothing"):
        return "as it was"
    else:
        body = f"{mark}\n{_OUTDATED} {_why(difference.state, run)} (commit {commit[:12]})"
    if body == old:
        return "as it was"
    if found is None:
        api.call("POST", f"/issues/{difference.number}/comments", {"body": body})
        return "made"
    api.call("PATCH", f"/issues/comments/{found['id']}", {"body": body})
    return "edited"


def _why(state: str, run: str) -> str:
    if state == NOTHING:
        return "Nothing changes for recipients any more."
    return f"What changes now could not be found out: see [the run]({run})."


def shortened(body: str, run: str) -> str:
    """Return a comment that is not too long; if it was, it says so, and where the whole is."""
    if len(body) <= LONGEST:
        return body
    mark, _, text = body.partition("\n")
    note = (
        f"> [!CAUTION]\n> **This is not all: it was cut at {LONGEST:,} characters.** "
        f"The whole is in [the summary of the run]({run}).\n\n"
    )
    kept = cut(text, LONGEST - len(mark) - len(note) - 1)
    return f"{mark}\n{note}{kept}"


def cut(text: str, longest: int) -> str:
    """Return the first whole lines of a text, with what they open closed."""
    end = "\n</pre>\n</details>\n"
    kept = text[: longest - len(end)].rpartition("\n")[0]
    for tag in ("pre", "details"):
        if kept.count(f"<{tag}") > kept.count(f"</{tag}>"):
            kept += f"\n</{tag}>"
    return f"{kept}\n"


def main(file: Path, environment: dict[str, str]) -> int:
    """Keep the comment of a difference that another workflow has written into a file.

    That workflow ran what a stranger wrote: its file may say anything, so the pull request must be
    the one of this commit.
    """
    try:
        difference = Difference.read(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"::error::cannot read what changes: {type(error).__name__} in {file.name}")
        return 1
    api = Api(*(environment[name] for name in ("GITHUB_API_URL", "GITHUB_REPOSITORY", "TOKEN")))
    commit = environment["COMMIT"]
    try:
        if api.call("GET", f"/pulls/{difference.number}")["head"]["sha"] != commit:
            print(f"::error::pull request {difference.number} is not at {commit}: no comment")
            return 1
        return report(keep_for(difference, api, environment, commit))
    except ApiError as error:
        print(f"::error::cannot comment: {error}")
        return 1


def keep_for(difference: Difference, api: Api, environment: dict[str, str], commit: str) -> str:
    """Keep the comment of a run with these variables; return what was done. Raises ApiError."""
    server, repository = environment["GITHUB_SERVER_URL"], environment["GITHUB_REPOSITORY"]
    run = f"{server}/{repository}/actions/runs/{environment['GITHUB_RUN_ID']}"
    author = environment["COMMENT_AUTHOR"]
    return keep(api, difference, marker(environment), author, run, commit)


def report(done: str) -> int:
    """Print what became of the comment; return 0."""
    print(f"the comment: {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), dict(os.environ)))
