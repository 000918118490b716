"""What the commands share: options, and the configuration, plugins and transports of one run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dispatcher import names, namesakes
from dispatcher.addresses import phone_address
from dispatcher.builtin import builtins
from dispatcher.cli.arguments import is_text
from dispatcher.cli.output import print_problems, print_warnings
from dispatcher.cli.supervision import supervised
from dispatcher.config import Config, absolute_journal, load
from dispatcher.errors import (
    AddressError,
    ConfigError,
    DispatcherError,
    PluginError,
    PluginMissing,
    pass_on_interruption,
)
from dispatcher.manifest import Options
from dispatcher.manifest import load as load_manifests
from dispatcher.planning import Lookup, Planner
from dispatcher.redaction import Secrets
from dispatcher.registry import Clock, Registry, build_registry
from dispatcher.toml.explain import quoted
from dispatcher.transports import BoundTransport, Calls, Transport, optional

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from dispatcher.journal import Journal, JournalReader

_USUAL_TRANSPORT = "greenapi"  # of which nobody need say anything

Function = TypeVar("Function", bound=Callable[..., Any])

paths_argument = click.argument(
    "paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]…"
)
run_option = click.option(
    "--run", default="default", metavar="NAME", help="Name of the run; a daily job passes the date."
)


def _where_it_is_now(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    """A relative URL means this folder, whatever folder a plugin goes to later."""
    return absolute_journal(url, Path.cwd()) if url else url


journal_option = click.option(
    "--journal",
    envvar="DISPATCHER_JOURNAL",
    callback=_where_it_is_now,
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
    """The options from which `Session` is made, passed on as `session=Session(…)`."""

    def command(
        profile: str | None,
        transport: str | None,
        without: tuple[str, ...],
        no_plugins: bool,
        **rest: Any,
    ) -> Any:
        if click.get_current_context().invoked_subcommand:  # a group's: it has options of its own
            return None
        with supervised() as clocks:
            secrets = click.get_current_context().find_object(Secrets)
            session = Session(
                profile, transport, without, clocks, third_party=not no_plugins, secrets=secrets
            )
            for plugin in session.registry.plugins:
                print_warnings(f"{plugin}: {warning}" for warning in plugin.warnings)
            return function(session=session, **rest)

    command.__doc__ = function.__doc__
    command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped: Function = reduce(lambda to, option: option(to), reversed(_SESSION_OPTIONS), command)  # type: ignore[assignment]
    return wrapped


class Session:
    """Configuration, registry and transports of one run, each made when it is first needed."""

    def __init__(
        self,
        profile: str | None = None,
        transport: str | None = None,
        without: Iterable[str] = (),
        clocks: list[Clock] | None = None,
        *,
        third_party: bool = True,
        secrets: Secrets | None = None,
    ) -> None:
        self._secrets = secrets or Secrets()
        self.config: Config = load(Path.cwd(), profile=profile)
        self.registry: Registry = build_registry(
            builtins(self.config.roots),
            without=without,
            third_party=third_party,
            settings=self.config.plugin_settings,
            clocks=clocks,
        )
        if third_party:  # otherwise nobody looked whose the tables are
            self.config.check_plugins(_tables(self.registry))
        complete = all(plugin.status == "active" for plugin in self.registry.plugins)
        # Only where there are tables: who lists plugins, say, need not have their transports.
        if third_party and complete and self.config.settings.transports:
            self.config.check_transports(self.registry.transports())
        self.transports: dict[str, Transport] = {}
        self._default_transport = transport or self.config.settings.transport
        self._overrides: dict[str, dict[str, Any]] = {}

    def override(self, transport: str, **settings: Any) -> None:
        """Settings of a transport that win over environment and file."""
        self._overrides[transport] = settings

    def transport(self, name: str) -> Transport:
        """The transport of this name. Raises PluginError or ConfigError."""
        if name not in self.transports:
            kind = self._kind(name)
            self.transports[name] = self._made(kind, self._overrides.get(name, {}))
        return self.transports[name]

    def _kind(self, name: str) -> type[Transport]:
        try:
            return self.registry.transport(name)
        except PluginMissing as error:
            if name != self._default_transport or name == _USUAL_TRANSPORT:
                raise
            # No manifest is at fault: the name is the flag's or the configuration's.
            if name != self.config.settings.transport:
                raise ConfigError(f"--transport: {error}") from None
            raise self.config.error(("transport",), str(error)) from None

    def _made(self, kind: Any, overrides: dict[str, Any]) -> Transport:
        needs_none = optional(kind, "plans_without_settings")
        # Where there is nothing to read, pydantic-settings need not be loaded.
        bare = needs_none and not overrides and not self.config.sets_up(kind.name)
        given = [] if bare else [self.config.transport_settings(kind, **overrides)]
        for settings in given:
            self._secrets.watch(settings)
        try:
            made: Transport = kind(*given)
        except BaseException as error:
            pass_on_interruption(error)
            cause = f"{type(error).__name__}: {error}"
            raise PluginError(f'transport "{kind.name}" cannot be made: {cause}') from error
        self._secrets.watch(made)
        return made

    def recipient(self, written: str | None) -> str | None:
        """How the journal calls a recipient who is written as in a manifest.

        What neither the transport for manifests without one takes, nor those with phone numbers,
        is looked for as it stands: it may be another transport's.
        """
        if written is None:
            return None
        country = self.config.settings.country
        with suppress(DispatcherError):
            transport = self.transport(self._default_transport)
            bound = BoundTransport(transport, Calls(self.registry.clock))
            return bound.address(written, country).to
        try:
            return phone_address(written, country).to
        except AddressError as error:
            print_warnings([str(error)])
            return written

    def journal_url(self, flag: str | None) -> str:
        """The journal that a flag or the file names."""
        url = flag or self.config.journal
        if not is_text(url) and not url.startswith("sqlite:"):  # whose file may have any name
            raise ConfigError(f'--journal "{url}" is not UTF-8')
        self._secrets.add_password(url)
        return url

    @contextmanager
    def journal_reader(self, flag: str | None, planner: Planner) -> Iterator[Lookup]:
        """How to look up keys beside a run; without a journal yet, nothing is known of any."""
        from dispatcher.journal import read_journal

        with read_journal(self.journal_url(flag)) as journal:
            print_warnings(journal.warnings if journal else ())
            if journal:
                self.warn_of_namesakes(planner, journal)
            yield journal.lookup if journal else lambda keys: {}

    def warn_of_namesakes(self, planner: Planner, journal: Journal | JournalReader) -> None:
        """Say which manifests have the name of another one, which was sent before."""
        known = journal.places(planner.paths)
        found = namesakes.warnings(planner.paths, known, self.config.folder)
        print_problems(found, "text", err=True)

    def note_places(self, planner: Planner, journal: Journal) -> None:
        """Have the journal know from which files the manifests come."""
        journal.note_places(namesakes.places(planner.paths, self.config.folder))

    def planner(self, paths: Iterable[Path], run: str = "default") -> Planner:
        """Load manifests for planning. Raises PluginError if any plugin is broken."""
        self.registry.require_healthy()
        self._require_engine()
        if fault := names.fault(run):
            raise ConfigError(f"--run {quoted(run)} {fault}")
        options = Options(
            run=names.canonical_name(run),
            transport=self._default_transport,
            roots=self.config.roots,
            country=self.config.settings.country,
        )
        manifests = load_manifests(list(paths) or [self.config.manifests], options)
        return Planner(manifests, self.registry, self.transport)

    def _require_engine(self) -> None:
        try:
            self.registry.engine(self.config.settings.delivery.engine)
        except PluginMissing as error:
            raise self.config.error(("delivery", "engine"), str(error)) from None


def check_or_exit(planner: Planner, *, again: bool = False) -> None:
    """Show every problem; errors end the command with exit code 2. `again`: warnings are known."""
    problems = planner.check()
    if problems.errors or not again:
        print_problems(problems, "text", err=True)
    if problems.errors:
        raise click.exceptions.Exit(2)


def _tables(registry: Registry) -> dict[str, bool]:
    """Every plugin's name, and whether it may have a table of settings."""
    return {each.name: each.configurable or each.status != "active" for each in registry.plugins}


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
