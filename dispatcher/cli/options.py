"""The options that commands share. What is made from them: `cli.session`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click

from dispatcher.cli import completion
from dispatcher.cli.usage import is_text
from dispatcher.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])
Option: TypeAlias = Callable[[Any], Any]  # what `click.option` returns

FOLDERS = f"{__name__}.folders"  # the arguments of -C


def _journal_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    if url and not is_text(url) and not url.startswith("sqlite:"):  # whose file may have any name
        raise ConfigError(f'--journal "{url}" is not UTF-8')
    return url


def _work_in(context: click.Context, __: click.Parameter, folders: tuple[Path, ...]) -> None:
    """Change to each folder, relative to the one before, before anything is read."""
    context.meta.setdefault(FOLDERS, []).extend(map(str, folders))
    for folder in folders:
        try:
            os.chdir(folder)
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise click.BadParameter(f'"{folder}": {reason}', param_hint="-C") from None


def one_file(_: click.Context, __: click.Parameter, files: tuple[Path, ...]) -> Path | None:
    """Return the one file that is named, perhaps both before and after the command."""
    if len({os.path.abspath(file) for file in files}) > 1:
        named = " and ".join(str(file) for file in dict.fromkeys(files))
        raise click.UsageError(f"--config names two files: {named}")
    return files[0] if files else None


paths_argument = click.argument(
    "paths",
    nargs=-1,
    type=click.Path(path_type=Path),
    metavar="[PATH]…",
    shell_complete=completion.paths,
)
run_option = click.option(
    "--run",
    metavar="NAME",
    help="For manifests with repeat: which run, like 2026-11-28 for a day that was missed; by "
    "default, the present day, week or month.",
)
journal_option = click.option(
    "--journal",
    envvar="DISPATCHER_JOURNAL",
    callback=_journal_url,
    type=click.UNPROCESSED,  # it may name a file
    metavar="URL",
    show_envvar=True,
    help="Where is noted what was sent, instead of the configured place: sqlite:///PATH or "
    "postgresql://…",
)
since_option = click.option(
    "--since",
    metavar="TIME",
    help="Only what has changed since a date, a time, or so long ago: 2026-11-01, "
    "2026-11-01T09:30, 2h, 7d.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
wait_option = click.option(
    "--wait",
    metavar="TIME",
    help="Wait for another run to end, at most so long, like 10m; by default, not at all.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
_SELECTION = (
    click.option(
        "--only",
        multiple=True,
        metavar="[MANIFEST/]ID",
        shell_complete=completion.message_names,
        help="Only this message; may be given several times.",
    ),
    click.option(
        "--to",
        multiple=True,
        metavar="NUMBER",
        help="Only what goes to this recipient; may be given several times.",
    ),
    click.option(
        "--limit",
        type=int,
        metavar="N",
        help="Only the first N recipients of each message, those who have it included.",
    ),
    click.option(
        "--sample",
        type=int,
        metavar="N",
        help="Only N recipients of each message, from all over the list; always the same ones.",
    ),
    click.option(
        "--trial",
        metavar="NUMBER",
        help="What others would get goes to NUMBER, and they do not count as served; one sample of "
        "each message, or what else is chosen.",
    ),
)
_FILTERS = (
    click.option("--run", metavar="NAME", help="Only this run."),
    click.option(
        "--manifest",
        metavar="NAME",
        shell_complete=completion.manifest_names,
        help="Only this manifest.",
    ),
    click.option(
        "--message",
        metavar="ID",
        shell_complete=completion.message_ids,
        help="Only messages with this id.",
    ),
    click.option(
        "--to", "recipient", metavar="NUMBER", help="Only this recipient, as people write it."
    ),
)
_folder_option = click.option(
    "-C",
    "folders",
    multiple=True,
    is_eager=True,  # other options name files in it
    expose_value=False,
    callback=_work_in,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Do everything as if the command was started in DIR.",
)
config_option = click.option(
    "--config",
    multiple=True,
    callback=one_file,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, instead of the dispatcher.toml found upwards from PATH, or here.",
)
_SESSION_OPTIONS = (
    click.option(
        "--profile",
        envvar="DISPATCHER_PROFILE",
        show_envvar=True,
        metavar="NAME",
        shell_complete=completion.profiles,
        help="With the settings of [profiles.NAME] in dispatcher.toml, and a journal of its own.",
    ),
    click.option(
        "--transport",
        envvar="DISPATCHER_TRANSPORT",
        show_envvar=True,
        metavar="NAME",
        shell_complete=completion.transports,
        help="The gateway of messages whose manifest names none.",
    ),
    click.option(
        "--without",
        multiple=True,
        metavar="NAME",
        shell_complete=completion.plugins,
        help="Leave this plugin out; may be given several times.",
    ),
    click.option("--no-plugins", is_flag=True, help="Leave all third-party plugins out."),
    debug_option,
)


def filter_options(function: Function) -> Function:
    """Add the options that choose messages of the journal, by its columns."""
    return reduce(lambda to, option: option(to), reversed(_FILTERS), function)


def selection_options(function: Function) -> Function:
    """Add the options that select messages, passed on as `selection={…}`.

    Those that were given are arguments of `Dispatcher.plan` and `Dispatcher.planner`.
    """

    def command(**options: Any) -> Any:
        from dispatcher.planning.selection import SelectionOptions

        values = {name: options.pop(name) for name in SelectionOptions.__annotations__}
        given = {name: value for name, value in values.items() if value not in ((), None)}
        return function(selection=given, **options)

    command.__doc__ = function.__doc__
    command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped: Function = reduce(lambda to, option: option(to), reversed(_SELECTION), command)  # type: ignore[assignment]
    return wrapped


def early_session_options(function: Function) -> Function:
    """Add the session options that may stand before the name of a command."""
    made: Function = with_session_options(function, config_option)
    return made


def with_session_options(function: Any, config: Option) -> Any:
    """Add the session options, with this option for the configuration."""
    options = (_folder_option, config, *_SESSION_OPTIONS)
    return reduce(lambda to, option: option(to), reversed(options), function)
