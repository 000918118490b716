"""Packages of npm's registry."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.requirements import require


def installed(package: str, version: str) -> Path:
    """A folder in which a package is installed; kept from one run of the tests to the next."""
    require(shutil.which("node") and shutil.which("npm"), "node and npm")
    name = f"npm-{package.replace('/', '-')}-{version}"
    cache = Path(tempfile.gettempdir()) / f"dispatcher-tests-{os.getuid()}" / name
    description = cache / "node_modules" / package / "package.json"
    if not description.exists():
        cache.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--no-audit", "--no-fund", f"{package}@{version}"]
        npm = subprocess.run([*install, "--prefix", str(cache)], capture_output=True, text=True)
        require(npm.returncode == 0, f"{package} from npm's registry: {npm.stderr[-500:]}")
    assert json.loads(description.read_text())["version"] == version
    return cache
