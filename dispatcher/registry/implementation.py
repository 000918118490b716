"""A plugin's function for a hook: called, and blamed for whatever it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from dispatcher.errors import PluginError, SourceError, describe, pass_on_interruption
from dispatcher.models import Message, Model
from dispatcher.registry.clock import Clock
from dispatcher.registry.loading import PluginInfo

Answer = TypeVar("Answer")


class Implementation(NamedTuple):
    """A plugin's function for a hook, and the names of the arguments that it needs."""

    plugin: PluginInfo
    hook: str
    function: Callable[..., object]
    needed: Sequence[str]
    clock: Clock

    def answer(self, read: Callable[[object], Answer], arguments: Mapping[str, object]) -> Answer:
        """What it answers, read; whatever it raises is blamed on its plugin.

        A third party gets copies of its own of all models.
        """
        given = [self._own(arguments[name]) for name in self.needed]
        try:
            with self.clock:
                answer = read(self.function(*given))
                _require_unchanged(given, arguments)
                return answer
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, SourceError) and self.hook == "dispatcher_resolve_source":
                raise
            cause = describe(error)
            raise PluginError(f"{self.plugin} failed in {self.hook}: {cause}") from error

    def _own(self, argument: object) -> object:
        if self.plugin.builtin or not isinstance(argument, Model):
            return argument
        return argument.detached()


def _require_unchanged(given: Iterable[object], arguments: Mapping[str, object]) -> None:
    """Tell a plugin that changes a message, which changes nothing: it takes it for a way."""
    message = arguments.get("message")
    for each in given:
        if isinstance(each, Message) and each != message:
            raise PluginError("it changed the message; messages are not to be changed")
