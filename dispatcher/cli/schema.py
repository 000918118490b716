"""`dispatcher schema`: the JSON Schema of manifests, or of dispatcher.toml, for editors."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from dispatcher.api import Dispatcher, schemas
from dispatcher.cli.next_steps import shell_word
from dispatcher.cli.options import one_file
from dispatcher.cli.output import print_line
from dispatcher.cli.session import invocation, session_options
from dispatcher.errors import ExitCode
from dispatcher.printing import print_value

_NO_FILE = Path("--config")  # stands for the FILE that `--config` was given without


def _chosen_config(
    context: click.Context, option: click.Parameter, files: tuple[Path, ...]
) -> Path | None:
    context.params["of_configuration"] = _NO_FILE in files
    return one_file(context, option, tuple(each for each in files if each != _NO_FILE))


_config_option = click.option(
    "--config",
    is_flag=False,
    flag_value=str(_NO_FILE),
    multiple=True,
    callback=_chosen_config,
    type=click.Path(path_type=Path),
    metavar="[FILE]",
    help="The schema of dispatcher.toml; with FILE, the configuration of this command, as "
    "everywhere.",
)


@click.command("schema")
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Print nothing; end with exit code 1 unless FILE is what would be printed.",
)
@partial(session_options, config=_config_option)
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
