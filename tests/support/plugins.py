"""Plugins from functions, and distributions that are installed without pip."""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

from dispatcher import hookimpl


class Hooks:
    """A plugin from functions: `Hooks(resolve_source=function)`."""

    def __init__(self, **hooks: Callable[..., object]) -> None:
        for name, function in hooks.items():
            setattr(self, f"dispatcher_{name}", hookimpl(function))


def add_metadata(folder: Path, name: str, entry_points: str, version: str = "0.1.0") -> None:
    """Have the modules in a folder belong to a distribution; `entry_points`: "name = module"."""
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    facts = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (metadata / "METADATA").write_text(facts)
    (metadata / "entry_points.txt").write_text(f"[dispatcher]\n{entry_points}\n")


def installed(folder: Path) -> dict[str, str]:
    """The environment in which the plugin project in a folder is installed."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    ((name, module),) = project["entry-points"]["dispatcher"].items()
    add_metadata(folder / "src", project["name"], f"{name} = {module}", project["version"])
    return {**os.environ, "PYTHONPATH": str(folder / "src")}
