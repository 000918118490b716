"""`dispatcher plugins new`: a distribution with a plugin that passes its own tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from dispatcher.errors import ConfigError
from dispatcher.scaffold.rendering import rendered
from dispatcher.scaffold.writing import write_missing

Kind: TypeAlias = Literal["source", "validator", "transformer", "transport", "engine"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 24  # characters; with more, lines of the files would be too long


class _Description(NamedTuple):
    """What a kind's README says: what the plugin does, and how a manifest uses it."""

    summary: str
    usage: str


_DESCRIPTIONS: dict[Kind, _Description] = {
    "source": _Description(
        'Sources "{name}:PATH" for the media of a message.',
        'Then a manifest may say:\n\n```toml\nimage.source = "{name}:spring/banner.png"\n```',
    ),
    "validator": _Description(
        "Keeps forbidden words out of messages.",
        "Then `dispatcher validate` shows every forbidden word with its place.",
    ),
    "transformer": _Description(
        "Puts a footer below every text.",
        "Then `dispatcher plan --explain` shows what it changes.",
    ),
    "transport": _Description(
        "Sends messages through {name}.",
        'Then a manifest may say `transport = "{name}"`. The token comes from {prefix}TOKEN.',
    ),
    "engine": _Description(
        "Carries out plans: {name}.",
        'Then `dispatcher.toml` may say, under `[delivery]`, `engine = "{name}"`.',
    ),
}
KINDS: tuple[Kind, ...] = tuple(_DESCRIPTIONS)


def create(name: str, kind: Kind, parent: Path) -> list[Path]:
    """Write the distribution `dispatcher-<name>` into a new folder of `parent`; return its files.

    Raises ConfigError, and then nothing is written.
    """
    texts = plugin_files(name, kind)
    folder = parent / folder_name(name)
    if folder.exists():
        raise ConfigError(f"{folder} is there already; choose another name, or remove it")
    below = {f"{folder.name}/{path}": text for path, text in texts.items()}
    return [path for path, _ in write_missing(parent, below)]


def folder_name(name: str) -> str:
    """Return the name of a plugin's distribution, and of its folder."""
    return f"dispatcher-{name}"


def is_folder_name(folder: str) -> bool:
    """Whether `folder_name` may have made it: then it needs no quotes in YAML and in a shell."""
    prefix = folder_name("")
    return folder.startswith(prefix) and bool(_NAME.fullmatch(folder.removeprefix(prefix)))


def plugin_files(name: str, kind: Kind) -> dict[str, str]:
    """Return the text of each file of a plugin's distribution. Raises ConfigError for its name."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        allowed = f"small letters, digits and - only, {_LONGEST} at the most"
        raise ConfigError(f'"{name}" is no name for a plugin: {allowed}')
    variables = _variables(name, kind)
    files = _files(kind, variables["package"])
    return {path: rendered(template, variables) for path, template in files.items()}


def _files(kind: Kind, package: str) -> dict[str, str]:
    """Return the files of a distribution, each with its template."""
    return {
        "pyproject.toml": "common/pyproject.toml.jinja",
        "README.md": "common/README.md.jinja",
        ".gitignore": "common/gitignore.jinja",
        f"src/{package}/__init__.py": f"{kind}/plugin.py.jinja",
        f"src/{package}/py.typed": "common/py.typed.jinja",
        f"tests/test_{package.removeprefix('dispatcher_')}.py": f"{kind}/test.py.jinja",
    }


def _variables(name: str, kind: Kind) -> dict[str, str]:
    """Return the variables of the templates."""
    bare = name.replace("-", "_")
    variables = {
        "name": name,
        "distribution": folder_name(name),
        "package": f"dispatcher_{bare}",
        "class_name": "".join(part.capitalize() for part in name.split("-")),
        "prefix": f"{bare.upper()}_",
    }
    summary, usage = _DESCRIPTIONS[kind]
    description = {"summary": summary.format(**variables), "usage": usage.format(**variables)}
    return {**variables, **description}
