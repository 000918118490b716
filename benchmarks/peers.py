"""Other programs to compare with, each set in an environment of its own beside the project's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".venv" / "peers"


def installed(name: str, *packages: str) -> Path:
    """The folder of the commands of an environment that has these packages.

    It is made once and kept; `make clean` removes it. Raises CalledProcessError if they cannot be
    installed.
    """
    folder = FOLDER / name
    done = folder / "packages.txt"
    if not done.exists() or done.read_text().split() != list(packages):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(folder / "bin" / "python")
        quiet = ["-qq", "--disable-pip-version-check", "--no-warn-script-location"]
        subprocess.run([python, "-m", "pip", "install", *quiet, *packages], check=True)
        done.write_text("\n".join(packages))
    return folder / "bin"
