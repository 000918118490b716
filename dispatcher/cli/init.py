"""`dispatcher init`: writes a repository of messages that works as it stands."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import click

from dispatcher import git
from dispatcher.api.schemas import configuration_schema, manifest_schema
from dispatcher.builtin import builtins
from dispatcher.cli.next_steps import shell_word
from dispatcher.cli.options import debug_option
from dispatcher.cli.output import print_line
from dispatcher.cli.reports import print_warning
from dispatcher.config import load
from dispatcher.errors import ConfigError, ExitCode
from dispatcher.registry import build_registry
from dispatcher.scaffold import folder_name, is_folder_name
from dispatcher.scaffold.repository import (
    AT_THE_TOP,
    CONFIGURATION,
    IGNORED,
    Wishes,
    create,
    local_plugins,
)
from dispatcher.scaffold.writing import Written

_JOURNAL = (
    "Without its journal, everything would be sent again: keep .dispatcher/journal.db on one "
    "machine with backups, or have all machines share one in PostgreSQL (DISPATCHER_JOURNAL)."
)


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option("--country", metavar="CC", help="Where national phone numbers are dialled, like RU.")
@click.option("--github", is_flag=True, help="With a workflow for GitHub Actions.")
@click.option("--gitlab", is_flag=True, help="With a pipeline for GitLab.")
@click.option("--pre-commit", is_flag=True, help="With hooks for pre-commit.")
@click.option("--plugin", metavar="NAME", help="With a plugin of its own, in dispatcher-NAME.")
@debug_option
def command(
    folder: Path,
    country: str | None,
    github: bool,
    gitlab: bool,
    pre_commit: bool,
    plugin: str | None,
) -> int:
    """Write a repository of messages into DIR, by default the working directory.

    It can be previewed and sent to a local gateway at once, without an account. What is there is
    kept as it is: call it again to add what is missing.
    """
    _check_country(country)
    try:
        os.getcwd()
    except FileNotFoundError:
        raise ConfigError("the working directory was deleted") from None
    if plugin in dict(builtins()):
        raise ConfigError(f'"{plugin}" is the name of a built-in plugin; choose another one')
    wishes = Wishes(country, github, gitlab, pre_commit, plugin)
    files = create(folder, wishes, _schemas(folder))
    for path, kept in files:
        print_line(f"{'kept' if kept else 'wrote'} {path}")
    _warn_of_kept(folder, files, country)
    _warn_of_place(folder, files)
    if github or gitlab:
        _warn_of_names(folder)
    for line in _next_steps(folder, plugin):
        print_line(line, err=True)
    return ExitCode.DONE


def _check_country(country: str | None) -> None:
    from dispatcher.addresses import why_no_country

    if country is not None and (sentence := why_no_country(country)):
        raise ConfigError(f"--country: {sentence}")


def _schemas(folder: Path) -> dict[str, str]:
    """Return the schemas for editors, by the name of their files."""
    registry = build_registry(builtins(), settings=load(folder.absolute()).plugin_settings)
    registry.require_healthy()
    schemas = {
        "dispatcher.schema.json": manifest_schema(registry),
        "dispatcher.config.schema.json": configuration_schema(registry),
    }
    return {
        name: f"{json.dumps(schema, ensure_ascii=False, indent=2)}\n"
        for name, schema in schemas.items()
    }


def _warn_of_kept(folder: Path, files: list[Written], country: str | None) -> None:
    """Warn if a file that was kept lacks what it should have."""
    kept = {path.relative_to(folder).as_posix() for path, kept in files if kept}
    if country is not None and CONFIGURATION in kept:
        print_warning(f'{CONFIGURATION} was kept: say country = "{country}" in it yourself')
    if IGNORED in kept and ".dispatcher" not in _text(folder / IGNORED):
        print_warning(f"{IGNORED} was kept: add .dispatcher/, where the journal is, and .env")


def _warn_of_place(folder: Path, files: list[Written]) -> None:
    """Warn of files that nobody reads where they are: below the top of a repository."""
    top, below = git.worktree_of(folder.absolute()), Path(os.path.abspath(folder))
    if top is None or top == below:
        return
    for path, _ in files:
        if path.relative_to(folder).as_posix() in AT_THE_TOP:
            where = f"{below.relative_to(top)} is its working directory"
            print_warning(f"{path} is read only at the top of the repository: move it; {where}")


def _warn_of_names(folder: Path) -> None:
    """Warn of plugins that CI does not install: their names might be a command there."""
    for name in local_plugins(folder):
        if not is_folder_name(name):
            allowed = "small letters, digits and -"
            print_warning(f"{name} is not installed in CI: rename it to {allowed}, or add it there")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _next_steps(folder: Path, plugin: str | None) -> list[str]:
    """Return lines for a person: what to do now, and where the journal must be kept."""
    steps = []
    if folder != Path():
        steps.append((f"cd {shell_word(str(folder))}", ""))
    if git.worktree_of(folder.absolute()) is None:
        steps.append(("git init", "the history tells what was renamed"))
    if plugin is not None:
        steps.append((f"pip install -e ./{folder_name(plugin)}", "the plugin"))
    if find_spec("starlette") is None:
        steps.append(("pip install 'message-dispatcher[sandbox]'", "for preview and --sandbox"))
    steps += [
        ("dispatcher preview", "shows the messages in a browser"),
        ("dispatcher validate", "finds mistakes"),
        ("dispatcher plan", "says what send would do"),
        ("dispatcher send --sandbox", "sends to a gateway on this machine, without an account"),
    ]
    width = max(len(command) for command, _ in steps)
    return [
        "next:",
        *(f"  {command:{width}}  {what}".rstrip() for command, what in steps),
        _JOURNAL,
    ]
