"""`dispatcher schema`: the JSON Schema of manifests, or of dispatcher.toml, for editors."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from dispatcher.api import Dispatcher, schemas
from dispatcher.cli.next_steps import shell_word
from dispatcher.cli.options import invocation, session_options
from dispatcher.cli.output import print_line
from dispatcher.errors import ExitCode
from dispatcher.printing import print_value

_NO_FILE = Path("--config")  # stands for the FILE that `--config` was given without


@click.command("schema")
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Print nothing; end with exit code 1 unless FILE is what would be printed.",
)
@session_options
def command(dispatcher: Dispatcher, check: Path | None, of_configuration: bool) -> int:
    """Print the JSON Schema of manifests, or with --config that of dispatcher.toml.

    Redirect it to a file, to which editors are pointed by `#:schema FILE` in the first line.
    """
    dispatcher.registry.require_healthy()
    made = schemas.configuration_schema if of_configuration else schemas.manifest_schema
    schema = made(dispatcher.registry)
    if check is None:
        print_value(schema, indent=2)
    elif not schemas.holds(check, schema):
        line = invocation(dispatcher).other("schema", *(["--config"] if of_configuration else []))
        anew = f"write it anew: {line} > {shell_word(str(check))}"
        print_line(f"{check} is not the schema of the installed plugins; {anew}", err=True)
        return ExitCode.FAILED
    return ExitCode.DONE


def _config_with_or_without_file(option: click.Option) -> click.Option:
    return click.Option(
        option.opts,
        is_flag=False,
        flag_value=str(_NO_FILE),
        multiple=True,
        callback=partial(_chosen_config, option),
        type=option.type,
        metavar="[FILE]",
        help="The schema of dispatcher.toml; with FILE, the configuration of this command, as "
        "everywhere.",
    )


def _chosen_config(
    option: click.Option, context: click.Context, _: click.Parameter, files: tuple[Path, ...]
) -> Any:
    """Return what the option of all commands makes of the files that were given."""
    assert option.callback is not None
    context.params["of_configuration"] = _NO_FILE in files
    return option.callback(context, option, tuple(each for each in files if each != _NO_FILE))


command.params = [
    _config_with_or_without_file(each)
    if isinstance(each, click.Option) and each.name == "config"
    else each
    for each in command.params
]
