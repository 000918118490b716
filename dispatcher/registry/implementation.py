"""A plugin's function for a hook: called, and blamed for whatever it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from typing import Any, NamedTuple, TypeVar

from dispatcher.errors import PluginError, SourceError, pass_on_interruption
from dispatcher.models import Message
from dispatcher.registry.checks import describe
from dispatcher.registry.clock import Clock
from dispatcher.registry.loading import PluginInfo

Answer = TypeVar("Answer")

_NOTHING = nullcontext()


class Implementation(NamedTuple):
    """A plugin's function for a hook, and the names of the arguments that it needs."""

    plugin: PluginInfo
    hook: str
    function: Callable[..., object]
    needed: Sequence[str]
    clock: Clock

    def answer(self, read: Callable[[object], Answer], arguments: Mapping[str, object]) -> Answer:
        """What it answers, read; whatever it raises is blamed on its plugin."""
        try:
            with self.clock, _untouched(self.plugin, arguments):
                return read(self.function(*[arguments[name] for name in self.needed]))
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, SourceError) and self.hook == "dispatcher_resolve_source":
                raise
            cause = describe(error)
            raise PluginError(f"{self.plugin} failed in {self.hook}: {cause}") from error


def _untouched(plugin: PluginInfo, arguments: Mapping[str, object]) -> AbstractContextManager[None]:
    """Around a call: a message's variables, the one thing in it that can be changed, are not."""
    message = arguments.get("message")
    if plugin.builtin or not isinstance(message, Message) or not message.vars:
        return _NOTHING
    return _unchanged(message.vars)


@contextmanager
def _unchanged(variables: dict[str, Any]) -> Iterator[None]:
    before = deepcopy(variables)
    yield
    if variables != before:
        variables.clear()
        variables.update(before)
        raise PluginError("it changed message.vars; messages are not to be changed")
