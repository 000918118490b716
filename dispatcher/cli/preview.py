"""`dispatcher preview`: the plan as chat bubbles in the browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import paths_argument, selection_options
from dispatcher.cli.output import print_line
from dispatcher.cli.reports import print_problems
from dispatcher.cli.session import session_options, warn_of_absent
from dispatcher.errors import ConfigError, ExitCode
from dispatcher.localfiles import existing_spelling
from dispatcher.planning import Planner
from dispatcher.planning.selection import SelectionOptions

_HOST = "127.0.0.1"


@click.command("preview")
@paths_argument
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; default: any."
)
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@selection_options
@session_options
def command(
    dispatcher: Dispatcher,
    paths: tuple[Path, ...],
    port: int,
    no_open: bool,
    selection: SelectionOptions,
) -> int:
    """Show the plan as chat bubbles in the browser, until Ctrl-C; sends nothing."""
    named = list(paths) or [dispatcher.config.manifests]
    _require_there(dispatcher, named)
    configuration = dispatcher.config.candidates
    watched = [*_watched_paths(dispatcher, named), *configuration]
    known = _state(configuration)

    def make_planner() -> Planner:
        if _state(configuration) != known:  # from which plugins and transports are made
            raise ConfigError(f"{configuration[0].name} has changed; start the preview again")
        return dispatcher.planner(paths, **selection)

    if selection:
        _require_found(make_planner())

    def ready(url: str) -> None:
        print_line(f"preview: {url}")
        if not no_open:
            click.launch(url)

    _serve(make_planner, watched, port, ready)
    return ExitCode.DONE


def _serve(
    make_planner: Callable[[], Planner],
    watched: list[Path],
    port: int,
    ready: Callable[[str], None],
) -> None:
    try:
        from dispatcher.local_server import listen, run, url_of
        from dispatcher.preview.app import create_app
    except ImportError:
        raise ConfigError(
            "the preview needs an extra: pip install 'message-dispatcher[sandbox]'"
        ) from None
    try:
        listener = listen(_HOST, port)
    except OSError as error:
        raise ConfigError(f"cannot listen on {_HOST} port {port}: {error}") from error
    with listener:
        run(create_app(make_planner, watched), listener, lambda: ready(url_of(listener, _HOST)))


def _require_there(dispatcher: Dispatcher, named: list[Path]) -> None:
    """End the command if a path does not exist: the preview does not wait for it."""
    missing = [path for path in named if not os.path.lexists(existing_spelling(path))]
    if missing:
        print_problems(dispatcher.planner(missing).problems_of_files(), "text", err=True)
        raise click.exceptions.Exit(ExitCode.USAGE)


def _require_found(planner: Planner) -> None:
    """End the command if nothing is selected, unless files are wrong, too."""
    if planner.check().errors:
        return
    planner.require_selected()
    warn_of_absent(planner.without_message)
    if not planner.checked:
        print_line("nothing to show", err=True)
        raise click.exceptions.Exit(ExitCode.NOTHING)


def _watched_paths(dispatcher: Dispatcher, named: list[Path]) -> list[Path]:
    """Return where a change of a file may change the plan, besides the configuration."""
    folders = [path if path.is_dir() else path.parent for path in named]
    return [*folders, *dispatcher.config.roots]


def _state(files: Iterable[Path]) -> str:
    from dispatcher.preview.watching import snapshot

    return snapshot(files)
