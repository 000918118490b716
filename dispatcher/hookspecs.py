"""The hooks, in the order of the pipeline, and the two interfaces that plugins may offer.

A plugin is a module (or an object) with functions marked `@hookimpl`; a distribution names it in
its entry points, group `dispatcher`:

    [project.entry-points.dispatcher]
    drive = "dispatcher_drive"

A plugin that has settings is a class with a class `Settings` (of pydantic-settings), named in the
entry points as `utm = "dispatcher_utm:Utm"`. It is made with them, as transports are: its table
`[plugins.utm]` in dispatcher.toml, overridden by the environment (`env_prefix` of the class):

    class Utm:
        Settings = UtmSettings

        def __init__(self, settings): ...

        @hookimpl
        def dispatcher_transform_payload(self, payload): ...

An implementation names only the arguments it needs. Third parties are asked before the built-ins,
and among them in the order of their names. Hooks are pure: they never touch the network. Names that
begin with `dispatcher_` belong to hooks; arguments have no defaults; wrappers are not supported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import pluggy

from dispatcher.models import Attachment, Message, Outcome, Payload, Problem

if TYPE_CHECKING:
    import click

    from dispatcher.transports import Transport

hookspec = pluggy.HookspecMarker("dispatcher")
hookimpl = pluggy.HookimplMarker("dispatcher")


@hookspec(firstresult=True)
def dispatcher_resolve_source(source: str, base: Path) -> Attachment | None:
    """Say what a media table's `source` is; the first answer that is not None counts.

    In: the rendered `source` and the folder of its manifest. Out: an `Upload` (the core uploads it,
    once per content), a `Link`, a `MediaId`, or None: not mine. Raises `SourceError`: mine, but
    unusable.

        @hookimpl
        def dispatcher_resolve_source(source):
            if source.startswith("drive:"):
                return Link(url="https://drive.example.com/" + source.removeprefix("drive:"))
    """


@hookspec
def dispatcher_validate_message(
    message: Message, attachment: Attachment | None
) -> Iterable[Problem] | None:
    """Object to a message; the answers of all plugins are collected.

    In: the message and what its source resolved to (None: text, or the source is unusable).
    Out: problems, None for none. An "error" keeps the whole plan from being sent.

        @hookimpl
        def dispatcher_validate_message(message):
            if message.text and "free of charge" in message.text.body:
                yield Problem(message='do not write "free of charge"', where="text.body")
    """


@hookspec
def dispatcher_transform_payload(payload: Payload, message: Message) -> None:
    """Change, in place, the JSON body that will be posted; in plugin order; return nothing.

    A file that is still to be uploaded stands in it as "upload:sha256:<hex>". To whom the message
    goes is not to be changed: see `BaseTransport.recipient_fields`. Afterwards it still holds JSON.

        @hookimpl
        def dispatcher_transform_payload(payload):
            if "text" in payload:
                payload["text"]["body"] += "\\n\\nReply STOP to unsubscribe."
    """


@hookspec
def dispatcher_transports() -> Iterable[type[Transport]]:  # type: ignore[empty-body]
    """Offer ways to send; a manifest chooses one by `transport = "name"`.

    @hookimpl
    def dispatcher_transports():
        return [CarrierPigeon]
    """


@hookspec
def dispatcher_message_finished(message: Message, outcome: Outcome) -> None:
    """Be told how a message ended in this run; a failure here is reported and changes nothing.

    @hookimpl
    def dispatcher_message_finished(message, outcome):
        if outcome.status == "failed":
            logging.getLogger("alerts").error("%s: %s", message.key, outcome.error)
    """


@hookspec
def dispatcher_engines() -> Iterable[Engine]:  # type: ignore[empty-body]
    """Offer ways to carry out a plan; the configuration chooses one by `delivery.engine`.

    @hookimpl
    def dispatcher_engines():
        return [OneByOne()]
    """


@hookspec
def dispatcher_commands() -> Iterable[click.Command]:  # type: ignore[empty-body]
    """Add subcommands to the command line.

    @hookimpl
    def dispatcher_commands():
        return [click.Command("moo", callback=lambda: click.echo("moo"))]
    """


class Engine(Protocol):
    """Who carries out a plan. `name`: how `delivery.engine` in the configuration calls it."""

    name: ClassVar[str]

    def run(
        self,
        messages: Iterable[Message],
        deliver: Callable[[Message], float | None],
        workers: int,
        stopped: Callable[[], bool],
    ) -> None:
        """Call `deliver` with every message, from at most `workers` threads at a time.

        It answers None when the message has its outcome, or the seconds after which it is to be
        called with it again. Messages to one recipient (`message.to`) are delivered in their order,
        each to its end before the next one begins. Once `stopped()` is true nothing is started any
        more, and `run` returns when nothing is under way. `messages` are read as they are needed:
        there may be more than fit in memory. `deliver` never raises for a message that failed;
        whatever it or `messages` does raise ends the run and must be passed on.
        """
        ...
