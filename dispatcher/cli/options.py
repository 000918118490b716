"""What the commands share: options, and the `Dispatcher` that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dispatcher.api import Dispatcher, Plan
from dispatcher.builtin import builtins
from dispatcher.cli.diagnosis import supervised
from dispatcher.cli.output import print_problems, print_warning
from dispatcher.cli.usage import is_text
from dispatcher.config import load
from dispatcher.errors import ConfigError, ExitCode
from dispatcher.redaction import Secrets
from dispatcher.registry import build_registry

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

Function = TypeVar("Function", bound=Callable[..., Any])


def _journal_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    if url and not is_text(url) and not url.startswith("sqlite:"):  # whose file may have any name
        raise ConfigError(f'--journal "{url}" is not UTF-8')
    return url


paths_argument = click.argument(
    "paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]…"
)
run_option = click.option(
    "--run", default="default", metavar="NAME", help="Name of the run; a daily job passes the date."
)
journal_option = click.option(
    "--journal",
    envvar="DISPATCHER_JOURNAL",
    callback=_journal_url,
    type=click.UNPROCESSED,  # it may name a file
    metavar="URL",
    help="Of the journal: sqlite:///PATH or postgresql://…",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
_FILTERS = (
    click.option("--run", metavar="NAME", help="Only this run."),
    click.option("--manifest", metavar="NAME", help="Only this manifest."),
    click.option("--message", metavar="ID", help="Only messages of this id."),
    click.option("--to", "recipient", metavar="RECIPIENT", help="Only this one, as in a manifest."),
)
_SESSION_OPTIONS = (
    click.option("--profile", envvar="DISPATCHER_PROFILE", help="A profile of dispatcher.toml."),
    click.option("--transport", envvar="DISPATCHER_TRANSPORT", help="For manifests without one."),
    click.option("--without", multiple=True, metavar="NAME", help="Leave this plugin out."),
    click.option("--no-plugins", is_flag=True, help="Leave all third-party plugins out."),
    debug_option,
)


def filter_options(function: Function) -> Function:
    """The options that choose messages of the journal, by its columns."""
    return reduce(lambda to, option: option(to), reversed(_FILTERS), function)


def early_session_options(function: Function) -> Function:
    """The same options before the name of a command."""
    return reduce(lambda to, option: option(to), reversed(_SESSION_OPTIONS), function)


def session_options(function: Function) -> Function:
    """The options of which a `Dispatcher` is made, passed on as `dispatcher=Dispatcher.open(…)`.

    So is the journal's, where the command has one.
    """

    def command(
        profile: str | None,
        transport: str | None,
        without: tuple[str, ...],
        no_plugins: bool,
        journal: str | None = None,
        **rest: Any,
    ) -> Any:
        if click.get_current_context().invoked_subcommand:  # a group's: it has options of its own
            return None
        with (
            supervised() as timers,
            Dispatcher.open(
                profile=profile,
                transport=transport,
                journal=journal,
                without=without,
                third_party=not no_plugins,
                warn=print_warning,
                secrets=click.get_current_context().find_object(Secrets),
                timers=timers,
            ) as dispatcher,
        ):
            return function(dispatcher=dispatcher, **rest)

    command.__doc__ = function.__doc__
    command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped: Function = reduce(lambda to, option: option(to), reversed(_SESSION_OPTIONS), command)  # type: ignore[assignment]
    return wrapped


def good_plan(dispatcher: Dispatcher, paths: Iterable[Path], run: str) -> Plan:
    """A plan, every problem of which is shown; errors end the command with exit code 2."""
    plan = dispatcher.plan(*paths, run=run)
    print_problems(plan.problems, "text", err=True)
    if plan.errors:
        raise click.exceptions.Exit(ExitCode.USAGE)
    return plan


def plugin_commands(
    builtin: Collection[str],
    *,
    profile: str | None = None,
    without: Iterable[str] = (),
    third_party: bool = True,
) -> dict[str, click.Command]:
    """The subcommands that plugins add; none may have the name of a `builtin` one."""

    def settings(name: str, kind: type[BaseSettings]) -> BaseSettings:
        return load(Path.cwd(), profile=profile).plugin_settings(name, kind)

    registry = build_registry(
        builtins(), without=without, third_party=third_party, settings=settings
    )
    return {str(each.name): each for each in registry.commands(builtin)}
