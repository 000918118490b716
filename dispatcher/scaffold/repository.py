"""`dispatcher init`: a repository of messages that works as it stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from dispatcher.scaffold import folder_name, is_folder_name, plugin_files
from dispatcher.scaffold.rendering import rendered
from dispatcher.scaffold.writing import Written, write_missing

CONFIGURATION = "dispatcher.toml"
IGNORED = ".gitignore"
_MANIFESTS = "manifests"
_EXAMPLES = {
    "manifests/welcome.toml": "manifest.toml",
    "manifests/customers.csv": "customers.csv",
    "manifests/texts/news.txt": "news.txt",
}
_ALWAYS = {IGNORED: "gitignore", ".env.example": "env.example", ".taplo.toml": "taplo.toml"}
_GITHUB = {".github/workflows/messages.yml": "github.yml"}
_GITLAB = {".gitlab-ci.yml": "gitlab-ci.yml"}
_PRE_COMMIT = {".pre-commit-config.yaml": "pre-commit-config.yaml"}
AT_THE_TOP = frozenset(
    {*_GITHUB, *_GITLAB, *_PRE_COMMIT}
)  # of the repository, or nobody reads them


class Wishes(NamedTuple):
    """What a repository is to have besides; `country` is where numbers are dialled."""

    country: str | None = None
    github: bool = False
    gitlab: bool = False
    pre_commit: bool = False
    plugin: str | None = None


def create(folder: Path, wishes: Wishes, schemas: Mapping[str, str]) -> list[Written]:
    """Write what is missing in a repository; return all files that it is to have.

    `schemas` are those for editors, by the name of their files. Raises ConfigError, and then
    nothing is written.
    """
    variables = {"country": wishes.country, "install": _installation(folder, wishes.plugin)}
    texts = {
        path: rendered(f"repository/{template}.jinja", variables)
        for path, template in _templates(folder, wishes).items()
    }
    texts.update(schemas)
    if wishes.plugin is None:
        return write_missing(folder, texts)
    files, base = plugin_files(wishes.plugin, "transformer"), folder_name(wishes.plugin)
    if os.path.lexists(folder / base):  # none of its files was removed by mistake
        return [*write_missing(folder, texts), Written(folder / base, kept=True)]
    return write_missing(folder, {**texts, **{f"{base}/{path}": files[path] for path in files}})


def local_plugins(folder: Path) -> list[str]:
    """Return the names of a repository's folders that have a plugin's distribution."""
    return sorted(each.parent.name for each in folder.glob("dispatcher-*/pyproject.toml"))


def _installation(folder: Path, plugin: str | None) -> str:
    """Return the command that installs this version, and the plugins that are in the repository."""
    local = {name for name in local_plugins(folder) if is_folder_name(name)}
    if plugin is not None:
        local.add(folder_name(plugin))
    this = f"'message-dispatcher[postgres]=={version('message-dispatcher')}'"
    return " ".join(("pip install", this, *(f"./{name}" for name in sorted(local))))


def _templates(folder: Path, wishes: Wishes) -> dict[str, str]:
    """Return the files that are wanted, each with its template."""
    return {
        CONFIGURATION: "dispatcher.toml",
        **({} if _is_used(folder) else _EXAMPLES),
        **_ALWAYS,
        **(_GITHUB if wishes.github else {}),
        **(_GITLAB if wishes.gitlab else {}),
        **(_PRE_COMMIT if wishes.pre_commit else {}),
    }


def _is_used(folder: Path) -> bool:
    """Whether messages are sent from here already: an example would be sent with them."""
    return os.path.lexists(folder / CONFIGURATION) or os.path.lexists(folder / _MANIFESTS)
