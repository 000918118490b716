"""What the commands share: options, and the `Dispatcher` that is made from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click
from click.core import ParameterSource

from dispatcher.api import Dispatcher, Plan
from dispatcher.builtin import builtins
from dispatcher.cli import completion
from dispatcher.cli.diagnosis import supervised
from dispatcher.cli.next_steps import Invocation
from dispatcher.cli.reports import print_problems, print_warning
from dispatcher.cli.usage import is_text
from dispatcher.config import load, seconds, shown
from dispatcher.errors import ConfigError, ExitCode
from dispatcher.planning.selection import SelectionOptions
from dispatcher.printing import without_secrets
from dispatcher.redaction import Secrets, without_password
from dispatcher.registry import build_registry
from dispatcher.timezones import aware
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

Function = TypeVar("Function", bound=Callable[..., Any])
Option: TypeAlias = Callable[[Any], Any]  # what `click.option` returns

_FOLDERS = f"{__name__}.folders"  # the arguments of -C


def _journal_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    if url and not is_text(url) and not url.startswith("sqlite:"):  # whose file may have any name
        raise ConfigError(f'--journal "{url}" is not UTF-8')
    return url


def _work_in(context: click.Context, __: click.Parameter, folders: tuple[Path, ...]) -> None:
    """Change to each folder, relative to the one before, before anything is read."""
    context.meta.setdefault(_FOLDERS, []).extend(map(str, folders))
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
_config_option = click.option(
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


def wait_seconds(wait: str | None) -> float:
    """Return the seconds that --wait means."""
    try:
        return seconds(wait) if wait else 0.0
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None


def moment(written: str | None, timezone: str | None) -> datetime | None:
    """Return the moment of --since; without a zone it is in `timezone`, or else the system's."""
    if written is None:
        return None
    try:
        return aware(datetime.fromisoformat(written), timezone).astimezone(UTC)
    except ValueError:
        pass  # a duration, then
    except OverflowError:
        raise _no_moment(written) from None
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds(written))
    except (ValueError, OverflowError):
        raise _no_moment(written) from None


def _no_moment(written: str) -> click.BadParameter:
    sentence = (
        "expected a date like 2026-11-01, a time like 2026-11-01T09:30 or how long ago, like 2h "
        f"or 7d, got {quoted(written)}"
    )
    return click.BadParameter(sentence, param_hint="--since")


def filter_options(function: Function) -> Function:
    """Add the options that choose messages of the journal, by its columns."""
    return reduce(lambda to, option: option(to), reversed(_FILTERS), function)


def selection_options(function: Function) -> Function:
    """Add the options that select messages, passed on as `selection={…}`.

    Those that were given are arguments of `Dispatcher.plan` and `Dispatcher.planner`.
    """

    def command(**options: Any) -> Any:
        values = {name: options.pop(name) for name in SelectionOptions.__annotations__}
        given = {name: value for name, value in values.items() if value not in ((), None)}
        return function(selection=given, **options)

    command.__doc__ = function.__doc__
    command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped: Function = reduce(lambda to, option: option(to), reversed(_SELECTION), command)  # type: ignore[assignment]
    return wrapped


def early_session_options(function: Function) -> Function:
    """Add the session options that may stand before the name of a command."""
    made: Function = _with_session_options(function, _config_option)
    return made


def _with_session_options(function: Any, config: Option) -> Any:
    options = (_folder_option, config, *_SESSION_OPTIONS)
    return reduce(lambda to, option: option(to), reversed(options), function)


def session_options(function: Function, config: Option = _config_option) -> Function:
    """Add the options that make a `Dispatcher`, passed on as `dispatcher=Dispatcher.open(…)`.

    The journal's option is among them, if the command has it. A command may have a `--config` of
    its own.
    """

    def command(open_dispatcher: Callable[[], Dispatcher], **rest: Any) -> Any:
        with open_dispatcher() as dispatcher:
            return function(dispatcher=dispatcher, **rest)

    command.__doc__ = function.__doc__
    command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return unopened_session_options(command, config)  # type: ignore[return-value]


def unopened_session_options(function: Function, config: Option = _config_option) -> Function:
    """Add the same options, passed on as a function `open_dispatcher` that has yet to be called."""

    def command(
        config: Path | None,
        profile: str | None,
        transport: str | None,
        without: tuple[str, ...],
        no_plugins: bool,
        journal: str | None = None,
        paths: tuple[Path, ...] | None = None,
        **rest: Any,
    ) -> Any:
        if click.get_current_context().invoked_subcommand:  # a group's: it has options of its own
            return None
        if paths is not None:
            rest["paths"] = paths
        with supervised() as timers:
            open_dispatcher = partial(
                Dispatcher.open,
                paths=paths or (),
                config=config,
                profile=profile,
                transport=transport,
                journal=journal,
                without=without,
                third_party=not no_plugins,
                warn=print_warning,
                secrets=click.get_current_context().find_object(Secrets),
                timers=timers,
            )
            return function(open_dispatcher=open_dispatcher, **rest)

    command.__doc__ = function.__doc__
    command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped: Function = _with_session_options(command, config)
    return wrapped


def invocation(dispatcher: Dispatcher, plan: Plan | None = None) -> Invocation:
    """Return how the present command was called, without secrets, so that another can continue.

    If it sends a plan that was reviewed, the other command makes that anew.

    It includes options from the environment, as another shell may not have them, unless they hold a
    password.
    """
    context = click.get_current_context()
    session = [word for folder in context.meta.get(_FOLDERS, ()) for word in ("-C", folder)]
    shared = {option.name for option in context.find_root().command.params}
    own: dict[str, tuple[str, ...]] = {}
    for option in context.command.params:
        name = option.name or ""
        words = tuple(_words(context, option)) if isinstance(option, click.Option) else ()
        if name in shared or name == "journal":
            session += words
        elif words:
            own[name] = words
    paths = tuple(str(path) for path in context.params.get("paths", ()))
    project = () if "--config" in session else _project(dispatcher, journal="--journal" in session)
    if plan is None or plan.saved is None:
        return Invocation(tuple(session), own, paths, project)
    request, file = plan.saved.request, str(plan.saved.file)
    own = {"run": ("--run", request.run)} if request.run else {}
    for name, value in request.selection.items():
        values = value if isinstance(value, (list, tuple)) else (value,)
        own[name] = tuple(word for each in values for word in (f"--{name}", str(each)))
    paths = tuple(str(shown(path)) for path in request.paths)
    return Invocation(tuple(session), own, paths, project, reviewed=file)


def _words(context: click.Context, option: click.Option) -> Iterator[str]:
    """Yield the words by which an option was given."""
    source = context.get_parameter_source(option.name or "")
    here = source is ParameterSource.COMMANDLINE
    if not option.expose_value or not (here or source is ParameterSource.ENVIRONMENT):
        return
    value = context.params[option.name or ""]
    for each in value if isinstance(value, tuple) else (value,):
        shown = without_secrets(without_password(str(each)))
        if each is True:
            yield option.opts[0]
        elif each is not None and each is not False and (here or shown == str(each)):
            yield from (option.opts[0], shown)


def _project(dispatcher: Dispatcher, *, journal: bool) -> tuple[str, ...]:
    """Return options that lead a command without PATH to this configuration, if it needs any."""
    config = dispatcher.config
    with suppress(ConfigError):
        if load(Path.cwd()).is_of_same_project(config):
            return ()
    if config.file is not None:
        return "--config", str(config.file)
    return () if journal else ("-C", str(config.folder))


def require_good(plan: Plan) -> None:
    """Show all problems of a plan; errors end the command with exit code 2."""
    print_problems(plan.problems, "text", err=True)
    if plan.errors:
        raise click.exceptions.Exit(ExitCode.USAGE)
    plan.require_good()
    warn_of_absent(plan.without_message)


def warn_of_absent(recipients: Iterable[str]) -> None:
    """Warn of recipients that the user named but that get no message."""
    for each in recipients:
        print_warning(f"--to {each}: no message goes there")


def plugin_commands(
    *,
    config: Path | None = None,
    profile: str | None = None,
    without: Iterable[str] = (),
    third_party: bool = True,
) -> dict[str, click.Command]:
    """Return the subcommands that plugins add."""

    def settings(name: str, kind: type[BaseSettings]) -> BaseSettings:
        return load(Path.cwd(), profile=profile, file=config).plugin_settings(name, kind)

    registry = build_registry(
        builtins(), without=without, third_party=third_party, settings=settings
    )
    return {str(each.name): each for each in registry.commands()}
