"""`dispatcher plugins new`: a distribution with a plugin that passes its own tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from dispatcher.errors import ConfigError
from dispatcher.models import STANDARD_CONTENTS
from dispatcher.registry.conformance import wrong_kind_name
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
_USAGE_OF_CONTENT = """

Its own kind of content:

```toml
[messages.{content}]
title = "Lunch?"
lines = ["yes", "no"]
```"""


def create(name: str, kind: Kind, parent: Path, content: str | None = None) -> list[Path]:
    """Write the distribution `dispatcher-<name>` into a new folder of `parent`; return its files.

    `content` is the name of a kind of content, which a transport gets besides the standard ones.
    Raises ConfigError, and then nothing is written.
    """
    texts = plugin_files(name, kind, content)
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


def plugin_files(name: str, kind: Kind, content: str | None = None) -> dict[str, str]:
    """Return the text of each file of a plugin's distribution. Raises ConfigError for its names."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        allowed = f"small letters, digits and - only, {_LONGEST} at the most"
        raise ConfigError(f'"{name}" is no name for a plugin: {allowed}')
    if content is not None:
        _require_new_kind(content)
    variables = _variables(name, kind, content)
    files = _files(kind, folder_name(name).replace("-", "_"), content)
    return {path: rendered(template, variables) for path, template in files.items()}


def _require_new_kind(content: str) -> None:
    wrong = wrong_kind_name(content)
    if content in STANDARD_CONTENTS:
        wrong = f'"{content}" is a standard kind of content, which the transport has anyway'
    elif len(content) > _LONGEST:
        wrong = f'"{content}" is too long, {_LONGEST} characters at the most'
    if wrong is not None:
        raise ConfigError(f"--content: {wrong}")


def _files(kind: Kind, package: str, content: str | None) -> dict[str, str]:
    """Return the files of a distribution, each with its template."""
    bare = package.removeprefix("dispatcher_")
    of_content = {
        f"src/{package}/contents.py": f"{kind}/contents.py.jinja",
        f"tests/test_{bare}_contents.py": f"{kind}/test_contents.py.jinja",
    }
    return {
        "pyproject.toml": "common/pyproject.toml.jinja",
        "README.md": "common/README.md.jinja",
        ".gitignore": "common/gitignore.jinja",
        f"src/{package}/__init__.py": f"{kind}/plugin.py.jinja",
        f"src/{package}/py.typed": "common/py.typed.jinja",
        f"tests/test_{bare}.py": f"{kind}/test.py.jinja",
        **(of_content if content is not None else {}),
    }


def _variables(name: str, kind: Kind, content: str | None) -> dict[str, str | None]:
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
    if content is None:
        return {**variables, **description, "content": None}
    words = content.split("_")
    return {
        **variables,
        **description,
        "usage": description["usage"] + _USAGE_OF_CONTENT.format(content=content),
        "content": content,
        "content_class": "".join(word.capitalize() for word in words) + "Content",
        "content_label": " ".join(words).capitalize(),
    }
