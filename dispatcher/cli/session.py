"""What commands make of the options that they share: a `Dispatcher`, and how they were called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dispatcher.api import Dispatcher, Plan
from dispatcher.builtin import builtins
from dispatcher.cli.diagnosis import supervised
from dispatcher.cli.next_steps import Invocation
from dispatcher.cli.options import FOLDERS, Function, Option, config_option, with_session_options
from dispatcher.cli.reports import print_problems, print_warning
from dispatcher.config import load, seconds, shown
from dispatcher.errors import ConfigError, ExitCode
from dispatcher.printing import without_secrets
from dispatcher.redaction import Secrets, without_password
from dispatcher.registry import build_registry
from dispatcher.timezones import aware
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings


def session_options(function: Function, config: Option = config_option) -> Function:
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


def unopened_session_options(function: Function, config: Option = config_option) -> Function:
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
    wrapped: Function = with_session_options(command, config)
    return wrapped


def invocation(dispatcher: Dispatcher, plan: Plan | None = None) -> Invocation:
    """Return how the present command was called, without secrets, so that another can continue.

    If it sends a plan that was reviewed, the other command makes that anew.

    It includes options from the environment, as another shell may not have them, unless they hold a
    password.
    """
    context = click.get_current_context()
    session = [word for folder in context.meta.get(FOLDERS, ()) for word in ("-C", folder)]
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
