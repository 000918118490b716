"""A stand-in for GitHub's REST API, and its runner's way to run the steps of an action."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.gateway import Reply, Request
from tests.support.project import Result

ACTION = Path(__file__).parents[2]
BOT = "github-actions[bot]"


class GitHub:
    """A repository with a pull request; `reply` answers as docs.github.com says of comments.

    `read_only`: the token may not write, as in a run for a fork.
    """

    token = "marker-token-of-github"

    def __init__(self, number: int, head: str) -> None:
        self.comments: list[dict[str, Any]] = []
        self.read_only = False
        self.requests: list[str] = []
        self._issue, self._pull = (
            f"/repos/shop/mails/issues/{number}",
            f"/repos/shop/mails/pulls/{number}",
        )
        self._head = head

    def add(self, body: str, author: str = BOT) -> dict[str, Any]:
        """A comment by somebody."""
        comment = {"id": 1000 + len(self.comments), "user": {"login": author}, "body": body}
        self.comments.append(comment)
        return comment

    def reply(self, request: Request) -> Reply:
        method, target, _ = request.line.split(" ")
        path, _, query = target.partition("?")
        self.requests.append(f"{method} {path}")
        assert request.headers["authorization"] == f"Bearer {self.token}"
        if method != "GET" and self.read_only:
            return self._answer(403, {"message": "Resource not accessible by integration"})
        match method, path:
            case "GET", self._pull:
                return self._answer(200, {"head": {"sha": self._head}})
            case "GET", path if path == f"{self._issue}/comments":
                asked = dict(each.split("=") for each in query.split("&"))
                size, page = int(asked["per_page"]), int(asked["page"])
                return self._answer(200, self.comments[size * (page - 1) : size * page])
            case "POST", path if path == f"{self._issue}/comments":
                if len(request.json["body"]) > 65_536:
                    return self._answer(422, {"message": "Validation Failed"})
                return self._answer(201, self.add(request.json["body"]))
            case "PATCH", path if found := re.fullmatch(
                r"/repos/shop/mails/issues/comments/(\d+)", path
            ):
                (comment,) = (each for each in self.comments if each["id"] == int(found[1]))
                comment["body"] = request.json["body"]
                return self._answer(200, comment)
        return self._answer(404, {"message": "Not Found"})

    def _answer(self, status: int, value: object) -> Reply:
        return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class Runner:
    """Runs single steps of `action.yml`, as GitHub's runner does, in a repository.

    `outputs` and `summary` are what the last step has written there.
    """

    def __init__(self, repository: Path, files: Path, environment: Mapping[str, str]) -> None:
        self._repository, self._files = repository, files
        files.mkdir()
        self._environment = {**environment, "GITHUB_ACTION_PATH": str(ACTION)}
        self._environment |= {"RUNNER_TEMP": str(files)}
        action = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
        self._inputs = {name: each["default"] for name, each in action["inputs"].items()}
        self._steps = {step["id"]: step for step in action["runs"]["steps"] if "id" in step}

    def run(self, id: str, inputs: Mapping[str, str] = {}, **environment: str) -> Result:
        """Run a step with inputs, and with variables of the environment."""
        step = self._steps[id]
        values = {f"inputs.{name}": value for name, value in {**self._inputs, **inputs}.items()}
        values |= {f"env.{name}": value for name, value in self._environment.items()}

        def filled(text: str) -> str:
            return re.sub(r"\$\{\{ ((?:inputs|env)\..+?) \}\}", first, text)

        def first(found: re.Match[str]) -> str:
            """The first of the alternatives that is there."""
            return next(filter(None, map(values.get, found[1].split(" || "))), "")

        for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            (self._files / name).write_text("")
            environment[name] = str(self._files / name)
        own = {name: filled(value) for name, value in step["env"].items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self._repository / filled(step.get("working-directory", ".")),
            env={**os.environ, "PATH": path, **self._environment, **own, **environment},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert GitHub.token not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    @property
    def summary(self) -> str:
        return (self._files / "GITHUB_STEP_SUMMARY").read_text("utf-8")

    @property
    def outputs(self) -> dict[str, str]:
        lines = (self._files / "GITHUB_OUTPUT").read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)
