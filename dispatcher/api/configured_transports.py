"""The transports that a Dispatcher uses: made from the configuration, when a plan needs them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from dispatcher.addresses import phone_address
from dispatcher.api.configured_journal import Warn
from dispatcher.bound_transports import BoundTransport, Calls
from dispatcher.config import Config
from dispatcher.errors import (
    AddressError,
    ConfigError,
    DispatcherError,
    PluginError,
    PluginMissing,
    describe,
    pass_on_interruption,
)
from dispatcher.redaction import Secrets
from dispatcher.registry import Registry
from dispatcher.transports import Transport

_USUAL: Final = "greenapi"  # the configuration's default


class ConfiguredTransports:
    """Makes each transport once, with its settings; `secrets` collects their credentials.

    `default` is the name of the one for manifests that name none.
    """

    def __init__(
        self, config: Config, registry: Registry, warn: Warn, secrets: Secrets, default: str | None
    ) -> None:
        self._config, self._registry = config, registry
        self._warn, self._secrets = warn, secrets
        self.default = default or config.settings.transport
        self._made: dict[str, Transport] = {}
        self._overrides: dict[str, dict[str, Any]] = {}

    def get(self, name: str) -> Transport:
        """Return the transport of this name. Raises PluginError or ConfigError."""
        if name not in self._made:
            self._made[name] = self._make(self._kind(name), self._overrides.get(name, {}))
        return self._made[name]

    def override(self, name: str, **settings: Any) -> None:
        """Set settings of a transport that win over environment and file, until it is made."""
        self._overrides[name] = settings

    @property
    def used(self) -> list[BoundTransport]:
        """Return the transports that plans have needed so far, to read their attributes."""
        calls = Calls(self._registry.timer)
        return [BoundTransport(each, calls) for each in self._made.values()]

    def used_by(self, names: Collection[str]) -> list[BoundTransport]:
        """Return those of `used` that have one of these names."""
        return [each for each in self.used if each.name in names]

    @contextmanager
    def outside_a_run(self, name: str | None = None) -> Iterator[list[BoundTransport]]:
        """Give the transports that plans have needed so far, or the one of this name, for calls
        outside a run."""
        from dispatcher.delivery.calls import GuardedCalls

        calls = GuardedCalls(self._registry.timer, halt=lambda why: None)
        try:
            chosen = self._made.values() if name is None else [self.get(name)]
            yield [BoundTransport(each, calls) for each in chosen]
        finally:
            calls.close()

    def recipient(self, written: str | None, *, quiet: bool = False) -> str | None:
        """Return a recipient, written as in a manifest, as the journal has it.

        What neither the default transport accepts, nor those that use phone numbers, is returned
        unchanged: it may be another transport's.
        """
        if written is None:
            return None
        country = self._config.settings.country
        with suppress(DispatcherError):
            bound = BoundTransport(self.get(self.default), Calls(self._registry.timer))
            return bound.address(written, country).to
        try:
            return phone_address(written, country).to
        except AddressError as error:
            if not quiet:
                self._warn(str(error))
            return written

    def _kind(self, name: str) -> type[Transport]:
        try:
            return self._registry.transport(name)
        except PluginMissing as error:
            if name != self.default or name == _USUAL:
                raise
            # The name comes from the caller or the configuration, not from a manifest.
            if name != self._config.settings.transport:
                raise ConfigError(f"--transport: {error}") from None
            raise self._config.error(("transport",), str(error)) from None

    def _make(self, kind: Any, overrides: dict[str, Any]) -> Transport:
        settings = self._config.transport_settings(kind, **overrides)
        self._secrets.watch(settings)
        timer = self._registry.timer(kind.name, "__init__")
        try:
            with timer:
                made: Transport = kind(settings)
        except BaseException as error:
            pass_on_interruption(error)
            cause = self._secrets.hidden(describe(error))
            raise PluginError(f"{timer.plugin} failed in {timer.task}: {cause}") from error
        self._secrets.watch(made)
        return made
